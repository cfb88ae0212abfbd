"""Data sets by name: where they are found, what they are called, what they are, and their summaries."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL
import pytest

from tests.data.rows import arrays, assert_equal, saved
from tests.data.writers import formats, names
from tests.refusals import refused
from tfticket.data import load_data, sources
from tfticket.data.dataset_summary import summary
from tfticket.data.identity import label_of, locate, registered, source_by_contents
from tfticket.data.sources import asset
from tfticket.errors import InputError
from tfticket.registry import DATA_SETS

# Where data are found


def test_own_data_are_found_in_the_users_folder_first_and_never_in_keras(folders):
    for folder, rows in zip(folders, (40, 30, 20), strict=True):
        saved(folder / "own.npz", **arrays(rows))
    for folder, rows in zip(folders[:2], (40, 30), strict=True):
        data = load_data("own")
        assert (data.label, len(data.x_train), locate("own")) == ("own", rows - rows // 10, folder / "own.npz")
        (folder / "own.npz").unlink()
    with refused("data.name", None, "'own'"):
        load_data("own")


def test_the_contents_of_the_users_folders_are_listed_by_name(folders):
    own_folder, program, _ = folders
    for name in ("letters.npz", "both.zip", "Both.tar.gz", "notes.txt", ".npz", ".hidden.npz", "archive.gz"):
        (own_folder / name).touch()
    for name in ("images", "old.npz", ".download-1"):
        (own_folder / name).mkdir()
    for name in ("letters.npz", "more.npz"):
        (program / name).touch()
    files = {"Both": "Both.tar.gz", "both": "both.zip", "images": "images", "letters": "letters.npz", "old": "old.npz"}
    expected = {name: own_folder / file for name, file in files.items()} | {"more": program / "more.npz"}
    assert sources.user_datasets() == expected
    shutil.rmtree(program)
    assert "more" not in sources.user_datasets()


def test_a_path_is_no_name(folders):
    saved(folders[0] / "own.npz")
    for name in ("../own/own", str(folders[0] / "own"), "..", "own.npz"):
        with pytest.raises(InputError, match=r"data\.path"):
            load_data(name)


def test_fashion_mnist_is_found_where_others_put_it(folders, fashion, digits, tmp_path):
    contents = load_data("rows", **digits._asdict()).contents
    fashion(installed=tmp_path / "share")
    for folder, name in (
        (folders[0], "FashionMNIST/raw"),  # as torchvision leaves it
        *((folder, "fashion-mnist") for folder in folders),
        (tmp_path, "share"),  # as Debian's package installs it
    ):
        assert sources.fashion_mnist.find() is None
        formats["idx gzipped"].write(digits, folder / name)
        data = load_data("fashion-mnist")
        assert (data.label, sources.fashion_mnist.find(), data.contents) == ("Fashion-MNIST", folder / name, contents)
        if folder != tmp_path:
            shutil.rmtree(folder / name)
    first = formats["idx"].write(digits, folders[2] / "fashion-mnist")
    assert sources.fashion_mnist.find() == first, "folders come first"


def test_cifar_10_is_found_where_keras_put_it(folders, colour, few_of_cifar, tmp_path):
    contents = load_data("rows", **colour._asdict()).contents
    for name, form in (("cifar-10-batches-py.tar.gz", "cifar python tar"), ("cifar-10-batches-py", "cifar python")):
        path = Path(shutil.move(formats[form].write(colour, tmp_path / "made" / name), folders[2] / name))
        data = load_data("cifar-10")
        assert (data.label, data.class_names, data.contents) == ("CIFAR-10", names, contents)
        path.rename(tmp_path / f"used {name}")


def test_bundled_data_are_taken_whatever_the_folders_hold_and_others_refused_with_how_to_get_them(folders):
    saved(folders[0] / "mnist.npz")
    assert locate("mnist") == asset("mnist.npz")
    with refused(None, None, "'none.npz'"):
        asset("none.npz")
    with refused("data.name", None, *map(str, folders), "cifar-10-jpeg.zip", "--data-dir", "cifar-10-small"):
        load_data("cifar-10-jpeg")


def test_the_users_folder_is_named_in_any_way(folders, monkeypatch):
    monkeypatch.chdir(folders[0].parent)
    monkeypatch.setenv("HOME", str(folders[0].parent))
    for value in ("own", "~/own", str(folders[0])):
        monkeypatch.setenv("TFTICKET_DATA", value)
        assert sources.data_folders() == [*folders]
    monkeypatch.delenv("TFTICKET_DATA")
    monkeypatch.delenv("KERAS_HOME")
    assert sources.data_folders() == [folders[1], folders[0].parent / ".keras" / "datasets"]


@pytest.mark.parametrize("value", ["{folder}/gone", "~nosuchuser/gone", "{folder}/own.npz"])
def test_a_data_folder_that_is_none_is_refused_even_where_it_is_not_needed(value, folders, monkeypatch):
    saved(folders[0] / "own.npz")
    monkeypatch.setenv("TFTICKET_DATA", value.format(folder=folders[0]))
    for name in ("own", "mnist"):
        with refused("--data-dir", None, value.rpartition("/")[2], "file" if "npz" in value else "does not exist"):
            load_data(name)


# What data are


def test_known_data_are_known_by_name_and_by_contents():
    assert [source.name for source in registered()] == [*DATA_SETS]
    for source in registered():
        assert source.contents is None or source_by_contents(source.contents) is source
    mnist, small = sources.mnist.contents, sources.cifar_10_small
    for name, contents, label in (
        ("my digits", mnist, "MNIST"), ("mnist", small.contents, small.label), ("cifar-10", "0" * 64, "CIFAR-10"),
        ("mnist", "", "MNIST"), ("my digits", "0" * 64, "my digits"),
    ):  # fmt: skip
        assert label_of(name, contents) == label


def test_known_data_keep_their_label_and_class_names_by_path_and_as_arrays(photographs, tmp_path):
    path = saved(tmp_path / "photographs.npz", **photographs)
    ours, theirs = (load_data("mine", **source, classes=["dog", "cat"]) for source in (photographs, {"path": path}))
    assert_equal(ours, theirs)
    assert (ours.name, ours.label, ours.class_names) == ("mine", sources.cifar_10_small.label, ("dog", "cat"))
    others = load_data("mine", **{**photographs, "y_train": photographs["y_train"][::-1]})
    assert others.class_names == tuple("0123456789"), "they are not known"


def test_data_under_the_name_of_others_are_refused(folders, tmp_path, monkeypatch):
    with refused("data.name", "mnist", "is called fashion-mnist"):
        load_data("fashion-mnist", path=asset("mnist.npz"))
    path = saved(tmp_path / "mnist.npz")
    for options in ({"path": path}, {"name": "mnist", **arrays()}):
        with refused("data.name", None, "is called mnist", "another name"):
            load_data(**options)
    assert load_data("mine", path=path).label == "mine"
    for name in ("fashion-mnist", "cifar-10"):
        saved(folders[0] / f"{name}.npz")
        for use in (load_data, summary):
            with refused("data.name", None, f"{folders[0]}/{name}.npz is called {name}"):
                use(name)
    monkeypatch.setattr(sources, "cifar_10_small", replace(sources.cifar_10_small, contents="0" * 64))
    with refused("data.name", None, "small.zip", f"Pillow {PIL.__version__}"):  # decoded otherwise
        load_data("cifar-10-small")


def test_data_whose_contents_are_not_published_are_known_by_their_size(colour, few_of_cifar, folders, monkeypatch):
    few = colour.few(2, 1)._asdict()
    path = saved(folders[2] / "cifar10.npz", **few)
    for options in (few, {}):
        with refused("data.name", None, "is called cifar-10", "20 + 10 images of 32x32x3", "300 + 100 images"):
            load_data("cifar-10", **options)
    assert load_data("my photographs", path=path).label == "my photographs"
    table = {"x_train": np.eye(6), "y_train": [0, 1] * 3, "x_test": np.eye(6)[:2], "y_test": [0, 1]}
    with refused("data.name", None, "6 + 2 rows of 6 features"):
        load_data("cifar-10", **table)
    data = load_data("cifar-10", **colour._asdict())
    assert (data.name, data.label) == ("cifar-10", "CIFAR-10")
    monkeypatch.setattr(sources, "cifar_10_jpeg", replace(sources.cifar_10_jpeg, contents=data.contents))
    with refused("data.name", "cifar-10-jpeg"):
        load_data("cifar-10", **colour._asdict())


@pytest.mark.parametrize("source", registered(), ids=lambda source: source.name)
def test_every_registered_data_set_has_its_label_licence_and_a_way_to_get_it(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(source.name).write_text("something else")
    assert source.label and source.licence  # noqa: PT018
    if source.bundled is None:
        assert source.how and source.files  # noqa: PT018
    else:
        assert source.find() == asset(source.bundled)
        described = summary(source.name)
        assert (described.contents, described.licence) == (source.contents, source.licence)
        assert (described.train_rows, described.test_rows, described.shape) == source.size
    for remote in source.remote:
        assert remote.url.startswith("https://")
        assert len(bytes.fromhex(remote.hash)) in (16, 32)
        assert (remote.name if len(source.remote) == 1 else source.name) in source.files, "found again"


# Summaries


def test_a_summary_names_known_data_and_counts_their_classes(folders):
    (folders[0] / "digits of mine.npz").symlink_to(asset("mnist.npz"))
    mine = summary("digits of mine")
    assert (mine.name, mine.label, mine.known_as) == ("digits of mine", "MNIST", "mnist")
    assert list(mine.train_counts.values())[:3] == [5923, 6742, 5958]
    facts = "MNIST (CC", "28x28x1, 10 classes", "60,000 images, 5,421 to 6,742 of each class", "known of mnist"
    assert all(fact in str(mine) for fact in (*facts, str(folders[0] / "digits of mine.npz"), sources.mnist.contents))


def test_the_summary_of_unknown_data_counts_classes_without_test_rows(tmp_path):
    path = saved(tmp_path / "mnist.npz")
    described, data = summary(str(path)), load_data("mine", path=path)  # looking at data is no use of their name
    assert (described.name, described.label, described.known_as, described.licence) == ("mnist", "mnist", None, None)
    assert (described.path, described.contents, described.shape) == (path, data.contents, data.input_shape)
    assert described.train_counts == {"0": 14, "1": 13, "2": 13}
    assert described.test_counts == {"0": 3, "1": 3, "2": 0}


def test_a_path_that_exists_or_looks_like_one_comes_before_a_name(folders, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = saved(tmp_path / "made.npz").rename(tmp_path / "digits")
    saved(folders[0] / "digits.npz")
    for name in ("./digits", "~/digits", "digits"):
        assert (summary(name).name, summary(name).path.resolve()) == ("digits", path)
    path.unlink()
    assert summary("digits").path == folders[0] / "digits.npz"
    with refused(None, None, "does not exist"):
        summary("./digits")


def test_sources_of_no_data_set_have_no_summary(folders, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("mnist").write_text("remember the milk")
    for source, field, suggestion, mention in (
        ("mnits", "data.name", "mnist", ""), ("", "data.name", None, "''"), ("./mnist", None, None, "no known format"),
        ("~nosuchuser/rows.npz", None, None, "does not exist"),
    ):  # fmt: skip
        with refused(field, suggestion, mention):
            summary(source)
