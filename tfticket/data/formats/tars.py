"""Tar archives, gzipped or not, read once from start to end in bounded memory."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

from tfticket.data.formats.raw import AGAIN, CHUNK, Stream, decompressed
from tfticket.data.formats.zips import check_name
from tfticket.errors import InputError

BLOCK = tarfile.BLOCKSIZE
MOST_MEMBERS = 1000
MOST_BYTES = 2**28
"""CIFAR-10 has 184 MB."""
PADDING = 2**20
HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME)
"""Members that only say more about the next one: dates, owners, long names. We need none of that."""


class Member:
    """One file of an archive, readable until the next one is asked for."""

    def __init__(self, stream: Stream, name: str, size: int) -> None:
        self.stream, self.name, self.size = stream, name, size
        self.left = size

    def read(self, size: int) -> bytes:
        chunk = self.stream.read(min(size, self.left))
        self.left -= len(chunk)
        return chunk


def members(path: Path) -> Iterator[Member]:
    """The archive's files in their order.

    tarfile's own walk is not used: it keeps extended headers in memory whatever size they declare.
    """
    with path.open("rb") as file:
        stream = decompressed(file)
        total = 0
        for _ in range(MOST_MEMBERS):
            block = stream.read(BLOCK)
            if not block.strip(b"\0"):
                # Read to the end, where gzip's checksum stands.
                if len(stream.read(PADDING)) == PADDING:
                    raise InputError(f"{path} goes on after its last member; expected its end there. {AGAIN}")
                return
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            where = f"{path}: {info.name!r}"
            total += info.size
            if info.size < 0 or total > MOST_BYTES:
                raise InputError(f"{where} makes {total:,} bytes; expected at most {MOST_BYTES:,} in all. {AGAIN}")
            if info.type not in HEADERS:
                check_name(where, info.name)
                if not info.isdir() and info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                    raise InputError(f"{where} is a link or a device; expected plain files. Pack the files themselves.")
            member = Member(stream, info.name, info.size)
            if info.isreg():
                yield member
            _skip(path, stream, member.left + -info.size % BLOCK)
    raise InputError(f"{path} has more than {MOST_MEMBERS:,} members; expected CIFAR-10's own archive. {AGAIN}")


def _skip(path: Path, stream: Stream, left: int) -> None:
    while left:
        chunk = stream.read(min(CHUNK, left))
        left -= len(chunk)
        if not chunk:
            raise InputError(f"{path} is truncated; expected {left:,} bytes more. {AGAIN}")
