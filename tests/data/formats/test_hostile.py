"""Hostile archives and pickles are refused: nothing is unpacked to disk, nothing runs, memory and time are bounded."""

import gzip
import io
import itertools
import os
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from tests.data.writers import npy, python2_pickle, tar_entry
from tests.refusals import refused
from tfticket.data.formats import read
from tfticket.data.formats.pickled import MOST_BYTES


def check(path, *mentions):
    with refused(None, None, str(path), *mentions):
        read(path)


# Tar


def test_tar_files_that_escape_or_hold_links_or_too_many_members_are_refused(tmp_path, refused_in_limits):
    path, name, batch = tmp_path / "cifar-10-binary.tar.gz", "test_batch.bin", b"\0" * 3073
    escaping = (f"/{name}", f"a/../../{name}", f"c:/{name}", "a\\b")
    links = (tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE)
    for entries, mention in (
        *(([(tar_entry(escape), batch)], "lies outside the archive's folder") for escape in escaping),
        *(([(tar_entry(name, type=kind, linkname="/etc/passwd"), b"")], "a link or a device") for kind in links),
        ([(tar_entry(name), batch)] * 2, "the second 'test_batch'"),
        ([(tar_entry(f"{number}"), b"") for number in range(1001)], "more than 1,000 members"),
    ):
        with tarfile.open(path, "w:gz") as archive:
            for entry, content in entries:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        refused_in_limits(path, mention)


def test_tar_members_that_explode_are_refused_by_their_size_and_bombs_behind_the_end(tmp_path, refused_in_limits):
    for kind, size in itertools.product((tarfile.REGTYPE, tarfile.XHDTYPE), (2**28 + 1, 2**70)):
        header = tar_entry("readme.html", type=kind, size=size).tobuf(tarfile.GNU_FORMAT)
        (tmp_path / "bomb.tar").write_bytes(header + b"\0" * 10_000)
        refused_in_limits(tmp_path / "bomb.tar", "at most 268,435,456")
    with gzip.open(tmp_path / "bomb.tar.gz", "wb", 9) as file:
        file.write(tarfile.TarInfo("readme.html").tobuf())
        for _ in range(100):
            file.write(b"\0" * 2**20)
    refused_in_limits(tmp_path / "bomb.tar.gz", "after its last member")


def test_extended_headers_of_a_tar_file_are_passed_over(write, tmp_path):
    path = write("cifar binary tar")
    with tarfile.open(path) as old, tarfile.open(tmp_path / "new.tar", "w", format=tarfile.PAX_FORMAT) as new:
        for member in old:
            member.pax_headers = {"comment": "x" * 1000}
            new.addfile(member, old.extractfile(member))
    np.testing.assert_array_equal(read(tmp_path / "new.tar").x_train, read(path).x_train)


# Zip


def zip_file(path, *members, **fields):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            for field, value in {"compress_type": zipfile.ZIP_DEFLATED, **fields}.items():
                setattr(info, field, value)
            archive.writestr(info, content)
    return path


def test_zips_that_escape_or_hold_links_passwords_other_methods_or_a_name_twice_are_refused(write, tmp_path):
    for name, form in itertools.product(("/x.png", "train/../../x.png", "train\\..\\x.png"), ("npz", "images zip")):
        check(write(form, {name: b"x"}), repr(name), "outside the archive's folder")
    path = tmp_path / "images.zip"
    check(zip_file(path, ("train/a/0.png", "/etc/passwd"), external_attr=0o120777 << 16), "is a link")
    check(zip_file(path, ("a.npy", b"x"), compress_type=zipfile.ZIP_BZIP2), "method 12; expected deflate")
    content = bytearray(zip_file(path, ("a.npy", b"x")).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    check(path, "is encrypted")
    with pytest.warns(UserWarning, match="Duplicate"):
        zip_file(path, ("a.npy", b"x"), ("a.npy", b"y"))
    check(path, "two members 'a.npy'")


def test_zip_bombs_are_refused_by_their_declared_size(tmp_path, refused_in_limits):
    for names, size in ((["x_train.npy"], 2**27 + 1), ([f"train/a/{number}.png" for number in range(3)], 2**26)):
        path = zip_file(tmp_path / "bomb.zip", *((name, b"\0" * 1000) for name in names))
        path.write_bytes(path.read_bytes().replace(struct.pack("<I", 1000), struct.pack("<I", size)))
        refused_in_limits(path, "would unpack", "a bomb")


def test_zips_whose_members_overlap_or_hold_more_than_they_declare_are_refused(tmp_path, write):
    path = zip_file(tmp_path / "images.zip", ("train/a/0.png", os.urandom(1000)))
    content = path.read_bytes()
    start = content.index(b"PK\x01\x02")
    directory = content[start : content.index(b"PK\x05\x06")]
    entries = b"".join(directory.replace(b"0.png", b"%d.png" % number) for number in range(9))
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 9, 9, len(entries), start, 0)
    path.write_bytes(content[:start] + entries + end)
    check(path, "do not overlap")
    path = write("npz compressed")
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("x_train.npy").file_size
    start = content.index(b"PK\x01\x02")
    smaller = content[start:].replace(struct.pack("<I", size), struct.pack("<I", size - 784), 1)
    path.write_bytes(content[:start] + smaller)
    check(path, "x_train has")


# Pickles

RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
DTYPE = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
SHAPED = b"\x80\x02}(U\x06labels]U\x04data" + RECONSTRUCT + b")R(K\x01"


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch '{self.file}'",)


def test_pickles_that_would_run_a_command_are_refused_and_do_not_run(write, tmp_path):
    run = tmp_path / "run"
    for protocol, member in itertools.product(range(6), ("data_batch_2", "batches.meta")):
        hostile = pickle.dumps({b"labels": [0], b"data": Command(run)}, protocol)
        check(write("cifar python", {member: hostile}), member, ".system" if protocol else "is no pickle of plain data")
    objects = npy(np.array([Command(run)], dtype=object), allow_pickle=True)
    for key in ("x_train", "y_test"):
        check(write("npz", {f"{key}.npy": objects}), f"{key} holds pickled Python objects")
    (tmp_path / "cifar.pkl").write_bytes(hostile)
    check(tmp_path / "cifar.pkl", "no known format")
    assert not run.exists()
    pickle.loads(hostile)
    assert run.exists(), "it would have run"


def billion_laughs(depth):
    """A list of two lists of two lists ..., in few bytes."""
    return b"]q\x00" + b"".join(b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(depth))


HOSTILE = {
    **{
        f"a call of {name}": b"\x80\x02c" + name.replace("|", "\n").encode() + b"\nU\x02u1\x85R."
        for name in ("builtins|eval", "numpy.core.multiarray|scalar", "numpy.dtype|type", "numpy| dtype")
    },
    "a huge memo index": b"\x80\x02}r\xff\xff\xff\xff.",
    "a huge string": b"\x80\x02T\xff\xff\xff\x7f" + b"x" * 100 + b".",
    "a huge frame": b"\x80\x04\x95" + b"\xff" * 8 + b"}.",
    "a text of many lists": b"\x80\x04" + billion_laughs(100) + b"\x8c\x01x\x93.",
    "an array of a type with a text of many lists":
        SHAPED + b"K\x01K\x01\x86cnumpy\ndtype\n" + billion_laughs(100) + b"\x85R\x89U\x01xtbu.",
    "labels of many lists": b"\x80\x02}(U\x04data" + RECONSTRUCT + b")RU\x06labels" + billion_laughs(100) + b"u.",
    "a deep list": b"\x80\x02" + b"](" * 90_000 + b"e" * 90_000 + b".",
    "a key of deep tuples": b"\x80\x02})" + b"\x85" * 290_000 + b"K\x01s.",
    "very many instructions": b"\x80\x02" + b"N" * 10_000_000 + b".",
    "a dict in itself": b"\x80\x02}q\x00U\x04datah\x00sU\x06labelsh\x00s.",
    "an array of a huge shape": SHAPED + b"J\xff\xff\xff\x7fM\x00\x0c\x86" + DTYPE + b"\x89U\x01xtbu.",
    "an array of a negative shape":
        SHAPED + b"J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86" + DTYPE + b"\x89U\x01xtbu.",
    "an array without a state": b"\x80\x02}(U\x06labels]U\x04data" + RECONSTRUCT + b")Ru.",
    "a call of an array": b"\x80\x02cnumpy\nndarray\n)R.",
    "bytes in UTF-7": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-7\x86R.",
    "a name from a registry": b"\x80\x02\x82\x01.",
    "an empty stack": b"\x80\x02.",
    "no dict": b"\x80\x02]" + b".",
    "an empty dict": b"\x80\x02}.",
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_pickles_are_refused_within_5_s_and_500_mb(what, write, refused_in_limits):
    mention = "nothing was executed" if "|" in what else "xpected"
    refused_in_limits(write("cifar python", {"data_batch_1": HOSTILE[what]}), "data_batch_1", mention)


BATCHES = [
    (lambda batch: {**batch, b"labels": batch[b"labels"][:-1]}, "3 labels and 4 images"),
    (lambda batch: {**batch, b"labels": [10] * 4}, "the label 10; expected 0 to 9"),
    (lambda batch: {**batch, b"labels": [-1] * 4}, "labels is no list of numbers"),
    (lambda batch: {**batch, b"labels": b"abcd"}, "labels is no list of numbers"),
    (lambda batch: {**batch, b"data": batch[b"data"][:, 1:]}, "(4, 3071)"),
    (lambda batch: {**batch, b"data": batch[b"data"][:0]}, "(0, 3072)"),
    (lambda batch: {**batch, b"data": batch[b"data"].ravel()}, "no uint8 array"),
    (lambda batch: {**batch, b"data": batch[b"data"].astype(np.float32)}, "no uint8 array"),
    (lambda batch: {b"fine_labels": batch[b"labels"], b"data": batch[b"data"]}, "no labels, but 'fine_labels'"),
    (lambda batch: [1, 2], "holds no dict"),
]


def test_batches_and_class_names_that_do_not_fit_or_are_huge_are_refused(write, refused_in_limits):
    for change, mention in BATCHES:

        def dumps(content, change=change):
            return python2_pickle(change(content) if content.get(b"batch_label") == b"data_batch_3" else content)

        check(write("cifar python", dumps=dumps), "data_batch_3", mention)
    for names in ([b"cat"] * 10, [1] * 10, None):
        meta = python2_pickle({b"label_names": names})
        check(write("cifar python", {"batches.meta": meta}), "batches.meta", "10 classes")
    path = write("cifar python")
    os.truncate(path / "data_batch_1", MOST_BYTES + 1)
    refused_in_limits(path, "about 31 MB")
