"""Lengths of trainings that do not fit their rows are refused before anything is computed, however long they are."""

import re
import subprocess
import sys

import pytest

from tfticket.config import PruneConfig, TrainConfig, check_lengths
from tfticket.config.durations import LONGEST, iterations_in
from tfticket.config.schema import validate
from tfticket.costs import cost_of
from tfticket.errors import InputError
from tfticket.presets import planned


def refused(config, rows=1000, rewind="0it", where="train"):
    with pytest.raises(InputError) as error:
        check_lengths(TrainConfig(**config), rewind, rows, where)
    return str(error.value)


@pytest.mark.parametrize("batch_size", [1001, 2000, 10**15])
def test_a_batch_has_no_more_rows_than_there_are(batch_size):
    said = refused({"batch_size": batch_size}, where="svi.train")
    assert said == f"svi.train.batch_size is {batch_size:,}, but there are 1,000 training rows. Take at most 1,000."
    check_lengths(TrainConfig(batch_size=1000), "0it", 1000)


@pytest.mark.parametrize(
    ("milestone", "iteration"),
    [("60it", 60), ("61it", 61), ("6ep", 60), ("7ep", 70), (f"{LONGEST}it", LONGEST), ("0it", 0), ("0ep", 0)],
)
def test_a_milestone_lies_within_the_training(milestone, iteration):
    said = refused({"batch_size": 100, "milestones": ["1ep", milestone]})
    assert said.startswith(f"train.milestones: {milestone} is iteration {iteration:,}; training for 6ep has 60.")
    check_lengths(TrainConfig(batch_size=100, milestones=["59it", "1it"]), "0it", 1000)


def test_two_milestones_are_not_one_iteration():
    said = refused({"batch_size": 100, "milestones": ["1ep", "30it", "3ep"]})
    assert "train.milestones: 30it and 3ep are both iteration 30" in said
    with pytest.raises(InputError, match="the milestones 1ep, 2ep, 1ep repeat; each counts once"):
        TrainConfig(milestones=["1ep", "2ep", "01ep"])


@pytest.mark.parametrize(
    "duration", [f"{LONGEST + 1}it", f"{LONGEST + 1}ep", LONGEST + 1, "9" * 500, 10**400, "1" * 2000]
)
@pytest.mark.parametrize("field", ["epochs", "evaluate_every", "warmup"])
def test_a_duration_that_never_ends_is_refused(field, duration):
    with pytest.raises(InputError, match=rf"here: {field}: (must be at most 2,147,483,647|.* is not a duration)"):
        validate(TrainConfig, {field: duration}, where="here")
    with pytest.raises(InputError, match="rewind"):
        validate(PruneConfig, {"rate": 0.5, "rewind": duration}, where="here")


@pytest.mark.parametrize("config", [{"epochs": LONGEST}, {"warmup": LONGEST}, {"objective": {"kl_warmup": LONGEST}}])
def test_a_training_of_too_many_iterations_is_refused(config):
    said = refused({"batch_size": 1, **config})
    assert said.startswith(
        f"{LONGEST}ep of 1,000 rows in batches of 1 is 2,147,483,647,000 iterations; expected at most"
    )


@pytest.mark.parametrize("rewind", ["60it", "6ep", "100ep"])
def test_rewinding_leaves_some_of_the_training(rewind):
    assert f"begins at iteration {iterations_in(rewind, 1000, 100):,} (rewind {rewind})" in refused(
        {"batch_size": 100}, rewind=rewind
    )


def test_the_longest_training_is_planned_at_once_however_often_it_is_evaluated():
    code = f"""from tfticket.config.durations import Moments, LONGEST
for often in ("1it", "3it", "1ep", "{LONGEST}ep"):
    moments = Moments(often, 55_000, 128, LONGEST)
    print(len(moments), moments.longest, moments.after(0), moments.after(LONGEST - 2), 10 in moments)
"""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))\n{code}"
    done = subprocess.run([sys.executable, "-c", limited], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        f"{LONGEST} 1 1 {LONGEST - 1} True",
        f"715827883 3 3 {LONGEST - 1} False",
        f"4997781 430 430 {LONGEST} False",
        f"1 {LONGEST} {LONGEST} {LONGEST} False",
    ]
    cost = cost_of(planned("quickstart", [f"train.epochs={LONGEST}it", "train.evaluate_every=1it"]).distinct)
    assert cost.iterations == LONGEST
    assert cost.time.endswith(" y")


@pytest.mark.parametrize(
    ("preset", "option", "where"),
    [
        ("quickstart", "train.batch_size=60000", "train.batch_size is 60,000"),
        ("quickstart", "train.milestones=[6ep]", "train.milestones: 6ep"),
        ("quickstart", "train.epochs=2147483647", "2147483647ep of 55,000 rows"),
        ("quickstart", "prune.rewind=6ep", "rewind 6ep"),
        ("bayesian-lth-lenet-300-100-smoke", "variational_train={batch_size: 9000}", "variational_train.batch_size is"),
        (
            "bayes-always-wins-lenet-300-100-mnist-smoke",
            "svi.train={batch_size: 9000}",
            "svi.train.batch_size is 9,000",
        ),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(preset, option, where):
    with pytest.raises(InputError, match=re.escape(where)):
        planned(preset, [option])
