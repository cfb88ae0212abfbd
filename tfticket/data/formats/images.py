"""Images in folders named after their classes, train/<class>/* and test/<class>/*, or a zip of these.

Validation images may lie in validation/<class>/*.
"""

import io
import math
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Never

import numpy as np
from PIL import Image

from tfticket.data.formats.consistency import Part, make_raw
from tfticket.data.formats.labels import check_spaces, class_order
from tfticket.data.formats.pixels import START, decode
from tfticket.data.formats.raw import AGAIN, Raw, aligned_empty, as_input_error, check_expansion, error_line
from tfticket.data.formats.splits import VALIDATION, means_validation, refuse_unread
from tfticket.errors import InputError

SPLITS = ("train", "test")
EXPECTED = "images train/<class>/<name>.png and test/<class>/<name>.png (or jpg, bmp, gif, webp, ppm)"
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")
"""No others: EPS would start a program, and TIFF's library writes to the terminal at damaged files."""
MOST_PIXELS = 2**24
MOST_BYTES = 2**26
KINDS = (
    *(("TIFF", start) for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    *(("JPEG 2000", start) for start in (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xffO\xffQ")),
    *(("JPEG XL", start) for start in (b"\xff\n", b"\0\0\0\x0cJXL \r\n\x87\n")),
    *(("PCX", bytes((10, version, 1))) for version in (0, 2, 3, 4, 5)),
    ("ICO", b"\0\0\1\0"),
    ("PSD", b"8BPS"),
    ("EPS", b"%!PS"),
    ("PDF", b"%PDF"),
    ("SVG", b"<svg"),
    ("SVG", b"<?xml"),
)
"""Formats of pictures that are not read, by the first bytes of their files."""
BOXES = b"ftyp"
"""Fifth to eighth byte of HEIF, AVIF and films; the next four bytes say which."""
STILL = (b"avi", b"hei", b"hev", b"mif", b"msf")
"""First of these in HEIF and AVIF."""
DICOM = slice(128, 132)
TGA_END = b"TRUEVISION-XFILE.\0"
JUNK = {"Thumbs.db", "desktop.ini", "__MACOSX"}


class Entry(NamedTuple):
    """A file or folder below the root; ``parts`` is its path there, as (split, class, name).

    ``content`` reads the whole file: from a file on disk, Pillow would request as many bytes as a damaged header says.
    """

    where: str
    parts: tuple[str, ...]
    folder: bool
    size: int
    content: Callable[[], bytes]


def read(path: Path) -> Raw:
    """Read a folder.

    Classes are numbered in the alphabetical order of their names, 10 after 9. If all images are grey they have one
    channel, else three.
    """
    entries = [entry for entry in _folder(path) if not _junk(entry)]
    return _read(path, entries, lambda entry: Path(entry.where))


def read_zip(path: Path, archive: zipfile.ZipFile) -> Raw:
    """Read an opened zip of such a folder, in place."""
    entries = []
    for member in archive.infolist():
        parts = tuple(part for part in member.filename.split("/") if part not in ("", "."))

        def content(member: zipfile.ZipInfo = member) -> bytes:
            return archive.read(member)

        entries.append(Entry(f"{path}: {member.filename!r}", parts, member.is_dir(), member.file_size, content))
    entries = [entry for entry in entries if entry.parts and not _junk(entry)]
    tops = {entry.parts[0] for entry in entries}
    if len(tops) == 1 and not tops & {*SPLITS}:
        # A zip of a folder has this one around everything.
        entries = [entry._replace(parts=entry.parts[1:]) for entry in entries if len(entry.parts) > 1]
    return _read(path, entries, lambda _: path)


def _folder(path: Path) -> Iterator[Entry]:
    def entry(file: Path) -> Entry:
        folder = file.is_dir()
        if not folder and not file.is_file():
            raise InputError(f"{file} is neither file nor folder; expected {EXPECTED}. Remove it.")
        return Entry(str(file), file.relative_to(path).parts, folder, file.stat().st_size, file.read_bytes)

    for top in path.iterdir():
        yield entry(top)
        for inner in top.iterdir() if top.name in (*SPLITS, *VALIDATION) and top.is_dir() else ():
            yield entry(inner)
            yield from map(entry, inner.iterdir() if inner.is_dir() else ())


def _junk(entry: Entry) -> bool:
    return any(part.startswith(".") or part in JUNK for part in entry.parts)


def _read(path: Path, entries: list[Entry], file: Callable[[Entry], Path]) -> Raw:
    splits = _by_class(path, entries)
    names = sorted(splits["train"], key=class_order)
    check_spaces(f"{path}: train", names)
    for split, classes in splits.items():
        unknown = sorted({*classes} - {*names})
        if unknown:
            raise InputError(
                f"{path}: {split}/ has the class {unknown[0]!r}, train/ has not; expected the same classes in both. "
                "Rename it or add training images."
            )
    images, labels, files = {}, {}, dict[Path, None]()
    for split, classes in splits.items():
        ordered = [(entry, names.index(name)) for name in sorted(classes) for entry in classes[name]]
        images[split] = _pixels([entry for entry, _ in ordered])
        labels[split] = np.array([label for _, label in ordered], np.int32)
        files |= dict.fromkeys(file(entry) for entry, _ in ordered)
    channels = max(array.shape[-1] for array in images.values())
    for split, array in images.items():
        if array.shape[-1] < channels:
            images[split] = np.repeat(array, channels, axis=-1)
    return make_raw(
        {split: Part(f"{path}: {split}", f"{path}: {split}", images[split], labels[split]) for split in splits},
        files=tuple(files),
        class_names=tuple(names),
        classes=len(names),
    )


def _by_class(path: Path, entries: list[Entry]) -> dict[str, dict[str, list[Entry]]]:
    """Split -> class -> images; 'validation', by whatever name, only where there is one."""
    splits: dict[str, dict[str, list[Entry]]] = {split: {} for split in SPLITS}
    own = sorted({entry.parts[0] for entry in entries if entry.parts[0] in VALIDATION and len(entry.parts) > 1})
    if len(own) > 1:
        raise InputError(f"{path} has {own[0]}/ and {own[1]}/; expected one folder of validation images. Join them.")
    splits |= {split: {} for split in own}
    folders = {entry.parts[0] for entry in entries if entry.folder or len(entry.parts) > 1}
    others = folders - {*SPLITS, *VALIDATION}
    unread = [f"{name}/" for name in others if name.lower() in SPLITS or means_validation(name)]
    if unread and folders >= {*SPLITS}:
        refuse_unread(path, unread, "train/, test/ and, for validation images, validation/")
    for entry in sorted(entries, key=lambda entry: entry.parts):
        if entry.parts[0] not in splits or (len(entry.parts) == 1 and entry.folder):
            continue
        if len(entry.parts) not in (2, 3) or entry.folder != (len(entry.parts) == 2):
            kind = "folder" if entry.folder else "file"
            raise InputError(f"{entry.where} is a {kind} in the wrong place; expected {EXPECTED}. Move it.")
        images = splits[entry.parts[0]].setdefault(entry.parts[1], [])
        if not entry.folder:
            images.append(entry)
    for split, classes in splits.items():
        if not classes:
            names = ", ".join(sorted({repr(entry.parts[0]) for entry in entries})[:8])
            raise InputError(
                f"{path} has no class folder in {split}/ (found: {names or 'nothing'}); expected both splits, "
                f"{EXPECTED}. Move some images of each class there."
            )
        empty = [name for name, images in classes.items() if not images]
        if empty:
            raise InputError(
                f"{path}: the class {empty[0]!r} of {split}/ has no images; expected some. Add them or remove it."
            )
    return {"validation" if split in VALIDATION else split: classes for split, classes in splits.items()}


def _pixels(entries: list[Entry]) -> np.ndarray:
    """uint8 [rows, height, width, 1 or 3], one image decoded at a time."""
    images = np.empty((0, 0, 0, 1), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for row, entry in enumerate(entries):
            with _opened(entry) as (image, start):
                if row == 0:
                    _check_size(image, entries)
                elif image.width * image.height != math.prod(images.shape[1:3]):
                    _refuse_size(entry, image.size, entries[0], images)
                grid = np.atleast_3d(decode(entry.where, image, start))
            if row == 0:
                images = aligned_empty((len(entries), *grid.shape))
            if grid.shape[:2] != images.shape[1:3]:
                _refuse_size(entry, grid.shape[1::-1], entries[0], images)
            if grid.shape[-1] > images.shape[-1]:  # the first one with colour
                images = np.repeat(images, 3, axis=-1)
            images[row] = grid
    return images


@contextmanager
def _opened(entry: Entry) -> Iterator[tuple[Image.Image, bytes]]:
    """An image that is not decoded yet, and its file's first bytes."""
    if entry.size > MOST_BYTES:
        raise InputError(
            f"{entry.where} has {entry.size:,} bytes; expected an image of at most {MOST_BYTES:,}. Scale it down."
        )
    with as_input_error(entry.where, EXPECTED):
        stream = io.BytesIO(entry.content())
    content = stream.getvalue()
    start = content[:START]
    _check_kind(entry, content)
    try:
        with Image.open(stream, formats=FORMATS) as image:
            yield image, start
    except (InputError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders have no list of what they raise at damaged files
        message = error_line(error).replace(f" {stream!r}", "")
        raise InputError(
            f"{entry.where} is no image that can be decoded ({message}); expected {EXPECTED}. {AGAIN}"
        ) from None


def _check_kind(entry: Entry, content: bytes) -> None:
    """Refuse formats of pictures that are never read."""
    kind = next((kind for kind, first in KINDS if content.startswith(first)), None)
    if content[4:8] == BOXES:
        kind = "HEIF or AVIF" if content[8:12].startswith(STILL) else "a film"
    elif content[DICOM] == b"DICM":
        kind = "DICOM"
    elif content.endswith(TGA_END) or (content[1:2] in (b"\0", b"\1") and entry.parts[-1].lower().endswith(".tga")):
        kind = "TGA"
    if kind is not None:
        raise InputError(
            f"{entry.where} is not read: its kind is {kind}; expected {', '.join(FORMATS)}. Save it as PNG."
        )


def _check_size(image: Image.Image, entries: list[Entry]) -> None:
    """Check that this many images of this size may be decoded."""
    width, height = image.size
    if not 1 <= width * height <= MOST_PIXELS:
        raise InputError(
            f"{entries[0].where} has {width} x {height} pixels; expected at most {MOST_PIXELS:,} in all. Scale it down."
        )
    where = f"{entries[0].where} and others of its {width} x {height} pixels"
    check_expansion(where, 3 * width * height * len(entries), sum(entry.size for entry in entries))


def _refuse_size(entry: Entry, size: tuple[int, ...], first: Entry, images: np.ndarray) -> Never:
    height, width = images.shape[1:3]
    raise InputError(
        f"{entry.where} has {size[0]} x {size[1]} pixels, {first.where} {width} x {height}, as they are shown; "
        "expected one size. Scale them to it."
    )
