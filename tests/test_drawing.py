import subprocess
import sys

import pytest

CODE = """
import io
from tfticket.drawing import own_style
with own_style():
    from matplotlib.figure import Figure
    figure = Figure()
    figure.subplots().set_title("a title")
    figure.savefig(io.BytesIO(), format="pdf")
import matplotlib
print(matplotlib.rcParams["font.size"], matplotlib.rcParams["backend"])
"""


def drawn(folder, monkeypatch, **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return subprocess.run([sys.executable, "-c", CODE], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("backend", ["nonsense", "svg"])
def test_figures_are_drawn_whatever_backend_and_style_are_asked_for(backend, tmp_path, monkeypatch):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\nnonsense\n")
    done = drawn(tmp_path, monkeypatch, MPLBACKEND=backend, MPLCONFIGDIR="/proc/nothing")
    assert done.returncode == 0, done.stderr
    assert "font_manager" not in done.stderr
    assert "temporary" not in done.stderr
    size, theirs = done.stdout.split()
    assert size == "30.0"
    assert theirs == "svg" or backend == "nonsense"


def test_a_matplotlibrc_that_is_no_text_is_refused_by_name(tmp_path, monkeypatch):
    (tmp_path / "matplotlibrc").write_bytes(b"font.family: \xff")
    done = drawn(tmp_path, monkeypatch)
    assert done.stderr.splitlines()[-1].startswith("tfticket.errors.InputError: matplotlib does not start: ")
    assert done.stderr.endswith("mend or remove it.\n")
