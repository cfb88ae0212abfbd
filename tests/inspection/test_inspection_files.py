import dataclasses
import json
import sys

import numpy as np
import pytest

import tfticket as tt
from tests.processes import execute
from tests.refusals import refused
from tfticket.backend import keras
from tfticket.inspection.inspect_ticket import inspect_ticket
from tfticket.inspection.inspection_files import ARRAYS, NUMBERS, read_inspection, write_inspection


def check_same(first, second):
    assert type(first) is type(second)
    if dataclasses.is_dataclass(first):
        check_same(vars(first), vars(second))
    elif isinstance(first, dict | tuple):
        assert len(first) == len(second)
        keys = first if isinstance(first, dict) else range(len(first))
        for key in keys:
            check_same(first[key], second[key])
    else:
        np.testing.assert_array_equal(first, second)
        assert getattr(first, "dtype", None) == getattr(second, "dtype", None)


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


def test_an_inspection_is_read_as_it_was_written_and_without_tensorflow(inspection, without_paths, tmp_path):
    for written in (without_paths, inspection):
        write_inspection(tmp_path, written)
        check_same(read_inspection(tmp_path), written)
    assert sorted(file.name for file in tmp_path.iterdir()) == [NUMBERS, ARRAYS]
    numbers = json.loads((tmp_path / NUMBERS).read_text())
    assert (numbers["format"], numbers["kind"], numbers["network"]) == (1, "inspection", "lenet-300-100")
    ratio = inspection.paths / 235_200_000
    assert numbers["paths"] == {"dense": 235_200_000, "surviving": inspection.paths, "ratio": ratio}
    first = numbers["kernels"][0]
    assert (first["weights"], first["units"], first["inputs"]) == (235_200, 300, 784)
    assert first["dead_units"] == inspection.kernels[0].dead > 0
    code = (
        "import sys, pathlib; from tfticket.inspection.inspection_files import read_inspection; "
        "import tfticket.reports.figures.ticket_layers, tfticket.inspection.run_tickets; "
        "read_inspection(pathlib.Path(sys.argv[1])); assert 'tensorflow' not in sys.modules"
    )
    execute([sys.executable, "-c", code, tmp_path])


def test_a_damaged_inspection_is_refused(inspection, without_paths, tmp_path):
    with refused(None, None, str(tmp_path / NUMBERS)):
        read_inspection(tmp_path)
    write_inspection(tmp_path, inspection)
    numbers = json.loads((tmp_path / NUMBERS).read_text())
    other = {**numbers["kernels"][0], "path": "other/kernel"}
    for change, fact in (
        ({"format": 2}, "format 2"), ({"kind": "ticket"}, "not an inspection"), ({"arrays": "other"}, ARRAYS),
        ({"kernels": [{"path": "dense_1/kernel"}]}, "'kind' in kernels.0"), ({"kernels": {"a": 1}}, "'kernels'"),
        ({"kernels": [other]}, "other/kernel"), ({"level": "3"}, "'level' is '3'"),
        ({"density": float("nan")}, "'density' is nan"), ({"receptive_fields": {}}, "'path' in receptive_fields"),
    ):  # fmt: skip
        (tmp_path / NUMBERS).write_text(json.dumps(numbers | change))
        with refused(None, None, str(tmp_path), fact):
            read_inspection(tmp_path)
    write_inspection(tmp_path / "other", without_paths)
    (tmp_path / "other" / ARRAYS).replace(tmp_path / ARRAYS)
    (tmp_path / NUMBERS).write_text(json.dumps(numbers))
    with refused(None, None, str(tmp_path), ARRAYS):
        read_inspection(tmp_path)
