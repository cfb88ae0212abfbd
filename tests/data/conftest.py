"""Data sets as they lie in their files, and known ones of few rows."""

from dataclasses import replace

import pytest

from tfticket.data import load_data, sources
from tfticket.data.formats import read
from tfticket.data.sources import asset


@pytest.fixture(scope="session")
def mnist():
    """MNIST as it lies in its file."""
    return read(asset("mnist.npz"))


@pytest.fixture(scope="session")
def photographs():
    """The bundled part of CIFAR-10 as arrays."""
    raw = read(asset("cifar-10-small.zip"))
    return {name: getattr(raw, name) for name in ("x_train", "y_train", "x_test", "y_test")}


@pytest.fixture
def few_of_cifar(monkeypatch, colour):
    """CIFAR-10, which is known by its size alone, in the size of our rows."""
    size = (len(colour.x_train), len(colour.x_test), colour.x_train.shape[1:])
    monkeypatch.setattr(sources, "cifar_10", replace(sources.cifar_10, size=size))


@pytest.fixture
def fashion(monkeypatch, digits, folders):
    """Fashion-MNIST of few rows, which are digits; the keyword arguments change it further."""
    contents = load_data("rows", **digits._asdict()).contents

    def change(**changes):
        values = {"contents": contents, "installed": None, "remote": (), **changes}
        monkeypatch.setattr(sources, "fashion_mnist", replace(sources.fashion_mnist, **values))

    change()
    return change
