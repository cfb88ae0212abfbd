import json
import os
from contextlib import suppress

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tfticket.errors import InputError
from tfticket.runs import artefacts
from tfticket.runs.artefacts import FORMAT_VERSION, load_tensors, save_tensors, versions

TYPES = st.sampled_from([np.bool_, np.uint8, np.int32, np.int64, np.float16, np.float32, np.float64])
TENSORS = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
        lambda name: name != "__metadata__"
    ),
    TYPES.flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))),
    max_size=4,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("artefacts") / "weights.safetensors"


@given(TENSORS)
def test_tensors_come_back_with_their_bits_types_and_shapes(path, tensors):
    save_tensors(path, "weights", tensors, {})
    found, _ = load_tensors(path, "weights")
    assert set(found) == set(tensors)
    for name, array in tensors.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


def test_arrays_that_do_not_lie_in_one_piece_come_back(path):
    array = np.arange(24.0).reshape(2, 3, 4)
    save_tensors(path, "weights", {"turned": array.T, "every other": array[..., ::2]}, {})
    found, _ = load_tensors(path, "weights")
    np.testing.assert_array_equal(found["turned"], array.T)
    np.testing.assert_array_equal(found["every other"], array[..., ::2])


def test_metadata_come_back_with_format_kind_and_versions(path):
    metadata = {"iteration": 3, "history": [{"loss": 0.1}], "names": ["ü"]}
    save_tensors(path, "weights", {}, metadata)
    _, header = load_tensors(path, "weights")
    assert header == {"format": FORMAT_VERSION, "kind": "weights", "versions": versions(), **metadata}
    assert {"tfticket", "tensorflow", "numpy"} <= set(versions())


@pytest.fixture(scope="module")
def whole(path):
    save_tensors(path, "ticket", {"start/a/kernel": np.arange(100.0), "mask/a/kernel": np.ones(9, bool)}, {"level": 1})
    return path.read_bytes()


def refused(path, message):
    with pytest.raises(InputError, match=message) as error:
        load_tensors(path, "ticket")
    assert str(path) in str(error.value)


@given(st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(path, whole, part):
    path.write_bytes(whole[: int(part * len(whole))])
    refused(path, "damaged or not a safetensors file")


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(path, content):
    path.write_bytes(content)
    refused(path, "damaged or not|not written by tfticket")


@given(st.data())
def test_a_flipped_byte_of_the_header_raises_no_other_error(path, whole, data):
    length = 8 + int.from_bytes(whole[:8], "little")
    damaged = bytearray(whole)
    damaged[data.draw(st.integers(0, length - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    with suppress(InputError):
        load_tensors(path, "ticket")


@pytest.mark.parametrize(
    "metadata",
    [None, {}, {"format": "pt"}, *[{"tfticket": text} for text in ("", "[]", "3", "null", "{}", '{"kind": "ticket"}')]],
)
def test_another_programs_file_is_refused(path, metadata):
    safetensors.numpy.save_file({"a": np.zeros(2)}, path, metadata=metadata)
    refused(path, "not written by tfticket")


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3"])
def test_another_programs_number_type_is_refused(path, kind):
    header = json.dumps({"a": {"dtype": kind, "shape": [4], "data_offsets": [0, 8 if kind == "BF16" else 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8 if kind == "BF16" else 4))
    refused(path, "damaged or not|not written by tfticket")


def test_another_kind_is_refused(path):
    save_tensors(path, "checkpoint", {}, {})
    refused(path, "holds a checkpoint; expected a ticket")


def test_a_newer_format_is_refused_with_what_to_do(path, monkeypatch):
    with monkeypatch.context() as later:
        later.setattr(artefacts, "FORMAT_VERSION", FORMAT_VERSION + 1)
        save_tensors(path, "ticket", {}, {})
    refused(path, f"has format {FORMAT_VERSION + 1}.*Update tfticket")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused(tmp_path / "ticket.safetensors", "There is no file")
    refused(tmp_path, "is a folder")


@pytest.mark.parametrize(
    ("shape", "offsets"),
    [([2**40], [0, 8]), ([2**40, 2**40], [0, 8]), ([2**62, 4, 0], [0, 8]), ([1], [0, 2**50]), ([-1], [0, 8])],
)
def test_shapes_that_the_file_does_not_hold_are_refused(path, shape, offsets):
    header = {"__metadata__": {"tfticket": "{}"}, "a": {"dtype": "F64", "shape": shape, "data_offsets": offsets}}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    refused(path, "damaged or not a safetensors file")


@pytest.mark.parametrize("length", [2**30, 2**62, 2**64 - 1])
def test_a_header_that_is_said_to_be_huge_is_refused(path, length):
    path.write_bytes(length.to_bytes(8, "little") + b"{}" + bytes(8))
    refused(path, "damaged or not a safetensors file")


def test_a_pipe_and_metadata_without_end_are_refused(path, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is a named pipe; expected a file")
    safetensors.numpy.save_file({"a": np.zeros(2)}, path, metadata={"tfticket": "[" * 100_000})
    refused(path, "not written by tfticket")


def test_a_failed_save_leaves_the_old_file(path, whole):
    path.write_bytes(whole)
    with pytest.raises(TypeError):
        save_tensors(path, "ticket", {}, {"level": object()})
    assert path.read_bytes() == whole


def test_single_tensors_are_read_alone_and_no_names_read_the_metadata(path):
    save_tensors(path, "ticket", {"a": np.arange(3), "b": np.ones(4, bool)}, {"kernels": ["b"]})
    tensors, header = load_tensors(path, "ticket", ("b",))
    assert list(tensors) == ["b"]
    assert tensors["b"].tolist() == [True] * 4
    assert load_tensors(path, "ticket", ()) == ({}, header)
    assert header["kernels"] == ["b"]
    with pytest.raises(InputError, match="damaged"):
        load_tensors(path, "ticket", ("c",))
    with pytest.raises(InputError, match="holds a ticket"):
        load_tensors(path, "weights", ())
