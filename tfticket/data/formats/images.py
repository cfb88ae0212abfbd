"""Images in folders named after their classes, train/<class>/* and test/<class>/*, or a zip of these."""

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tfticket.data.formats.raw import AGAIN, Raw, checked, damaged, reason, room, sane
from tfticket.errors import InputError

SPLITS = ("train", "test")
EXPECTED = "images train/<class>/<name>.png and test/<class>/<name>.png (or jpg, bmp, gif, webp, ppm)"
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")
"""No others: EPS would start a program, TIFF's library writes to the terminal at damaged files."""
GREY = {"1", "L", "LA"}
COLOUR = {"P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
MOST_PIXELS = 2**24
MOST_BYTES = 2**26
JUNK = {"Thumbs.db", "desktop.ini", "__MACOSX"}


class Entry(NamedTuple):
    """A file or folder below the root; ``parts`` is its path there, as (split, class, name).

    ``content`` reads it whole: of a file on disk, Pillow would ask for as many bytes as a damaged header says.
    """

    where: str
    parts: tuple[str, ...]
    folder: bool
    size: int
    content: Callable[[], bytes]


def read(path: Path) -> Raw:
    """Read a folder.

    Classes are numbered in the alphabetical order of their names, 10 after 9. If all images are grey they have one
    channel, else three; palettes are looked up, alpha is dropped. Of an animation, the first image counts.
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
        for inner in top.iterdir() if top.name in SPLITS and top.is_dir() else ():
            yield entry(inner)
            yield from map(entry, inner.iterdir() if inner.is_dir() else ())


def _junk(entry: Entry) -> bool:
    return any(part.startswith(".") or part in JUNK for part in entry.parts)


def _read(path: Path, entries: list[Entry], file: Callable[[Entry], Path]) -> Raw:
    splits = _by_class(path, entries)
    names = sorted(splits["train"], key=_class_order)
    unknown = sorted({*splits["test"]} - {*names})
    if unknown:
        raise InputError(
            f"{path}: test/ has the class {unknown[0]!r}, train/ has not; expected the same classes in both. "
            "Rename it or add training images."
        )
    images, labels, files = {}, {}, dict[Path, None]()
    for split in SPLITS:
        ordered = [(entry, names.index(name)) for name in sorted(splits[split]) for entry in splits[split][name]]
        images[split] = _pixels([entry for entry, _ in ordered])
        labels[split] = np.array([label for _, label in ordered], np.int32)
        files |= dict.fromkeys(file(entry) for entry, _ in ordered)
    channels = max(array.shape[-1] for array in images.values())
    for split, array in images.items():
        if array.shape[-1] < channels:
            images[split] = np.repeat(array, channels, axis=-1)
    return checked(
        (f"{path}: train", f"{path}: train", f"{path}: test", f"{path}: test"),
        images["train"],
        labels["train"],
        images["test"],
        labels["test"],
        files=tuple(files),
        class_names=tuple(names),
    )


def _class_order(name: str) -> tuple[int, str]:
    """Alphabetical; names that are numbers by their number."""
    return (int(name) if name.isdecimal() else 0, name)


def _by_class(path: Path, entries: list[Entry]) -> dict[str, dict[str, list[Entry]]]:
    splits: dict[str, dict[str, list[Entry]]] = {split: {} for split in SPLITS}
    for entry in sorted(entries, key=lambda entry: entry.parts):
        if entry.parts[0] not in splits or (len(entry.parts) == 1 and entry.folder):
            continue
        if len(entry.parts) not in (2, 3) or entry.folder != (len(entry.parts) == 2):
            what = "folder" if entry.folder else "file"
            raise InputError(f"{entry.where} is a {what} in the wrong place; expected {EXPECTED}. Move it.")
        images = splits[entry.parts[0]].setdefault(entry.parts[1], [])
        if not entry.folder:
            images.append(entry)
    for split, classes in splits.items():
        if not classes:
            found = ", ".join(sorted({repr(entry.parts[0]) for entry in entries})[:8])
            raise InputError(
                f"{path} has no class folder in {split}/ (found: {found or 'nothing'}); expected both splits, "
                f"{EXPECTED}. Move some images of each class there."
            )
        empty = [name for name, images in classes.items() if not images]
        if empty:
            raise InputError(
                f"{path}: the class {empty[0]!r} of {split}/ has no images; expected some. Add them or remove it."
            )
    return splits


def _pixels(entries: list[Entry]) -> np.ndarray:
    """uint8 [rows, height, width, 1 or 3], one image decoded at a time."""
    images = np.empty((0, 0, 0, 1), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for row, entry in enumerate(entries):
            with _opened(entry) as image:
                if row == 0:
                    images = _room(image, entries)
                images = _fitted(image, entry, entries[0], images)
                mode = "L" if images.shape[-1] == 1 else "RGB"
                grid = np.asarray(image if image.mode == mode else image.convert(mode))
                images[row] = grid.reshape(images.shape[1:])
    return images


@contextmanager
def _opened(entry: Entry) -> Iterator[Image.Image]:
    if entry.size > MOST_BYTES:
        raise InputError(
            f"{entry.where} has {entry.size:,} bytes; expected an image of at most {MOST_BYTES:,}. Scale it down."
        )
    with damaged(entry.where, EXPECTED):
        stream = io.BytesIO(entry.content())
    try:
        with Image.open(stream, formats=FORMATS) as image:
            yield image
    except (InputError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders have no list of what they raise at damaged files
        said = reason(error).replace(f" {stream!r}", "")
        raise InputError(
            f"{entry.where} is no image that can be decoded ({said}); expected {EXPECTED}. {AGAIN}"
        ) from None


def _room(image: Image.Image, entries: list[Entry]) -> np.ndarray:
    """An array for all images of this one's size."""
    width, height = image.size
    if not 1 <= width * height <= MOST_PIXELS:
        raise InputError(
            f"{entries[0].where} has {width} x {height} pixels; expected at most {MOST_PIXELS:,} in all. Scale it down."
        )
    where = f"{entries[0].where} and others of its {width} x {height} pixels"
    sane(where, 3 * width * height * len(entries), sum(entry.size for entry in entries))
    return room((len(entries), height, width, 1 if image.mode in GREY else 3))


def _fitted(image: Image.Image, entry: Entry, first: Entry, images: np.ndarray) -> np.ndarray:
    """The array, with three channels if this image is the first one with colour; refuses what does not fit."""
    if image.mode not in GREY | COLOUR:
        raise InputError(f"{entry.where} is of mode {image.mode}; expected 8 bits a channel. Convert it to RGB or L.")
    height, width = images.shape[1:3]
    if image.size != (width, height):
        raise InputError(
            f"{entry.where} has {image.width} x {image.height} pixels, {first.where} {width} x {height}; "
            "expected one size. Scale them to it."
        )
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 and image.mode in COLOUR else images
