import importlib.metadata
from pathlib import Path

import pytest

import tfticket
from tests.refusals import refused
from tfticket.data.sources import Source
from tfticket.registry import LISTS, Entry, Table, check_name, resolve


def test_what_a_package_registers_is_known_and_cannot_replace_ours(monkeypatch):
    targets = {"their-net": "their_package.networks:net", "lenet-5": "their_package.networks:false"}
    points = [importlib.metadata.EntryPoint(name, target, "tfticket.models") for name, target in targets.items()]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [p for p in points if p.group == group])
    table = Table("tfticket.models", {"lenet-5": Entry("ours:lenet_5", "ours")})
    assert {name: entry.target for name, entry in table.items()} == targets | {"lenet-5": "ours:lenet_5"}
    with refused("model.name", "their-net", "there-net"):
        check_name("model", "there-net", table, field="model.name")
    with pytest.raises(KeyError):
        table["none"]
    monkeypatch.setattr(importlib.metadata, "entry_points", None)  # ours are known without looking at packages
    table = Table("tfticket.models", {"lenet-5": Entry("ours:lenet_5", "ours")})
    assert ("lenet-5" in table, table["lenet-5"].about) == (True, "ours")


def test_every_registered_name_can_be_resolved():
    for kind, table in LISTS.items():
        assert table.group == f"tfticket.{kind}"
        for name, entry in table.items():
            target = resolve(entry.target)
            assert callable(target) or isinstance(target, Source), name
            assert entry.about


def test_the_library_names_the_experiments_in_the_registry_alone():
    folder = Path(tfticket.__file__).parent
    naming = [path.name for path in folder.rglob("*.py") if "tfticket._experiments" in path.read_text()]
    assert naming == ["registry.py"]
