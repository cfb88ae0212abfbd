"""The wheel and the sdist, built from the checkout. The slow test installs from a package index, as a user does."""

import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests import processes

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
ASSETS = {"mnist.npz", "cifar-10-small.zip"}
SDIST = {".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "PKG-INFO", "README.md", "pyproject.toml"}
SDIST |= {"requirements.lock", "assets", "docs", "experiments", "gui", "tests", "tfticket"}

READ_BUNDLED = """
from tfticket.data.formats import read
from tfticket.data.sources import asset
for name in ("mnist.npz", "cifar-10-small.zip"):
    raw = read(asset(name))
    print(len(raw.x_train), len(raw.x_test))
"""


def run(*command: object, **options: Any) -> str:
    """What a command prints."""
    return processes.execute(command, **options).stdout


def build(root: Path, folder: Path) -> tuple[Path, Path]:
    """The wheel and the sdist of these sources."""
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=root)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("dist"))


def test_the_wheel_holds_the_program_its_presets_and_its_data_and_no_tests(built):
    with zipfile.ZipFile(built[0]) as wheel:
        texts = {name: wheel.read(name) for name in wheel.namelist()}
    names = {name for name in texts if ".dist-info/" not in name}
    described = {name.partition(".dist-info/")[2]: text for name, text in texts.items() if name not in names}
    assert described["licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert (ROOT / "README.md").read_bytes() in described["METADATA"]
    assert {name.partition("/")[0] for name in names} == {"tfticket"}
    assert {Path(name).suffix for name in names if "_assets" not in name} == {".json", ".py", ".yaml"}
    assert {name for name in names if "_assets" in name} == {f"tfticket/_assets/{asset}" for asset in ASSETS}
    assert not [name for name in names if "benchmarks" in name or "screenshots" in name]
    inside = {"tfticket": "tfticket", "experiments": "tfticket/_experiments", "gui": "tfticket/_gui"}
    kinds = "tfticket/**/*.py", "experiments/*.py", "experiments/presets/*.*", "gui/**/*.py"
    shipped = {path.relative_to(ROOT) for kind in kinds for path in ROOT.glob(kind) if path.suffix != ".pyc"}
    shipped -= {Path("experiments/screenshots.py")}
    assert names >= {f"{inside[path.parts[0]]}/{'/'.join(path.parts[1:])}" for path in shipped}


def test_the_sdist_holds_what_builds_and_tests_the_program_and_no_more(built):
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {name.partition("/")[0] for name in names} == SDIST
    assert not [name for name in names if "__pycache__" in name or name.startswith("experiments/results")]
    assert names >= {f"assets/{asset}" for asset in ASSETS}
    assert names >= {path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/**/*.py")}


def test_the_sdist_builds_the_wheel_to_the_byte(built, tmp_path):
    wheel, sdist = built
    run(sys.executable, "-m", "tarfile", "-e", sdist, tmp_path)
    again, _ = build(tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path)
    assert (again.name, again.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_the_wheel_works_in_an_empty_venv_away_from_the_checkout(built, tmp_path):
    (pip,) = (ROOT / "assets" / "bootstrap").glob("pip-*.whl")
    venv, home, elsewhere, workspace = (tmp_path / name for name in ("venv", "home", "elsewhere", "workspace"))
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    run(venv / "bin" / "python", pip / "pip", "--disable-pip-version-check", "install", "--quiet", built[0])
    home.mkdir()
    elsewhere.mkdir()
    own = ("PYTHON", "TFTICKET", "XDG_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(own)} | {"HOME": str(home)}

    def installed(program: str, *arguments: object) -> str:
        return run(venv / "bin" / program, *arguments, cwd=elsewhere, env=env)

    try:
        assert installed("python", "-c", "import tfticket; print(tfticket.__file__)").startswith(str(venv))
        assert "quickstart" in installed("tfticket", "list", "presets").split()
        assert installed("python", "-c", READ_BUNDLED).split() == ["60000", "10000", "5000", "1000"]
        shorter = ("-o", "seeds=[0]", "-o", "train.epochs=1")
        installed("tfticket", "run", "quickstart", *shorter, "--workspace", workspace)
        (report,) = workspace.glob("runs/*/report")
        assert {"results.csv", "accuracy.png"} <= {path.name for path in report.iterdir()}
        assert list(elsewhere.iterdir()) == []
    finally:
        shutil.rmtree(venv)  # two gigabytes
