"""Benchmarks: that they are there, import little, and reckon rightly. Nothing is timed here."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import experiments.benchmarks
from experiments.benchmarks import BENCHMARKS, epoch, measure, overhead, startup
from experiments.benchmarks.measure import Benchmark, Report, fact, figure


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_has_a_main_and_its_name(name):
    module = importlib.import_module(f"experiments.benchmarks.{name}")
    assert callable(module.main)
    assert module.BENCHMARK.name == name
    assert module.BENCHMARK.rounds >= 1


def test_every_module_with_a_benchmark_is_listed():
    modules = {path.stem for path in Path(experiments.benchmarks.__file__).parent.glob("*.py")}
    helpers = {"measure", "children", "gui_child", "network_children", "torch_models"}
    assert modules - {"__init__", "__main__"} - helpers == set(BENCHMARKS)


def test_importing_them_all_imports_neither_torch_nor_tensorflow():
    code = (
        "import importlib, sys\n"
        f"for name in {[*BENCHMARKS, 'children']}:\n"
        "    importlib.import_module('experiments.benchmarks.' + name)\n"
        "print(*{'torch', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_list_names_them_all():
    command = [sys.executable, "-m", "experiments.benchmarks", "--list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in listed.splitlines() if line[0] != " "] == list(BENCHMARKS)


def test_json_has_the_machine_and_every_measurement(capsys):
    benchmark = Benchmark("one", lambda rounds: Report([figure("time", range(1, rounds + 1), "s", at_most=1.5)]), 3)
    measure.command([benchmark], ["--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["threads"] >= 1
    (row,) = found["benchmarks"]["one"]["rows"]
    assert (row["value"], row["values"], row["target"], row["met"]) == (2.0, [1, 2, 3], "<= 1.5 s", False)


def test_a_missed_target_is_printed_and_is_no_error(capsys):
    measure.command([Benchmark("one", lambda rounds: Report([figure("time", [2.0], "s", at_most=1.5)]), 1)], ["one"])
    assert "<= 1.5 s" in capsys.readouterr().out


def test_an_unknown_name_is_refused(capsys):
    with pytest.raises(SystemExit) as error:
        measure.command([Benchmark("one", lambda rounds: Report([]), 1)], ["two"])
    assert error.value.code == 2
    assert "there are one" in capsys.readouterr().err


def test_facts_are_judged_only_where_one_is_wanted():
    assert fact("same bits", True).met is None
    assert fact("same bits", True, wanted=True).met is True
    assert fact("imports", True, wanted=False).met is False


def test_contenders_are_measured_in_turn():
    asked = []

    def note(contender):
        asked.append(contender["name"])
        return {"seconds": float(len(asked))}

    found = epoch.in_turn({"A": {"name": "a"}, "B": {"name": "b"}}, 2, note)
    assert asked == ["a", "b", "a", "b"]
    assert [one["seconds"] for one in found["B"]] == [2.0, 4.0]


def test_the_quickest_pytorch_is_the_peer_of_the_target():
    seconds = {"tfticket": [1.0, 1.0], "PyTorch, a": [4.0, 4.0], "PyTorch, b": [2.0, 4.0], "keras fit": [5.0, 10.0]}
    judged = {row.name: row for row in epoch.compare(seconds) if row.met is not None}
    assert set(judged) == {"tfticket / PyTorch, b", "tfticket / keras fit"}
    assert judged["tfticket / PyTorch, b"].values == (0.5, 0.25)
    assert judged["tfticket / PyTorch, b"].met is True
    assert judged["tfticket / keras fit"].value == pytest.approx(0.15)


def test_overhead_is_what_is_neither_training_nor_evaluation_nor_compilation():
    seconds = {"training": 10.0, "evaluation": 2.0, "first_call": 1.0}
    records = [
        {"kind": "train", "seconds": 13.5, "result": {"seconds": seconds}},
        {"kind": "prune", "seconds": 0.5, "result": {}},
        {"kind": "evaluate", "seconds": 1.0, "result": {}},
    ]
    parts = overhead.parts_of(wall=16.0, evaluating=0.75, records=records)
    assert parts["evaluation"] == 2.75
    assert parts["overhead in train steps"] == 0.5
    assert parts["overhead in evaluate steps"] == 0.25
    assert parts["overhead in the lab"] == 1.0
    assert sum(parts.values()) == 16.0
    assert overhead.overhead_of(parts) == pytest.approx(0.225)


def test_imported_packages_are_read_from_importtime():
    listing = (
        "import time: self [us] | cumulative | imported package\nimport time:  1 |  2 |   tensorflow.python\nother"
    )
    assert startup.imported(listing) >= {"tensorflow"}
    assert "other" not in startup.imported(listing)
