import json
import os
import sys

import pytest

from tests.processes import execute
from tfticket.errors import InputError
from tfticket.runs.files import atomic_write, check_writable, read_json, write_json


@pytest.mark.parametrize("sync", [True, False])
def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path, sync):
    path = tmp_path / "file"
    path.write_text("old")

    def write(part):
        part.write_text("new")
        assert path.read_text() == "old"

    atomic_write(path, write, sync=sync)
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("old", [{}, {"file": "old"}])
def test_a_write_that_fails_leaves_what_was_there(tmp_path, old):
    for name, text in old.items():
        (tmp_path / name).write_text(text)

    def write(part):
        part.write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        atomic_write(tmp_path / "file", write)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == old


DIE = """
import os, sys
from pathlib import Path
from tfticket.runs.files import atomic_write
atomic_write(Path(sys.argv[1]), lambda part: (part.write_text("half"), os._exit(1)))
"""


def test_a_process_that_dies_while_it_writes_leaves_the_old_file_and_the_next_write_clears_up(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    assert execute([sys.executable, "-c", DIE, path], check=False).returncode == 1
    assert path.read_text() == "old"
    atomic_write(path, lambda part: part.write_text("new"))
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_json_comes_back(tmp_path):
    value = {"a": [1, 2.5, None, True], "name": "Zürich ✓", "nested": {"1": []}}
    write_json(tmp_path / "file.json", value)
    assert read_json(tmp_path / "file.json") == value


def test_what_is_no_json_writes_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "file.json", {"a": object()})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00"])
def test_a_file_that_is_no_json_is_refused_by_name(tmp_path, content):
    (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(InputError, match=r"file\.json is not readable as JSON"):
        read_json(tmp_path / "file.json")


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"no file .*file\.json"):
        read_json(tmp_path / "file.json")
    with pytest.raises(InputError, match="is a folder; expected a file"):
        read_json(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "is a named pipe; expected a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device; expected a file"),
        (lambda path: path.symlink_to(path), "not readable: Too many levels"),
        (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 2**40), "has 1,099,511,627,776 bytes"),
        (lambda path: path.write_text("[" * 100_000), "nested too deep"),
        (lambda path: path.write_text("1" * 5_000), "not readable as JSON"),
    ],
)
def test_what_is_no_file_of_ours_is_refused_at_once(make, message, tmp_path):
    make(tmp_path / "file.json")
    with pytest.raises(InputError, match=message):
        read_json(tmp_path / "file.json")


def test_a_folder_that_can_be_written_is_made_and_left_empty(tmp_path):
    check_writable(tmp_path / "a" / "b", "--workspace")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    check_writable(tmp_path / "a" / "b", "--workspace")


@pytest.mark.parametrize("below", ["", "inner"])
def test_a_file_where_the_folder_should_be_is_refused(tmp_path, below):
    (tmp_path / "file").write_text(json.dumps(1))
    with pytest.raises(InputError, match=r"Cannot write in .*--workspace"):
        check_writable(tmp_path / "file" / below, "--workspace")
