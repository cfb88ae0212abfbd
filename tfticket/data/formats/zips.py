"""Zip archives, opened only when reading them can neither escape nor explode."""

import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tfticket.data.formats.raw import as_input_error, check_expansion
from tfticket.errors import InputError


@contextmanager
def opened(path: Path, expected: str) -> Iterator[zipfile.ZipFile]:
    """An archive whose members are safe to read: the standard library reads no more than the sizes checked here."""
    with as_input_error(path, expected), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            _check(path, member)
        names = Counter(member.filename for member in members)
        if len(names) < len(members):
            raise InputError(
                f"{path} has two members {names.most_common(1)[0][0]!r}; expected one of a name. Zip the files again."
            )
        packed = sum(member.compress_size for member in members)
        size = path.stat().st_size
        if packed > size:
            raise InputError(
                f"{path} lists {packed:,} bytes of members in a file of {size:,}; expected members that do not "
                "overlap. It is damaged or a bomb. Zip the files again."
            )
        check_expansion(path, sum(member.file_size for member in members), size)
        yield archive


def _check(path: Path, member: zipfile.ZipInfo) -> None:
    where = f"{path}: {member.filename!r}"
    check_name(where, member.filename)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{where} is a link; expected plain files. Zip the files themselves.")
    if member.flag_bits & 0x1:
        raise InputError(f"{where} is encrypted; expected plain files. Zip them without a password.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # The others' decoders have no bound on what one read unpacks.
        raise InputError(f"{where} is packed by method {member.compress_type}; expected deflate. Zip it again so.")
    check_expansion(where, member.file_size, member.compress_size)


def check_name(where: str, name: str) -> None:
    """Refuse a member that would unpack outside its folder. We unpack none, but such an archive is hostile."""
    if name.startswith("/") or "\\" in name or name[1:2] == ":" or ".." in PurePosixPath(name).parts:
        raise InputError(f"{where} lies outside the archive's folder; expected relative names. Pack the folder again.")
