"""Data on the command line: listed, shown, run, refused. Bad input is tried in this process."""

import json
import re
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.processes import execute
from tests.real_run import tfticket
from tfticket.data import sources
from tfticket.data.dataset_summary import summary
from tfticket.data.identity import source_by_name
from tfticket.data.sources import asset
from tfticket.registry import DATA_SETS
from tfticket.reports.rows import rows_of
from tfticket.runs.run_folder import find_run

pytestmark = pytest.mark.usefixtures("no_data_folder")


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """A user's own file, of 900 rows of MNIST, in a folder of their own."""
    random = np.random.default_rng(0)
    train, test = random.permutation(60_000)[:700], random.permutation(10_000)[:200]
    with np.load(asset("mnist.npz")) as mnist:
        arrays = {name: mnist[name][train if name.endswith("train") else test] for name in mnist.files}
    path = tmp_path_factory.mktemp("mine") / "letters.npz"
    np.savez_compressed(path, **arrays)
    return path


DAMAGE = {
    "nothing in it": lambda whole: b"",
    "the end missing": lambda whole: whole[: len(whole) // 2],
    "one byte altered": lambda whole: whole[:5000] + bytes([whole[5000] ^ 255]) + whole[5001:],
    "a text": lambda whole: b"hello",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_data_are_refused_by_name_in_one_line(damage, letters, tmp_path, call):
    path = tmp_path / "damaged.npz"
    path.write_bytes(DAMAGE[damage](letters.read_bytes()))
    for command in (["data", path], ["-q", "run", "quickstart-smoke", "-o", f"data.path={path}", "-w", tmp_path / "w"]):
        code, out, err = call(*command)
        assert code == 2
        assert err.startswith(f"Error: {path} ")
        assert len(err.splitlines()) == 1
        assert out == ""
    assert list(tmp_path.iterdir()) == [path]


def test_wrong_data_are_refused_before_tensorflow_is_imported(letters, tmp_path):
    (tmp_path / "damaged.npz").write_bytes(letters.read_bytes()[:9000])
    commands = [
        ["data", "damaged.npz"],
        ["data", "minst"],
        ["data", "--data-dir", "nowhere"],
        *(
            ["run", "quickstart-smoke", "-o", wrong]
            for wrong in (
                "data.path=damaged.npz",
                "data.path=nowhere.npz",
                "data.name=minst",
                f"data={{name: mnist, path: {letters}}}",
                "data.train_rows=60000",
                "data.classes=[3,17]",
                "data.classes=[3]",
            )
        ),
        ["run", "quickstart-smoke", "-o", "data.name=letters", "--data-dir", "nowhere"],
    ]
    code = (
        "import json, sys\n"
        "from tfticket import cli\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    sys.argv = ['tfticket', *arguments]\n"
        "    try:\n"
        "        cli.main()\n"
        "    except SystemExit as end:\n"
        "        print(end.code, 'tensorflow' in sys.modules)\n"
    )
    done = execute([sys.executable, "-c", code, json.dumps(commands)], cwd=tmp_path)
    assert done.stdout.splitlines() == ["2 False"] * len(commands), done.stderr
    assert "Starting" not in done.stderr
    assert not (tmp_path / "workspace").exists()


def test_data_sets_are_listed_with_where_they_lie_or_how_to_get_them(monkeypatch, call):
    monkeypatch.setattr(sources, "fashion_mnist", replace(sources.fashion_mnist, installed=None))
    code, out, _ = call("data")
    assert code == 0
    missing = ("fashion-mnist", "cifar-10", "cifar-10-jpeg")
    lies = {"mnist": asset("mnist.npz"), "cifar-10-small": asset("cifar-10-small.zip")}
    lies |= {name: f"not here. {source_by_name(name).how}" for name in missing}
    lines = [(f"{name:15} {source_by_name(name).label}", f"{'':15} {lies[name]}") for name in DATA_SETS]
    assert out.splitlines() == [line for pair in lines for line in pair]
    assert "Downloaded when it is first used" in source_by_name("cifar-10").how
    code, out, _ = call("data", "--json")
    assert code == 0
    assert json.loads(out) == [
        {
            "name": name,
            "label": source_by_name(name).label,
            "path": None if name in missing else str(lies[name]),
            "how": source_by_name(name).how,
        }
        for name in DATA_SETS
    ]


def test_the_users_own_data_are_listed_too(letters, tmp_path, call):
    (tmp_path / "letters.npz").symlink_to(letters)
    (tmp_path / "mnist.npz").symlink_to(letters)
    (tmp_path / "a folder").mkdir()
    code, out, _ = call("data", "--data-dir", tmp_path)
    assert code == 0
    own = [("a folder", tmp_path / "a folder"), ("letters", tmp_path / "letters.npz")]
    expected = [line for name, path in own for line in (f"{name:15} your own", f"{'':15} {path}")]
    assert out.splitlines()[2 * len(DATA_SETS) :] == expected
    code, out, _ = call("data", "--data-dir", tmp_path, "--json")
    assert code == 0
    listed = json.loads(out)[len(DATA_SETS) :]
    assert listed == [{"name": name, "label": "your own", "path": str(path), "how": ""} for name, path in own]


def test_the_bundled_data_are_known_by_their_contents(call):
    code, out, _ = call("data", "mnist", "cifar-10-small")
    assert code == 0
    assert out == f"{summary('mnist')}\n{summary('cifar-10-small')}\n"
    assert "mnist: MNIST (CC BY-SA 3.0, LeCun, Cortes and Burges)\n" in out
    assert "  training   60,000 images, 5,421 to 6,742 of each class\n" in out
    assert "as known of mnist\n" in out
    assert "re-encoded as JPEG" in out


def test_a_users_own_file_is_described_as_it_is(letters, call):
    code, out, _ = call("data", letters, "--json")
    assert code == 0
    (found,) = json.loads(out)
    assert (found["name"], found["label"], Path(found["path"])) == ("letters", "letters", letters)
    assert (found["train_rows"], found["test_rows"], found["shape"]) == (700, 200, [28, 28, 1])
    with np.load(letters) as arrays:
        for split in ("train", "test"):
            assert list(found[f"{split}_counts"].values()) == np.bincount(arrays[f"y_{split}"]).tolist()
    assert found["known_as"] is found["licence"] is None
    code, out, _ = call("data", letters)
    assert code == 0
    assert out.startswith("letters: letters\n")
    assert re.search(r"^  training +700 images, ", out, re.MULTILINE)
    assert found["contents"] in out
    assert "of no data set that we know" in out


def test_the_users_folder_is_looked_into_for_data_of_their_own_and_of_known_names(letters, tmp_path, call):
    (tmp_path / "cifar-10-jpeg.npz").touch()
    (tmp_path / "letters.npz").symlink_to(letters)
    code, out, _ = call("data", "--json", "--data-dir", tmp_path)
    assert code == 0
    assert {row["name"]: row["path"] for row in json.loads(out)}["cifar-10-jpeg"] == str(tmp_path / "cifar-10-jpeg.npz")
    code, out, _ = call("data", "letters", "--data-dir", tmp_path)
    assert code == 0
    assert str(tmp_path / "letters.npz") in out
    too_many = ["-o", "data.name=letters", "-o", "data.train_rows=650", "-o", "data.validation_rows=100"]
    code, _, err = call("run", "quickstart-smoke", "-w", tmp_path / "w", "--data-dir", tmp_path, *too_many)
    assert code == 2
    assert "letters has 700 training rows" in err


@pytest.mark.parametrize("name", ["mnist", "cifar-10-small"])
def test_other_contents_never_run_by_a_known_name(name, letters, tmp_path, call):
    options = ["-o", f"data.path={letters}", "-o", f"data.name={name}"]
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", tmp_path / "w", *options)
    assert code == 2
    assert f"{letters} is called {name}, but holds other images or labels than its publishers'" in err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("command", [["data", "mnist"], ["run", "quickstart-smoke", "-o", "data.train_rows=60000"]])
def test_a_data_folder_that_is_not_there_is_refused_even_where_it_is_not_needed(command, tmp_path, call):
    code, _, err = call(*command, "--data-dir", tmp_path / "nowhere")
    assert code == 2
    assert f"The data folder {tmp_path / 'nowhere'} does not exist" in err


def test_other_contents_are_never_shown_by_a_known_name(letters, tmp_path, call):
    for name in ("cifar-10-jpeg", "cifar-10"):
        (tmp_path / f"{name}.npz").symlink_to(letters)
        code, out, err = call("data", name, "--data-dir", tmp_path)
        assert (code, out) == (2, "")
        assert f"{name}.npz is called {name}, but h" in err


@pytest.mark.parametrize("path", ["nowhere.npz", "./nowhere", "/nowhere/at/all"])
def test_a_path_to_show_that_is_not_there_is_called_a_path(path, call):
    code, _, err = call("data", path)
    assert code == 2
    assert "does not exist" in err


def texts_of(pdf: Path) -> str:
    """What matplotlib wrote into a PDF, without spaces: long titles are broken."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf.read_bytes(), re.DOTALL)
    shown = [
        line
        for stream in streams
        if stream[:1] == b"x"
        for line in re.findall(rb"\[.*?\] TJ|\(.*?\) Tj", zlib.decompress(stream), re.DOTALL)
    ]
    lines = (b"".join(re.findall(rb"\(((?:\\.|[^\\()])*)\)", line)) for line in shown)
    return re.sub(r"\\(.)|\s", r"\1", "\n".join(line.decode("latin-1") for line in lines))


SHORT = ["-o", "seeds=[0]", "-o", "prune.levels=1", "-o", "data.train_rows=500", "-o", "data.validation_rows=100"]


@pytest.fixture(scope="module")
def own_run(letters, tmp_path_factory):
    """A workspace with a finished run on the user's own file, and what the command printed."""
    workspace = tmp_path_factory.mktemp("own")
    return workspace, tfticket("run", "quickstart-smoke", *SHORT, "-o", f"data.path={letters}", "-w", workspace)


def test_a_users_own_file_is_run_and_its_report_names_it(own_run, letters):
    workspace, printed = own_run
    assert "IMP ticket" in printed
    assert f"-o data.path={letters}" in printed.split("Next:")[1]
    run = find_run(workspace, "quickstart-smoke")
    assert run.config["data"]["path"] == str(letters)
    assert {row.data for row in rows_of(run)} == {"letters, 500 training rows"}
    assert "lenet-300-100onletters,500trainingrows" in texts_of(run.folder / "report" / "accuracy.pdf")


def test_the_same_data_by_another_name_are_called_by_it(own_run, letters, call):
    workspace, _ = own_run
    options = [*SHORT, "-o", f"data.path={letters}", "-o", "data.name=My letters", "-o", "name=renamed"]
    assert call("-q", "run", "quickstart-smoke", *options, "-w", workspace)[0] == 0
    assert {row.data for row in rows_of(find_run(workspace, "renamed"))} == {"My letters, 500 training rows"}


def test_a_run_on_photographs_says_that_they_were_re_encoded(tmp_path, call):
    options = [*SHORT, "-o", "data.name=cifar-10-small", "-w", tmp_path]
    assert call("-q", "run", "quickstart-smoke", *options)[0] == 0
    run = find_run(tmp_path, "quickstart-smoke")
    label = "CIFAR-10 small (6,000 images, re-encoded as JPEG), 500 training rows"
    assert {row.data for row in rows_of(run)} == {label}
    assert f"on {label}".replace(" ", "") in texts_of(run.folder / "report" / "accuracy.pdf")


def test_what_is_proposed_after_a_run_finds_the_data_too(letters, tmp_path, call):
    options = [*SHORT, "-o", "data.name=letters", "--data-dir", letters.parent, "-w", tmp_path]
    code, out, _ = call("run", "quickstart-smoke", *options)
    assert code == 0
    proposed = [line for line in out.splitlines() if " run quickstart-smoke " in line]
    assert [f"--data-dir={letters.parent}" in line.split() for line in proposed] == [True]


def test_data_of_one_class_are_refused(tmp_path, call):
    images, labels = np.zeros((20, 4, 4), np.uint8), np.zeros(20, np.uint8)
    np.savez(tmp_path / "one.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    code, _, err = call("run", "quickstart-smoke", "-o", f"data.path={tmp_path / 'one.npz'}")
    assert code == 2
    assert "one.npz holds one class only, " in err


def test_an_override_without_a_value_is_refused(call):
    code, _, err = call("run", "quickstart", "-o", "data.path=")
    assert code == 2
    assert "Override 'data.path=' does not have the form key=value" in err
