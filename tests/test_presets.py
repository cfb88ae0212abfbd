import pytest

from experiments.quickstart import Config
from tfticket.config import Adam, PruneConfig, Sgd
from tfticket.errors import InputError
from tfticket.presets import load_experiment, preset_paths

RUN = "experiment: quickstart\nname: mine\n"


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize("name", preset_paths())
def test_every_preset_loads_and_names_its_runs_after_itself(name):
    assert load_experiment(name).name == name


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
        {"experiment": "quickstart", "name": "top", "seeds": [5], "train": {"batch_size": 32, "gamma": 0.2}}
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


def test_naming_the_kind_that_was_meant_anyway_loses_no_field(write):
    write("below.yaml", RUN + "model: {initialiser: he_normal}\n")
    above = write("above.yaml", "extends: below.yaml\nmodel: {name: lenet-300-100}\n")
    assert load_experiment(above).model.initialiser == "he_normal"


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


def test_a_table_given_whole_replaces_the_old_one():
    assert load_experiment("quickstart", ["prune={rate: 0.2}"]).prune == PruneConfig(rate=0.2)


def test_the_last_override_of_a_field_counts():
    assert load_experiment("quickstart", ["train.epochs=5", "train.epochs=7"]).train.epochs == "7ep"


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
        ("experiment: quickstrat\nname: mine", "Did you mean 'quickstart'"),
        ("experiment: quickstart", "name: Field required"),
        (RUN + "1: 2", "1: Keys should be strings"),
        (RUN + "train: null", "train: Input should be"),
        (RUN + "train: {epochs: soon}", "'soon' is not a duration"),
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
    with pytest.raises(InputError, match="Unknown preset"):
        load_experiment(str(tmp_path))


@pytest.mark.parametrize("override", ["train.epochs", "", "=3", "train..epochs=3", ".epochs=3", "seeds=[1"])
def test_an_override_that_says_nothing_is_refused(override):
    with pytest.raises(InputError, match="Override"):
        load_experiment("quickstart", [override])


@pytest.mark.parametrize("override", ["train.epoch=3", "seeds.0=3", "train.epochs.it=3", "extends=quickstart"])
def test_an_override_of_what_is_not_there_is_refused(override):
    with pytest.raises(InputError, match=r"^quickstart: "):
        load_experiment("quickstart", [override])
