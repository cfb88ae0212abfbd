"""Benchmarks: that they are there, import little, and reckon rightly. Nothing is timed here. Slow."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import experiments.benchmarks
import tfticket as tt
from experiments.benchmarks import BENCHMARKS, epoch, measure, nuts_draws, nuts_gradient, overhead, startup
from experiments.benchmarks.measure import Benchmark, Option, Report, child, figure
from experiments.benchmarks.nuts_children import random_ticket
from experiments.benchmarks.nuts_gradient import Cost
from experiments.benchmarks.nuts_peers import alive_units
from tests.processes import execute
from tfticket.sampling.layout import Layout

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


def test_the_quickest_pytorch_is_the_peer():
    seconds = {"tfticket": [1.0, 1.0], "PyTorch, a": [4.0, 4.0], "PyTorch, b": [2.0, 4.0], "keras fit": [5.0, 10.0]}
    judged = {row.name: row for row in epoch.compare(seconds) if row.met is not None}
    assert set(judged) == {"tfticket / PyTorch, b", "tfticket / keras fit"}
    assert (judged["tfticket / PyTorch, b"].values, judged["tfticket / PyTorch, b"].met) == ((0.5, 0.25), True)
    assert judged["tfticket / keras fit"].value == pytest.approx(0.15)


def test_overhead_is_what_is_neither_training_nor_evaluation_nor_compilation():
    seconds = {"training": 10.0, "evaluation": 2.0, "first_call": 1.0}
    records = [
        {"kind": "train", "seconds": 13.5, "result": {"seconds": seconds}},
        {"kind": "prune", "seconds": 0.5, "result": {}},
        {"kind": "evaluate", "seconds": 1.0, "result": {}},
    ]
    parts = overhead.parts_of(wall=16.0, evaluating=0.75, records=records)
    overheads = [parts[f"overhead in {where}"] for where in ("train steps", "evaluate steps", "the lab")]
    assert (parts["evaluation"], overheads, sum(parts.values())) == (2.75, [0.5, 0.25, 1.0], 16.0)
    assert overhead.overhead_of(parts) == pytest.approx(0.225)
    listing = (
        "import time: self [us] | cumulative | imported package\nimport time:  1 |  2 |   tensorflow.python\nother"
    )
    assert "other" not in startup.imported(listing) >= {"tensorflow"}


def test_the_quickest_way_of_a_peer_is_that_of_the_gradients_target():
    def rounds(*seconds, norm=1.0):
        return [{"99": {"seconds": time, "log_density": -2.0, "gradient_norm": norm}} for time in seconds]

    times = {"sparse": rounds(0.1, 0.2), "jax": rounds(4.0, 4.0, norm=1.5), "jax_tiles": rounds(2.0, 2.0)}
    rows = {row.name: row for row in nuts_gradient.compare(times)}
    ratio = rows["jax_tiles_over_sparse_99"]
    assert (rows["jax_over_sparse_99"].met, ratio.met, rows["jax_99_s"].value) == (None, True, 4.0)
    assert ratio.values == pytest.approx((20.0, 10.0))
    assert (rows["log_density_error_99"].value, rows["gradient_norm_error_99"].value) == (0.0, 0.5)
    line = {row.name: row for row in nuts_gradient.fit_rows(Cost("rows", [1e3, 2e3, 3e3], [0.03, 0.05, 0.07]))}
    values = [line[f"cost_rows_{name}"].value for name in ("slope_s", "intercept_s", "r2")]
    assert values == pytest.approx([2e-5, 0.01, 1.0])
    assert nuts_draws.full_trees({"sparse": [{"n_steps": [63, 63]}], "numpyro": [{"n_steps": [63]}]}) == 63
    with pytest.raises(RuntimeError, match=r"numpyro took \[31, 63\]"):
        nuts_draws.full_trees({"sparse": [{"n_steps": [63]}], "numpyro": [{"n_steps": [31, 63]}]})


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
