"""Keras' own downloader against a server of this machine. Needs TensorFlow."""

import hashlib
import io
import os
import re
import signal
import socket
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tfticket.data import load_data, sources
from tfticket.data.download import Remote, download
from tfticket.errors import InputError

pytestmark = pytest.mark.slow


class Server(ThreadingHTTPServer):
    """Serves files by name and remembers what it was asked for.

    Attributes:
        files: Name -> content.
        asked: Names in the order of requests.
        cut_short: Send only half of each file.
        meanwhile: What happens at each request.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.asked = []
        self.cut_short = False
        self.meanwhile = lambda: None

    def remote(self, name, algorithm="sha256"):
        """What to download, with the right hash."""
        digest = hashlib.new(algorithm, self.files.get(name, b"")).hexdigest()
        return Remote(f"http://127.0.0.1:{self.server_address[1]}/some/{name}", digest)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        self.server.meanwhile()
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404, "Gone for ever")
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.server.cut_short else content)

    def log_message(self, text, *values):
        pass


@pytest.fixture
def server(monkeypatch, digits, writers, tmp_path):
    """A server of few rows of MNIST, in a file and in four."""
    monkeypatch.setenv("no_proxy", "*")
    with Server() as server:
        for kind in ("npz", "idx gzipped"):
            form = writers.formats[kind]
            path = form.pack(form.members(digits), tmp_path / "served" / kind)
            for file in [path] if path.is_file() else path.iterdir():
                server.files[file.name] = file.read_bytes()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


IDX = (
    *("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    *("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
)


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_file_comes_as_it_is_and_its_progress_on_stderr(algorithm, server, tmp_path, capfd):
    target = tmp_path / "new" / "folder" / "data.npz"
    assert download([server.remote("data.npz", algorithm)], target) == target
    assert [*target.parent.iterdir()] == [target]
    assert target.read_bytes() == server.files["data.npz"]
    out, err = capfd.readouterr()
    assert out == ""
    assert "Downloading data from http://127.0.0.1" in err


def test_several_files_come_to_one_folder(server, tmp_path, capfd):
    target = tmp_path / "data" / "digits"
    assert download([server.remote(name) for name in IDX], target) == target
    assert [*target.parent.iterdir()] == [target]
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {name: server.files[name] for name in IDX}
    assert server.asked == [*IDX]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("interactive", [True, False])
def test_keras_goes_on_as_quiet_as_the_backend_made_it(interactive, server, tmp_path):
    from tfticket.backend import keras

    assert not keras.utils.is_interactive_logging_enabled()
    files = [server.remote("data.npz" if interactive else "gone.npz")]
    if interactive:
        download(files, tmp_path / "data" / "data.npz")
    else:
        with pytest.raises(OSError, match="404"):
            download(files, tmp_path / "data" / "gone.npz")
    assert not keras.utils.is_interactive_logging_enabled()


# What goes wrong leaves nothing


def damaged(server, name):
    content = server.files[name]
    remote = server.remote(name)
    server.files[name] = content[:-1] + b"?"
    return remote


def gone(server, name):
    remote = server.remote(name)
    del server.files[name]
    return remote


def cut_short(server, name):
    server.cut_short = True
    return server.remote(name)


@pytest.mark.parametrize(
    ("fault", "message"),
    [(damaged, "does not match"), (gone, "404 -- Gone for ever"), (cut_short, "does not match")],
)
@pytest.mark.parametrize("names", [("data.npz",), IDX], ids=["one", "several"])
def test_a_file_that_does_not_come_whole_leaves_nothing(fault, message, names, server, tmp_path, capfd):
    *before, last = names
    files = [*map(server.remote, before), fault(server, last)]
    with pytest.raises(OSError, match=message):
        download(files, tmp_path / "data" / ("data.npz" if len(names) == 1 else "digits"))
    assert not [*(tmp_path / "data").iterdir()]
    assert capfd.readouterr().out == ""


class ImpatientUser(io.StringIO):
    """Presses Ctrl-C at the first sight of the progress of a file."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def write(self, text):
        super().write(text)
        if "ETA" in text and self.name in self.getvalue():
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("names", [("data.npz",), IDX[::-1]], ids=["one", "several"])
def test_an_interruption_in_the_middle_leaves_nothing(names, server, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", ImpatientUser(names[-1]))
    with pytest.raises(KeyboardInterrupt):
        download([server.remote(name) for name in names], tmp_path / "data" / "digits")
    assert server.asked == [*names]
    assert not [*(tmp_path / "data").iterdir()]


@pytest.mark.parametrize("names", [("data.npz",), IDX], ids=["one", "several"])
def test_where_another_process_was_quicker_its_files_stay(names, server, tmp_path):
    target = tmp_path / "data" / ("data.npz" if len(names) == 1 else "digits")

    def meanwhile():
        if len(names) > 1 and not target.exists():
            target.mkdir()
            (target / "theirs").touch()
        elif len(names) == 1:
            target.write_bytes(b"theirs")

    server.meanwhile = meanwhile
    assert download([server.remote(name) for name in names], target) == target
    assert [*target.parent.iterdir()] == [target]
    if len(names) > 1:
        assert [path.name for path in target.iterdir()] == ["theirs"]
    else:
        assert target.read_bytes() == server.files["data.npz"], "one file takes the place of another at once"


# By name


@pytest.fixture
def fashion(monkeypatch, server, digits, folders):
    """Fashion-MNIST of few rows, which are digits, on the server; the keyword arguments change it."""
    contents = load_data("rows", **digits._asdict()).contents

    def change(**changes):
        values = {"contents": contents, "installed": None, "remote": tuple(map(server.remote, IDX)), **changes}
        monkeypatch.setattr(sources, "fashion_mnist", replace(sources.fashion_mnist, **values))

    change()
    return change


def test_a_data_set_is_downloaded_once_and_never_again(fashion, server, folders, digits):
    data = load_data("fashion-mnist")
    assert data.label == "Fashion-MNIST"
    assert data.checksum == load_data("rows", **digits._asdict()).checksum
    assert server.asked == [*IDX]
    assert [path.name for path in folders[0].iterdir()] == ["fashion-mnist"]
    assert load_data("fashion-mnist").checksum == data.checksum
    assert server.asked == [*IDX]


def test_a_data_set_of_one_file_keeps_the_files_name(
    monkeypatch, server, few_of_cifar, folders, writers, colour, tmp_path
):
    form = writers.formats["cifar python tar"]
    server.files["cifar-10-python.tar.gz"] = form.pack(form.members(colour), tmp_path / "made").read_bytes()
    remote = (server.remote("cifar-10-python.tar.gz"),)
    monkeypatch.setattr(sources, "cifar_10", replace(sources.cifar_10, remote=remote))
    assert load_data("cifar-10").class_names == writers.names
    assert [*folders[0].iterdir()] == [folders[0] / "cifar-10-python.tar.gz"]
    assert sources.cifar_10.find() == folders[0] / "cifar-10-python.tar.gz"


def test_downloads_go_to_the_programs_own_folder_where_the_user_names_none(monkeypatch, fashion, folders):
    monkeypatch.delenv("TFTICKET_DATA")
    load_data("fashion-mnist")
    assert sources.fashion_mnist.find() == folders[1] / "fashion-mnist"


@pytest.fixture
def locked(monkeypatch):
    """Makes folders read only, for the administrator too."""
    access, made = os.access, set()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) not in made and access(path, mode))
    return made.add


def test_downloads_do_not_go_to_a_folder_that_is_read_only(fashion, folders, locked):
    locked(folders[0])
    load_data("fashion-mnist")
    assert sources.fashion_mnist.find() == folders[1] / "fashion-mnist"
    assert not [*folders[0].iterdir()]


def test_a_folder_that_is_made_on_the_way_is_looked_at_where_it_would_be(fashion, folders, locked, monkeypatch):
    monkeypatch.delenv("TFTICKET_DATA")
    folders[1].rmdir()
    locked(folders[1].parent)
    load_data("fashion-mnist")
    assert sources.fashion_mnist.find() == folders[2] / "fashion-mnist"


def test_where_every_folder_is_read_only_the_first_one_is_named(monkeypatch, fashion, folders, locked):
    def refuse(path, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    for folder in folders:
        locked(folder)
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InputError, match=rf"could not be downloaded: .*Permission denied: '{folders[0]}'") as refused:
        load_data("fashion-mnist")
    assert sources.fashion_mnist.get in str(refused.value)


def test_other_files_with_the_right_hash_are_not_taken_for_the_data_set(fashion, folders):
    fashion(contents="0" * 64)
    with pytest.raises(InputError, match="fashion-mnist, but holds other images or labels than its publishers'"):
        load_data("fashion-mnist")


@pytest.fixture
def unreachable():
    """Of an address that nobody listens at."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        yield tuple(Remote(url + name, "0" * 64) for name in IDX)


@pytest.mark.parametrize("get", ["Ask at the library.", ""])
def test_without_a_network_the_user_learns_what_was_looked_for_and_what_to_do(
    get, monkeypatch, fashion, folders, unreachable
):
    monkeypatch.setenv("no_proxy", "*")
    fashion(remote=unreachable, get=get)
    with pytest.raises(InputError, match=r"^fashion-mnist is not on this machine .*Connection refused") as refused:
        load_data("fashion-mnist")
    assert refused.value.exit_code == 2
    by_hand = [get] if get else [remote.url for remote in unreachable]
    for said in (*map(str, folders), *sources.fashion_mnist.files, *by_hand, "--data-dir", "TFTICKET_DATA"):
        assert said in str(refused.value)
    assert not [*folders[0].iterdir()]


def test_a_folder_that_cannot_be_written_is_told(monkeypatch, fashion, folders, server):
    monkeypatch.delenv("TFTICKET_DATA")
    folders[1].rmdir()
    folders[1].write_text("a file where the folder should be")
    with pytest.raises(InputError, match=re.escape(str(folders[1]))):
        load_data("fashion-mnist")
    assert not server.asked
