"""Make cifar-10-small.zip: 500 training and 100 test images of every class of CIFAR-10, chosen by a seed.

    python assets/make_cifar_10_small.py cifar10-jpeg.zip

Source: CIFAR-10 (Krizhevsky 2009, "Learning multiple layers of features from tiny images"), re-encoded as JPEG in
a zip of train/<class>/<number>.jpg and test/<class>/<number>.jpg. That re-encoding is lossy: the pixels are not
those of CIFAR-10 itself. What is done here loses nothing more: files get Huffman tables of their own, and every
image is checked to decode to the same pixels as before. Members are stored, not deflated: so the zip depends on no
zlib's version, and a wheel, which deflates it whole, gets smaller.

Needs NumPy, Pillow and jpegtran (in Debian: apt-get install libjpeg-turbo-progs).
"""

import argparse
import io
import subprocess
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

ROWS = {"train": 500, "test": 100}
"""Images of every class."""
SEED = 0
MOST_BYTES = 6_000_000
OUT = Path(__file__).with_name("cifar-10-small.zip")


def chosen(names: list[str]) -> list[str]:
    """As many images of every split and class as ROWS says, sorted; those with the lowest random numbers."""
    philox = np.random.Philox(seed=SEED)
    folders: dict[str, list[str]] = {}
    for name in sorted(names):
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    taken = []
    for folder, images in sorted(folders.items()):
        order = np.argsort(philox.random_raw(len(images)), kind="stable")
        taken += [images[index] for index in order[: ROWS[folder.partition("/")[0]]]]
    return sorted(taken)


def smaller(image: bytes) -> bytes:
    """The same JPEG in fewer bytes. At 32 x 32 pixels, progressive files are larger than these."""
    command = ["jpegtran", "-copy", "none", "-optimize"]
    return subprocess.run(command, input=image, stdout=subprocess.PIPE, check=True).stdout


def pixels(image: bytes) -> np.ndarray:
    """What a JPEG decodes to."""
    with Image.open(io.BytesIO(image), formats=["JPEG"]) as opened:
        return np.asarray(opened)


def member(name: str) -> zipfile.ZipInfo:
    """An entry with a fixed date and fixed permissions, whatever the machine."""
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    return info


def main() -> None:
    """Write the zip."""
    parser = argparse.ArgumentParser(description="Make cifar-10-small.zip.")
    parser.add_argument("source", type=Path, help="the zip with all of CIFAR-10 as JPEG files")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.source) as source, zipfile.ZipFile(arguments.out, "w") as out:
        for name in chosen([name for name in source.namelist() if name.endswith(".jpg")]):
            image = source.read(name)
            packed = smaller(image)
            if not np.array_equal(pixels(image), pixels(packed)):
                raise SystemExit(f"{name} has other pixels after jpegtran")
            out.writestr(member(name), packed)
    size = arguments.out.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{arguments.out} has {size:,} bytes; expected at most {MOST_BYTES:,}")


if __name__ == "__main__":
    main()
