"""Members of a population: a training cut in generations, and what the whole population finds. Needs TensorFlow."""

import itertools

import numpy as np
import pytest

from tfticket.config import (
    DataConfig,
    Execution,
    MemberStep,
    ModelConfig,
    Objective,
    Population,
    Sgd,
    StartStep,
    TrainConfig,
    TrainStep,
    Variational,
)
from tfticket.data import load_dataset
from tfticket.errors import InputError, Stopped
from tfticket.lab import Lab
from tfticket.listener import Listener
from tfticket.procedures.kl_tuning import tune
from tfticket.reports.kl_lineages import lineages_of
from tfticket.runs.artefacts import load_tensors
from tfticket.runs.events import EventWriter, read_events
from tfticket.runs.files import read_json
from tfticket.runs.run_folder import RunFolder, read_steps
from tfticket.runs.step import CHECKPOINT, STATE, TICKET, WEIGHTS, StepContext
from tfticket.steps import start, train
from tfticket.tickets import Ticket
from tfticket.tickets.member import member
from tfticket.tickets.weight_files import load_weights
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Hooks

DATA = DataConfig(train_rows=300, validation_rows=100)
WEIGHTS_OF_KL = {"dense_1": 0.5, "dense_2": 0.01, "dense_3": 2.0}
TRAIN = TrainConfig(
    epochs="12it",
    batch_size=32,
    milestones=("7it",),
    evaluate_every="4it",
    objective=Objective(kl_weights=WEIGHTS_OF_KL, kl_warmup="9it", evaluation_draws=2),
)
MODEL = ModelConfig(variational=Variational())


def context(folder, *, execution=None, stop=None, told=None, **inputs):
    folder.mkdir(exist_ok=True)
    diary = EventWriter(folder / "events.jsonl", 1)
    told = [] if told is None else told
    return StepContext(
        folder,
        inputs,
        diary,
        execution or Execution(),
        stop or (lambda: False),
        lambda done, total: told.append((done, total, diary.first)),
    )


@pytest.fixture(scope="module")
def ticket(tmp_path_factory):
    """The folder of a variational start ticket."""
    folder = tmp_path_factory.mktemp("steps") / "start-0"
    start(context(folder), StartStep(data=DATA, model=MODEL, seed=1))
    return folder


def trained(folder, ticket, first, last, parent=None, config=TRAIN, **options):
    step = MemberStep(data=DATA, train=config, seed=3, first=first, last=last)
    inputs = {"ticket": ticket} | ({} if parent is None else {"parent": parent})
    return member(context(folder, **inputs, **options), step)


def state(folder):
    tensors, header = load_tensors(folder / STATE, "checkpoint")
    return tensors, header


@pytest.mark.parametrize("cuts", [(5,), *(pytest.param(cuts, marks=pytest.mark.slow) for cuts in ((4, 8), (1, 2, 11)))])
def test_a_member_that_goes_on_as_itself_ends_with_the_bits_of_one_training(ticket, tmp_path, cuts):
    ends = (0, *cuts, 12)
    parent = None
    for number, (first, last) in enumerate(itertools.pairwise(ends)):
        result = trained(tmp_path / f"member-{number}", ticket, first, last, parent)
        parent = tmp_path / f"member-{number}"

    whole = train(context(tmp_path / "train", ticket=ticket), TrainStep(data=DATA, train=TRAIN, seed=3))
    weights, _ = load_weights(tmp_path / "train" / WEIGHTS)
    found, header = state(parent)
    assert header["iteration"] == 12
    for path, array in weights.items():
        np.testing.assert_array_equal(found[f"state/weights/{path}"], array, err_msg=path)

    its = Ticket.load(ticket / TICKET)
    saved = []
    hooks = Hooks(checkpoint=saved.append)
    train_weights(its.model, its.mask, its.start, load_dataset(DATA), TRAIN, 3, until=12, hooks=hooks)
    slots = saved[-1].state
    assert {f"state/{name}" for name in slots} == set(found)
    for name, array in slots.items():
        np.testing.assert_array_equal(found[f"state/{name}"], array, err_msg=name)
    last = whole["history"][-1]
    assert result["validation"] == {name: last[name] for name in last if name not in ("iteration", "loss")}
    if cuts == (4, 8):
        assert header["history"] == whole["history"]
        assert result["history"] == whole["history"][-1:]


def test_a_copy_with_other_weights_goes_on_from_its_parents_state(ticket, tmp_path):
    trained(tmp_path / "parent", ticket, 0, 6)
    trained(tmp_path / "same", ticket, 6, 12, tmp_path / "parent")
    perturbed = TRAIN.objective.model_copy(update={"kl_weights": WEIGHTS_OF_KL | {"dense_2": 50.0}})
    other = TRAIN.model_copy(update={"objective": perturbed})
    trained(tmp_path / "other", ticket, 6, 12, tmp_path / "parent", other)
    (same, _), (changed, _) = state(tmp_path / "same"), state(tmp_path / "other")
    assert np.any(same["state/weights/dense_2/kernel_rho"] != changed["state/weights/dense_2/kernel_rho"])


def test_a_member_that_was_stopped_goes_on_to_the_same_bits_and_tells_of_its_generation_alone(ticket, tmp_path):
    trained(tmp_path / "parent", ticket, 0, 4)
    undisturbed = trained(tmp_path / "undisturbed", ticket, 4, 12, tmp_path / "parent")
    short = Execution(segment_seconds=1e-6)
    folder, told = tmp_path / "stopped", []
    with pytest.raises(Stopped):
        trained(folder, ticket, 4, 12, tmp_path / "parent", execution=short, stop=lambda: True, told=told)
    assert (folder / CHECKPOINT).exists()
    assert not (folder / STATE).exists()
    assert [one for one in told if not 0 < one[0] < one[1] == 8 or one[2] != 0] == []
    done = told[-1][0]
    told.clear()
    result = trained(folder, ticket, 4, 12, tmp_path / "parent", told=told)
    assert (told[0][2], told[-1][:2]) == (done, (8, 8))
    (found, header), (expected, other) = state(folder), state(tmp_path / "undisturbed")
    assert header["history"] == other["history"]
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    assert result["validation"] == undisturbed["validation"]
    assert [event["iteration"] for event in read_events(folder / "events.jsonl") if event["event"] == "evaluation"] == [
        8,
        12,
    ]


def test_a_member_that_diverges_says_so_and_leaves_no_state(ticket, tmp_path):
    config = TRAIN.model_copy(update={"optimiser": Sgd(learning_rate=1e30)})
    result = trained(tmp_path / "member", ticket, 0, 6, config=config)
    assert result["validation"] == {}
    assert "at iteration" in result["diverged"]
    assert not (tmp_path / "member" / STATE).exists()
    with pytest.raises(InputError, match="There is no file"):
        trained(tmp_path / "child", ticket, 6, 12, tmp_path / "member")


def test_a_parent_of_another_iteration_is_refused(ticket, tmp_path):
    trained(tmp_path / "parent", ticket, 0, 4)
    with pytest.raises(InputError, match="state is of iteration 4; expected 6"):
        trained(tmp_path / "child", ticket, 6, 12, tmp_path / "parent")
    with pytest.raises(InputError, match="state is of iteration 0; expected 6"):
        trained(tmp_path / "orphan", ticket, 6, 12)
    with pytest.raises(InputError, match=r"end at iteration 13; expected one from 1 to 12\."):
        trained(tmp_path / "late", ticket, 0, 13)


class Counting(Listener):
    """Counts the steps computed, and says when it is time to stop."""

    def __init__(self, most=10**9):
        self.most, self.computed, self.members = most, 0, 0

    def finished(self, kind, computed):
        self.members += kind == "member"
        self.computed += computed and kind == "member"

    def should_stop(self):
        return self.computed >= self.most


POPULATION = Population(members=3, generations=2, high=1e38)
"""The highest KL weights make a loss that is no number."""
SEED = 242
"""One with which one member of the first generation has such weights."""
LABEL = {"seed": 0, "level": 0, "density": 1.0}


def tuned(workspace, counting, processes=1, model=MODEL, population=POPULATION):
    execution = Execution(processes=processes)
    run = workspace / "runs" / "a"
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text("name: a\n")
    lab = Lab(workspace, execution, counting, counting.should_stop, run)

    def start_of_member(member):
        return lab.step("start", StartStep(data=DATA, model=model, seed=member), label={"seed": member})

    return tune(lab, DATA, TRAIN, population, start_of_member, SEED, LABEL)


def states(workspace):
    found = {path.parent.name: state(path.parent) for path in sorted(workspace.glob("steps/member-*/" + STATE))}
    return {name: (tensors, header["history"]) for name, (tensors, header) in found.items()}


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    counting = Counting()
    found = tuned(workspace, counting)
    assert counting.members == POPULATION.members * POPULATION.generations == 6
    return workspace, found


def lineage_of(workspace):
    folder = workspace / "runs" / "a"
    config = {"svi": {"population": POPULATION.model_dump(mode="json")}}
    (lineage,) = lineages_of(RunFolder(folder, config, {}, tuple(read_steps(folder))))
    return lineage


def test_a_member_that_diverged_is_replaced_and_the_winner_is_the_best_on_validation_rows(population):
    workspace, found = population
    first, last = lineage_of(workspace).members
    diverged = [number for number, one in first.items() if not one.validation]
    assert 0 < len(diverged) < 3
    for number in diverged:
        assert last[number].parent not in diverged
    scores = {number: one.validation["nll"] for number, one in last.items() if one.validation}
    assert found == last[min(scores, key=scores.__getitem__)].weights


def test_the_manifest_alone_tells_the_lineage(population):
    workspace, found = population
    lineage = lineage_of(workspace)
    assert lineage.label == LABEL
    assert lineage.metric == "nll"
    winner = lineage.best_first[0]
    assert winner.weights == found
    assert [one.member for one in lineage.ancestry(winner)] == [winner.parent, winner.member]
    folders = {}
    for step in read_steps(workspace / "runs" / "a"):
        if step.kind == "member":
            folders[step.label["generation"], step.label["member"]] = step.path
    assert len(folders) == POPULATION.members * POPULATION.generations
    for (generation, number), folder in folders.items():
        told, made = lineage.members[generation][number], read_json(folder / "config.json")
        assert told.weights == made["config"]["train"]["objective"]["kl_weights"]
        parent = None if told.parent is None else folders[generation - 1, told.parent].name
        assert made["inputs"].get("parent") == parent


def test_a_population_that_was_stopped_goes_on_where_it_was(population, tmp_path):
    for most in (2, 2):
        with pytest.raises(Stopped):
            tuned(tmp_path, Counting(most))
    counting = Counting()
    assert tuned(tmp_path, counting) == population[1]
    assert counting.computed == 2
    again = Counting()
    assert tuned(tmp_path, again) == population[1]
    assert (again.computed, again.members) == (0, 6)
    found, expected = states(tmp_path), states(population[0])
    assert list(found) == list(expected)
    for name, (tensors, history) in expected.items():
        assert found[name][1] == history
        for tensor, array in tensors.items():
            np.testing.assert_array_equal(found[name][0][tensor], array, err_msg=f"{name} {tensor}")


@pytest.mark.slow  # TensorFlow begun six times
def test_members_in_processes_of_their_own_find_the_same(population, tmp_path):
    """But for the last digits: each process has a share of the threads, and these decide bits."""
    alone, beside = population[1], tuned(tmp_path, Counting(), processes=2)
    assert beside == alone
    found, expected = states(tmp_path), states(population[0])
    assert list(found) == list(expected)
    for name, (tensors, _) in expected.items():
        for tensor, array in tensors.items():
            np.testing.assert_allclose(found[name][0][tensor], array, rtol=1e-3, atol=1e-5, err_msg=f"{name} {tensor}")


def test_a_deterministic_network_has_no_kl_weights(tmp_path):
    with pytest.raises(InputError, match=r"ticket of a deterministic network.*Set model\.variational"):
        tuned(tmp_path, Counting(), model=ModelConfig())


def test_more_generations_than_iterations_are_refused(tmp_path):
    many = POPULATION.model_copy(update={"generations": 13})
    with pytest.raises(InputError, match="12 iterations cannot be cut in 13 generations"):
        tuned(tmp_path, Counting(), population=many)
