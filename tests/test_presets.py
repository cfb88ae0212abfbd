import functools
import itertools
import json
import os
import re
from pathlib import Path

import pytest
from tfticket._experiments.imp import Config

from tfticket import build_model, costs
from tfticket.config import Adam, DataConfig, ModelConfig, PruneConfig, Sgd
from tfticket.costs import cost_of
from tfticket.data.identity import source_by_name
from tfticket.errors import InputError
from tfticket.models import kernel_shapes
from tfticket.presets import load_experiment, load_sourced, planned, presets
from tfticket.pruning.mask import dense_mask
from tfticket.pruning.selection import check_levels
from tfticket.registry import MODELS

RUN = "experiment: imp\nname: mine\n"


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize("name", presets())
def test_every_preset_loads_and_names_its_runs_after_itself(name):
    assert load_experiment(name).name == name == presets()[name].name


@pytest.mark.parametrize("name", presets())
def test_every_field_of_a_preset_says_where_it_comes_from(name):
    sourced = load_sourced(name)
    config = sourced.config.model_dump(mode="json")
    assert {field.partition(".")[0] for field in sourced.fields} == set(config) - {"experiment", "name", "execution"}
    for field, (value, where) in sourced.fields.items():
        mark, _, words = where.partition(": ")
        assert mark in ("stated", "inferred", "ours"), field
        assert words or mark == "ours", field
        assert mark != "stated" or re.search(r"section|figure|table|appendix", words), field
        inner = config
        for key in field.split("."):
            inner = inner[key]
        assert inner == value, field


def test_the_budgets_of_a_paper_differ_in_what_is_ours_alone():
    for name, preset in presets().items():
        if preset.budget in ("smoke", "desk"):
            paper, cheaper = load_sourced(name.removesuffix(preset.budget) + "paper"), load_sourced(name)
            for field, (value, where) in cheaper.fields.items():
                assert value == paper.fields[field][0] or where.startswith("ours"), f"{name} {field}"


def test_every_network_that_the_papers_train_has_a_smoke_and_a_paper_preset():
    for budget in ("smoke", "paper"):
        names = [name for name, preset in presets().items() if preset.budget == budget]
        assert {load_experiment(name).model.name for name in names} == {*MODELS}


def test_what_a_user_changes_is_said_to_be_theirs(write):
    path = write("mine.yaml", "extends: bayesian-lth-resnet-20-paper\nname: mine\ntrain: {epochs: 3ep}\n")
    fields = load_sourced(path, ["seeds=[7]", "train.optimiser.name=sgd"]).fields
    assert fields["train.epochs"] == ("3ep", "yours: mine.yaml")
    assert fields["seeds"] == ([7], "yours: -o")
    assert fields["train.batch_size"] == (128, "inferred: open_lth")
    assert fields["train.optimiser.name"] == ("sgd", "yours: -o")
    assert fields["train.optimiser.learning_rate"] == (0.1, "ours: the default")  # Adam's is gone with its table


@pytest.mark.slow
@pytest.mark.parametrize("name", presets())
def test_every_presets_network_can_be_pruned_so(name):
    config = load_experiment(name)
    model = built(config.model.name, source_by_name(config.data.name).size[2])
    check_levels(dense_mask(kernel_shapes(model)), config.prune)


@pytest.mark.parametrize("name", presets())
def test_every_preset_has_a_cost(name):
    config = load_experiment(name)
    cost = cost_of(planned(name).distinct)
    assert cost.trainings >= len(config.seeds) * (1 + config.prune.levels)
    assert cost.iterations * config.train.batch_size >= 8
    assert cost.seconds is not None, "no measured step: renew experiments/presets/costs.json"


@functools.cache
def built(name, shape):
    return build_model(name, input_shape=shape, num_classes=10)


def test_the_cost_is_what_the_benchmark_measured(monkeypatch):
    monkeypatch.setattr(
        costs, "_measured", lambda: ({("conv-2 32x32x3", 60): 0.06, ("conv-2 32x32x3", 600): 0.3}, "2 cores")
    )
    plan = planned("monte-carlo-tickets-conv-2-desk", ["seeds=[0]"])
    # 5 levels, a random mask and 3 Monte Carlo tickets, each of 8 epochs of 10,000 rows in batches of 60
    evaluated = (8 + 1) * 5000 + 10000  # after each epoch and in the end validation rows, then test rows
    assert cost_of(plan.distinct).seconds == pytest.approx(9 * (1333 * 0.06 + evaluated * 0.5 * 0.001))
    said = "9 trainings of up to 1,333 iterations: 16 min on 2 cores, with evaluations, without compiling"
    assert str(cost_of(plan.distinct)) == said
    assert cost_of(planned("quickstart").distinct).seconds is None
    # never less than the nearest
    for batch, step, row in ((6, 0.06, 0.001), (120, 0.12, 0.001), (300, 0.3, 0.0005), (1200, 0.6, 0.0005)):
        plan = planned("monte-carlo-tickets-conv-2-desk", ["seeds=[0]", f"train.batch_size={batch}"])
        seconds = cost_of(plan.distinct).iterations * step + evaluated * 0.5 * row
        assert cost_of(plan.distinct).seconds == pytest.approx(9 * seconds)


def test_the_cost_counts_the_evaluations_of_members_at_the_ends_of_generations(monkeypatch):
    measured = {("lenet-300-100 28x28x1", 60): 0.0, ("lenet-300-100 28x28x1 variational", 60): 0.06}
    monkeypatch.setattr(costs, "_measured", lambda: (measured, "2 cores"))
    train = "train={epochs: 300it, batch_size: 60, evaluate_every: 100it, objective: {draws: 2}}"
    own = [train, "prune.levels=1", "controls=[]", "seeds=[0]", "chains=0", "ensemble=false"]

    def seconds(generations):
        svi = f"svi={{ways: [tuned], population: {{members: 8, generations: {generations}}}}}"
        return cost_of(planned("bayes-always-wins-lenet-300-100-mnist-desk", [*own, svi]).distinct).seconds

    evaluation = 10 * 0.5 * 0.001 * 5000  # by ten draws of the validation rows
    for generations, more in ((1, 0), (2, 1), (3, 0), (6, 3)):  # after each 300, 150, 100, 50 iterations
        assert seconds(generations) - seconds(1) == pytest.approx(8 * more * evaluation)


def test_the_cost_includes_chains_at_most(monkeypatch):
    measured = {("lenet-300-100 28x28x1", 60): 0.06, ("lenet-300-100 28x28x1 gradient at 0.01", 1000): 0.001}
    measured |= {("lenet-300-100 28x28x1 gradient at 0.1", 1000): 0.004}
    monkeypatch.setattr(costs, "_measured", lambda: (measured, "2 cores"))

    def cost(*more, preset="bayes-always-wins-lenet-300-100-mnist-desk"):
        own = ["svi=null", "seeds=[0,1]", "data.train_rows=10000", "sample.max_tree_depth=8", "chains=4"]
        return cost_of(planned(preset, [*own, *more]).distinct)

    gradients = 600 * 255
    one = 1.1 * gradients * 10_000 * 1e-6  # of a chain at 1 %
    assert (cost().chains, cost().gradients) == (8, gradients)
    assert cost().chain_seconds == pytest.approx(8 * one)
    assert cost().seconds == pytest.approx(8 * one + cost("chains=0").seconds)
    assert cost("sampled_levels=[5,10]").chain_seconds == pytest.approx(8 * (one + 4 * one))  # at 10 %, and 1 %
    assert cost("sampled_levels=[0]").chain_seconds == pytest.approx(8 * 10 * 4 * one)  # in proportion
    shuffled = cost("sampled_arms=[ticket, shuffle-layerwise]", "replicates=3")
    assert shuffled.chain_seconds == pytest.approx((8 + 3 * 8) * one)
    assert str(cost()).endswith("8 chains of at most 153,000 gradients over all training rows: up to 3.7 h on 2 cores")
    assert cost().time.startswith("up to ")
    assert cost("chains=0").time[0].isdigit()
    for unknown in (cost("sample.engine=keras"), cost(preset="bayes-always-wins-lenet-300-100-cifar-10-desk")):
        assert unknown.chain_seconds is unknown.seconds is None
        assert unknown.time == "not measured"
        assert str(unknown).endswith("their time was not measured")


def test_the_cost_counts_draws_and_passes_of_evaluations(monkeypatch):
    measured = {("lenet-300-100 28x28x1", 60): 0.006, ("lenet-300-100 28x28x1 variational", 60): 0.06}
    monkeypatch.setattr(costs, "_measured", lambda: (measured, "2 cores"))
    train = "train={epochs: 300it, batch_size: 60, evaluate_every: 100it, objective: {draws: 2}}"
    own = [train, "prune.levels=1", "control_levels=[]", "seeds=[0]", "model.variational={}"]

    def seconds(*more):
        return cost_of(planned("quickstart", [*own, *more]).distinct).seconds

    step, row = 2 * 0.06, 0.5 * 0.001
    expected = 2 * (300 * step + 10 * row * (3 * 5000 + 5000 + 5 * 10000))
    assert seconds() == pytest.approx(expected)
    assert seconds("train.objective.evaluation_draws=1") == pytest.approx(2 * 300 * step + (expected - 72) / 10)
    passes = seconds("evaluation_passes=1")
    assert passes == pytest.approx(expected - 2 * 10 * row * 4 * 10000)
    assert seconds("train.evaluate_test=true") == pytest.approx(expected + 2 * 10 * row * 3 * 10000)
    outside = seconds("out_of_distribution.name=fashion-mnist")
    assert outside == pytest.approx(expected + 2 * 10 * row * 10000)
    plain = seconds("model.variational=null")
    assert plain == pytest.approx(2 * (300 * 0.006 + 0.5 * 0.0001 * (3 * 5000 + 5000 + 10000)))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "< 1 min"), (60, "1 min"), (3000, "50 min"), (9000, "2.5 h"), (864000, "10 d"), (1e8, "3.2 y")],
)
def test_times_are_said_as_people_say_them(seconds, text):
    assert costs.duration_text(seconds) == text


def test_the_smoke_preset_is_the_quickstart_but_for_its_own_keys():
    smoke, whole = load_experiment("quickstart-smoke"), load_experiment("quickstart")
    assert smoke.train.epochs != whole.train.epochs
    assert smoke.train.model_copy(update={"epochs": whole.train.epochs}) == whole.train


# extends


def test_a_file_is_laid_over_the_preset_that_it_extends(write):
    config = load_experiment(write("mine.yaml", "extends: quickstart\ntrain: {batch_size: 32}\n"))
    whole = load_experiment("quickstart")
    assert config == whole.model_copy(update={"train": whole.train.model_copy(update={"batch_size": 32})})


def test_extends_is_relative_to_the_file_that_says_it(write, tmp_path, monkeypatch):
    write("base.yaml", RUN + "seeds: [5]\ntrain: {batch_size: 32, gamma: 0.5}\n")
    write("inner/middle.yaml", "extends: ../base.yaml\ntrain: {gamma: 0.2}\n")
    top = write("top.yaml", "extends: inner/middle.yaml\nname: top\n")
    expected = Config.model_validate(
        {"experiment": "imp", "name": "top", "seeds": [5], "train": {"batch_size": 32, "gamma": 0.2}}
    )
    assert load_experiment(top) == expected
    monkeypatch.chdir(tmp_path)
    assert load_experiment("top.yaml") == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("extends: first.yaml", ""),
        ("extends: second.yaml", "extends: first.yaml"),
        ("extends: ../{folder}/first.yaml", ""),
        ("extends: ../{folder}/second.yaml", "extends: first.yaml"),
    ],
)
def test_a_circle_is_found_however_the_files_are_named(write, tmp_path, first, second):
    write("second.yaml", second)
    path = write("first.yaml", first.format(folder=tmp_path.name))
    with pytest.raises(InputError, match="circle"):
        load_experiment(path)


def test_two_files_may_extend_the_same_preset_in_turn(write):
    write("below.yaml", "extends: quickstart\nseeds: [5]\n")
    assert load_experiment(write("above.yaml", "extends: below.yaml\n")).seeds == (5,)


@pytest.mark.parametrize("name", ["lenet-300-100", "conv-2"])
def test_naming_a_model_loses_no_field_of_the_table(name, write):
    write("below.yaml", RUN + "model: {name: lenet-300-100, initialiser: he_normal}\n")
    above = write("above.yaml", f"extends: below.yaml\nmodel: {{name: {name}}}\n")
    assert load_experiment(above).model == ModelConfig(name=name, initialiser="he_normal")


# Overrides


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("name=mine", ["name"], "mine"),
        ("train.epochs=5", ["train", "epochs"], "5ep"),
        ("train.epochs=200it", ["train", "epochs"], "200it"),
        ("train.optimiser.learning_rate=1e-3", ["train", "optimiser", "learning_rate"], 1e-3),
        ("seeds=[4, 5]", ["seeds"], (4, 5)),
        ("data.train_rows=100", ["data", "train_rows"], 100),
        ("data.train_rows=null", ["data", "train_rows"], None),
        ("execution={threads: 1}", ["execution", "threads"], 1),
    ],
)
def test_an_override_sets_its_field_and_no_other(override, path, value):
    expected = load_experiment("quickstart").model_dump()
    table = expected
    for name in path[:-1]:
        table = table[name]
    table[path[-1]] = value
    assert load_experiment("quickstart", [override]).model_dump() == expected


def test_a_table_is_laid_over_the_old_one_as_in_a_file(write):
    expected = PruneConfig(rate=0.2, levels=10)
    assert load_experiment("quickstart", ["prune={rate: 0.2, sparsity: null}"]).prune == expected
    above = write("above.yaml", "extends: quickstart\nprune: {rate: 0.2, sparsity: null}\n")
    assert load_experiment(above).prune == expected


@pytest.mark.parametrize(
    "overrides",
    [
        ["train.optimiser.name=sgd", "train.optimiser.momentum=0.5", "train.optimiser.learning_rate=0.2"],
        ["prune.rate=0.2", "prune.sparsity=null", "train.batch_size=32"],
        ["data.path=rows.npz", "data.name=mine", "data.train_rows=9"],
        ["data.classes=[1, 2]", "data.path=rows.npz", "data.validation_rows=7"],
    ],
)
def test_the_order_of_overrides_of_different_fields_is_no_matter(overrides):
    orders = itertools.permutations(overrides)
    assert len({load_experiment("quickstart", order) for order in orders}) == 1


def test_the_last_override_of_a_field_counts():
    assert load_experiment("quickstart", ["train.epochs=5", "train.epochs=7"]).train.epochs == "7ep"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["train={epochs: 5, gamma: 0.5}", "train.epochs=7"], {"epochs": "7ep", "gamma": 0.5}),
        (["train.epochs=7", "train={epochs: 5, gamma: 0.5}"], {"epochs": "5ep", "gamma": 0.5}),
        (["train.gamma=0.5", "train={batch_size: 32}"], {"gamma": 0.5, "batch_size": 32}),
        (["train={batch_size: 32}", "train={gamma: 0.5}"], {"gamma": 0.5, "batch_size": 32}),
        (["train.augment={flip: true}", "train.augment.crop=4"], {"augment": {"flip": True, "crop": 4}}),
        (["train.augment.crop=4", "train={augment: {flip: true}}"], {"augment": {"flip": True, "crop": 4}}),
    ],
)
def test_overrides_are_laid_over_one_another_in_their_order_and_deeply(overrides, expected):
    whole = load_experiment("quickstart").model_dump()
    whole["train"] |= expected
    assert load_experiment("quickstart", overrides).model_dump() == whole


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["train.optimiser={name: sgd, momentum: 0.5}", "train.optimiser.learning_rate=0.2"], (0.5, 0.2)),
        (["train.optimiser.learning_rate=0.2", "train.optimiser={name: sgd, momentum: 0.5}"], (0.5, 0.2)),
        (["train.optimiser={name: sgd, momentum: 0.5}", "train={optimiser: {name: sgd}}"], (0.5, 0.1)),
    ],
)
def test_parts_of_another_optimizer_may_come_one_by_one(overrides, expected):
    momentum, learning_rate = expected
    found = load_experiment("quickstart", overrides).train.optimiser
    assert found == Sgd(momentum=momentum, learning_rate=learning_rate)


BELOW = RUN + "train: {optimiser: {name: adam, learning_rate: 0.5, beta_1: 0.5}}\n"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["train.optimiser={name: sgd}"], Sgd()),
        (["train.optimiser.name=sgd"], Sgd()),
        (["train.optimiser.name=sgd", "train.optimiser.momentum=0.5"], Sgd(momentum=0.5)),
        (["train.optimiser.name=adam"], Adam(learning_rate=0.5, beta_1=0.5)),
        (["train.optimiser.beta_1=0.8"], Adam(learning_rate=0.5, beta_1=0.8)),
    ],
)
def test_another_optimizer_brings_its_own_defaults_and_the_same_one_keeps_its_fields(write, overrides, expected):
    assert load_experiment(write("mine.yaml", BELOW), overrides).train.optimiser == expected


def test_a_file_that_extends_another_may_change_the_optimizer(write):
    write("below.yaml", BELOW)
    above = write("above.yaml", "extends: below.yaml\ntrain: {optimiser: {name: sgd}}\n")
    assert load_experiment(above).train.optimiser == Sgd()


# Which data


@pytest.fixture
def home(monkeypatch, tmp_path):
    """The user's home and, below it, the folder that the program is started in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.mark.parametrize("start", [".", "inner", "here"])
def test_a_path_is_seen_from_the_file_that_says_it(start, write, home, monkeypatch):
    write("inner/below.yaml", RUN + "data: {path: rows.npz}\n")
    write("middle.yaml", "extends: inner/below.yaml\n")
    write("here/above.yaml", "extends: ../middle.yaml\ndata: {train_rows: 9}\n")
    write("here/other.yaml", "extends: ../middle.yaml\ndata: {path: ../data/rows}\n")
    monkeypatch.chdir(home / start)
    for name in ("inner/below.yaml", "middle.yaml", "here/above.yaml"):
        assert Path(load_experiment(os.path.relpath(home / name)).data.path).resolve() == home / "inner" / "rows.npz"
    assert Path(load_experiment(str(home / "here/other.yaml")).data.path).resolve() == home / "data" / "rows"


def test_a_path_on_the_command_line_is_seen_from_where_the_user_is(write, home):
    path = write("inner/mine.yaml", RUN + "data: {path: rows.npz}\n")
    assert load_experiment(path, ["data.path=other.npz"]).data.path == str(home / "here" / "other.npz")


def test_the_home_of_nobody_is_a_folder_of_that_name(write, home):
    path = write("inner/mine.yaml", RUN + "data: {path: ~nosuchuser/rows.npz}\n")
    assert load_experiment(path).data.path == str(home / "inner" / "~nosuchuser" / "rows.npz")
    given = load_experiment("quickstart", ["data.path=~nosuchuser/rows.npz"]).data
    assert (given.name, given.path) == ("rows", str(home / "here" / "~nosuchuser" / "rows.npz"))


@pytest.mark.parametrize("path", ["~/rows.npz", "{home}/rows.npz"])
def test_a_path_may_begin_at_home_or_at_the_root(path, write, home):
    path = path.format(home=home)
    config = load_experiment(write("inner/mine.yaml", RUN + f"data: {{path: {path}}}\n"))
    assert config.data.path == str(home / "rows.npz")
    assert load_experiment("quickstart", [f"data.path={path}"]).data == config.data


ROWS = {"train_rows": 9, "validation_rows": 7, "split_seed": 3, "normalise": "standard"}


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [
        ({"name": "cifar-10"}, {"path": "/d/rows.npz"}, {"name": "rows", "path": "/d/rows.npz"}),
        ({"path": "/d/old.npz"}, {"path": "/d/rows.npz"}, {"name": "rows", "path": "/d/rows.npz"}),
        ({"path": "/d/old.npz", "name": "old"}, {"path": "/d/rows.npz"}, {"name": "rows", "path": "/d/rows.npz"}),
        ({"path": "/d/old.npz"}, {"name": "cifar-10"}, {"name": "cifar-10"}),
        ({"path": "/d/old.npz", "name": "old"}, {"name": "cifar-10"}, {"name": "cifar-10"}),
        ({"path": "/d/old.npz"}, {"path": "/d/a.b.zip", "name": "mine"}, {"path": "/d/a.b.zip", "name": "mine"}),
        ({"name": "cifar-10"}, {"path": "/d/a.b.zip"}, {"path": "/d/a.b.zip", "name": "a.b"}),
        ({"path": "/d/old.npz"}, {"name": "mine"}, {"path": "/d/old.npz", "name": "mine"}),
        ({"path": "/d/old.npz", "name": "old"}, {"name": "mine"}, {"path": "/d/old.npz", "name": "mine"}),
        ({"path": "/d/old.npz"}, {"name": "mine", "path": None}, {"name": "mine"}),
        ({"name": "cifar-10"}, {"name": "mine"}, {"name": "mine"}),
        ({"path": "/d/old.npz"}, {}, {"name": "old", "path": "/d/old.npz"}),
        ({"path": "/d/old.npz"}, {"path": None}, {}),
        ({"path": "/d/old.npz"}, {"path": None, "name": "cifar-10"}, {"name": "cifar-10"}),
        ({"path": "/d/old.npz", "name": "old"}, {"path": None}, {"name": "old"}),
        ({"name": "cifar-10"}, {"path": None}, {"name": "cifar-10"}),
        ({"name": "cifar-10", "path": None}, {"path": "/d/rows.npz"}, {"name": "rows", "path": "/d/rows.npz"}),
        ({"path": None, "name": None}, {"path": "/d/rows.npz", "name": None}, {"name": "rows", "path": "/d/rows.npz"}),
        ({"name": "cifar-10"}, {}, {"name": "cifar-10"}),
    ],
)
def test_other_data_replace_name_and_path_and_keep_the_rest(below, above, expected, write):
    whole = DataConfig(**ROWS, **expected)
    path = write("below.yaml", RUN + f"data: {json.dumps({**ROWS, **below})}\n")
    each = [f"data.{key}={json.dumps(value)}" for key, value in above.items()]
    for order in itertools.permutations(each):
        assert load_experiment(path, order).data == whole
    assert load_experiment(path, [f"data={json.dumps(above)}"]).data == whole
    assert load_experiment(write("above.yaml", f"extends: below.yaml\ndata: {json.dumps(above)}\n")).data == whole


# Errors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: nowhere.yaml", "nowhere.yaml"),
        ("train: [1", "not readable as YAML"),
        ("\0", "not readable as YAML"),
        ("", "expected keys and values"),
        ("- 1", "expected keys and values"),
        ("name: mine", "no 'experiment:' key"),
        ("experiment: inp\nname: mine", "Did you mean 'imp'"),
        ("experiment: imp", "name: needed, but missing"),
        (RUN + "1: 2", "Unknown key '1'"),
        (
            RUN + "train: null",
            r"train: expected a table such as \{epochs: \.\.\.\}, .* \(it is empty\)\. Keys: epochs, ",
        ),
        (RUN + "train: {epochs: soon}", "'soon' is not a duration"),
        (RUN + "data: mnist", r"data: expected a table such as \{name: .* \(got 'mnist'\)"),
        (RUN + "data: {path: 3}", r"data.path: expected a text \(got 3\)"),
        (RUN + "data: {path: yes}", r"data.path: expected a text; in YAML, put it in quotes; YAML reads yes and on as"),
        (RUN + "seeds:", r"seeds: expected a list \(it is empty\)\.$"),
        (RUN + "seeds: []", r"seeds: needs at least 1, has 0"),
        (RUN + "seeds: [yes]", r"seeds\.0: expected a whole number, such as 128; YAML reads yes [^\n]*\(got True\)\.$"),
        (RUN + 'seeds: ["017"]', r"seeds\.0: expected a whole number, such as 128 \(got '017'\)\.$"),
        (RUN + "train: {batch_size: }", r"train\.batch_size: needed, but empty\.$"),
        (RUN + "controls: [{}]", r"controls\.0\.name: needed, but missing\.$"),
        (RUN + "seeds: 5", r"seeds: expected a list such as \[5\] \(got 5\)"),
        (RUN + "controls: keep-signs", r"controls: expected a list such as \[keep-signs\] \(got 'keep-signs'\)"),
        (RUN + "controls: keep", r"controls: expected a list of tables, such as \[\{name: \.\.\.\}\] \(got 'keep'\)"),
        (RUN + "seeds: {a: 1}", r"seeds: expected a list \(got \{'a': 1\}\)"),
        (RUN + "seeds: true", r"seeds: expected a list \(got True\)"),
        (
            RUN + "monte_carlo: true",
            r"monte_carlo: expected a list of tables, such as \[\{\w+: \.\.\.\}\] \(got True\)",
        ),
        (RUN + "controls: {name: keep-signs}", r"controls: expected a list of tables, such as \[\{name: \.\.\.\}\]"),
        (RUN + "data: {classes: [3]}", r"mine\.yaml: data: classes must be at least two, got \[3\]"),
        (
            RUN + "data: {classes: [3, true]}",
            r"data\.classes: expected a list of numbers or names, .*\(got \[3, True\]\)",
        ),
        (RUN + "data: {classes: [yes, no]}", "YAML reads yes and on as true, .*: put them in quotes"),
        (RUN + "data: {train_rows: yes}", "whole number.*; YAML reads yes and on as true, no and off as false"),
        (RUN + "data: {normalize: unit}", "Did you mean 'data.normalise'"),
    ],
)
def test_a_wrong_file_is_refused(write, text, message):
    with pytest.raises(InputError, match=message):
        load_experiment(write("mine.yaml", text))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(InputError, match="not readable as YAML"):
        load_experiment(str(tmp_path / "mine.yaml"))


def test_an_unknown_preset_is_refused_and_the_nearest_suggested(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'quickstart'"):
        load_experiment("quikstart")
    with pytest.raises(InputError, match="is not a file"):
        load_experiment(str(tmp_path))


@pytest.mark.parametrize("override", ["train.epochs", "", "=3", "train..epochs=3", ".epochs=3", "seeds=[1"])
def test_an_override_that_says_nothing_is_refused(override):
    with pytest.raises(InputError, match="Override"):
        load_experiment("quickstart", [override])


@pytest.mark.parametrize("kind", ["[1]", "{a: 1}", "7", "true"])
def test_a_name_of_data_that_is_none_is_refused(kind):
    with pytest.raises(InputError, match=r"^quickstart: data\.name: expected a text"):
        load_experiment("quickstart", [f"data.name={kind}"])


@pytest.mark.parametrize("override", ["train.epoch=3", "seeds.0=3", "train.epochs.it=3", "extends=quickstart"])
def test_an_override_of_what_is_not_there_is_refused(override):
    with pytest.raises(InputError, match=r"^quickstart: "):
        load_experiment("quickstart", [override])
