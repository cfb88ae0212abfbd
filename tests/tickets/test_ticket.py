"""Needs TensorFlow."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import tfticket as tt
from tfticket.runs.artefacts import checksum, save_tensors


@pytest.fixture(scope="module")
def ticket():
    model = tt.build_model("lenet-300-100", input_shape=(4, 4, 1), num_classes=3)
    dense = tt.Ticket.dense(model, seed=1)
    random = np.random.default_rng(0)
    mask = {path: random.random(kept.shape) < 0.5 for path, kept in dense.mask.items()}
    return replace(dense, mask=mask, level=2, provenance={**dense.provenance, "score": "magnitude"})


def assert_equal(left, right):
    assert (left.model, left.level, left.iteration) == (right.model, right.level, right.iteration)
    assert left.provenance == right.provenance
    for name in ("mask", "start", "initial"):
        ours, theirs = getattr(left, name), getattr(right, name)
        assert list(ours) == list(theirs)
        for path in ours:
            assert ours[path].dtype == theirs[path].dtype
            np.testing.assert_array_equal(ours[path], theirs[path])


def test_a_saved_ticket_is_loaded_as_it_was(ticket, tmp_path):
    ticket.save(tmp_path / "a.safetensors")
    loaded = tt.Ticket.load(tmp_path / "a.safetensors")
    assert_equal(loaded, ticket)
    assert loaded.initial is loaded.start
    rewound = replace(ticket, start={path: array + 1 for path, array in ticket.start.items()}, iteration=500)
    rewound.save(tmp_path / "b.safetensors")
    assert_equal(tt.Ticket.load(tmp_path / "b.safetensors"), rewound)


def test_the_built_model_has_the_start_weights_where_the_mask_keeps_them(ticket):
    kernel = ticket.build_model().get_layer("dense_2").kernel.numpy()
    expected = np.where(ticket.mask["dense_2/kernel"], ticket.start["dense_2/kernel"], 0)
    np.testing.assert_array_equal(kernel, expected)


def test_current_weights_can_be_the_start():
    model = tt.build_model("lenet-300-100", input_shape=(4, 4, 1), num_classes=3)
    start = tt.Ticket.dense(model, start="current").start
    np.testing.assert_array_equal(start["dense_1/kernel"], model.get_layer("dense_1").kernel.numpy())
    with pytest.raises(tt.InputError, match="Known: seed, current"):
        tt.Ticket.dense(model, start="now")


def test_density_leaves_exempt_layers_out(ticket):
    counted = [kept for path, kept in ticket.mask.items() if path != "dense_3/kernel"]
    share = sum(kept.sum() for kept in counted) / sum(kept.size for kept in counted)
    exempt = replace(ticket, provenance={"exempt": ["dense_3"]})
    assert exempt.density == pytest.approx(share)
    assert ticket.sparsity == pytest.approx(1 - ticket.density)


def rewrite(source, target, change):
    """Write the ticket at ``source`` again with its tensors or its header changed."""
    from safetensors import safe_open

    with safe_open(source, framework="numpy") as file:
        header = json.loads(file.metadata()["tfticket"])
    tensors = load_file(source)
    change(tensors, header)
    header["sha256"] = checksum(tensors)
    save_file(tensors, target, metadata={"tfticket": json.dumps(header)})


CORRUPTIONS = {
    "mask of another type": lambda t, h: t.update({"mask/dense_1/kernel": np.ones((16, 300), np.uint8)}),
    "mask of another shape": lambda t, h: t.update({"mask/dense_1/kernel": np.ones((300, 16), bool)}),
    "start not finite": lambda t, h: t.update({"start/dense_1/bias": np.full(300, np.nan, np.float32)}),
    "start of integers": lambda t, h: t.update({"start/dense_1/bias": np.zeros(300, np.int32)}),
    "mask missing": lambda t, h: t.pop("mask/dense_2/kernel"),
    "start missing": lambda t, h: t.pop("start/dense_3/bias"),
    "a tensor too many": lambda t, h: t.update({"surprise": np.zeros(3, np.float32)}),
    "no list of kernels": lambda t, h: h.pop("kernels"),
    "no model": lambda t, h: h.pop("model"),
    "kernels not a list": lambda t, h: h.update(kernels=3),
    "level not a number": lambda t, h: h.update(level="two"),
    "provenance not a table": lambda t, h: h.update(provenance=[1]),
    "an empty model": lambda t, h: h.update(model={}),
    "a model by the name of a function": lambda t, h: h["model"].update(name="my_networks:build"),
    "a model by the name of a file": lambda t, h: h["model"].update(name="mine.keras"),
    "a model of wrong values": lambda t, h: h["model"].update(input_shape="wide"),
    "every layer exempt": lambda t, h: h["provenance"].update(exempt=["dense_1", "dense_2", "dense_3"]),
    "exempt layers of another network": lambda t, h: h["provenance"].update(exempt=["conv"]),
    "exempt not a list": lambda t, h: h["provenance"].update(exempt=3),
    "a level that is a truth value": lambda t, h: h.update(level=True),
    "a level beyond counting": lambda t, h: h.update(level=10**30),
    "a level below 0": lambda t, h: h.update(level=-1),
    "a newer format": lambda t, h: h.update(format=99),
    "another kind": lambda t, h: h.update(kind="weights"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_ticket_that_does_not_fit_is_refused_and_its_file_named(name, ticket, tmp_path):
    ticket.save(tmp_path / "good.safetensors")
    rewrite(tmp_path / "good.safetensors", tmp_path / "bad.safetensors", CORRUPTIONS[name])
    with pytest.raises(tt.InputError, match=r"bad\.safetensors"):
        tt.Ticket.load(tmp_path / "bad.safetensors")


def test_one_changed_byte_is_noticed(ticket, tmp_path):
    path = tmp_path / "bad.safetensors"
    ticket.save(path)
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(tt.InputError, match="not those that were written"):
        tt.Ticket.load(path)


@pytest.mark.parametrize("length", [0, 7, 100, 5000])
def test_a_truncated_ticket_is_refused(length, ticket, tmp_path):
    ticket.save(tmp_path / "good.safetensors")
    (tmp_path / "bad.safetensors").write_bytes((tmp_path / "good.safetensors").read_bytes()[:length])
    with pytest.raises(tt.InputError, match=r"bad\.safetensors"):
        tt.Ticket.load(tmp_path / "bad.safetensors")


def test_other_files_are_refused(tmp_path):
    save_tensors(tmp_path / "weights.safetensors", "weights", {"a": np.zeros(2)}, {})
    save_file({"a": np.zeros(2)}, tmp_path / "foreign.safetensors")
    for name in ("weights.safetensors", "foreign.safetensors", "none.safetensors", "."):
        with pytest.raises(tt.InputError):
            tt.Ticket.load(tmp_path / name)
