"""Inspections on disk: numbers in ``inspection.json``, arrays in ``inspection.safetensors``. No TensorFlow.

``inspection.json``, where unknown values are null:

- format, kind: 1, 'inspection'; arrays: SHA-256 of the arrays that belong to it
- network, level, density, exempt, notes
- parameters, multiplies, paths: {dense, surviving}; paths also has ratio
- inputs: {count, dead}, of the network; receptive_fields: {path}, of the input layer
- kernels, in the network's order: [{path, kind, shape, weights, survivors, density, live, units, dead_units, inputs,
  fed_inputs, used_inputs, multiplies, surviving_multiplies, picture: {binned}, histograms: [name, ...]}, ...]

``inspection.safetensors``: input_paths, dead_inputs, receptive_fields/{fields, per_pixel}, and for each kernel
dead_units/<path>, picture/<path>, histogram/<name>/{edges, kept, pruned}/<path>.
"""

from pathlib import Path
from typing import Any

import numpy as np

from tfticket.errors import InputError
from tfticket.inspection.result import Histogram, Inspection, KernelInspection, Picture, ReceptiveFields
from tfticket.runs.artefacts import checksum, load_tensors, save_tensors
from tfticket.runs.files import read_json, write_json
from tfticket.runs.records import checked
from tfticket.runs.schemas import InspectionRecord

FORMAT = 1
NUMBERS = "inspection.json"
ARRAYS = "inspection.safetensors"

Arrays = dict[str, np.ndarray]
_HISTOGRAM = ("edges", "kept", "pruned")


def write_inspection(folder: Path, inspection: Inspection) -> None:
    """Write an inspection to a folder, which may be missing, atomically; ``inspection.json`` comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = _arrays(inspection)
    save_tensors(folder / ARRAYS, "inspection", arrays, {})
    write_json(
        folder / NUMBERS, {"format": FORMAT, "kind": "inspection", "arrays": checksum(arrays)} | numbers_of(inspection)
    )


def read_inspection(folder: Path) -> Inspection:
    """Read an inspection that ``write_inspection`` wrote.

    Raises:
        InputError: Missing, damaged, of another format, or two files that do not belong together.
    """
    numbers = read_json(folder / NUMBERS)
    mend = "Inspect the ticket again."
    if not isinstance(numbers, dict) or numbers.get("kind") != "inspection":
        raise InputError(f"{folder / NUMBERS} is not an inspection. {mend}")
    if numbers.get("format") != FORMAT:
        version = numbers.get("format")
        raise InputError(f"{folder / NUMBERS} has format {version}; this tfticket reads format {FORMAT}. {mend}")
    arrays, _ = load_tensors(folder / ARRAYS, "inspection")
    if numbers.get("arrays") != checksum(arrays):
        raise InputError(f"{NUMBERS} and {ARRAYS} in {folder} do not belong together. {mend}")
    checked(numbers, InspectionRecord, str(folder / NUMBERS))
    try:
        return _inspection(numbers, arrays)
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder} holds an incomplete inspection: {error}. {mend}") from None


def numbers_of(inspection: Inspection) -> dict[str, Any]:
    """Return the contents of ``inspection.json``, as plain values."""
    fields, dead_inputs = inspection.receptive_fields, inspection.dead_inputs
    return {
        **{name: getattr(inspection, name) for name in ("network", "level", "density")},
        "exempt": list(inspection.exempt),
        "parameters": {"dense": inspection.parameters, "surviving": inspection.surviving_parameters},
        "multiplies": {"dense": inspection.multiplies, "surviving": inspection.surviving_multiplies},
        "paths": {"dense": inspection.dense_paths, "surviving": inspection.paths, "ratio": inspection.path_ratio},
        "inputs": {
            "count": None if dead_inputs is None else dead_inputs.size,
            "dead": inspection.dead_input_count,
        },
        "receptive_fields": None if fields is None else {"path": fields.path},
        "kernels": [_kernel_numbers(kernel) for kernel in inspection.kernels],
        "notes": list(inspection.notes),
    }


def _kernel_numbers(kernel: KernelInspection) -> dict[str, Any]:
    names = (
        *("path", "kind", "shape", "weights", "survivors", "density", "live", "units", "dead", "inputs"),
        *("fed_inputs", "used_inputs", "multiplies", "surviving_multiplies"),
    )
    numbers = {"dead_units" if name == "dead" else name: getattr(kernel, name) for name in names}
    return numbers | {
        "shape": list(kernel.shape),
        "picture": {"binned": kernel.picture.binned},
        "histograms": list(kernel.histograms),
    }


def _arrays(inspection: Inspection) -> Arrays:
    fields = inspection.receptive_fields
    arrays: dict[str, np.ndarray | None] = {
        "input_paths": inspection.input_paths,
        "dead_inputs": inspection.dead_inputs,
        "receptive_fields/fields": None if fields is None else fields.fields,
        "receptive_fields/per_pixel": None if fields is None else fields.per_pixel,
    }
    for kernel in inspection.kernels:
        arrays[f"dead_units/{kernel.path}"] = kernel.dead_units
        arrays[f"picture/{kernel.path}"] = kernel.picture.values
        for name, histogram in kernel.histograms.items():
            for part in _HISTOGRAM:
                arrays[f"histogram/{name}/{part}/{kernel.path}"] = getattr(histogram, part)
    return {name: array for name, array in arrays.items() if array is not None}


def _inspection(numbers: dict[str, Any], arrays: Arrays) -> Inspection:
    fields = None
    if numbers["receptive_fields"] is not None:
        path = numbers["receptive_fields"]["path"]
        fields = ReceptiveFields(path, arrays["receptive_fields/fields"], arrays.get("receptive_fields/per_pixel"))
    return Inspection(
        **{name: numbers[name] for name in ("network", "level", "density")},
        exempt=tuple(numbers["exempt"]),
        parameters=numbers["parameters"]["dense"],
        surviving_parameters=numbers["parameters"]["surviving"],
        paths=numbers["paths"]["surviving"],
        dense_paths=numbers["paths"]["dense"],
        input_paths=arrays.get("input_paths"),
        dead_inputs=arrays.get("dead_inputs"),
        receptive_fields=fields,
        kernels=tuple(_kernel(kernel, arrays) for kernel in numbers["kernels"]),
        notes=tuple(numbers["notes"]),
    )


def _kernel(numbers: dict[str, Any], arrays: Arrays) -> KernelInspection:
    path = numbers["path"]
    names = ("path", "kind", "survivors", "live", "fed_inputs", "used_inputs", "multiplies")
    return KernelInspection(
        **{name: numbers[name] for name in names},
        shape=tuple(numbers["shape"]),
        dead_units=arrays.get(f"dead_units/{path}"),
        histograms={
            name: Histogram(*(arrays[f"histogram/{name}/{part}/{path}"] for part in _HISTOGRAM))
            for name in numbers["histograms"]
        },
        picture=Picture(arrays[f"picture/{path}"], numbers["picture"]["binned"]),
    )
