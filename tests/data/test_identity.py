"""What data are called, and what they are."""

import shutil
from dataclasses import replace

import numpy as np
import PIL
import pytest

from tests.data.rows import arrays, assert_equal, saved
from tfticket.data import load_data, sources
from tfticket.data.formats import read
from tfticket.data.identity import label_of, locate, registered, source_by_contents, source_by_name
from tfticket.data.sources import asset
from tfticket.errors import InputError
from tfticket.registry import DATA_SETS


def test_known_data_by_path_are_labelled_as_what_they_are():
    data = load_data("my digits", path=asset("mnist.npz"))
    assert (data.name, data.label) == ("my digits", "MNIST")
    assert data.checksum == load_data("mnist").checksum
    assert load_data(path=asset("cifar-10-small.zip")).name == "cifar-10-small"


def test_known_data_as_arrays_are_labelled_as_what_they_are(mnist):
    rows = {name: getattr(mnist, name) for name in arrays()}
    data = load_data("my digits", **rows, train_rows=10, validation_rows=10, classes=[7, 1])
    assert (data.label, data.contents) == ("MNIST", sources.mnist.contents)


@pytest.mark.parametrize(
    ("name", "file"),
    [("fashion-mnist", "mnist.npz"), ("cifar-10", "cifar-10-small.zip"), ("mnist", "cifar-10-small.zip")],
)
def test_known_data_under_the_name_of_others_are_refused(name, file):
    known = file.partition(".")[0]
    said = rf"{file} is called {name}, but holds the images and labels of {known}\. Call it {known}\.$"
    with pytest.raises(InputError, match=said):
        load_data(name, path=asset(file))


def test_other_data_under_a_known_name_are_refused(folders, tmp_path):
    path = saved(tmp_path / "made").rename(tmp_path / "made" / "mnist.npz")
    others = r"is called mnist, but holds other images or labels than its publishers' \(SHA-256 [0-9a-f]{16}\.\.\.\)"
    with pytest.raises(InputError, match=rf"^{path} {others}\. Give it another name\.$"):
        load_data(path=path)
    assert load_data("mine", path=path).label == "mine"
    with pytest.raises(InputError, match=rf"^This data set {others}"):
        load_data("mnist", **arrays())
    shutil.move(path, folders[0] / "fashion-mnist.npz")
    with pytest.raises(InputError, match=rf"^{folders[0]}/fashion-mnist\.npz is called fashion-mnist, but holds other"):
        load_data("fashion-mnist")


def test_of_contents_that_nobody_told_the_size_counts(colour, few_of_cifar, folders, writers, tmp_path):
    few = colour.few(2, 1)._asdict()
    said = r"has 20 \+ 10 images of 32x32x3; expected 300 \+ 100 images of 32x32x3\. Give it another name"
    with pytest.raises(InputError, match=f"^This data set is called cifar-10, but {said}"):
        load_data("cifar-10", **few)
    np.savez(folders[2] / "cifar10.npz", **few)
    with pytest.raises(InputError, match=rf"^{folders[2]}/cifar10\.npz is called cifar-10, but {said}"):
        load_data("cifar-10")
    assert load_data("my photographs", path=folders[2] / "cifar10.npz").label == "my photographs"
    data = load_data("cifar-10", **colour._asdict())
    assert (data.name, data.label) == ("cifar-10", "CIFAR-10")
    upright = {**colour._asdict(), "x_train": colour.x_train[:, :28], "x_test": colour.x_test[:, :28]}
    with pytest.raises(InputError, match="images of 28x32x3; expected"):
        load_data("cifar-10", **upright)


def test_known_contents_of_the_right_size_are_refused_all_the_same(colour, few_of_cifar, monkeypatch):
    contents = load_data("rows", **colour._asdict()).contents
    monkeypatch.setattr(sources, "cifar_10_jpeg", replace(sources.cifar_10_jpeg, contents=contents))
    with pytest.raises(InputError, match="is called cifar-10, but holds the images and labels of cifar-10-jpeg"):
        load_data("cifar-10", **colour._asdict())
    assert load_data("cifar-10-jpeg", **colour._asdict()).label == "CIFAR-10 (re-encoded as JPEG)"


def test_bundled_photographs_that_are_decoded_otherwise_are_refused(monkeypatch):
    monkeypatch.setattr(sources, "cifar_10_small", replace(sources.cifar_10_small, contents="0" * 64))
    with pytest.raises(
        InputError, match=rf"small\.zip .* holds other.*Pillow {PIL.__version__} here\. Install tfticket"
    ):
        load_data("cifar-10-small")


def test_known_data_have_their_class_names_whatever_they_lie_in(tmp_path):
    small = read(asset("cifar-10-small.zip"))
    rows = {name: getattr(small, name) for name in arrays()}
    np.savez(tmp_path / "photographs.npz", **rows)
    expected = load_data("cifar-10-small", classes=["dog", "cat"])
    assert expected.class_names == ("dog", "cat")
    for source in (rows, {"path": tmp_path / "photographs.npz"}):
        data = load_data("photographs", **source, classes=["dog", "cat"])
        assert (data.class_names, data.label) == (expected.class_names, expected.label)
        assert_equal(data, expected)
    other = load_data("photographs", **{**rows, "y_train": rows["y_train"][::-1]})
    assert other.class_names == tuple("0123456789"), "they are not known"


def test_known_data_are_found_by_name_and_by_contents():
    assert [source.name for source in registered()] == [*DATA_SETS]
    for source in registered():
        assert source_by_name(source.name) is source
        if source.contents is not None:
            assert source_by_contents(source.contents) is source
    assert source_by_name("letters") is source_by_contents("0" * 64) is source_by_contents("") is None


@pytest.mark.parametrize(
    ("name", "contents", "label"),
    [
        ("mnist", sources.mnist.contents, "MNIST"),
        ("my digits", sources.mnist.contents, "MNIST"),
        ("mnist", sources.cifar_10_small.contents, sources.cifar_10_small.label),
        ("cifar-10", "0" * 64, "CIFAR-10"),
        ("mnist", "", "MNIST"),
        ("my digits", "0" * 64, "my digits"),
        ("my digits", "", "my digits"),
    ],
)
def test_known_contents_count_more_than_a_name_and_a_known_name_more_than_none(name, contents, label):
    assert label_of(name, contents) == label


def test_a_name_is_where_its_data_lie(folders):
    assert locate("mnist") == asset("mnist.npz")
    path = saved(folders[1]).rename(folders[1] / "mine.npz")
    assert locate("mine") == path
    with pytest.raises(InputError, match=r"Unknown data set 'mnits'\. Did you mean 'mnist'"):
        locate("mnits")


def test_a_table_by_the_name_of_images_is_told_as_a_table(few_of_cifar):
    table = {"x_train": np.eye(6), "y_train": [0, 1] * 3, "x_test": np.eye(6)[:2], "y_test": [0, 1]}
    with pytest.raises(InputError, match=r"but has 6 \+ 2 rows of 6 features; expected .* images of 32x32x3\."):
        load_data("cifar-10", **table)
