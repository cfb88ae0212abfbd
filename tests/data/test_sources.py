"""Where data are found by name."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.data.rows import arrays, saved
from tfticket.data import load_data, sources
from tfticket.data.sources import asset
from tfticket.errors import InputError


@pytest.fixture
def fashion(monkeypatch, digits):
    """Fashion-MNIST, of which we have few rows, and they are digits."""

    def change(rows=digits, **changes):
        contents = load_data("rows", **rows._asdict()).contents
        made = replace(sources.fashion_mnist, contents=contents, **{"installed": None, "remote": (), **changes})
        monkeypatch.setattr(sources, "fashion_mnist", made)

    change()
    return change


@pytest.mark.parametrize("kind", ["npz", "images zip", "cifar python tar", "idx gzipped"])
@pytest.mark.parametrize("where", [0, 1])
def test_own_data_are_found_by_name(kind, where, folders, writers, request, tmp_path):
    form = writers.formats[kind]
    rows = request.getfixturevalue(form.rows)
    path = form.pack(form.members(rows), tmp_path / "made")
    ending = "" if path.is_dir() else "." + path.name.partition(".")[2]
    shutil.move(path, folders[where] / f"my digits{ending}")
    data = load_data("my digits")
    assert (data.name, data.label) == ("my digits", "my digits")
    assert data.checksum == load_data(path=folders[where] / f"my digits{ending}").checksum
    assert len(data.x_train) + len(data.x_validation) == len(rows.x_train)


def test_own_data_are_looked_for_in_the_users_folder_first_and_never_in_keras(folders):
    for folder, rows in zip(folders, (40, 30, 20), strict=True):
        np.savez(folder / "own.npz", **arrays(rows))
    for folder, rows in zip(folders[:2], (40, 30), strict=True):
        assert len(load_data("own").x_train) == rows - rows // 10
        (folder / "own.npz").unlink()
    with pytest.raises(InputError, match="Unknown data set 'own'"):
        load_data("own")


def test_what_the_users_folders_hold_is_listed_by_name(folders):
    own_folder, program, _ = folders
    for name in ("letters.npz", "both.zip", "Both.tar.gz", "notes.txt", ".npz", ".hidden.npz", "archive.gz"):
        (own_folder / name).touch()
    for name in ("images", "old.npz", ".download-1"):
        (own_folder / name).mkdir()
    for name in ("letters.npz", "more.npz"):
        (program / name).touch()
    names = {"Both": "Both.tar.gz", "both": "both.zip", "images": "images", "letters": "letters.npz", "old": "old.npz"}
    expected = {name: own_folder / file for name, file in names.items()} | {"more": program / "more.npz"}
    assert sources.user_datasets() == expected
    assert {name: sources.user_dataset(name) for name in expected} == expected
    shutil.rmtree(program)
    assert "more" not in sources.user_datasets()


@pytest.mark.parametrize("name", ["inner/own", "../own/own", "{folder}/own", "./own", "..", ".", "/", "own.npz"])
def test_a_path_is_no_name(name, folders):
    (folders[0] / "inner").mkdir()
    for folder in (folders[0], folders[0] / "inner"):
        np.savez(folder / "own.npz", **arrays())
    assert sources.user_dataset("own") == folders[0] / "own.npz"
    with pytest.raises(InputError, match=r"Unknown data set .*data\.path"):
        load_data(name.format(folder=folders[0]))


def idx_folder(writers, rows, path, kind="idx"):
    path.parent.mkdir(parents=True, exist_ok=True)
    form = writers.formats[kind]
    return form.pack(form.members(rows), path)


@pytest.mark.parametrize(
    ("where", "name", "kind"),
    [
        (0, "FashionMNIST/raw", "idx"),
        (0, "fashion-mnist", "idx gzipped"),
        (1, "fashion-mnist", "idx gzipped"),
        (2, "fashion-mnist", "idx gzipped"),
    ],
)
def test_fashion_mnist_is_found_where_others_put_it(where, name, kind, folders, fashion, writers, digits):
    path = idx_folder(writers, digits, folders[where] / name, kind)
    data = load_data("fashion-mnist")
    assert data.label == "Fashion-MNIST"
    assert data.checksum == load_data(path=path).checksum


def test_torchvisions_folder_holds_each_file_twice(folders, fashion, writers, digits):
    idx_folder(writers, digits, folders[0] / "FashionMNIST" / "raw", "idx gzipped")
    path = idx_folder(writers, digits, folders[0] / "FashionMNIST" / "raw")
    assert len({*path.iterdir()}) == 8
    assert load_data("fashion-mnist").checksum == load_data("rows", **digits._asdict()).checksum


def test_debians_package_is_found_after_the_folders(folders, fashion, writers, digits, tmp_path):
    installed = idx_folder(writers, digits, tmp_path / "usr" / "share", "idx gzipped")
    fashion(installed=installed)
    assert sources.fashion_mnist.find() == installed
    assert load_data("fashion-mnist").checksum == load_data(path=installed).checksum
    path = idx_folder(writers, digits, folders[2] / "fashion-mnist")
    assert sources.fashion_mnist.find() == path
    fashion(installed=tmp_path / "not installed")
    shutil.rmtree(path)
    assert sources.fashion_mnist.find() is None


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "cifar-10-batches-py.tar.gz", "cifar-10-batches-py"])
def test_cifar_10_is_found_where_keras_put_it(name, folders, writers, colour, few_of_cifar, tmp_path):
    form = writers.formats["cifar python tar" if name.endswith("gz") else "cifar python"]
    shutil.move(form.pack(form.members(colour), tmp_path / "made"), folders[2] / name)
    data = load_data("cifar-10")
    assert (data.label, data.class_names) == ("CIFAR-10", writers.names)
    assert data.checksum == load_data("rows", **colour._asdict()).checksum


def test_a_bundled_data_set_is_the_bundled_one_whatever_lies_in_the_folders(folders):
    np.savez(folders[0] / "mnist.npz", **arrays())
    assert load_data("mnist").contents == sources.mnist.contents


def test_a_data_set_that_lies_nowhere_and_cannot_be_downloaded_says_how_to_get_it(folders):
    with pytest.raises(InputError, match="cifar-10-jpeg is not on this machine; looked for") as refused:
        load_data("cifar-10-jpeg")
    for said in (*map(str, folders), "cifar-10-jpeg.zip", "--data-dir", "TFTICKET_DATA", "cifar-10-small"):
        assert said in str(refused.value)


def test_without_a_folder_of_the_users_own_the_others_are_looked_into(folders, monkeypatch):
    monkeypatch.delenv("TFTICKET_DATA")
    assert sources.data_folders() == [*folders[1:]]
    monkeypatch.delenv("KERAS_HOME")
    assert sources.data_folders()[1].parts[-2:] == (".keras", "datasets")


def test_the_users_folder_may_be_named_from_here(folders, monkeypatch):
    monkeypatch.chdir(folders[0].parent)
    monkeypatch.setenv("TFTICKET_DATA", "own")
    assert sources.data_folders() == [*folders]


def test_the_users_folder_may_be_named_from_home(folders, monkeypatch):
    monkeypatch.setenv("HOME", str(folders[0].parent))
    monkeypatch.setenv("TFTICKET_DATA", "~/own")
    np.savez(folders[0] / "mine.npz", **arrays())
    assert sources.data_folders() == [*folders]
    assert load_data("mine").name == "mine"


@pytest.mark.parametrize("name", ["fashion-mnist", "own", "mnist"])
@pytest.mark.parametrize("gone", ["{folder}/gone", "~/gone", "~nosuchuser/gone"])
def test_a_folder_of_data_that_does_not_exist_is_refused_even_where_it_is_not_needed(name, gone, folders, monkeypatch):
    monkeypatch.setenv("TFTICKET_DATA", gone.format(folder=folders[0]))
    with pytest.raises(InputError, match=r"The data folder .*gone does not exist\. Mend --data-dir or TFTICKET_DATA"):
        load_data(name)


@pytest.mark.parametrize("name", ["fashion-mnist", "own", "mnist"])
def test_a_file_in_the_place_of_the_folder_of_data_is_refused_as_one(name, folders, monkeypatch):
    monkeypatch.setenv("TFTICKET_DATA", str(saved(folders[0])))
    with pytest.raises(InputError, match=r"The data folder .*npz is a file; for a single file there is data\.path\."):
        load_data(name)


def test_a_missing_asset_is_refused():
    with pytest.raises(InputError, match=r"'none\.npz' is missing"):
        asset("none.npz")
