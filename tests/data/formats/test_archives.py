"""Archives that would escape their folder or explode in size are refused; nothing is unpacked to disk."""

import gzip
import io
import os
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from tfticket.data.formats import read
from tfticket.errors import InputError


def refused(path, *parts):
    with pytest.raises(InputError) as caught:
        read(path)
    for part in parts:
        assert part in str(caught.value)


# Tar


def tar(path, *entries):
    with tarfile.open(path, "w:gz") as archive:
        for entry, content in entries:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_tar_files_that_are_hostile(tmp_path, writers, limited_read):
    def check(*entries, expected):
        outcome, text = limited_read(tar(tmp_path / "cifar-10-binary.tar.gz", *entries))
        assert outcome == "refused"
        assert expected in text

    entry = writers.tar_entry
    for name in ("../test_batch.bin", "/test_batch.bin", "a/../../test_batch.bin", "c:/test_batch.bin", "a\\b"):
        check((entry(name), b"\0" * 3073), expected="lies outside the archive's folder")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE):
        check((entry("test_batch.bin", type=kind, linkname="/etc/passwd"), b""), expected="a link or a device")
    twice = (entry("test_batch.bin"), b"\0" * 3073)
    check(twice, twice, expected="the second 'test_batch'")
    many = [(entry(f"{number}"), b"") for number in range(1001)]
    check(*many, expected="more than 1,000 members")


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("size", [300 * 2**20, 8 * 2**30, 2**70])
def test_tar_members_that_explode_are_refused_by_their_size(kind, size, tmp_path, writers, limited_read):
    header = writers.tar_entry("readme.html", type=kind, size=size).tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "bomb.tar").write_bytes(header + b"\0" * 10_000)
    outcome, text = limited_read(tmp_path / "bomb.tar")
    assert (outcome, "expected at most 268,435,456 in all" in text) == ("refused", True)


def test_a_gzip_bomb_behind_the_end_of_a_tar_file_is_refused(tmp_path, limited_read):
    with gzip.open(tmp_path / "bomb.tar.gz", "wb", 9) as file:
        file.write(tarfile.TarInfo("readme.html").tobuf())
        for _ in range(100):
            file.write(b"\0" * 2**20)
    outcome, text = limited_read(tmp_path / "bomb.tar.gz")
    assert (outcome, "after its last member" in text) == ("refused", True)


def test_later_headers_of_a_tar_file_are_passed_over(write, tmp_path):
    path = write("cifar binary tar")
    with tarfile.open(path) as old, tarfile.open(tmp_path / "new.tar", "w", format=tarfile.PAX_FORMAT) as new:
        for member in old:
            member.pax_headers = {"comment": "x" * 1000}
            new.addfile(member, old.extractfile(member))
    np.testing.assert_array_equal(read(tmp_path / "new.tar").x_train, read(path).x_train)


# Zip


@pytest.mark.parametrize("name", ["../x.png", "/x.png", "train/../../x.png", "c:/x.png", "train\\..\\..\\x.png"])
def test_zips_that_escape_are_refused(name, write, tmp_path):
    before = {*tmp_path.parent.rglob("*")}
    for form in ("npz", "images zip"):
        refused(write(form, {name: b"x"}), repr(name), "lies outside the archive's folder", "Pack the folder again")
    assert {path.name for path in {*tmp_path.parent.rglob("*")} - before} == {
        *("npz", "data.npz", "images zip", "images.zip")
    }


def zip_file(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in members:
            archive.writestr(info, content)
    return path


def zip_info(name, **fields):
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def test_zips_of_links_or_passwords_or_other_methods_or_twice_the_same(tmp_path):
    path = tmp_path / "images.zip"
    refused(zip_file(path, (zip_info("train/a/0.png", external_attr=0o120777 << 16), "/etc/passwd")), "is a link")
    for method, number in ((zipfile.ZIP_BZIP2, 12), (zipfile.ZIP_LZMA, 14)):
        refused(zip_file(path, (zip_info("a.npy", compress_type=method), b"x")), f"method {number}; expected deflate")
    zip_file(path, (zip_info("a.npy"), b"x"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    refused(path, "is encrypted", "without a password")
    with pytest.warns(UserWarning, match="Duplicate"):
        zip_file(path, (zip_info("a.npy"), b"x"), (zip_info("a.npy"), b"y"))
    refused(path, "two members 'a.npy'")


def test_zip_bombs_are_refused_by_their_declared_size(tmp_path, limited_read):
    zeros = b"\0" * (200 * 2**20)
    one = zip_file(tmp_path / "one.npz", (zip_info("x_train.npy"), zeros))
    many = zip_file(
        tmp_path / "many.zip", *((zip_info(f"train/a/{number}.png"), zeros[: 2**26]) for number in range(3))
    )
    for path in (one, many):
        outcome, text = limited_read(path)
        assert (outcome, "would unpack" in text, "a bomb" in text) == ("refused", True, True)


def test_zips_whose_members_overlap_are_refused(tmp_path):
    path = zip_file(tmp_path / "images.zip", (zip_info("train/a/0.png"), os.urandom(1000)))
    content = path.read_bytes()
    start = content.index(b"PK\x01\x02")
    directory = content[start : content.index(b"PK\x05\x06")]
    entries = b"".join(directory.replace(b"0.png", b"%d.png" % number) for number in range(9))
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 9, 9, len(entries), start, 0)
    path.write_bytes(content[:start] + entries + end)
    refused(path, "expected members that do not overlap")


def test_a_zip_that_holds_more_than_it_declares_is_refused(write):
    path = write("npz compressed")
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo("x_train.npy").file_size
    start = content.index(b"PK\x01\x02")
    smaller = content[start:].replace(struct.pack("<I", size), struct.pack("<I", size - 784), 1)
    path.write_bytes(content[:start] + smaller)
    refused(path, "x_train has")
