import dataclasses
import json
import sys

import numpy as np
import pytest

import tfticket as tt
from tests.processes import execute
from tfticket.backend import keras
from tfticket.errors import InputError
from tfticket.inspection.files import ARRAYS, NUMBERS, read_inspection, write_inspection
from tfticket.inspection.ticket import inspect_ticket


def same(one, other):
    assert type(one) is type(other)
    if dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, tuple):
        for left, right in zip(one, other, strict=True):
            same(left, right)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


@pytest.fixture
def inspection(prune):
    ticket = prune(tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10), density=0.02)
    return inspect_ticket(ticket, trained=ticket.start, before=ticket.start)


@pytest.fixture
def without_paths(prune):
    layers = keras.layers
    images = keras.Input((4, 2, 1))
    x = layers.LSTM(3, name="memory")(layers.Reshape((4, 2))(images))
    return inspect_ticket(prune(keras.Model(images, layers.Dense(2, name="dense")(x))))


@pytest.mark.parametrize("kind", ["inspection", "without_paths"])
def test_what_was_written_is_read_again(kind, tmp_path, request):
    written = request.getfixturevalue(kind)
    write_inspection(tmp_path / "new", written)
    same(read_inspection(tmp_path / "new"), written)
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == [NUMBERS, ARRAYS]


def test_the_numbers_are_there_for_whoever_reads_json(inspection, tmp_path):
    write_inspection(tmp_path, inspection)
    numbers = json.loads((tmp_path / NUMBERS).read_text())
    assert (numbers["format"], numbers["kind"], numbers["network"]) == (1, "inspection", "lenet-300-100")
    assert numbers["paths"] == {
        "dense": 235_200_000,
        "surviving": inspection.paths,
        "ratio": inspection.paths / 235_200_000,
    }
    assert numbers["inputs"] == {"count": 784, "dead": inspection.dead_input_count}
    assert numbers["multiplies"]["dense"] == 266_200
    first = numbers["kernels"][0]
    assert (first["weights"], first["units"], first["inputs"]) == (235_200, 300, 784)
    assert first["dead_units"] == inspection.kernels[0].dead > 0
    assert first["histograms"] == ["initial", "trained", "before"]
    assert first["picture"] == {"binned": True}


def test_it_is_read_without_tensorflow(inspection, tmp_path):
    write_inspection(tmp_path, inspection)
    code = (
        "import sys, pathlib; from tfticket.inspection.files import read_inspection; "
        "import tfticket.reports.figures.ticket_layers; "
        f"import tfticket.inspection.run_tickets; read_inspection(pathlib.Path({str(tmp_path)!r})); "
        "assert 'tensorflow' not in sys.modules"
    )
    execute([sys.executable, "-c", code])


def test_a_damaged_inspection_is_refused(inspection, without_paths, tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_inspection(tmp_path)
    write_inspection(tmp_path, inspection)
    numbers = json.loads((tmp_path / NUMBERS).read_text())
    for change, message in (
        ({"format": 2}, "has format 2; this tfticket reads format 1"),
        ({"kind": "ticket"}, "is not an inspection"),
        ({"arrays": "other"}, "do not belong together"),
        ({"kernels": [{"path": "dense_1/kernel"}]}, "there is no 'kind' in kernels.0"),
        ({"kernels": {"a": 1}}, "'kernels' is a table; expected a list"),
        ({"level": "3"}, "'level' is '3'; expected a whole number"),
        ({"density": float("nan")}, "'density' is nan; expected a finite number"),
        ({"parameters": [1]}, "'parameters' is a list; expected a table"),
        ({"receptive_fields": {}}, "there is no 'path' in receptive_fields"),
    ):
        (tmp_path / NUMBERS).write_text(json.dumps(numbers | change))
        with pytest.raises(InputError, match=message):
            read_inspection(tmp_path)
    write_inspection(tmp_path / "other", without_paths)
    (tmp_path / "other" / ARRAYS).replace(tmp_path / ARRAYS)
    (tmp_path / NUMBERS).write_text(json.dumps(numbers))
    with pytest.raises(InputError, match="do not belong together"):
        read_inspection(tmp_path)
