"""Bad arguments are answered before TensorFlow, or anything else that takes seconds, is imported."""

import json
import subprocess
import sys

import pytest
import yaml

from tfticket.errors import InputError
from tfticket.runs.files import check_place

SLOW = (
    "tensorflow",
    "tf_keras",
    "tensorflow_probability",
    "tensorflow_model_optimization",
    "arviz",
    "matplotlib",
    "numba",
)

CALLS = [
    ("list nope", "Unknown list 'nope'"),
    ("show nope", "No run is named 'nope'"),
    ("report nope", "No run is named 'nope'"),
    ("report bare", "nothing has been evaluated yet"),
    ("export nope", "No run is named 'nope'"),
    ("export bare", "has no tickets whose chains are done"),
    ("export steps/sample-0", "holds no finished chain"),
    ("inspect nope", "No run is named 'nope'"),
    ("inspect nope.safetensors", "There is no file nope.safetensors"),
    ("inspect damaged.safetensors", "damaged.safetensors is damaged"),
    ("inspect bare", "nothing has been evaluated yet"),
    ("inspect evaluated --arm nope", "no arm 'nope'. It has: ticket"),
    ("inspect evaluated --level 9", "no level 9 of ticket"),
    ("inspect evaluated --level x", "--level 'x' was not understood"),
    ("run nope", "Unknown preset 'nope'"),
    ("run nope.yaml", "There is no file"),
    ("run quickstart -o nope=1", "Unknown key 'nope'"),
    ("run quickstart -o train.epochs", "does not have the form key=value"),
    ("run quickstart -o model.name=nope", "Unknown model 'nope'"),
    ("run quickstart -o model.name=nope:build", "there is no module 'nope'"),
    ("run quickstart -o model.name=nope.keras", "model: there is no file"),
    ("run quickstart -o data.name=nope", "Unknown data set 'nope'"),
    ("run quickstart -o data.path=nope.npz", "nope.npz does not exist"),
    ("run quickstart -o controls=[nope]", "Unknown control 'nope'"),
    ("run quickstart -w damaged.safetensors/below", "damaged.safetensors is not a folder. Name a folder with --works"),
    ("list runs -w damaged.safetensors", "is not a folder. Name a folder with --workspace"),
    ("show evaluated -w damaged.safetensors/below", "is not a folder. Name a folder with --workspace"),
    ("run bayes-always-wins-lenet-5-mnist-smoke -o sample.method=nope", "Unknown sampler 'nope'"),
    ("branch nope --control keep-signs", "No run is named 'nope'"),
    ("branch bare --control keep-signs", "a branch needs its tickets"),
    ("branch evaluated --control nope", "Unknown control 'nope'"),
    ("branch evaluated --control keep-signs --levels x", "--levels 'x' was not understood"),
    ("mc-fit nope.safetensors --out s.json", "There is no file nope.safetensors"),
    ("mc-fit damaged.safetensors --out s.json", "damaged.safetensors is damaged"),
    ("mc-fit nope.safetensors --out s.txt", "ends in .json"),
    ("mc-fit nope.safetensors --out damaged.safetensors/s.json", "Cannot write in"),
    ("mc-ticket nope --model conv-2", "No run is named 'nope'"),
    ("mc-ticket nope.json --model conv-2", "There is no file nope.json"),
    ("mc-ticket bare --model conv-2", "it has no Monte Carlo tickets"),
    ("mc-ticket nope.json --model nope", "Unknown model 'nope'"),
    ("mc-ticket nope.json --model nope:build", "there is no module 'nope'"),
    ("mc-ticket nope.json --model conv-2 --density 2", "expected 0 < density <= 1"),
    ("mc-ticket nope.json --model conv-2 --initialiser nope", "initialiser"),
    ("mc-ticket nope.json --model conv-2 --out t.json", "ends in .safetensors"),
    ("data nope", "Unknown data set 'nope'"),
    ("nope", "No such command 'nope'"),
    ("doctor --nope", "No such option"),
]

ANSWER = """
import contextlib, io, json, sys
from tfticket import cli
answers = []
for call in json.load(sys.stdin):
    sys.argv = ["tfticket", *call]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
    answers.append([code, err.getvalue(), sorted(name for name in %r if name in sys.modules)])
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Code, message and what was imported by then, of each call, in one process."""
    folder = tmp_path_factory.mktemp("typos")
    for name, steps in (("bare", []), ("evaluated", [("evaluate", {"arm": "ticket", "seed": 0, "level": 1})])):
        make_run(folder / "workspace", name, steps)
    (folder / "damaged.safetensors").write_bytes(b"x" * 100)
    (folder / "steps" / "sample-0").mkdir(parents=True)
    (folder / "steps" / "sample-0" / "config.json").write_text("{}")
    before = sorted(folder.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", ANSWER % (SLOW,)],
        input=json.dumps([call.split() for call, _ in CALLS]),
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        timeout=300,
    )
    assert sorted(folder.rglob("*")) == before, "bad input leaves nothing"
    return dict(zip((call for call, _ in CALLS), json.loads(done.stdout), strict=True))


def make_run(workspace, name, steps):
    folder = workspace / "runs" / name
    folder.mkdir(parents=True)
    state = "done" if steps else "stopped"
    (folder / "status.json").write_text(json.dumps({"state": state, "started": 0.0, "experiment": "imp"}))
    (folder / "config.yaml").write_text(yaml.safe_dump({"name": name, "experiment": "imp"}))
    entries = [{"kind": kind, "folder": f"{kind}-0", "fingerprint": "0", "label": label} for kind, label in steps]
    (folder / "manifest.json").write_text(json.dumps({"steps": entries}))
    for entry in entries:
        (workspace / "steps" / entry["folder"]).mkdir(parents=True)
        described = {"kind": entry["kind"], "inputs": {"ticket": "start-0", "trained": "train-0"}}
        (workspace / "steps" / entry["folder"] / "config.json").write_text(json.dumps(described))
    (workspace / "steps" / "start-0").mkdir(parents=True, exist_ok=True)
    (workspace / "steps" / "start-0" / "config.json").write_text(json.dumps({"kind": "start", "inputs": {}}))


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[call for call, _ in CALLS])
def test_a_typo_is_answered_at_once(call, message, answers):
    code, printed, imported = answers[call]
    assert code == 2
    assert message in " ".join(printed.split())
    assert imported == []


CLOSED = """
import os, sys
for stream in map(int, sys.argv[2:]):
    os.close(stream)
from tfticket import cli
log, sys.argv = sys.argv[1], ["tfticket", "list", "samplers"]
try:
    cli.main()
except SystemExit as end:
    null = os.stat(os.devnull).st_rdev
    open(log, "w").write(f"{end.code} {[os.fstat(stream).st_rdev == null for stream in range(3)]}")
"""


@pytest.mark.parametrize("closed", [[0], [0, 1], [2], [0, 1, 2]])
def test_streams_that_are_closed_do_not_matter(closed, tmp_path):
    """Their numbers are not given to other files."""
    command = [sys.executable, "-c", CLOSED, str(tmp_path / "log"), *map(str, closed)]
    subprocess.run(command, check=True, timeout=100, capture_output=True, input=b"")
    assert (tmp_path / "log").read_text() == f"0 {[stream in closed for stream in range(3)]}"


@pytest.mark.parametrize("place", ["here", "new/below", "."])
def test_a_folder_that_could_be_made_passes_and_is_not_made(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    check_place(tmp_path.__class__(place), "--out")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"Not a directory.*--out"):
        check_place(tmp_path / "file" / "below" / "it", "--out")
