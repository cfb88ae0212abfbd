"""Files that are whole or not there, and readers that nothing can hold up."""

import errno
import os
import sys

import pytest

from tests.processes import execute
from tests.refusals import refused
from tfticket.runs.files import atomic_write, check_place, check_writable, read_json, write_json


@pytest.mark.parametrize("old", [{}, {"file": "old"}])
def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path, old):
    path = tmp_path / "file"
    for name, text in old.items():
        (tmp_path / name).write_text(text)

    def contents():
        return {path.name: path.read_text() for path in tmp_path.iterdir() if path.name[0] != "."}

    def write(part):
        part.write_text("new")
        part.chmod(0o600)
        assert contents() == old

    def fill(part):
        part.write_text("half")
        raise OSError(errno.ENOSPC, "the disk is full")

    with pytest.raises(OSError, match="full"):
        atomic_write(path, fill)
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert (contents(), list(tmp_path.glob(".*"))) == (old, [])
    atomic_write(path, write)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o644)


def test_a_process_that_dies_while_it_writes_leaves_the_old_file_and_the_next_write_clears_up(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    code = (
        "import os, sys, pathlib; from tfticket.runs.files import atomic_write\n"
        "atomic_write(pathlib.Path(sys.argv[1]), lambda part: (part.write_text('half'), os._exit(1)))"
    )
    assert execute([sys.executable, "-c", code, path], check=False).returncode == 1
    assert path.read_text() == "old"
    atomic_write(path, lambda part: part.write_text("new"))
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_json_comes_back(tmp_path):
    value = {"a": [1, 2.5, None, True], "name": "Zürich ✓", "nested": {"1": []}}
    write_json(tmp_path / "file.json", value)
    size = (tmp_path / "file.json").stat().st_size
    assert read_json(tmp_path / "file.json") == read_json(tmp_path / "file.json", size) == value
    with refused(None, None, "file.json", str(size), str(size - 1)):
        read_json(tmp_path / "file.json", size - 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no file"),
        (os.mkdir, "folder"),
        (os.mkfifo, "named pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "device"),
        (lambda path: path.symlink_to(path), "Too many levels"),
        (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 2**40), "1,099,511,627,776"),
        *((lambda path, text=text: path.write_bytes(text), "JSON") for text in (b"{", b"\xff\xfe\x00", b"1" * 5_000)),
        (lambda path: path.write_text("[" * 100_000), "deep"),
    ],
)
def test_what_is_no_json_file_is_refused_at_once(make, words, tmp_path):
    make(tmp_path / "file.json")
    with refused(None, None, str(tmp_path / "file.json"), words):
        read_json(tmp_path / "file.json")
    with refused(None, None, "not readable"):
        read_json(tmp_path / "\0")


def test_a_folder_that_can_be_written_is_made_and_left_empty_and_a_file_in_its_place_is_refused(tmp_path):
    check_place(tmp_path / "a" / "b", "--workspace")
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):
        check_writable(tmp_path / "a" / "b", "--workspace")
        assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "inner" / "more"):
        for check in (check_place, check_writable):
            with refused("--workspace", None, str(place)):
                check(place, "--workspace")
