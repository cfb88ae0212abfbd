from pathlib import Path

import numpy as np
import pytest

from tfticket.data import load_data, sources
from tfticket.data.dataset_summary import summary
from tfticket.data.identity import registered
from tfticket.data.sources import asset
from tfticket.errors import InputError
from tfticket.registry import DATA_SETS


def test_the_bundled_data_by_name():
    found = summary("cifar-10-small")
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    assert (found.name, found.known_as) == ("cifar-10-small", "cifar-10-small")
    assert found.label == sources.cifar_10_small.label
    assert found.path == asset("cifar-10-small.zip")
    assert (found.train_rows, found.test_rows, found.shape) == (5000, 1000, (32, 32, 3))
    assert found.train_counts == dict.fromkeys(names, 500)
    assert found.test_counts == dict.fromkeys(names, 100)
    assert found.contents == sources.cifar_10_small.contents
    assert found.licence == sources.cifar_10.licence


def test_known_data_by_another_name_are_known(folders):
    (folders[0] / "digits of mine.npz").symlink_to(asset("mnist.npz"))
    found = summary("digits of mine")
    assert (found.name, found.label, found.known_as) == ("digits of mine", "MNIST", "mnist")
    assert found.path == folders[0] / "digits of mine.npz"
    assert found.licence == sources.mnist.licence
    assert list(found.train_counts.values())[:3] == [5923, 6742, 5958]
    assert list(found.test_counts.values())[:3] == [980, 1135, 1032]


def test_every_format_by_path(form, request, tmp_path, writers):
    rows = request.getfixturevalue(form.rows)
    path = form.pack(form.members(rows), tmp_path / "rows")
    found = summary(str(path))
    name = path.name.partition(".")[0]
    assert (found.name, found.label, found.known_as, found.licence) == (name, name, None, None)
    assert found.path == path
    assert (found.train_rows, found.test_rows) == (len(rows.x_train), len(rows.x_test))
    names = writers.names if form.name.startswith(("cifar", "images")) else tuple("0123456789")
    assert found.train_counts == dict(zip(names, np.bincount(rows.y_train).tolist(), strict=True))
    assert found.test_counts == dict(zip(names, np.bincount(rows.y_test, minlength=10).tolist(), strict=True))
    assert found.contents == load_data("rows", **rows._asdict()).contents
    assert found.shape == load_data(path=path).input_shape


def test_a_class_without_test_rows_is_counted(tmp_path):
    np.savez(
        tmp_path / "rows.npz",
        x_train=np.zeros((3, 1, 1), np.uint8),
        y_train=[0, 1, 2],
        x_test=np.zeros((1, 1, 1), np.uint8),
        y_test=[1],
    )
    found = summary(str(tmp_path / "rows.npz"))
    assert found.train_counts == {"0": 1, "1": 1, "2": 1}
    assert found.test_counts == {"0": 0, "1": 1, "2": 0}


def test_a_summary_is_printed_in_lines(folders):
    assert str(summary("mnist")).splitlines() == [
        "mnist: MNIST (CC BY-SA 3.0, LeCun, Cortes and Burges)",
        f"  file      {asset('mnist.npz')}",
        "  images    28x28x1, 10 classes",
        "  training   60,000 images, 5,421 to 6,742 of each class",
        "  test       10,000 images, 892 to 1,135 of each class",
        f"  SHA-256   {sources.mnist.contents}",
        "            as known of mnist",
    ]
    lines = str(save(folders[0] / "mine.npz")).splitlines()
    assert lines[0] == "mine: mine"
    assert lines[3:5] == ["  training       30 images, 10 of each class", "  test            3 images, 1 of each class"]
    assert lines[6].strip() == "of no data set that we know"


def save(path):
    """The summary of 30 + 3 black images, by their path."""
    images = np.zeros((30, 1, 1), np.uint8)
    np.savez(path, x_train=images, y_train=np.arange(30) % 3, x_test=images[:3], y_test=np.arange(3))
    return summary(str(path))


def test_a_known_name_is_not_mistaken_for_a_file_of_that_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("mnist").write_text("something else")
    assert summary("mnist").known_as == "mnist"
    with pytest.raises(InputError, match=r"mnist is of no known format"):
        summary("./mnist")


@pytest.mark.parametrize("name", ["digits.npz", "./digits", "{folder}/digits", "~/digits", "digits"])
def test_what_exists_or_looks_like_a_path_is_one(name, folders, monkeypatch, tmp_path):
    """Even where the user's folder has data of the name."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(here))
    save(folders[0] / "digits.npz")
    path = here / ("digits.npz" if name.endswith("npz") else "digits")
    save(here / "digits.npz").path.rename(path)
    found = summary(name.format(folder=here))
    assert (found.name, found.path.resolve()) == ("digits", path)
    path.unlink()
    if name == "digits":
        assert summary(name).path == folders[0] / "digits.npz"
    else:
        with pytest.raises(InputError, match="does not exist"):
            summary(name.format(folder=here))


def test_other_data_by_the_path_of_a_known_name_are_shown_as_what_they_are(tmp_path):
    """To look at is not to run: only there they are refused."""
    found = save(tmp_path / "mnist.npz")
    assert (found.name, found.label, found.known_as, found.licence) == ("mnist", "mnist", None, None)


@pytest.mark.parametrize("name", ["fashion-mnist", "cifar-10", "cifar-10-jpeg"])
def test_other_data_by_a_known_name_are_refused(name, folders):
    save(folders[0] / f"{name}.npz")
    with pytest.raises(InputError, match=rf"^{folders[0]}/{name}\.npz is called {name}, but h(as|olds) "):
        summary(name)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("mnits", "Did you mean 'mnist'"),
        ("notes.txt", r"notes\.txt is of no known format"),
        ("nothing.npz", r"nothing\.npz does not exist"),
        ("~nosuchuser/rows.npz", "does not exist"),
        ("", "Unknown data set ''"),
    ],
)
def test_what_is_no_data_set_is_refused(source, message, folders, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("remember the milk")
    with pytest.raises(InputError, match=message):
        summary(source)


# What is registered


def test_every_registered_data_set_is_one_of_its_name():
    assert [source.name for source in registered()] == [*DATA_SETS]


@pytest.mark.parametrize("source", registered(), ids=lambda source: source.name)
def test_every_registered_data_set_says_what_it_is_and_how_to_get_it(source):
    assert source.label
    assert source.licence
    if source.bundled is None:
        assert source.how
        assert source.files
    else:
        assert source.find() == source.bundled_path == asset(source.bundled)
        found = summary(source.name)
        assert found.contents == source.contents
        assert (found.train_rows, found.test_rows, found.shape) == source.size
    for remote in source.remote:
        assert remote.url.startswith("https://")
        assert len(remote.hash) in (32, 64)
        assert set(remote.hash) <= {*"0123456789abcdef"}


@pytest.mark.parametrize("source", [s for s in registered() if s.remote], ids=lambda source: source.name)
def test_what_was_downloaded_is_found_again(source):
    target = source.remote[0].name if len(source.remote) == 1 else source.name
    assert target in source.files


def test_no_two_data_sets_have_one_label_or_the_same_contents():
    for field in ("label", "contents"):
        known = [getattr(source, field) for source in registered() if getattr(source, field)]
        assert len({*known}) == len(known)
