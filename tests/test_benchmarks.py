"""Benchmarks: that they are there, import little, and reckon rightly. Nothing is timed here. Slow."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import experiments.benchmarks
import tfticket as tt
from experiments.benchmarks import BENCHMARKS, measure, nuts_gradient
from experiments.benchmarks.measure import Benchmark, Option, Report, child, figure
from experiments.benchmarks.nuts_children import random_ticket
from experiments.benchmarks.nuts_peers import alive_units
from tests.processes import execute
from tfticket.sparse.layout import Layout

pytestmark = pytest.mark.slow


def test_every_benchmark_is_listed_and_imports_no_library_that_is_measured():
    modules = {path.stem: path.read_text() for path in Path(experiments.benchmarks.__file__).parent.glob("*.py")}
    assert {name for name, source in modules.items() if "\nBENCHMARK = " in source} == set(BENCHMARKS)
    for name in BENCHMARKS:
        module = importlib.import_module(f"experiments.benchmarks.{name}")
        assert (module.BENCHMARK.name, module.BENCHMARK.rounds >= 1) == (name, True)
    code = "import importlib, sys\n"
    code += f"for name in {[*BENCHMARKS, 'children']}: importlib.import_module('experiments.benchmarks.' + name)\n"
    code += "print(*{'jax', 'numpyro', 'torch', 'tensorflow'} & set(sys.modules))"
    assert execute([sys.executable, "-c", code]).stdout.strip() == ""
    listed = execute([sys.executable, "-m", "experiments.benchmarks", "--list"]).stdout
    assert [line.split()[0] for line in listed.splitlines() if line[0] != " "] == list(BENCHMARKS)


def test_the_command_prints_measurements_and_targets(capsys):
    def measured(rounds, colour):
        assert colour == "blue"
        return Report(
            [figure("time", range(1, rounds + 1), "s", at_most=1.5), figure("ratio", [14.0, 16.0], at_least=15)]
        )

    benchmarks = [Benchmark("one", measured, 3, (Option("colour", "red", "its colour"),))]
    measure.command(benchmarks, ["one", "--json", "--rounds", "3", "--colour", "blue"])
    time, ratio = json.loads(capsys.readouterr().out)["benchmarks"]["one"]["rows"]
    assert (time["value"], time["values"], time["target"], time["met"]) == (2.0, [1, 2, 3], "<= 1.5 s", False)
    assert (ratio["value"], ratio["target"], ratio["met"]) == (15.0, ">= 15", True)
    with pytest.raises(SystemExit):
        measure.command(benchmarks, ["two"])


def test_peers_have_the_posterior_that_we_have(tmp_path):
    first = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]], bool)
    second = np.array([[1, 0], [0, 0], [0, 0]], bool)
    assert [list(units) for units in alive_units([first, second])] == [[0], [0], [0, 1]]
    ticket = random_ticket(tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10), 0.005)
    ticket.save(tmp_path / "ticket")
    kept = Layout.of(ticket.start, ticket.mask, ticket.start)
    assert sum(map(len, alive_units(list(ticket.mask.values())))) < 784 + 300 + 100 + 10 < kept.size
    shared = {"tickets": {"one": str(tmp_path / "ticket")}, "rows": 300, "threads": 1}
    contenders = nuts_gradient.DENSE.values()
    results = [child(**how | ({"tile": 128} if how.get("tile") else {}), **shared)["one"] for how in contenders]
    for what in ("log_density", "gradient_norm"):
        np.testing.assert_allclose([result[what] for result in results], results[0][what], rtol=1e-5)
