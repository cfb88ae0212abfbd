"""Keras' own downloader against a server of this machine. Needs TensorFlow."""

import functools
import hashlib
import os
import socket
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.data.writers import formats, names
from tests.refusals import refused
from tfticket.data import load_data, sources
from tfticket.data.download import Remote, download

pytestmark = pytest.mark.slow
IDX = tuple(f"{split}-{kind}-ubyte.gz" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))


class Handler(SimpleHTTPRequestHandler):
    """Serves files, or half of each, remembers what it was asked for, and lets something happen meanwhile."""

    def do_GET(self):
        self.server.asked.append(self.path.strip("/"))
        self.server.meanwhile()
        super().do_GET()

    def copyfile(self, source, outputfile):
        content = source.read()
        outputfile.write(content[: len(content) // 2] if self.server.cut_short else content)

    def log_message(self, text, *values):
        pass


@pytest.fixture
def server(monkeypatch, digits, tmp_path):
    """A server of few rows of MNIST, in a file and in four."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "served"
    for kind in ("npz", "idx gzipped"):
        formats[kind].write(digits, folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        server.folder, server.asked, server.cut_short, server.meanwhile = folder, [], False, lambda: None
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def remote(server):
    """Describe what to download, with the right hash."""

    def remote(name, algorithm="sha256"):
        digest = hashlib.new(algorithm, (server.folder / name).read_bytes()).hexdigest()
        return Remote(f"http://127.0.0.1:{server.server_address[1]}/{name}", digest)

    return remote


both = pytest.mark.parametrize("files", [("data.npz",), IDX], ids=["one", "several"])


@both
def test_files_come_as_they_are_and_their_progress_on_stderr(files, server, remote, tmp_path, capfd):
    from tfticket.backend import keras

    target = tmp_path / "new" / "folder" / files[0]
    algorithm = "md5" if len(files) > 1 else "sha256"
    assert download([remote(name, algorithm) for name in files], target) == target
    assert [*target.parent.iterdir()] == [target]
    received = {path.name: path.read_bytes() for path in ([target] if target.is_file() else target.iterdir())}
    assert received == {name: (server.folder / name).read_bytes() for name in files}
    out, err = capfd.readouterr()
    assert (out, "Downloading data from http://127.0.0.1" in err) == ("", True)
    assert not keras.utils.is_interactive_logging_enabled(), "as quiet as the backend made it"


@both
@pytest.mark.parametrize("fault", ["does not match", "404 -- File not found", "cut short"])
def test_a_file_that_does_not_come_whole_leaves_nothing(fault, files, server, remote, tmp_path):
    remotes = [*map(remote, files)]
    if fault.startswith("404"):
        (server.folder / files[-1]).unlink()
    elif fault == "cut short":
        server.cut_short, fault = True, "does not match"
    else:
        (server.folder / files[-1]).write_bytes((server.folder / files[-1]).read_bytes()[:-1] + b"?")
    with pytest.raises(OSError, match=fault):
        download(remotes, tmp_path / "data" / files[0])
    assert not [*(tmp_path / "data").iterdir()]


@both
def test_the_files_of_another_process_that_was_faster_stay(files, server, remote, tmp_path):
    target = tmp_path / "data" / files[0]

    def meanwhile():
        if len(files) == 1:
            target.write_bytes(b"theirs")
        elif not target.exists():
            target.mkdir()
            (target / "theirs").touch()

    server.meanwhile = meanwhile
    assert download([remote(name) for name in files], target) == target
    assert [*target.parent.iterdir()] == [target]
    if len(files) > 1:
        assert [path.name for path in target.iterdir()] == ["theirs"]
    else:  # a file takes the place of another at once
        assert target.read_bytes() == (server.folder / "data.npz").read_bytes()


# By name


@pytest.fixture
def known(fashion, remote):
    """Fashion-MNIST of few rows on the server; the keyword arguments change it further."""
    files = tuple(map(remote, IDX))
    fashion(remote=files)
    return lambda **changes: fashion(**{"remote": files, **changes})


def test_a_data_set_is_downloaded_once_and_refused_if_it_is_another(known, server, folders, digits):
    data = load_data("fashion-mnist")
    assert data.checksum == load_data("rows", **digits._asdict()).checksum
    assert [path.name for path in folders[0].iterdir()] == ["fashion-mnist"]
    assert load_data("fashion-mnist").checksum == data.checksum
    assert server.asked == [*IDX]
    known(contents="0" * 64)
    with refused("data.name", None, "fashion-mnist"):
        load_data("fashion-mnist")


def test_a_data_set_of_a_single_file_keeps_the_name_of_the_file(
    monkeypatch, server, remote, few_of_cifar, folders, colour
):
    name = "cifar-10-python.tar.gz"
    formats["cifar python tar"].write(colour, server.folder)
    monkeypatch.setattr(sources, "cifar_10", replace(sources.cifar_10, remote=(remote(name),)))
    assert load_data("cifar-10").class_names == names
    assert [*folders[0].iterdir()] == [folders[0] / name] == [sources.cifar_10.find()]


@pytest.fixture
def lock(monkeypatch):
    """Make folders read only, for the administrator too."""
    access, locked = os.access, set()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) not in locked and access(path, mode))
    return locked.add


@pytest.mark.parametrize(("is_named", "locked", "target"), [(True, 0, 1), (False, None, 1), (False, 1, 2)])
def test_downloads_go_to_the_first_folder_that_may_be_written(
    is_named, locked, target, known, folders, lock, monkeypatch
):
    if not is_named:
        monkeypatch.delenv("TFTICKET_DATA")
    if locked == 1:
        folders[1].rmdir()  # made on the way, below a folder that is locked
    if locked is not None:
        lock(folders[1].parent if locked == 1 else folders[0])
    load_data("fashion-mnist")
    assert sources.fashion_mnist.find() == folders[target] / "fashion-mnist"


def test_a_folder_that_cannot_be_written_is_named(known, folders, lock, monkeypatch):
    def refuse(path, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    for folder in folders:
        lock(folder)
    with refused("data.name", None, f"Permission denied: '{folders[0]}'", sources.fashion_mnist.get):
        load_data("fashion-mnist")


@pytest.mark.parametrize("get", ["Ask at the library.", ""])
def test_without_a_network_the_message_says_what_was_looked_for_and_what_to_do(get, monkeypatch, known, folders):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as bound:  # nobody listens there
        bound.bind(("127.0.0.1", 0))
        unreachable = [Remote(f"http://127.0.0.1:{bound.getsockname()[1]}/{name}", "0" * 64) for name in IDX]
        known(remote=tuple(unreachable), get=get)
        by_hand = [get] if get else [file.url for file in unreachable]
        with refused("data.name", None, "Connection refused", "--data-dir", *map(str, folders), *by_hand):
            load_data("fashion-mnist")
    assert not [*folders[0].iterdir()]
