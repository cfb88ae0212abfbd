"""Presets, the user's files, what these extend, and overrides."""

import functools
import itertools
import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.refusals import refused
from tests.tables import flat, refusals, rows
from tfticket import build_model
from tfticket.config import Adam, DataConfig, Sgd
from tfticket.data.identity import source_by_name
from tfticket.models import kernel_shapes
from tfticket.presets import MOST_FILES, load_experiment, load_sourced, presets
from tfticket.pruning.mask import dense_mask
from tfticket.pruning.selection import check_levels
from tfticket.registry import MODELS

OURS = {"experiment", "name", "execution"}
"""Fields that no paper states."""
RUN = "experiment: imp\nname: mine\n"


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(tmp_path / name)

    return write


def difference(config, other):
    """Dotted key -> value, of what another configuration has changed."""
    before, after = (flat(values.model_dump(mode="json")) for values in (config, other))
    return {key: after.get(key) for key in before | after if before.get(key) != after.get(key)}


# Presets


def test_every_preset_loads_with_the_source_of_what_it_says():
    for name, preset in presets().items():
        sourced = load_sourced(name)
        config = sourced.config.model_dump(mode="json")
        assert sourced.config.name == name == preset.name
        assert {field.partition(".")[0] for field in sourced.fields} | OURS == {*config}
        for field, (value, where) in sourced.fields.items():
            mark, _, words = where.partition(": ")
            assert mark in ("stated", "inferred", "ours"), (name, field)
            assert words or mark == "ours", (name, field)
            assert mark != "stated" or re.search(r"section|figure|table|appendix", words), (name, field)
            assert functools.reduce(dict.__getitem__, field.split("."), config) == value, (name, field)


def test_the_budgets_of_a_paper_differ_in_what_is_ours_alone():
    for name, preset in presets().items():
        if preset.budget in ("smoke", "desk"):
            paper, cheaper = load_sourced(name.removesuffix(preset.budget) + "paper"), load_sourced(name)
            for field, (value, where) in cheaper.fields.items():
                assert value == paper.fields[field][0] or where.startswith("ours"), f"{name} {field}"
    for budget in ("smoke", "paper"):  # and every network has both
        names = [name for name, preset in presets().items() if preset.budget == budget]
        assert {load_experiment(name).model.name for name in names} == {*MODELS}
    changes = difference(load_experiment("quickstart"), load_experiment("quickstart-smoke"))
    assert [key for key in changes if key.startswith("train.")] == ["train.epochs"]


@pytest.mark.slow
def test_every_presets_network_can_be_pruned_so():
    @functools.cache
    def dense(name, shape):
        return dense_mask(kernel_shapes(build_model(name, input_shape=shape, num_classes=10)))

    for name in presets():
        config = load_experiment(name)
        check_levels(dense(config.model.name, source_by_name(config.data.name).size[2]), config.prune)


# extends


def test_a_file_is_laid_over_what_it_extends_which_is_relative_to_it(write, tmp_path, monkeypatch):
    write("base.yaml", "extends: quickstart\nseeds: [5]\ntrain: {batch_size: 32, gamma: 0.5}\n")
    write("inner/middle.yaml", "extends: ../base.yaml\ntrain: {gamma: 0.2}\nmodel: {initialiser: he_normal}\n")
    config = load_experiment(write("top.yaml", "extends: inner/middle.yaml\nname: top\nmodel: {name: conv-2}\n"))
    changes = {"name": "top", "seeds": [5], "train.batch_size": 32, "train.gamma": 0.2}
    changes |= {"model.name": "conv-2", "model.initialiser": "he_normal"}
    assert difference(load_experiment("quickstart"), config) == changes
    monkeypatch.chdir(tmp_path)
    assert load_experiment("top.yaml") == config
    text = "train: &t {epochs: 3, gamma: 0.5}\nvariational_train: {<<: *t, gamma: 0.25}\n"
    config = load_experiment(write("merged.yaml", "extends: bayesian-lth-lenet-300-100-smoke\nname: mine\n" + text))
    assert (config.train.epochs, config.train.gamma) == ("3ep", 0.5)
    assert (config.variational_train.epochs, config.variational_train.gamma) == ("3ep", 0.25)


def test_a_long_chain_is_followed_and_an_endless_one_refused(write):
    def chain(length):
        for number in range(1, length):
            write(f"{number}.yaml", f"extends: {number + 1}.yaml\n")
        write(f"{length}.yaml", RUN + "seeds: [5]\n")
        return write("1.yaml", "extends: 2.yaml\ntrain: {gamma: 0.5}\n")

    config = load_experiment(chain(MOST_FILES))
    assert (config.seeds, config.train.gamma) == ((5,), 0.5)
    with refused("extends", None, f"{MOST_FILES} files"):
        load_experiment(chain(2 * sys.getrecursionlimit()))


EXTENDED = """
"a\\0b"                 | 'a\\x00b'
"a\\nb"                 | 'a\\nb'
""                      | is not a file
pipe                    | pipe
loop                    | loop
[quickstart]            | ['quickstart']
yes                     | True
nowhere.yaml            | nowhere.yaml
link.yaml               | circle
../{folder}/second.yaml | circle
"""


def test_what_cannot_be_extended_is_refused(write, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "mine.yaml")
    write("second.yaml", "extends: mine.yaml")
    for name, fact in [*rows(EXTENDED, 2), ("a" * 999, "aaa")]:
        path = write("mine.yaml", f"extends: {name.replace('{folder}', tmp_path.name)}\nname: mine\n")
        with refused("extends", None, fact) as error:
            load_experiment(path)
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 1500
    with refused("extends", "quickstart", "mine.yaml"):
        load_experiment(write("mine.yaml", "extends: quick*\nname: mine\n"))
    for source in ("", "/dev/zero", "a" * 3000, "a\0b", "a\nb.yaml", f"{tmp_path}/pipe", "nowhere.yaml"):
        with refused("source"):
            load_experiment(source)
    with refused("source", "quickstart", "quikstart"):
        load_experiment("quikstart")


WRONG_FILES = [
    *[("", None, ""), ("- 1", None, ""), (b"name: \xff\xfe", None, ""), ("name: mine", "experiment", "")],
    *[("experiment: imp", "name", ""), (RUN + "train: {batch_size: }", "train.batch_size", "")],
    (RUN + "train: {epochs: 1}\ntrain: {gamma: 1}\n", None, ": line 4: the key 'train'"),
]


def test_a_wrong_file_is_refused_by_its_name_and_one_may_come_from_another_editor(write):
    for text, field, fact in WRONG_FILES:
        with refused(field, None, f"mine.yaml{fact}"):
            load_experiment(write("mine.yaml", text))
    text = RUN + "execution: &e {threads: 1}\nseeds: [5]\n"
    for written in ("\ufeff" + text, text.encode("utf-16"), text.replace("\n", "\r\n"), f"---\n{text}...\n"):
        assert load_experiment(write("mine.yaml", written)).seeds == (5,)


# Overrides: two spaces separate one from the next

OVERRIDES = """
name=mine                                                       | {name: mine}
train.epochs=5  train.epochs=7                                  | {train.epochs: 7ep}
seeds=[4, 5]                                                    | {seeds: [4, 5]}
data.train_rows=9  data.train_rows=null                         | {}
prune={rate: 0.2, sparsity: null}                               | {prune.rate: 0.2, prune.sparsity: null}
train={epochs: 5, gamma: 0.5}  train.epochs=7                   | {train.epochs: 7ep, train.gamma: 0.5}
train={batch_size: 32}  train={gamma: 0.5}                      | {train.gamma: 0.5, train.batch_size: 32}
train.augment.crop=4  train={augment: {flip: true}}             | {train.augment.flip: true, train.augment.crop: 4}
"""
ANY_ORDER = """
train.optimiser.name=sgd  train.optimiser.momentum=0.5  train.optimiser.learning_rate=0.2
prune.rate=0.2  prune.sparsity=null  train.batch_size=32
data.path=rows.npz  data.name=mine  data.train_rows=9
"""


def test_overrides_change_their_fields_and_no_others(write):
    base = load_experiment("quickstart")
    for overrides, changes in rows(OVERRIDES, 2):
        assert difference(base, load_experiment("quickstart", overrides.split("  "))) == yaml.safe_load(changes)
    above = write("above.yaml", "extends: quickstart\nprune: {rate: 0.2, sparsity: null}\n")  # as in a file
    assert difference(base, load_experiment(above)) == {"prune.rate": 0.2, "prune.sparsity": None}
    for (overrides,) in rows(ANY_ORDER, 1):
        orders = itertools.permutations(overrides.split("  "))
        assert len({load_experiment("quickstart", order) for order in orders}) == 1


BELOW = RUN + "train: {optimiser: {name: adam, learning_rate: 0.5, beta_1: 0.5}}\n"
SGD = "train.optimiser={name: sgd, momentum: 0.5}"
OPTIMISERS = [
    (["train.optimiser={name: sgd}"], Sgd()),
    (["train.optimiser.name=sgd", "train.optimiser.momentum=0.5"], Sgd(momentum=0.5)),
    (["train.optimiser.name=adam"], Adam(learning_rate=0.5, beta_1=0.5)),
    (["train.optimiser.learning_rate=0.2", SGD], Sgd(momentum=0.5, learning_rate=0.2)),
    ([SGD, "train={optimiser: {name: sgd}}"], Sgd(momentum=0.5)),
]


def test_another_optimizer_brings_its_own_defaults_and_the_same_one_keeps_its_fields(write):
    for overrides, expected in OPTIMISERS:
        assert load_experiment(write("below.yaml", BELOW), overrides).train.optimiser == expected
    path = write("mine.yaml", "extends: bayesian-lth-resnet-20-paper\nname: mine\ntrain: {epochs: 3ep}\n")
    fields = load_sourced(path, ["seeds=[7]", "train.optimiser.name=sgd"]).fields
    assert (fields["train.epochs"], fields["seeds"]) == (("3ep", "yours: mine.yaml"), ([7], "yours: -o"))
    assert fields["train.batch_size"] == (128, "inferred: open_lth")
    assert fields["train.optimiser.learning_rate"] == (0.1, "ours: the default")  # Adam's is gone with its table


WRONG_OVERRIDES = """
train.epochs                             | overrides | | 'train.epochs'
=3                                       | overrides
{deep}                                   | overrides
seeds=[1                                 | - | | 'seeds=[1'
train={epochs: 1ep, epochs: 2ep}         | - | | 'epochs'
train.gamma=*x                           | - | | *x
{nested}                                 | -
data.path=/my #1/rows.npz                | | | #
seeds=[1, 2] # two                       | | | #
train.epochs.it=3                        | train.epochs
train=3  train.gamma=0.25                | train.gamma | | 3
train.optimiser=adam  train.optimiser.name=sgd | train.optimiser.name | | "adam"
seeds=[1, 2]  seeds.0=3                  | seeds.0 | | [1, 2]
"""


def test_an_override_that_is_ambiguous_or_broken_is_refused():
    long = {"{deep}": "a." * 5000 + "b=1", "{nested}": "train=" + "[" * 50_000}
    for overrides, field, suggestion, facts in refusals(WRONG_OVERRIDES):
        with refused(field, suggestion, *facts) as error:
            load_experiment("quickstart-smoke", [long.get(text, text) for text in overrides.split("  ")])
        assert len(str(error.value)) < 1500
    for text in ("'/my #1/a.npz'", "/my#1/a.npz"):  # begins no comment
        assert load_experiment("quickstart-smoke", [f"data.path={text}"]).data.path == text.strip("'")


# Which data


def test_a_path_is_seen_from_the_file_or_the_folder_where_it_is_said(write, tmp_path, monkeypatch):
    home = tmp_path
    monkeypatch.setenv("HOME", str(home))
    write("inner/below.yaml", RUN + "data: {path: rows.npz}\n")
    write("middle.yaml", "extends: inner/below.yaml\n")
    write("here/above.yaml", "extends: ../middle.yaml\ndata: {train_rows: 9}\n")
    for start in (".", "here"):
        monkeypatch.chdir(home / start)
        for name in ("inner/below.yaml", "middle.yaml", "here/above.yaml"):
            path = Path(load_experiment(os.path.relpath(home / name)).data.path)
            assert path.resolve() == home / "inner" / "rows.npz"
    for given, in_file, on_line in (
        ("rows.npz", home / "inner/rows.npz", home / "here/rows.npz"),
        ("~nosuchuser/rows.npz", home / "inner/~nosuchuser/rows.npz", home / "here/~nosuchuser/rows.npz"),
        ("~/rows.npz", home / "rows.npz", home / "rows.npz"),
        (f"{home}/rows.npz", home / "rows.npz", home / "rows.npz"),
    ):
        assert load_experiment(write("inner/mine.yaml", RUN + f"data: {{path: {given}}}")).data.path == str(in_file)
        assert load_experiment("quickstart", [f"data.path={given}"]).data == DataConfig(path=str(on_line))


KEPT = {"train_rows": 9, "validation_rows": 7, "split_seed": 3, "normalise": "standard"}
OTHER_DATA = """
{name: cifar-10}                | {path: /d/rows.npz}             | {name: rows, path: /d/rows.npz}
{path: /d/old.npz}              | {path: /d/rows.npz}             | {name: rows, path: /d/rows.npz}
{path: /d/old.npz}              | {name: cifar-10}                | {name: cifar-10}
{name: cifar-10}                | {path: /d/a.b.zip}              | {path: /d/a.b.zip, name: a.b}
{path: /d/old.npz}              | {name: mine}                    | {path: /d/old.npz, name: mine}
{path: /d/old.npz}              | {name: mine, path: null}        | {name: mine}
{path: /d/old.npz}              | {}                              | {name: old, path: /d/old.npz}
{path: /d/old.npz}              | {path: null, name: cifar-10}    | {name: cifar-10}
{name: cifar-10, path: null}    | {path: /d/rows.npz}             | {name: rows, path: /d/rows.npz}
"""


def test_other_data_replace_name_and_path_and_keep_the_rest(write):
    for line in rows(OTHER_DATA, 3):
        below, above, expected = map(yaml.safe_load, line)
        whole = DataConfig(**KEPT, **expected)
        path = write("below.yaml", RUN + f"data: {json.dumps({**KEPT, **below})}\n")
        for order in itertools.permutations([f"data.{key}={json.dumps(value)}" for key, value in above.items()]):
            assert load_experiment(path, order).data == whole
        assert load_experiment(path, [f"data={json.dumps(above)}"]).data == whole
        assert load_experiment(write("above.yaml", f"extends: below.yaml\ndata: {json.dumps(above)}\n")).data == whole
