"""Benchmarks: that they are there, import little, and reckon rightly. Nothing is timed here."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import experiments.benchmarks
from experiments.benchmarks import BENCHMARKS, epoch, measure, nuts_draws, nuts_gradient, overhead, startup
from experiments.benchmarks.measure import Benchmark, Option, Report, child, fact, figure
from experiments.benchmarks.nuts_figure import Cost, cost_figure
from experiments.benchmarks.nuts_peers import alive_units
from tests.processes import execute
from tfticket.errors import InputError
from tfticket.sampling.layout import Layout

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_has_a_main_and_its_name(name):
    module = importlib.import_module(f"experiments.benchmarks.{name}")
    assert callable(module.main)
    assert module.BENCHMARK.name == name
    assert module.BENCHMARK.rounds >= 1


def test_every_module_with_a_benchmark_is_listed():
    modules = {path.stem for path in Path(experiments.benchmarks.__file__).parent.glob("*.py")}
    helpers = {"measure", "children", "process", "gui_child", "network_children", "torch_models"}
    helpers |= {"monte_carlo_children", "nuts_children", "nuts_figure", "nuts_peers", "variational_children"}
    assert modules - {"__init__", "__main__"} - helpers == set(BENCHMARKS)


def test_importing_them_all_imports_no_library_that_is_measured():
    code = (
        "import importlib, sys\n"
        f"for name in {[*BENCHMARKS, 'children']}:\n"
        "    importlib.import_module('experiments.benchmarks.' + name)\n"
        "print(*{'jax', 'numpyro', 'torch', 'tensorflow'} & set(sys.modules))"
    )
    assert execute([sys.executable, "-c", code]).stdout.strip() == ""


def test_the_list_names_them_all():
    listed = execute([sys.executable, "-m", "experiments.benchmarks", "--list"]).stdout
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


def test_more_is_better_where_a_target_says_at_least():
    row = figure("ratio", [14.0, 16.0, 17.0], at_least=15)
    assert (row.value, row.target, row.met) == (16.0, ">= 15", True)
    assert figure("ratio", [14.0], at_least=15).met is False


def test_a_benchmark_is_given_its_own_options():
    given = []

    def note(rounds, colour):
        given.append((rounds, colour))
        return Report([])

    plain = Benchmark("plain", lambda rounds: Report([]), 1)
    choosy = Benchmark("choosy", note, 2, (Option("colour", "red", "its colour"),))
    measure.command([plain, choosy], ["--json"])
    measure.command([plain, choosy], ["choosy", "--rounds", "3", "--colour", "blue"])
    assert given == [(2, "red"), (3, "blue")]


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


def test_the_quickest_way_of_a_peer_is_that_of_the_gradients_target():
    def rounds(*seconds, norm=1.0):
        return [{"99": {"seconds": one, "log_density": -2.0, "gradient_norm": norm}} for one in seconds]

    found = {"sparse": rounds(0.1, 0.2), "jax": rounds(4.0, 4.0, norm=1.5), "jax_tiles": rounds(2.0, 2.0)}
    rows = {row.name: row for row in nuts_gradient.compare(found)}
    assert rows["jax_over_sparse_99"].met is None
    ratio = rows["jax_tiles_over_sparse_99"]
    assert ratio.values == pytest.approx((20.0, 10.0))
    assert (ratio.target, ratio.met) == (">= 15 (aim 25)", True)
    assert rows["jax_99_s"].value == 4.0
    assert (rows["log_density_error_99"].value, rows["gradient_norm_error_99"].value) == (0.0, 0.5)
    assert "tensorflow_over_sparse_99" not in rows


@pytest.mark.parametrize(("name", "words"), [("mnist", "expected cifar-10"), ("cifar-10-jpeg", "not on this machine")])
def test_the_large_network_takes_real_images_only(name, words, folders):
    with pytest.raises(InputError, match=words):
        nuts_gradient.check_data(name)


def test_a_line_through_costs_and_its_figure():
    cost = Cost("rows", [1000.0, 2000.0, 3000.0], [0.03, 0.05, 0.07])
    found = {row.name: row for row in nuts_gradient.fit_rows(cost)}
    assert found["cost_rows_slope_s"].value == pytest.approx(2e-5)
    assert found["cost_rows_intercept_s"].value == pytest.approx(0.01)
    assert (found["cost_rows_r2"].value, found["cost_rows_r2"].met) == (pytest.approx(1.0), True)
    left, right = cost_figure([Cost("density", [0.1, 0.2], [1.0, 2.0]), cost]).axes
    assert (left.get_xlabel(), right.get_xlabel()) == ("weights remaining (%)", "rows (thousands)")
    assert "10.0 ms + 20 ms per 1,000 rows" in right.get_legend().get_texts()[0].get_text()


def test_units_are_alive_that_reach_the_logits():
    first = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]], bool)
    second = np.array([[1, 0], [0, 0], [0, 0]], bool)
    assert [list(units) for units in alive_units([first, second])] == [[0], [0], [0, 1]]


def test_draws_are_compared_only_where_all_trees_are_full():
    assert nuts_draws.full_trees({"sparse": [{"n_steps": [63, 63]}], "numpyro": [{"n_steps": [63]}]}) == 63
    with pytest.raises(RuntimeError, match=r"numpyro took \[31, 63\]"):
        nuts_draws.full_trees({"sparse": [{"n_steps": [63]}], "numpyro": [{"n_steps": [31, 63]}]})


@pytest.mark.slow
def test_peers_have_the_posterior_that_we_have(tmp_path):
    import tfticket as tt
    from experiments.benchmarks.nuts_children import random_ticket

    ticket = random_ticket(tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10), 0.005)
    ticket.save(tmp_path / "ticket")
    kept = Layout.of(ticket.start, ticket.mask, ticket.start)
    assert sum(map(len, alive_units(list(ticket.mask.values())))) < 784 + 300 + 100 + 10 < kept.size
    shared = {"tickets": {"one": str(tmp_path / "ticket")}, "rows": 300, "threads": 1}
    contenders = nuts_gradient.DENSE.values()
    found = [child(**how | ({"tile": 128} if how.get("tile") else {}), **shared)["one"] for how in contenders]
    for what in ("log_density", "gradient_norm"):
        np.testing.assert_allclose([one[what] for one in found], found[0][what], rtol=1e-5)
