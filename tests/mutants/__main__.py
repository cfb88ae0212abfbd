"""Mutation test: change the core by one operator at a time and count the changes that the tests notice.

The unmutated code runs once to learn which tests execute which lines. Then each mutant is tested in a copy of the tree:
first by the tests that execute its line, then by the short ones of the same files, which may depend on it through a
cache. Limits are CPU seconds, so a busy machine kills no mutant.
"""

import hashlib
import json
import signal
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table

from tests.mutants.children import ROOT, Job, copy_tree, preload, run_jobs
from tests.mutants.plugins import measure, run_tests
from tests.mutants.sample import Mutant, draw_sample

ROOMS = {
    "tfticket/pruning": ["tests/pruning"],
    "tfticket/evaluation": ["tests/evaluation"],
    "tfticket/reports/claims": ["tests/reports"],
    "tfticket/runs": ["tests/runs"],
    "tfticket/sampling/warmup.py": [f"tests/sampling/test_{name}.py" for name in ("warmup", "samplers", "diagnostics")],
}
"""Code to mutate, and the tests that should notice."""

CPU_LIMIT = 3600
"""CPU seconds of a test file on the unmutated code."""

SHORT = 2.0
"""CPU seconds of the longest test that runs for a line which it does not execute itself."""


def choose_tests(mutant: Mutant, measured: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Return the number of tests that execute the line, and the tests to run, in order."""
    (room,) = (tests for code, tests in ROOMS.items() if mutant.file.startswith(code))
    executing: dict[str, set[str]] = {}
    others: dict[str, set[str]] = {}
    seconds: dict[str, float] = {}
    for path, run in measured.items():
        if path.startswith(tuple(room)) and (lines := run["lines"].get(mutant.file)):
            every = set(run["seconds"])
            tests = {test for line in range(mutant.first, mutant.line + 1) for test in lines.get(str(line), [])}
            executing[path] = every if tests and (mutant.at_import or "" in tests) else tests
            others[path] = {test for test in every - executing[path] if run["seconds"][test] <= SHORT}
            seconds |= run["seconds"]
    if any(executing.values()):  # otherwise the line may run in another process
        others = {path: tests for path, tests in others.items() if executing[path]}

    def in_order(chosen: dict[str, set[str]]) -> list[str]:
        named = f"test_{Path(mutant.file).stem}"
        costs = {path: sum(seconds[test] for test in tests) for path, tests in chosen.items()}
        files = sorted(chosen, key=lambda path: (not Path(path).name.startswith(named), costs[path]))
        return [test for path in files for test in sorted(chosen[path], key=lambda test: seconds[test])]

    return sum(map(len, executing.values())), in_order(executing) + in_order(others)


def measure_tests(files: Iterable[str], folders: Sequence[Path], store: Path) -> dict[str, Any]:
    """Run the tests of these files on the unmutated code, unless the store has their measurements.

    Raises:
        SystemExit: A test fails.
    """
    measured: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}
    rooms = [tests for code, tests in ROOMS.items() if any(file.startswith(code) for file in files)]
    found = [
        path for room in rooms for part in room for path in sorted((ROOT / part).rglob("test_*.py")) or [ROOT / part]
    ]
    paths = [path for path in (str(path.relative_to(ROOT)) for path in found) if path not in measured]
    jobs = (Job(path, partial(measure, path), CPU_LIMIT) for path in paths)
    for job, result, _ in _track(run_jobs(jobs, folders), "Unmutated code", len(paths)):
        if result["code"] not in {0, 5}:  # 5: all are slow
            raise SystemExit(f"{job.subject} fails without a mutant: {result.get('failures', result)}")
        measured[job.subject] = result
        store.write_text(json.dumps(measured))
    return measured


def test_mutants(
    mutants: Mapping[Mutant, str], measured: Mapping[str, Any], folders: Sequence[Path]
) -> Iterator[dict[str, Any]]:
    """Test mutants; yield a record of each."""
    seconds = {test: seconds for run in measured.values() for test, seconds in run["seconds"].items()}

    def jobs() -> Iterator[Job]:
        for mutant, source in mutants.items():
            executing, tests = choose_tests(mutant, measured)
            limit = 60 + 3 * sum(seconds[test] for test in tests)
            yield Job((mutant, executing), partial(run_tests, tests), limit, mutant.file, source)

    for job, result, used in _track(run_jobs(jobs(), folders), "Mutants", len(mutants)):
        mutant, executing = job.subject
        after = job.source.splitlines()[mutant.line - 1].strip()
        outcome = {0: "survived", -1: "timeout" if result["killed_by"] in {"SIGXCPU", "SIGKILL"} else "crashed"}
        record = asdict(mutant) | {"after": after, "outcome": outcome.get(result["code"], "killed")}
        yield record | {"executing": executing, "seconds": round(used, 1)} | result


def _track(results: Iterable[Any], what: str, total: int) -> Iterator[Any]:
    """Show progress without a thread, since this process forks."""
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, auto_refresh=False) as progress:
        task = progress.add_task(what, total=total)
        for result in results:
            progress.update(task, advance=1, refresh=True)
            yield result


def hash_tree() -> str:
    """Return a hash of the code and its tests."""
    digest = hashlib.sha256()
    for path in (path for name in ("tfticket", "tests") for path in sorted((ROOT / name).rglob("*.py"))):
        if not path.is_relative_to(ROOT / "tests/mutants"):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def read_records(out: Path, tree: str, keys: Iterable[str]) -> list[dict[str, Any]]:
    """Return the results of a sample with this code and these tests."""
    records = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    wanted = set(keys)
    return [record for record in records if record["tree"] == tree and record["key"] in wanted]


def summarise(records: Sequence[Mapping[str, Any]]) -> None:
    """Print the survivors, and the share of killed mutants per package."""
    console, table = Console(), Table("Code", "Mutants", "Killed", "Share")
    for record in records:
        if record["outcome"] == "survived":
            executed = "" if record["executing"] else "  (no test executes the line)"
            text = "{file}:{line}  {before}  ->  {after}".format(**record) + executed
            console.print(text, markup=False, highlight=False, soft_wrap=True)
    for code in (*ROOMS, ""):
        killed = [record["outcome"] != "survived" for record in records if record["file"].startswith(code)]
        if killed:
            table.add_row(code or "all", str(len(killed)), str(sum(killed)), f"{sum(killed) / len(killed):.0%}")
    console.print(table)


def main(
    paths: Annotated[list[str] | None, typer.Argument(help="Files to mutate (default: the core).")] = None,
    sample: Annotated[int, typer.Option(help="Number of mutants.")] = 300,
    seed: Annotated[int, typer.Option(help="Another number draws another sample.")] = 0,
    out: Annotated[Path, typer.Option(help="JSON lines; mutants in it are not repeated.")] = Path(
        "build/mutants.jsonl"
    ),
    workers: Annotated[int, typer.Option(help="Mutants tested at the same time.")] = 2,
) -> None:
    """Mutate the core and count what the tests catch."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end as by Ctrl-C, without orphans
    every = [path for code in ROOMS for path in (sorted((ROOT / code).rglob("*.py")) or [ROOT / code])]
    sources = {str(path.relative_to(ROOT)): path.read_text() for path in every}
    drawn = draw_sample({file: sources[file] for file in paths or sources}, sample, seed)
    tree, keys = hash_tree(), [mutant.key for mutant in drawn]
    done = {record["key"] for record in read_records(out, tree, keys)}
    if len(done) < len(drawn):
        out.parent.mkdir(parents=True, exist_ok=True)
        preload()
        with tempfile.TemporaryDirectory() as temporary, out.open("a", buffering=1) as stream:
            folders = [copy_tree(Path(temporary, str(number))) for number in range(workers)]
            measured = measure_tests(
                {mutant.file for mutant in drawn}, folders, out.with_name(f"{out.stem}-{tree}.json")
            )
            missing = {mutant: mutated for mutant, mutated in drawn.items() if mutant.key not in done}
            for record in test_mutants(missing, measured, folders):
                stream.write(json.dumps(record | {"tree": tree}) + "\n")
    summarise(read_records(out, tree, keys))


if __name__ == "__main__":
    typer.run(main)
