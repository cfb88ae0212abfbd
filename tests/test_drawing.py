import sys

from tests.processes import execute

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


def test_figures_are_drawn_whatever_backend_and_style_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLCONFIGDIR", "/proc/nothing")
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\nnonsense\n")
    for backend in ("nonsense", "svg"):
        monkeypatch.setenv("MPLBACKEND", backend)
        done = execute([sys.executable, "-c", CODE], cwd=tmp_path)
        assert "font_manager" not in done.stderr
        assert "temporary" not in done.stderr
        size, theirs = done.stdout.split()
        assert size == "30.0"
        assert (theirs == "svg") >= (backend == "svg")
    (tmp_path / "matplotlibrc").write_bytes(b"font.family: \xff")
    done = execute([sys.executable, "-c", CODE], cwd=tmp_path, check=False)
    assert done.stderr.splitlines()[-1].startswith("tfticket.errors.InputError: matplotlib does not start: ")
