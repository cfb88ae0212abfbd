"""Tensors on disk: they come back with their bits, and anything else is refused."""

import json
import os
from contextlib import suppress

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tests.refusals import refused
from tfticket.errors import InputError, TfticketError
from tfticket.runs import artefacts
from tfticket.runs.artefacts import FORMAT_VERSION, load_tensors, save_tensors, versions

TYPES = st.sampled_from([np.bool_, np.uint8, np.int32, np.int64, np.float16, np.float32, np.float64])
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
TENSORS = st.dictionaries(
    NAMES.filter(lambda name: name != "__metadata__"),
    TYPES.flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))),
    max_size=4,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("artefacts") / "weights.safetensors"


@pytest.fixture(scope="module")
def whole(path):
    save_tensors(path, "ticket", {"start/a/kernel": np.arange(100.0), "mask/a/kernel": np.ones(9, bool)}, {"level": 1})
    return path.read_bytes()


@given(TENSORS)
def test_tensors_come_back_with_their_bits_types_and_shapes(path, tensors):
    save_tensors(path, "weights", tensors, {})
    read, _ = load_tensors(path, "weights")
    assert list(read) == list(tensors)
    for name, array in tensors.items():
        assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
        assert read[name].tobytes() == array.tobytes()


def test_metadata_come_back_and_arrays_that_are_not_contiguous_and_single_tensors(path):
    array = np.arange(24.0).reshape(2, 3, 4)
    metadata = {"iteration": 3, "history": [{"loss": 0.1}], "names": ["ü"]}
    save_tensors(path, "weights", {"turned": array.T, "every other": array[..., ::2]}, metadata)
    tensors, header = load_tensors(path, "weights")
    np.testing.assert_array_equal(tensors["turned"], array.T)
    np.testing.assert_array_equal(tensors["every other"], array[..., ::2])
    assert header == {"format": FORMAT_VERSION, "kind": "weights", "versions": versions(), **metadata}
    assert {"tfticket", "tensorflow", "numpy"} <= set(versions())
    single, _ = load_tensors(path, "weights", ("turned",))
    assert {name: array.tolist() for name, array in single.items()} == {"turned": array.T.tolist()}
    assert load_tensors(path, "weights", ()) == load_tensors(path, None, ()) == ({}, header)
    with refused(None, None, str(path)):
        load_tensors(path, "weights", ("c",))


@given(st.floats(0, 1, exclude_max=True), st.binary(max_size=300), st.data())
def test_truncated_random_and_altered_bytes_are_refused(path, whole, part, content, data):
    for damaged in (whole[: int(part * len(whole))], content):
        path.write_bytes(damaged)
        with refused(None, None, str(path)):
            load_tensors(path, "ticket")
    header = 8 + int.from_bytes(whole[:8], "little")
    altered = bytearray(whole)
    altered[data.draw(st.integers(0, header - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(altered)
    with suppress(InputError):
        load_tensors(path, "ticket")
    altered = bytearray(whole)
    altered[data.draw(st.integers(header, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(altered)
    with refused(None, None, str(path)):
        load_tensors(path, "ticket")


def headed(header, data=bytes(8), length=None):
    """Return a safetensors file of a header, whose length may be wrong."""
    text = json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def of_shape(shape, offsets):
    tensor = {"dtype": "F64", "shape": shape, "data_offsets": offsets}
    return headed({"__metadata__": {"tfticket": "{}"}, "a": tensor})


def of_type(kind, size):
    return headed({"a": {"dtype": kind, "shape": [4], "data_offsets": [0, size]}}, bytes(size))


def of_metadata(metadata):
    return safetensors.numpy.save({"a": np.zeros(2)}, metadata)


TEXTS = ("", "[]", "3", "null", "{}", "[" * 100_000, '{"kind": "ticket"}')
HOSTILE = {
    **{f"metadata {text[:9]}": of_metadata({"tfticket": text}) for text in TEXTS},
    **{"no metadata": of_metadata(None), "another program's": of_metadata({"format": "pt"})},
    **{"bfloat16": of_type("BF16", 8), "float8": of_type("F8_E4M3", 4)},
    "too large": of_shape([2**40], [0, 8]),
    "too large in two dimensions": of_shape([2**40, 2**40], [0, 8]),
    "overflow": of_shape([2**62, 4, 0], [0, 8]),
    "offsets beyond the end": of_shape([1], [0, 2**50]),
    "negative": of_shape([-1], [0, 8]),
    **{f"a header of {length} bytes": headed({}, length=length) for length in (2**30, 2**64 - 1)},
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_another_programs_or_a_hostile_file_is_refused(path, content):
    path.write_bytes(content)
    with refused(None, None, str(path)):
        load_tensors(path, "ticket")


def test_other_kinds_formats_and_what_is_no_file_are_refused(path, tmp_path, monkeypatch):
    save_tensors(path, "checkpoint", {}, {})
    with refused(None, None, str(path), "checkpoint", "ticket"):
        load_tensors(path, "ticket")
    for version, advice in ((FORMAT_VERSION + 1, "Update tfticket"), (0, "Make it anew"), ("2", "Make it anew")):
        with monkeypatch.context() as later:
            later.setattr(artefacts, "FORMAT_VERSION", version)
            save_tensors(path, "ticket", {}, {})
        with refused(None, None, str(path), f"format {version}", advice):
            load_tensors(path, "ticket")
    os.mkfifo(tmp_path / "pipe")
    for place, words in ((tmp_path / "none", "no file"), (tmp_path, "folder"), (tmp_path / "pipe", "named pipe")):
        with refused(None, None, str(place), words):
            load_tensors(place, "ticket")


def test_what_cannot_be_written_is_refused_and_leaves_the_old_file(path, whole, tmp_path, monkeypatch):
    path.write_bytes(whole)
    with pytest.raises(TypeError):
        save_tensors(path, "ticket", {}, {"level": object()})
    for place in (tmp_path / "no folder" / "a.safetensors", tmp_path):
        with refused(None, None, str(place.parent if place != tmp_path else place)):
            save_tensors(place, "ticket", {}, {})

    def full(arrays, file, metadata):
        file.write_bytes(b"half")
        raise safetensors.SafetensorError("No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", full)
    with pytest.raises(TfticketError, match="No space left") as error:
        save_tensors(path, "ticket", {}, {})
    assert error.value.exit_code == 1
    assert path.read_bytes() == whole
    assert list(path.parent.iterdir()) == [path]
