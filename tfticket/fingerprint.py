"""Fingerprints of steps and runs: hashes of everything that decides their results."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any

from tfticket.config import Control, DataConfig, ModelConfig, scientific_fields
from tfticket.config.schema import Config
from tfticket.errors import InputError
from tfticket.pruning.mask_files import mask_checksum
from tfticket.registry import CONTROLS, MODELS, SCORES, STEPS, Table
from tfticket.user_networks import is_keras_file, is_user_defined, source_checksum


def fingerprint(kind: str, config: Config, inputs: Mapping[str, str]) -> str:
    """Return the hash that decides whether a step was computed before.

    Only scientific fields that differ from their defaults count, and all discriminators; never threads, folders
    or names of runs. Data count by their checksum, whatever their path and name.

    Args:
        kind: A name in ``tfticket.registry.STEPS``.
        config: The step's configuration.
        inputs: Name -> fingerprint of each step that it reads.
    """
    parts = {"kind": kind, "version": STEPS[kind].version, "config": fingerprint_fields(config), "inputs": dict(inputs)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def fingerprint_fields(config: Config) -> dict[str, Any]:
    """Return the scientific fields: data and .keras files by their checksum, users' own code also by its source's."""
    fields = scientific_fields(config)
    model = getattr(config, "model", None)
    for field in type(config).model_fields:
        if isinstance(data := getattr(config, field), DataConfig):
            from tfticket.data import load_dataset

            fields[field] = load_dataset(data).checksum
    if isinstance(model, ModelConfig) and is_user_defined(model.name):
        fields["model"]["source"] = source_checksum(model.name)
        if is_keras_file(model.name):
            del fields["model"]["name"]
    score, control = (getattr(config, name, None) for name in ("score", "control"))
    if isinstance(control, Control) and control.path is not None:
        fields["control"]["path"] = mask_checksum(control.path)
    for values, own in zip(fields.get("controls", ()), getattr(config, "controls", ()), strict=False):  # of a run
        if own.path is not None:
            values["path"] = mask_checksum(own.path)
    named = ((getattr(model, "name", None), MODELS), (score, SCORES), (getattr(control, "name", None), CONTROLS))
    for name, table in named:
        if name is not None and name in table and not table[name].target.startswith("tfticket."):
            fields[f"package of {name}"] = _package(table, name)
    return fields


def _package(table: Table, name: str) -> list[str]:
    """Return what changes when the package that registers a name does: its version, its module's checksum."""
    point = {point.name: point for point in importlib.metadata.entry_points(group=table.group)}[name]
    try:
        return [point.dist.version if point.dist else "", source_checksum(point.value)]
    except InputError:
        raise InputError(
            f"{name} is of an installed package, {point.value} in group {table.group}, but that module is not there. "
            "Update or reinstall the package, or correct its entry point."
        ) from None
