"""Members of a population: a training cut in generations, and what the whole population tunes."""

import itertools

import numpy as np
import pytest

from tfticket import config
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

pytestmark = pytest.mark.usefixtures("without_xla")
DATA = config.DataConfig(train_rows=300, validation_rows=100)
KL_WEIGHTS = {"dense_1": 0.5, "dense_2": 0.01, "dense_3": 2.0}
OBJECTIVE = config.Objective(kl_weights=KL_WEIGHTS, kl_warmup="9it", evaluation_draws=2)
LENGTH = {"epochs": "12it", "batch_size": 32, "milestones": ("7it",), "evaluate_every": "4it"}
TRAIN = config.TrainConfig(**LENGTH, objective=OBJECTIVE)
NETWORK = "tests.old_runs.tiny:build"
MODEL = config.ModelConfig(name=NETWORK, variational=config.Variational())


def context(folder, *, execution=None, stop=None, progress=None, **inputs):
    folder.mkdir(exist_ok=True)
    events = EventWriter(folder / "events.jsonl", 1)
    progress = [] if progress is None else progress
    report = lambda done, total: progress.append((done, total, events.first))  # noqa: E731
    return StepContext(folder, inputs, events, execution or config.Execution(), stop or (lambda: False), report)


@pytest.fixture(scope="module")
def ticket(tmp_path_factory):
    """The folder of a variational start ticket."""
    folder = tmp_path_factory.mktemp("steps") / "start-0"
    start(context(folder), config.StartStep(data=DATA, model=MODEL, seed=1))
    return folder


def trained(folder, ticket, first, last, parent=None, training=TRAIN, **options):
    step = config.MemberStep(data=DATA, train=training, seed=3, first=first, last=last)
    return member(context(folder, ticket=ticket, **({"parent": parent} if parent else {}), **options), step)


def state(folder):
    """Return tensors and history of a member's state."""
    tensors, header = load_tensors(folder / STATE, "checkpoint")
    return tensors, header["history"]


def assert_same(ours, theirs, **tolerance):
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_allclose(ours[name], array, **({"rtol": 0} | tolerance), err_msg=name)


def test_a_member_that_continues_itself_ends_with_the_bits_of_one_training(ticket, tmp_path):
    whole = train(context(tmp_path / "train", ticket=ticket), config.TrainStep(data=DATA, train=TRAIN, seed=3))
    weights, _ = load_weights(tmp_path / "train" / WEIGHTS)
    own, checkpoints = Ticket.load(ticket / TICKET), []
    hooks = Hooks(checkpoint=checkpoints.append)
    train_weights(own.model, own.mask, own.start, load_dataset(DATA), TRAIN, 3, until=12, hooks=hooks)
    for cuts in ((4, 8), (1, 2, 11)):
        parent = None
        for first, last in itertools.pairwise((0, *cuts, 12)):
            folder = tmp_path / f"member-{first}-{last}"
            result, parent = trained(folder, ticket, first, last, parent), folder
        tensors, history = state(parent)
        assert_same({path: tensors[f"state/weights/{path}"] for path in weights}, weights)
        assert_same(tensors, {f"state/{name}": array for name, array in checkpoints[-1].state.items()})
        last = whole["history"][-1]
        assert result["validation"] == {name: last[name] for name in last if name not in ("iteration", "loss")}
        if cuts == (4, 8):
            assert (history, result["history"]) == (whole["history"], whole["history"][-1:])


def test_a_member_that_was_stopped_resumes_to_the_same_bits_and_counts_its_generation_alone(ticket, tmp_path):
    trained(tmp_path / "parent", ticket, 0, 4)
    undisturbed = trained(tmp_path / "undisturbed", ticket, 4, 12, tmp_path / "parent")
    folder, progress, short = tmp_path / "stopped", [], config.Execution(segment_seconds=1e-6)
    with pytest.raises(Stopped):
        trained(folder, ticket, 4, 12, tmp_path / "parent", execution=short, stop=lambda: True, progress=progress)
    assert ((folder / CHECKPOINT).exists(), (folder / STATE).exists()) == (True, False)
    assert all(0 < done < total == 8 and first == 0 for done, total, first in progress)
    done = progress[-1][0]
    progress.clear()
    result = trained(folder, ticket, 4, 12, tmp_path / "parent", progress=progress)
    assert (progress[0][2], progress[-1][:2]) == (done, (8, 8))
    (ours, history), (theirs, expected) = state(folder), state(tmp_path / "undisturbed")
    assert_same(ours, theirs)
    assert (history, result["validation"]) == (expected, undisturbed["validation"])
    events = [event for event in read_events(folder / "events.jsonl") if event["event"] == "evaluation"]
    assert [event["iteration"] for event in events] == [8, 12]


def test_a_member_that_diverges_leaves_no_state(ticket, tmp_path):
    huge = OBJECTIVE.model_copy(update={"kl_weights": dict.fromkeys(KL_WEIGHTS, 1e38)})
    result = trained(tmp_path / "member", ticket, 0, 6, training=config.TrainConfig(**LENGTH, objective=huge))
    assert result["validation"] == {}
    assert "at iteration" in result["diverged"]
    assert not (tmp_path / "member" / STATE).exists()
    with pytest.raises(InputError, match=STATE):
        trained(tmp_path / "child", ticket, 6, 12, tmp_path / "member")


def test_a_parent_of_another_iteration_is_refused(ticket, tmp_path):
    trained(tmp_path / "parent", ticket, 0, 4)
    for first, last, parent, facts in (
        *((6, 12, tmp_path / "parent", "iteration 4; expected 6"), (6, 12, None, "iteration 0; expected 6")),
        (0, 13, None, "iteration 13; expected one from 1 to 12"),
    ):
        with pytest.raises(InputError, match=facts):
            trained(tmp_path / f"child-{facts}", ticket, first, last, parent)


class Counting(Listener):
    """Counts the members that are computed, and stops after so many."""

    def __init__(self, most=10**9):
        self.most, self.computed, self.members = most, 0, 0

    def finished(self, kind, computed):
        self.members += kind == "member"
        self.computed += computed and kind == "member"

    def should_stop(self):
        return self.computed >= self.most


POPULATION = config.Population(members=3, generations=2, high=1e38)
"""The highest KL weights make a loss that is no number."""
SEED = 242
"""One with which one member of the first generation has such weights."""
LABEL = {"seed": 0, "level": 0, "density": 1.0}


def tuned(workspace, counting, processes=1, model=MODEL, population=POPULATION):
    run = workspace / "runs" / "a"
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text("name: a\n")
    lab = Lab(workspace, config.Execution(processes=processes), counting, counting.should_stop, run)

    def start_of_member(member):
        return lab.step("start", config.StartStep(data=DATA, model=model, seed=member), label={"seed": member})

    return tune(lab, DATA, TRAIN, population, start_of_member, SEED, LABEL)


def states(workspace):
    return {path.parent.name: state(path.parent) for path in sorted(workspace.glob("steps/member-*/" + STATE))}


@pytest.fixture(scope="module")
def population(tmp_path_factory, without_xla):
    """A workspace with a population, and the KL weights that it found."""
    workspace, counting = tmp_path_factory.mktemp("workspace"), Counting()
    weights = tuned(workspace, counting)
    assert counting.members == POPULATION.members * POPULATION.generations == 6
    return workspace, weights


def test_the_winner_is_the_best_on_validation_rows_and_members_that_diverged_are_replaced(population):
    workspace, weights = population
    folder, svi = workspace / "runs" / "a", {"population": POPULATION.model_dump(mode="json")}
    (lineage,) = lineages_of(RunFolder(folder, {"svi": svi}, {}, tuple(read_steps(folder))))
    assert (lineage.label, lineage.metric) == (LABEL, "nll")
    first, last = lineage.members
    diverged = [number for number, each in first.items() if not each.validation]
    assert 0 < len(diverged) < 3
    assert not {last[number].parent for number in diverged} & {*diverged}
    scores = {number: each.validation["nll"] for number, each in last.items() if each.validation}
    winner = lineage.best_first[0]
    assert weights == last[min(scores, key=scores.__getitem__)].weights == winner.weights
    assert [each.member for each in lineage.ancestry(winner)] == [winner.parent, winner.member]
    steps = [step for step in read_steps(folder) if step.kind == "member"]
    folders = {(step.label["generation"], step.label["member"]): step.path for step in steps}
    for (generation, number), path in folders.items():
        each, record = lineage.members[generation][number], read_json(path / "config.json")
        assert each.weights == record["config"]["train"]["objective"]["kl_weights"]
        parent = None if each.parent is None else folders[generation - 1, each.parent].name
        assert record["inputs"].get("parent") == parent


def test_a_population_that_was_stopped_resumes_where_it_was(population, tmp_path):
    for most in (2, 2):
        with pytest.raises(Stopped):
            tuned(tmp_path, Counting(most))
    for computed in (2, 0):
        counting = Counting()
        assert tuned(tmp_path, counting) == population[1]
        assert (counting.computed, counting.members) == (computed, 6)
    ours, theirs = states(tmp_path), states(population[0])
    assert ours.keys() == theirs.keys()
    for name, (tensors, history) in theirs.items():
        assert_same(ours[name][0], tensors)
        assert ours[name][1] == history


@pytest.mark.slow  # TensorFlow begins six times
def test_members_in_processes_of_their_own_find_the_same(population, tmp_path):
    """But for the last digits: each process has a share of the threads, and these decide bits."""
    assert tuned(tmp_path, Counting(), processes=2) == population[1]
    ours, theirs = states(tmp_path), states(population[0])
    assert ours.keys() == theirs.keys()
    for name, (tensors, _) in theirs.items():
        assert_same(ours[name][0], tensors, rtol=1e-3, atol=1e-5)


def test_a_deterministic_network_and_too_many_generations_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"deterministic network.*model\.variational"):
        tuned(tmp_path, Counting(), model=config.ModelConfig(name=NETWORK))
    with pytest.raises(InputError, match=r"12 iterations.*13 generations"):
        tuned(tmp_path, Counting(), population=POPULATION.model_copy(update={"generations": 13}))
