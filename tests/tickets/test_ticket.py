"""The ticket and its file."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import tfticket as tt
from tests.refusals import refused
from tfticket.runs.artefacts import save_tensors

MODEL = {"input_shape": (4, 4, 1), "num_classes": 3}


@pytest.fixture(scope="module")
def ticket():
    dense, random = tt.Ticket.dense(tt.build_model("lenet-300-100", **MODEL), seed=1), np.random.default_rng(0)
    mask = {path: random.random(kept.shape) < 0.5 for path, kept in dense.mask.items()}
    return replace(dense, mask=mask, level=2, provenance={**dense.provenance, "score": "magnitude"})


def test_a_saved_ticket_is_loaded_as_it_was(ticket, tmp_path):
    rewound = replace(ticket, start={path: array + 1 for path, array in ticket.start.items()}, iteration=500)
    for number, saved in enumerate((ticket, rewound)):
        saved.save(path := tmp_path / f"{number}.safetensors")
        loaded = tt.Ticket.load(path)
        assert (loaded.initial is loaded.start) == (saved is ticket)
        for name in ("model", "level", "iteration", "provenance"):
            assert getattr(loaded, name) == getattr(saved, name)
        for name in ("mask", "start", "initial"):
            ours, theirs = getattr(loaded, name), getattr(saved, name)
            assert list(ours) == list(theirs)
            assert all(ours[path].dtype == theirs[path].dtype for path in ours)
            assert all(np.array_equal(ours[path], theirs[path]) for path in ours)


def test_the_built_model_has_the_start_weights_where_the_mask_keeps_them(ticket):
    kernel = ticket.build_model().get_layer("dense_2").kernel.numpy()
    np.testing.assert_array_equal(kernel, np.where(ticket.mask["dense_2/kernel"], ticket.start["dense_2/kernel"], 0))


def test_current_weights_can_be_the_start():
    model = tt.build_model("lenet-300-100", **MODEL)
    start = tt.Ticket.dense(model, start="current").start
    np.testing.assert_array_equal(start["dense_1/kernel"], model.get_layer("dense_1").kernel.numpy())


def test_density_leaves_exempt_layers_out(ticket):
    counted = [kept for path, kept in ticket.mask.items() if path != "dense_3/kernel"]
    share = sum(kept.sum() for kept in counted) / sum(kept.size for kept in counted)
    assert replace(ticket, provenance={"exempt": ["dense_3"]}).density == pytest.approx(share)
    assert ticket.density == sum(ticket.survivors.values()) / sum(kept.size for kept in ticket.mask.values())
    assert ticket.sparsity == pytest.approx(1 - ticket.density)


def rewrite(ticket, path, change, kind="ticket"):
    """Write a ticket with its tensors or its header changed, as if it had been so."""
    ticket.save(path)
    with safe_open(path, framework="numpy") as file:
        written = json.loads(file.metadata()["tfticket"])
    header = {name: written[name] for name in ("model", "kernels", "weights", "level", "iteration", "provenance")}
    tensors = load_file(path)
    change(tensors, header)
    save_tensors(path, kind, tensors, header)


# fmt: off
CORRUPTIONS = [
    # the field that is wrong, and a change of the tensors and the header
    ("mask", lambda t, h: t.update({"mask/dense_1/kernel": np.ones((16, 300), np.uint8)})),
    ("mask", lambda t, h: t.update({"mask/dense_1/kernel": np.ones((300, 16), bool)})),
    ("mask", lambda t, h: h.update(kernels=[]) or [t.pop(name) for name in list(t) if name.startswith("mask/")]),
    ("start", lambda t, h: t.update({"start/dense_1/bias": np.full(300, np.nan, np.float32)})),
    ("start", lambda t, h: t.update({"start/dense_1/bias": np.zeros(300, np.int32)})),
    ("start", lambda t, h: h["weights"].remove("dense_2/kernel") or t.pop("start/dense_2/kernel")),
    (None, lambda t, h: t.pop("mask/dense_2/kernel")),
    (None, lambda t, h: t.pop("start/dense_3/bias")),
    (None, lambda t, h: t.update({"surprise": np.zeros(3, np.float32)})),
    (None, lambda t, h: h.pop("kernels")),
    (None, lambda t, h: h.update(kernels=3)),
    ("level", lambda t, h: h.update(level="two")),
    ("level", lambda t, h: h.update(level=10**30)),
    ("iteration", lambda t, h: h.update(iteration=-1)),
    ("exempt", lambda t, h: h.update(provenance=[1])),
    ("exempt", lambda t, h: h["provenance"].update(exempt=["dense_1", "dense_2", "dense_3"])),
    ("exempt", lambda t, h: h["provenance"].update(exempt=3)),
    ("class_names", lambda t, h: h["provenance"].update(class_names="abc")),
    ("model", lambda t, h: h.update(model={})),
    ("model", lambda t, h: h["model"].update(input_shape="wide")),
]
# fmt: on


@pytest.mark.parametrize(("field", "change"), CORRUPTIONS)
def test_a_ticket_that_does_not_fit_together_is_refused_with_its_file(field, change, ticket, tmp_path):
    rewrite(ticket, tmp_path / "bad.safetensors", change)
    with refused(field, None, "bad.safetensors"):
        tt.Ticket.load(tmp_path / "bad.safetensors")


def test_foreign_and_hostile_files_are_refused(ticket, tmp_path):
    bad = tmp_path / "bad.safetensors"
    for name in ("my_networks:build", "mine.keras"):  # code or a file in place of a network
        rewrite(ticket, bad, lambda t, h, name=name: h["model"].update(name=name))
        with pytest.raises(tt.InputError, match=rf"bad\.safetensors.*{name}"):
            tt.Ticket.load(bad)
    rewrite(ticket, bad, lambda t, h: None, kind="weights")
    save_file({"a": np.zeros(2)}, tmp_path / "foreign.safetensors")
    for name in ("bad.safetensors", "foreign.safetensors", "none.safetensors", "."):
        with refused(None, None, str(tmp_path / name)):
            tt.Ticket.load(tmp_path / name)
