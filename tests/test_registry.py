import importlib.metadata

import pytest

from tfticket.data.sources import Source
from tfticket.errors import InputError
from tfticket.registry import LISTS, MODELS, Entry, Table, check_name, resolve


@pytest.fixture
def package(monkeypatch):
    """An installed package that registers a network of its own, and one under a name of ours."""
    points = [
        importlib.metadata.EntryPoint("their-net", "their_package.networks:net", "tfticket.models"),
        importlib.metadata.EntryPoint("lenet-5", "their_package.networks:false", "tfticket.models"),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [p for p in points if p.group == group])
    return points


def test_what_a_package_registers_is_found_and_cannot_replace_ours(package):
    table = Table("tfticket.models", {"lenet-5": Entry("ours:lenet_5", "ours")})
    assert list(table) == ["lenet-5", "their-net"]
    assert len(table) == 2
    assert table["lenet-5"].target == "ours:lenet_5"
    assert table["their-net"].target == "their_package.networks:net"
    assert "their-net" in table
    with pytest.raises(InputError, match="Did you mean 'their-net'"):
        check_name("model", "there-net", table)
    with pytest.raises(KeyError):
        table["none"]


def test_ours_are_found_without_looking_at_packages(monkeypatch):
    def fail(group):
        raise AssertionError("looked")

    monkeypatch.setattr(importlib.metadata, "entry_points", fail)
    table = Table("tfticket.models", {"lenet-5": Entry("ours:lenet_5", "ours")})
    assert "lenet-5" in table
    assert table["lenet-5"].about == "ours"


@pytest.mark.parametrize("kind", LISTS)
def test_every_registered_name_can_be_resolved(kind):
    for name, entry in LISTS[kind].items():
        found = resolve(entry.target)
        assert callable(found) or isinstance(found, Source), name
        assert entry.about


def test_a_group_is_named_after_what_it_registers():
    assert {table.group for table in LISTS.values()} == {f"tfticket.{kind}" for kind in LISTS}
    assert MODELS.group == "tfticket.models"
