"""Commands that one fresh Python answers, one after another."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.processes import execute

SLOW = "tensorflow tf_keras tensorflow_probability tensorflow_model_optimization arviz matplotlib numba"
"""Packages whose import takes seconds."""

PROGRAM = """
import contextlib, io, json, os, sys
from unittest import mock
from tfticket import cli
calls, slow = json.load(open(sys.argv[1])), sys.argv[2].split()
answers = []
for arguments, environment in calls:
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["tfticket", *arguments]
    cli.Options.quiet = cli.Options.debug = False
    with mock.patch.dict(os.environ, environment), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
    answers.append([code, out.getvalue(), err.getvalue(), [name for name in slow if name in sys.modules]])
print(json.dumps(answers))
"""


class Answer(NamedTuple):
    """Exit code of a command, what it wrote, and which slow packages were imported by then."""

    code: int
    out: str
    err: str
    imported: list[str]


def answers(calls: Iterable[tuple[Sequence[str], Mapping[str, str]]], folder: Path) -> list[Answer]:
    """Return the answers to commands, given by their arguments and environments, that are called in a folder."""
    written = folder.with_name(f"{folder.name}-calls.json")
    written.write_text(json.dumps(list(calls)))
    nowhere = {"TFTICKET_WORKSPACE": "", "TFTICKET_DATA": "", "XDG_DATA_HOME": "/nowhere", "KERAS_HOME": "/nowhere"}
    done = execute([sys.executable, "-c", PROGRAM, written, SLOW], cwd=folder, env=os.environ | nowhere)
    return [Answer(*answer) for answer in json.loads(done.stdout)]
