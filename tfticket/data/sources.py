"""Registered data sets: bundled, in the user's folders, installed, or downloaded."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tfticket.config import ENDINGS, name_of
from tfticket.data.download import Remote, download
from tfticket.errors import InputError
from tfticket.registry import DATA_DIR


@dataclass(frozen=True)
class Source:
    """A registered data set.

    Attributes:
        name: Name in configurations.
        label: Name in figures and tables; mentions alterations.
        licence: Licence and authors.
        size: Training images, test images, shape of one (height, width, channels).
        class_names: Names of its classes, by label; () for digits.
        files: Possible names of its file or folder in a folder of data sets.
        contents: SHA-256 of its images and labels (``Dataset.contents``); None if unknown.
        bundled: Its bundled file, which takes precedence.
        installed: Path of a system package's copy.
        remote: Files to download; several go to one folder.
        get: Instructions for getting it by hand.
    """

    name: str
    label: str
    licence: str
    size: tuple[int, int, tuple[int, ...]]
    class_names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    contents: str | None = None
    bundled: str | None = None
    installed: Path | None = None
    remote: tuple[Remote, ...] = ()
    get: str = ""

    @property
    def how(self) -> str:
        """Instructions for a user who does not have it."""
        return " ".join(["Downloaded when it is first used."] * bool(self.remote) + [self.get] * bool(self.get))

    @property
    def bundled_path(self) -> Path | None:
        """Path of its bundled file, or None."""
        return None if self.bundled is None else asset(self.bundled)

    def find(self) -> Path | None:
        """Return its path on this machine, or None."""
        folders = data_folders()  # refuses a missing folder even if it is not needed
        if self.bundled is not None:
            return self.bundled_path
        for folder in folders:
            for file in self.files:
                if (folder / file).exists():
                    return folder / file
        return self.installed if self.installed is not None and self.installed.exists() else None

    def path(self) -> Path:
        """Return its path, downloading it if needed and possible."""
        path = self.find()
        if path is not None:
            return path
        looked = f"{' or '.join(self.files)} in {' or '.join(map(str, data_folders()))}"
        if not self.remote:
            raise InputError(f"{self.name} is not on this machine; looked for {looked}. {self.get}", field="data.name")
        try:
            target = self.remote[0].name if len(self.remote) == 1 else self.name
            folder = next(filter(_writable, data_folders()), data_folders()[0])
            return download(self.remote, folder / target)
        except OSError as error:
            raise InputError(
                f"{self.name} is not on this machine (looked for {looked}) and could not be downloaded: {error}. "
                f"{self.get or 'Download ' + ' '.join(file.url for file in self.remote)}, and name the folder it is "
                f"in by --data-dir or {DATA_DIR}.",
                field="data.name",
            ) from None


def _writable(folder: Path) -> bool:
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    return os.access(nearest, os.W_OK)


def data_folders() -> list[Path]:
    """Return the folders that may hold data sets: the user's, tfticket's for downloads, Keras'."""
    folder = os.path.expanduser(os.environ.get(DATA_DIR, ""))
    if folder and not Path(folder).is_dir():
        problem = "is a file; for a single file there is data.path" if Path(folder).exists() else "does not exist"
        raise InputError(f"The data folder {folder} {problem}. Mend --data-dir or {DATA_DIR}.", field="--data-dir")
    keras = Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")) / "datasets"
    return [*([Path(folder).absolute()] if folder else []), platformdirs.user_data_path("tfticket") / "data", keras]


def user_dataset(name: str) -> Path | None:
    """Return the path of an unregistered data set in the user's folders by its name, or None."""
    return user_datasets().get(name)


def user_datasets() -> dict[str, Path]:
    """Return name -> file or folder, of everything in the user's folders that may be data."""
    datasets: dict[str, Path] = {}
    for folder in data_folders()[:-1]:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = name_of(path) if path.is_dir() or path.name.endswith(ENDINGS) else ""
            if name and not path.name.startswith("."):
                datasets.setdefault(name, path)
    return datasets


def asset(name: str) -> Path:
    """Return the path of a bundled file: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parent.parent
    for folder in (package / "_assets", package.parent / "assets"):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"The bundled file '{name}' is missing; install tfticket again.")


mnist = Source(
    name="mnist",
    label="MNIST",
    licence="CC BY-SA 3.0, LeCun, Cortes and Burges",
    size=(60_000, 10_000, (28, 28, 1)),
    contents="cadd50a622f807556298847f2eb0224cf673117932d0c52a89910238b6b0269d",
    bundled="mnist.npz",
)

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

fashion_mnist = Source(
    name="fashion-mnist",
    label="Fashion-MNIST",
    files=("fashion-mnist.npz", "fashion-mnist", "FashionMNIST/raw"),
    licence="MIT, Zalando (Xiao, Rasul and Vollgraf 2017)",
    size=(60_000, 10_000, (28, 28, 1)),
    contents="afddbb27a0bd4f7d951ea8681655e82ffc43d13137b9194e52bfe4574784c41d",
    installed=Path("/usr/share/datasets/fashion-mnist"),
    remote=(
        Remote(_KERAS + "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        Remote(_KERAS + "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        Remote(_KERAS + "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        Remote(_KERAS + "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    get="On Debian: apt install dataset-fashion-mnist. Or download its four .gz files from "
    "https://github.com/zalandoresearch/fashion-mnist",
)

cifar_10 = Source(
    name="cifar-10",
    label="CIFAR-10",
    files=(
        "cifar-10.npz",
        "cifar10.npz",
        "cifar-10-python.tar.gz",
        "cifar-10-binary.tar.gz",
        "cifar-10-batches-py",
        "cifar-10-batches-bin",
        "cifar-10-batches-py.tar.gz",
        "cifar-10",
        "cifar10",
    ),
    licence="Krizhevsky 2009, cite the technical report",
    size=(50_000, 10_000, (32, 32, 3)),
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    remote=(
        Remote(
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        ),
    ),
)

cifar_10_jpeg = Source(
    name="cifar-10-jpeg",
    label="CIFAR-10 (re-encoded as JPEG)",
    files=("cifar-10-jpeg.npz", "cifar-10-jpeg.zip", "cifar-10-jpeg", "cifar10-jpeg.zip"),
    licence=cifar_10.licence,
    size=cifar_10.size,
    class_names=cifar_10.class_names,
    contents="57a248653c68544748921dd98534a9b8380dd8b0eee65c9a804cf595950a624d",
    get="It is CIFAR-10 as lossy JPEG files, train/<class>/*.jpg and test/<class>/*.jpg; name the folder it is in by "
    f"--data-dir or {DATA_DIR}, or take cifar-10-small, which is bundled.",
)

cifar_10_small = Source(
    name="cifar-10-small",
    label="CIFAR-10 small (6,000 images, re-encoded as JPEG)",
    licence=cifar_10.licence,
    size=(5_000, 1_000, (32, 32, 3)),
    class_names=cifar_10.class_names,
    contents="bc94662d96670387070c61f861e04b95b937b6e637779d53af909d814efddf93",
    bundled="cifar-10-small.zip",
)
