"""Files that extend one another, whatever they are: one clear refusal, within moments."""

import os
import re
import sys

import pytest

from tfticket.errors import InputError
from tfticket.presets import MOST_FILES, load_experiment

RUN = "experiment: imp\nname: mine\n"


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a" * 3000, "cannot be the name of a file: File name too long"),
        ('"a\\0b"', "cannot be the name of a file: embedded null"),
        ('"a\\nb"', r"Unknown preset 'a\nb'"),
        (".", "is not a file. Expected a preset's name or the path of a YAML file"),
        ("..", "is not a file"),
        ('""', "is not a file"),
        ("/", "is not a file"),
        ("/dev/zero", "/dev/zero is not a file"),
        ("/dev/null", "/dev/null is not a file"),
        ("pipe", "pipe is not a file"),
        ("loop", "loop"),
        ("[quickstart]", "extends: expected a preset's name or the path of a YAML file, got ['quickstart']"),
        ("5", "expected a preset's name or the path of a YAML file, got 5"),
        ("yes", "expected a preset's name or the path of a YAML file, got True"),
        ("{a: 1}", "expected a preset's name"),
        ("quick*", "Unknown preset 'quick*'. Did you mean 'quickstart'?"),
        ("mine.yaml", "goes in a circle"),
        ("./mine.yaml", "goes in a circle"),
        ("link.yaml", "goes in a circle"),
    ],
)
def test_what_cannot_be_extended_is_refused(write, tmp_path, name, said):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "mine.yaml")
    with pytest.raises(InputError, match=re.escape(said)) as refused:
        load_experiment(write("mine.yaml", f"extends: {name}\nname: mine\n"))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1500


@pytest.mark.parametrize("source", ["", ".", "..", "/", "/dev/zero", "a" * 3000, "a\0b", "quick*", "a\nb.yaml", " "])
def test_what_names_neither_a_preset_nor_a_file_is_refused(source):
    with pytest.raises(InputError):
        load_experiment(source)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match="is not a file"):
        load_experiment(str(tmp_path / "pipe.yaml"))


def chain(write, length):
    for number in range(1, length):
        write(f"{number}.yaml", f"extends: {number + 1}.yaml\n")
    write(f"{length}.yaml", RUN + "seeds: [5]\n")
    return write("1.yaml", "extends: 2.yaml\ntrain: {gamma: 0.5}\n")


def test_a_long_chain_is_followed_and_an_endless_one_refused(write):
    config = load_experiment(chain(write, MOST_FILES))
    assert (config.seeds, config.train.gamma) == ((5,), 0.5)
    with pytest.raises(InputError, match=f"more than {MOST_FILES} files extend one another"):
        load_experiment(chain(write, sys.getrecursionlimit() * 2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"name: \xff\xfe", "not readable as YAML"),
        ("a: 1".encode("utf-32"), "not readable as YAML"),
        (RUN + "\ttrain: {}", "line 3: not readable as YAML"),
        (RUN + "---\nname: other", "line 3: a second document begins"),
        (RUN + "train: !!python/object/apply:os.getcwd []", "the tag !!python/object/apply:os.getcwd"),
        (RUN + "seeds: &s [*s]", r"\*s stands before its value"),
        (RUN + "train: " + "{a: " * 5000 + "}" * 5000, "more than 40 deep"),
        (RUN + "data: {name: mnist}\ntrain: {epochs: 1}\ndata: {name: mnist}\n", "line 5: the key 'data' stands twice"),
        (RUN + "train: {<<: {epochs: 1, epochs: 2}}", "the key 'epochs' stands twice"),
        (RUN + "prune: {rates: {dense_1: 0.1, 'dense_1': 0.2}}", "the key 'dense_1' stands twice"),
        (RUN + "null: 1", "Unknown key 'null'"),
        (RUN + "true: 1", "Unknown key 'true'"),
        (RUN + "? [a]\n: 1", "stands as a key"),
        (RUN + "extends: quickstart\nextends: quickstart-smoke", "the key 'extends' stands twice"),
    ],
    ids=range(14),
)
def test_a_file_that_is_ambiguous_or_broken_is_refused_by_its_line(write, text, said):
    with pytest.raises(InputError, match=said):
        load_experiment(write("mine.yaml", text))


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + RUN + "seeds: [5]",
        (RUN + "seeds: [5]").encode("utf-16"),
        RUN.replace("\n", "\r\n") + "seeds: [5]\r\n",
        "---\n" + RUN + "seeds: [5]\n...\n",
        RUN + "execution: &e {threads: 1}\nseeds: [5]",
    ],
    ids=["mark", "utf-16", "windows", "one document", "anchor"],
)
def test_a_file_may_come_from_another_editor(write, text):
    assert load_experiment(write("mine.yaml", text)).seeds == (5,)


def test_a_merge_key_lays_a_table_under_another(write):
    text = "train: &t {epochs: 3, gamma: 0.5}\nvariational_train: {<<: *t, gamma: 0.25}\n"
    config = load_experiment(write("mine.yaml", "extends: bayesian-lth-lenet-300-100-smoke\nname: mine\n" + text))
    assert (config.train.epochs, config.train.gamma) == ("3ep", 0.5)
    assert (config.variational_train.epochs, config.variational_train.gamma) == ("3ep", 0.25)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("train={epochs: 1ep, epochs: 2ep}", "the key 'epochs' stands twice"),
        ("prune.rates={a: 0.1, a: 0.2}", "the key 'a' stands twice"),
        ("a." * 5000 + "b=1", "does not have the form key=value"),
        ("train=" + "[" * 50_000, "deep"),
        ("name=a\n---\nb", "second document"),
        ("train.gamma=!!float 1", "the tag !!float"),
        ("train.gamma=*x", "stands before its value"),
        ("train.epochs=1" + "0" * 400, "train.epochs: must be at most 2,147,483,647"),
        ("train.epochs=9" * 5000, "."),
        ("train.batch_size=1" + "0" * 61, r"train\.batch_size: must be at most 9,223"),
        ("name=\udc80", "not readable as YAML"),
        ("data.path=/my #1/rows.npz", "what follows # is a comment"),
        ("data.path=#rows.npz", "what follows # is a comment"),
        ("seeds=[1, 2]\t# two", "what follows # is a comment"),
    ],
    ids=range(14),
)
def test_an_override_that_is_ambiguous_or_broken_is_refused(option, said):
    with pytest.raises(InputError, match=said) as refused:
        load_experiment("quickstart-smoke", [option])
    assert len(str(refused.value)) < 1500


@pytest.mark.parametrize("path", ["'/my #1/rows.npz'", '"/my #1/rows.npz"'])
def test_a_sign_in_quotes_begins_no_comment(path):
    assert load_experiment("quickstart-smoke", [f"data.path={path}"]).data.path == "/my #1/rows.npz"
    assert load_experiment("quickstart-smoke", ["data={path: '/my #1/a.npz'}"]).data.path == "/my #1/a.npz"
    assert load_experiment("quickstart-smoke", ["data.path=/my#1/rows.npz"]).data.path == "/my#1/rows.npz"


def test_the_later_override_counts_whether_it_is_the_table_or_the_field():
    for options, gamma in (
        (["train.gamma=0.5", "train.gamma=0.25"], 0.25),
        (["train={gamma: 0.5}", "train.gamma=0.25"], 0.25),
        (["train.gamma=0.5", "train={gamma: 0.25}"], 0.25),
    ):
        assert load_experiment("quickstart-smoke", options).train.gamma == gamma


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("train=3", "train.gamma=0.25", "train itself to 3"),
        ("train=null", "train.gamma=0.25", "train itself to null"),
        ("train.optimiser=adam", "train.optimiser.name=sgd", 'train.optimiser itself to "adam"'),
        ("seeds=[1, 2]", "seeds.0=3", r"seeds itself to \[1, 2\]"),
    ],
)
def test_a_key_within_what_an_earlier_override_makes_one_value_is_refused(first, second, whole):
    with pytest.raises(InputError, match=whole):
        load_experiment("quickstart-smoke", [first, second])
