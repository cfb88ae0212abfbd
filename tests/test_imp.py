"""Plans of iterative pruning, without a training."""

from tests.refusals import refused
from tfticket._experiments import imp
from tfticket.arms import Arm
from tfticket.dry_lab import DryLab
from tfticket.listener import Listener
from tfticket.presets import load_experiment, planned

IMP = imp.Imp()
KINDS = "monte_carlo=[{connectivity: false}, {connectivity: true}]"
CONTROLS = "controls=[shuffle-even]"


def load(*overrides):
    return load_experiment("quickstart", overrides)


def plan(*overrides):
    return planned("quickstart", overrides)


def controlled(lab):
    """Levels with controls."""
    return {step.label["level"] for step in lab.entries if step.kind == "train" and step.label["arm"] != Arm()}


def test_every_seed_has_its_levels_and_two_controls_at_some():
    lab = plan()
    assert controlled(lab) == {3, 5, 7, 10}  # of 10, each of which keeps 63 %
    assert list(dict.fromkeys(step.label["seed"] for step in lab.entries if step.label)) == [0, 1, 2]
    assert lab.trainings == 3 * (11 + 2 * 4)
    levels = plan("control_levels=[7,0,7]", "replicates=4", CONTROLS, "seeds=[3]")
    assert (controlled(levels), levels.trainings) == ({0, 7}, 11 + 2 * 4)
    three = ["prune={rate: 0.5, sparsity: null, levels: 3}", "seeds=[4]"]
    for densities, expected in (
        ([0.26, 0.24], {2}),
        ([0.125, 0.01], {3}),
        ([0.12, 0.09], {3}),  # half a level beyond the last one, 0.0884, still belongs to it
        ([0.088, 1e-9], set()),
        ([1.0, 0.8], set()),  # the dense level has no controls
        ([0.7], {1}),
    ):
        assert controlled(plan(*three, f"control_densities={densities}")) == expected


def test_monte_carlo_tickets_are_drawn_at_controlled_levels_above_0():
    config = load("control_levels=[0,7]", KINDS)
    assert (config.controlled, config.drawn_levels) == ([0, 7], [7])
    options = [KINDS, "seeds=[3]", "replicates=3"]
    assert plan("control_levels=[0,7]", *options, CONTROLS).trainings == 11 + 3 * (2 + 2)
    late = [*options, "controls=[]", "prune.rewind=2it"]
    assert plan("control_levels=[0,7]", *late).trainings == 11 + 3 * (2 + 1)  # each also trains an unpruned network
    assert plan("control_levels=[]", *late).trainings == 11


class Collapsing(DryLab):
    """A plan in which every ticket that is drawn loses a layer."""

    def __init__(self):
        super().__init__()
        self.notes = []
        self.listener = Listener()
        self.listener.note = self.notes.append

    def planned_result(self, kind, config, inputs):
        return super().planned_result(kind, config, inputs) | {"emptied": ["dense_3"] * (kind == "draw")}


def test_steps_of_independent_networks_are_labelled_apart_and_collapsed_layers_are_noted():
    kinds = "monte_carlo=[{connectivity: false}, {connectivity: true, images: 50}]"
    overrides = ["control_levels=[0,1]", "prune.levels=1", "prune.rewind=2it", "controls=[]", kinds, "replicates=2"]
    lab, dense = Collapsing(), Arm(control="monte-carlo", options="dense")
    trained = imp.find_and_train(lab, load(*overrides, "seeds=[4]"))
    arms = [(arm.arm.key, arm.level, arm.replicate) for arm in trained]
    drawn = ("monte-carlo magnitude", "monte-carlo connectivity, 50 images")
    assert arms == [("ticket", 0, 0), ("ticket", 1, 0), *((arm, 1, n) for arm in drawn for n in (0, 1))]
    labels = {kind: [step.label for step in lab.entries if step.kind == kind] for kind in ("start", "prune", "train")}
    expected = [{"arm": dense, "seed": 4, "replicate": replicate} for replicate in (0, 1)]
    for kind in ("start", "prune"):
        assert [label for label in labels[kind] if "arm" not in label] == [{"seed": 4}]
        assert [label for label in labels[kind] if "arm" in label] == expected
    assert {(label["level"], label["density"]) for label in labels["train"] if label["arm"] == dense} == {(0, 1.0)}
    assert [step.label.get("images") for step in lab.entries if step.kind == "fit"] == [None, 50]
    assert len(lab.notes) == 4
    assert all(fact in lab.notes[0] for fact in ("seed 4", drawn[0], "dense_3", "level 1"))


def test_what_has_no_effect_is_noted():
    far, without_effect = "control_densities=[1e-9]", ["train.objective has no effect"]
    nearest = ["No level lies near the control density 1e-09"]
    for overrides, notes in (
        ([], []),
        ([KINDS, far, "controls=[]"], nearest),
        (["controls=[keep-signs]", far], nearest),
        (["controls=[]", far], []),
        (["train.objective.draws=2"], without_effect),
        (["train.objective.draws=2", "model.variational={}"], []),
    ):
        for note, mention in zip(IMP.check_model(load(*overrides, "train.engine=keras")), notes, strict=True):
            assert mention in note


def test_the_engine_that_trains_sparse_tickets_is_noted_and_one_that_cannot_is_refused():
    sparse, norm = ["prune.sparsity=0.99"], ["model.name=vgg-11", "data.name=cifar-10-small"]
    assert any("over the surviving weights alone" in note for note in IMP.check_model(load(*sparse)))
    assert any("trained by Keras, dense and masked" in note for note in IMP.check_model(load(*sparse, *norm)))
    assert not any("surviving weights" in note for note in IMP.check_model(load("prune.sparsity=0.5")))
    with refused("train.engine", "keras", "BatchNormalization"):
        IMP.check_model(load(*norm, "train.engine=sparse"))


def test_a_run_that_prunes_nothing_and_misspelt_options_are_refused():
    nothing = ["monte_carlo=[{connectivity: false}]", "control_levels=[1]"]
    for overrides in (["prune.sparsity=-0.0"], ["prune.sparsity=1e-17", "prune.rates={dense_1: 0}"]):
        with refused("prune.sparsity", None, "more than 0"):
            load(*nothing, *overrides)
    assert load(*nothing, "prune.sparsity=0", "prune.rates={dense_1: 0.5}").drawn_levels == [1]
    with refused("monte_carlo", None, "level 0"):
        load("control_levels=[0]", "monte_carlo=[{connectivity: true}]")
    with refused("controls.0.allow_emty", "controls.0.allow_empty"):
        load("controls=[{name: shuffle-even, allow_emty: true}]")
    for field, value in (("model.variational", "true"), ("train.optimiser", "sgd")):
        with refused(field, None, "Keys: "):
            load(f"{field}={value}")


def test_a_branch_is_the_run_with_other_controls_and_without_monte_carlo_tickets():
    config = load(CONTROLS, "seeds=[5]", "monte_carlo=[{connectivity: true}]", "control_levels=[7]")
    run = config.model_dump(mode="json")
    controls = ["keep-signs", {"name": "reinitialise", "initialiser": "he_normal"}]
    branch = IMP.branch(run, controls, [2, 3], 3, None)
    assert (branch.name, branch.controlled, branch.monte_carlo) == ("quickstart-branch", [2, 3], ())
    assert [control.arm.key for control in branch.controls] == ["keep-signs", "reinitialise he_normal"]
    same = ("data", "model", "train", "prune", "seeds", "execution")
    assert branch.model_dump(include=set(same), mode="json") == {name: run[name] for name in same}
    assert IMP.plan(branch).trainings == 11 + 2 * 2 * 3
    again = IMP.branch(branch.model_dump(mode="json"), ["shuffle-even"], None, 1, None)
    assert (again.name, again.controlled) == ("quickstart-branch", [2, 3])
    assert IMP.branch(run, ["keep-signs"], None, 1, "mine").name == "mine"
    run = load("train.objective.draws=2").model_dump(mode="json")
    for variational, draws in ((None, 1), ({}, 2)):  # deterministic tickets have no objective
        run["model"]["variational"] = variational
        assert IMP.branch(run, ["keep-signs"], None, 1, None).train.objective.draws == draws
    with refused("--levels", "0-10", "quickstart"):
        IMP.branch(load("control_densities=[]").model_dump(mode="json"), ["keep-signs"], None, 1, None)
