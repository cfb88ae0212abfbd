"""The experiment's plan, without a training."""

import re

import pytest

from tfticket._experiments import imp
from tfticket.arms import Arm
from tfticket.dry_lab import DryLab
from tfticket.errors import InputError
from tfticket.listener import Listener
from tfticket.presets import load_experiment, planned

IMP = imp.Imp()

DENSE = Arm(control="monte-carlo", options="dense")


def plan(*overrides: str) -> DryLab:
    return planned("quickstart", overrides)


def controlled(lab: DryLab) -> set[int]:
    """The levels that have controls."""
    return {step.label["level"] for step in lab.entries if step.kind == "train" and step.label["arm"] != Arm()}


def test_every_seed_has_its_levels_and_two_controls_at_some():
    lab = plan()
    assert controlled(lab) == {3, 5, 7, 10}  # of 10, each of which keeps 63 %
    assert list(dict.fromkeys(step.label["seed"] for step in lab.entries if step.label)) == [0, 1, 2]
    assert lab.trainings == 3 * (11 + 2 * 4)


@pytest.mark.parametrize(
    ("densities", "levels"),
    [
        ([0.5, 0.25, 0.125], {1, 2, 3}),
        ([0.26, 0.24], {2}),
        ([0.125, 0.01], {3}),
        ([0.12, 0.09], {3}),  # half a level beyond the last one, 0.0884, is its own still
        ([0.088], set()),
        ([0.01, 1e-9], set()),
        ([1.0], set()),  # the dense level has no controls
        ([0.8], set()),
        ([0.7], {1}),
        ([], set()),
    ],
)
def test_controls_are_trained_at_the_nearest_level_and_beyond_the_last_one_not_at_all(densities, levels):
    lab = plan("prune={rate: 0.5, sparsity: null, levels: 3}", f"control_densities={densities}", "seeds=[4]")
    assert controlled(lab) == levels
    assert lab.trainings == 4 + 2 * len(levels)


def test_levels_can_be_named_themselves_and_every_control_replicated():
    lab = plan("control_levels=[7,0,7]", "replicates=4", "controls=[shuffle-even]", "seeds=[3]")
    assert controlled(lab) == {0, 7}
    assert lab.trainings == 11 + 2 * 4


def test_monte_carlo_tickets_are_drawn_at_controlled_levels_above_0():
    kinds = "monte_carlo=[{connectivity: false}, {connectivity: true}]"
    config = load_experiment("quickstart", ["control_levels=[0,7]", kinds])
    assert (config.controlled, config.drawn_levels) == ([0, 7], [7])
    lab = plan("control_levels=[0,7]", kinds, "replicates=3", "controls=[shuffle-even]", "seeds=[3]")
    assert lab.trainings == 11 + 3 * (2 + 2)
    later = plan("control_levels=[0,7]", kinds, "replicates=3", "controls=[]", "seeds=[3]", "prune.rewind=2it")
    assert later.trainings == 11 + 3 * (2 + 1)  # each has an unpruned network that is trained, too
    assert plan("control_levels=[]", kinds, "seeds=[3]", "prune.rewind=2it").trainings == 11


class Emptying(DryLab):
    """A plan in which every ticket that is drawn loses a layer; hears what is noted."""

    def __init__(self):
        super().__init__()
        self.notes = []
        self.listener = Listener()
        self.listener.note = self.notes.append

    def planned_result(self, kind, config, inputs):
        return super().planned_result(kind, config, inputs) | {"emptied": ["dense_3"] * (kind == "draw")}

    @property
    def asked(self):
        return [(step.kind, step.label) for step in self.entries]


@pytest.fixture(scope="module")
def asked():
    kinds = "monte_carlo=[{connectivity: false}, {connectivity: true, images: 50}]"
    overrides = ["control_levels=[0,1]", "prune.levels=1", "prune.rewind=2it", "controls=[]", kinds, "replicates=2"]
    lab = Emptying()
    made = imp.run_seed(lab, load_experiment("quickstart", overrides), 4)
    return lab, made


def test_a_networks_own_steps_are_told_from_the_tickets(asked):
    lab, made = asked
    assert [(one.arm.key, one.level, one.replicate) for one in made] == [
        ("ticket", 0, 0),
        ("ticket", 1, 0),
        *((arm, 1, n) for arm in ("monte-carlo magnitude", "monte-carlo connectivity, 50 images") for n in (0, 1)),
    ]
    for kind in ("start", "prune"):
        assert [label for each, label in lab.asked if each == kind and "arm" not in label] == [{"seed": 4}]
        others = [label for each, label in lab.asked if each == kind and "arm" in label]
        assert others == [{"arm": DENSE, "seed": 4, "replicate": n} for n in (0, 1)]
    begun = [label for kind, label in lab.asked if kind == "train" and label["arm"] == DENSE]
    assert {(label["level"], label["density"]) for label in begun} == {(0, 1.0)}


def test_a_fit_is_told_by_its_number_of_images(asked):
    fits = [label.get("images") for kind, label in asked[0].asked if kind == "fit"]
    assert fits == [None, 50]


def test_a_layer_that_is_drawn_empty_is_noted(asked):
    notes = asked[0].notes
    assert "seed 4: monte-carlo magnitude leaves no weight in dense_3 at level 1." in notes
    assert len(notes) == 4


@pytest.mark.parametrize("others", ["controls=[]", "monte_carlo=[]"])
def test_a_density_without_a_level_is_told_whatever_would_be_there(others):
    densities = "control_densities=[1e-9]"
    overrides = ["monte_carlo=[{connectivity: true}]", "controls=[keep-signs]", densities, others]
    (note,) = IMP.check_model(load_experiment("quickstart", overrides))
    assert "so nothing is compared there" in note
    assert IMP.check_model(load_experiment("quickstart", ["controls=[]", densities])) == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("control_levels=[3,11]", "there is no level 11; the last is 10"),
        (
            "model.variational=true",
            "a table such as {prior: ...}, or {} for the defaults (got True). Keys: prior, d",
        ),
        ("train.optimiser=sgd", "Keys: name, learning_rate, beta_1, beta_2, epsilon, momentum, nesterov."),
        ("controls=[keep-signs,keep-signs]", "the controls keep-signs, keep-signs repeat"),
        ("controls=[{name: shuffle-even, allow_emty: true}]", "Did you mean 'controls.0.allow_empty'"),
        ("controls=[random-mask]", "random-mask needs densities"),
        ("controls=[{name: random-mask, densities: {}}]", "or a table {layer: fraction}"),
        ("controls=[{name: random-mask, densities: 0}]", "no weight would be left"),
        ("controls=[3]", "expected a control's name"),
        ("prune.rates={dense_3: 1.0}", "prune.rates.dense_3"),
        ("prune={exempt: [dense_3], rates: {dense_3: 0.1}}", "dense_3 cannot be both in exempt"),
    ],
)
def test_what_cannot_be_is_refused(override, message):
    with pytest.raises(InputError, match=re.escape(message)):
        load_experiment("quickstart", [override])


def test_monte_carlo_tickets_of_the_dense_network_are_refused():
    with pytest.raises(InputError, match="level 0 has nothing to learn from"):
        load_experiment("quickstart", ["control_levels=[0]", "monte_carlo=[{connectivity: true}]"])


@pytest.mark.parametrize("sparsity", ["0", "-0.0", "1e-17"])
def test_a_run_that_prunes_nothing_is_refused(sparsity):
    kinds = ["monte_carlo=[{connectivity: false}]", "control_levels=[1]", f"prune.sparsity={sparsity}"]
    for rates in ([], ["prune.rates={dense_1: 0}"]):
        with pytest.raises(InputError, match="nothing would be pruned; expected more than 0"):
            load_experiment("quickstart", [*kinds, *rates])
    assert load_experiment("quickstart", [*kinds, "prune.rates={dense_1: 0.5}"]).drawn_levels == [1]


def test_an_objective_without_effect_is_told():
    told = "train.objective has no effect: no variational network is trained by it."
    assert told not in IMP.check_model(load_experiment("quickstart"))
    assert told in IMP.check_model(load_experiment("quickstart", ["train.objective.draws=2"]))
    variational = ["train.objective.draws=2", "model.variational={}"]
    assert told not in IMP.check_model(load_experiment("quickstart", variational))


def test_controls_of_one_name_and_other_options_are_others():
    config = load_experiment("quickstart", ["controls=[reinitialise, {name: reinitialise, initialiser: he_normal}]"])
    assert [control.arm.key for control in config.controls] == ["reinitialise", "reinitialise he_normal"]


def test_a_branch_is_the_run_with_other_controls():
    run = load_experiment("quickstart", ["controls=[shuffle-even]", "seeds=[5]"]).model_dump(mode="json")
    config = IMP.branch(run, ["keep-signs"], [2, 3], 3, None)
    assert config.name == "quickstart-branch"
    assert config.controlled == [2, 3]
    assert [control.arm.key for control in config.controls] == ["keep-signs"]
    same = ("data", "model", "train", "prune", "seeds", "execution")
    assert config.model_dump(include=set(same), mode="json") == {name: run[name] for name in same}
    again = IMP.branch(config.model_dump(mode="json"), ["shuffle-even"], None, 1, None)
    assert again.name == "quickstart-branch"
    assert again.controlled == [2, 3]
    assert IMP.branch(run, ["keep-signs"], None, 1, "mine").name == "mine"


def test_a_branch_of_deterministic_tickets_has_no_objective():
    run = load_experiment("quickstart", ["train.objective.draws=2"]).model_dump(mode="json")
    assert IMP.branch(run, ["keep-signs"], None, 1, None).train.objective.draws == 1
    run["model"]["variational"] = {}
    assert IMP.branch(run, ["keep-signs"], None, 1, None).train.objective.draws == 2


def test_a_branch_has_no_monte_carlo_tickets():
    overrides = ["monte_carlo=[{connectivity: true}]", "control_levels=[7]"]
    run = load_experiment("quickstart", overrides).model_dump(mode="json")
    config = IMP.branch(run, ["keep-signs"], [0], 3, None)
    assert config.monte_carlo == ()
    assert IMP.plan(config).trainings == 3 * (11 + 3)


def test_a_branch_without_a_level_is_refused():
    run = load_experiment("quickstart", ["control_densities=[]"]).model_dump(mode="json")
    with pytest.raises(InputError, match=r"has controls at no level\. Say at which, e\.g\. --levels 0-10"):
        IMP.branch(run, ["keep-signs"], None, 1, None)
