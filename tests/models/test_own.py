"""Networks of users' own: shared and nested layers, custom ones, functions and files. Needs TensorFlow."""

import re
import sys
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tests.models.networks import IMAGE, KERNELS, Holding, Scaling, attentive, cubed, ending, nested, relu
from tests.refusals import refused
from tests.rounding import assert_equal_but_for_rounding
from tfticket._experiments import imp
from tfticket.backend import keras, tf
from tfticket.config import ModelConfig, StartStep
from tfticket.config.schema import validate
from tfticket.fingerprint import fingerprint
from tfticket.models import initial_weights, kernel_shapes, model_from_spec, named_variables, spec_of, trust
from tfticket.models.variables import canonical_names, unprunable_layers
from tfticket.network import network_of
from tfticket.presets import load_experiment
from tfticket.registry import MODELS, Entry
from tfticket.tickets.controls import reinitialise, shuffle_layerwise

layers = keras.layers
pytestmark = pytest.mark.usefixtures("without_xla")


@pytest.fixture(scope="module")
def few(data):
    """MNIST in 8 x 8 pixels."""
    splits = ("train", "validation", "test")
    rows = {f"x_{split}": data.split(split)[0][:200, 4:28:3, 4:28:3] for split in splits}
    return tt.load_data("few", **rows, **{f"y_{split}": data.split(split)[1][:200] for split in splits})


@pytest.mark.parametrize("build", KERNELS, ids=lambda build: build.__name__)
def test_a_network_of_ones_own_is_pruned_computed_and_trained(build, few, tmp_path):
    model = build()
    assert kernel_shapes(model) == KERNELS[build], "each once, by its path"
    dense = tt.Ticket.dense(model, seed=1)
    random = np.random.default_rng(0)
    mask = {path: random.random(kept.shape) < 0.4 for path, kept in dense.mask.items()}
    replace(dense, mask=mask).save(tmp_path / "ticket.safetensors")
    ticket = tt.Ticket.load(tmp_path / "ticket.safetensors")
    for path, (_, variable) in named_variables(model).items():
        variable.assign(ticket.start[path] * mask.get(path, True))
    images = few.x_test[:20]
    network = network_of(ticket.model)
    network.assign(ticket.mask, ticket.start)
    expected = model(images / np.float32(255)).numpy()
    assert_equal_but_for_rounding(network.logits(images), expected, terms=8 * 8)
    trained = tt.train(ticket, few, train={"epochs": "5it"})
    for path, kept in mask.items():
        assert np.all(trained.weights[path][~kept] == 0)
        assert np.any(trained.weights[path] != ticket.start[path] * kept)


def test_layers_that_cannot_be_pruned_or_are_exempt_stay_whole(few):
    assert unprunable_layers(attentive()).keys() == {"attention", "both", "each", "holding"}
    options = {"sparsity": 0.5, "levels": 1, "train": {"epochs": "2it"}}
    ticket = tt.find_tickets(nested(), few, exempt=["head/dense"], **options)[-1]
    assert ticket.provenance["left_alone"] == {"encoder/separable": "SeparableConv2D"}
    assert ticket.survivors["head/dense/kernel"] == 60
    assert abs(sum(ticket.survivors.values()) - 60 - 0.5 * (3 * 3 * 3 + 32 * 6)) <= 0.5


# Names of weights, which seed their draws


def test_weights_inside_a_layer_are_named_by_what_leads_to_them_and_have_its_initialisers():
    model = attentive()
    paths = list(named_variables(model))
    for path in ("attention/query_dense/kernel", "each/kernel", "both/backward_layer/cell/bias", "out/bias"):
        assert path in paths
    inside = [path for path in paths if path.startswith("holding") and path.endswith("kernel")]
    assert inside == ["holding/first/kernel", "holding/others/0/kernel", "holding/others/1/kernel"]
    drawn = initial_weights(model, 0)
    for path, (_, variable) in named_variables(model).items():
        assert drawn[path].std() == pytest.approx(variable.numpy().std(), rel=0.5, abs=1e-6), path


def unnamed():
    inside = keras.Sequential([layers.Dense(20, activation="relu"), layers.Dense(20, name="dense_0x")])
    return ending(layers.Dense(20, activation="relu"), inside, layers.Dense(20), Holding(), layers.Dense(10), name=None)


def test_automatic_names_do_not_change_the_draws():
    layers.Dense(1)
    names = [path.removesuffix("/kernel") for path in canonical_names(unnamed()).values() if path.endswith("/kernel")]
    assert names[:4] == ["dense", "sequential/dense", "sequential/dense_0x", "dense_1"]
    assert names[4:] == ["holding/first", "holding/others/0", "holding/others/1", "dense_2"]
    once, again = (tt.Ticket.dense(unnamed(), seed=1) for _ in range(2))
    assert list(once.start) != list(again.start)
    for change in (lambda ticket: ticket, lambda ticket: reinitialise(ticket, 2)):
        assert all(map(np.array_equal, change(once).start.values(), change(again).start.values()))
    half = [np.random.default_rng(0).random(kept.shape) < 0.5 for kept in once.mask.values()]
    halved = [replace(ticket, mask=dict(zip(ticket.mask, half, strict=True))) for ticket in (once, again)]
    assert all(map(np.array_equal, *(shuffle_layerwise(ticket, 3).mask.values() for ticket in halved)))


# Networks that cannot be tickets

Forgetful = type("Forgetful", (Scaling,), {"get_config": lambda self: {"name": self.name}})
Unwritable = type("Unwritable", (Scaling,), {"get_config": lambda self: {"name": self.name, "factor": object()}})
Other = type("Scaling", (Scaling,), {"__module__": "another"})
Plus = type("Plus", (layers.Layer,), {"call": lambda self, inputs: inputs + tf.constant(1.0)})  # in float32 alone
Subclassed = type("Subclassed", (keras.Model,), {"call": lambda self, inputs: inputs})


class Nameless(Holding):
    """Keras makes its configuration, but finds the name only where it is called so, or in **kwargs."""

    def __init__(self, **options):
        super().__init__(**options)


def tied_across_models():
    tied = layers.Dense(64, name="tied")
    return ending(keras.Sequential([keras.Input((64,)), tied], name="encoder"), tied, layers.Dense(10))


def adapted():
    norm = layers.Normalization(name="norm")
    norm.adapt(np.ones((4, 64), np.float32))
    return ending(norm, layers.Dense(10))


def recurrent(**dropout):
    return ending(layers.Reshape((8, 8)), layers.LSTM(3, **dropout, name="lstm"), layers.Dense(10))


def ends_in(function):
    model = ending(layers.Dense(10))
    return keras.Model(model.inputs, function(model.outputs[0]), name="refused")


OPEN = [keras.Input((None, 8)), layers.GlobalAveragePooling1D(), layers.Dense(10)]
Dense, LOGITS = layers.Dense, "does not end in logits"
REFUSED = {
    "no model": (lambda: "lenet", "str"), "subclassed": (Subclassed, "subclassed"), "no kernel": ([], "to prune"),
    "not built": (lambda: keras.Sequential([Dense(2)]), "not built"), "adapted": (adapted, "norm/count", "int64"),
    "images of logits": (lambda: keras.Sequential([keras.Input(IMAGE), layers.Conv2D(3, 3)]), "[rows, classes]"),
    "open": (lambda: keras.Sequential(OPEN), "(None, 8)"), "one output": ([Dense(1)], "1 outputs"),
    "regularised": ([Dense(10, kernel_regularizer="l2")], "regularisers"),
    "random": ([layers.Dropout(0.5), Dense(10)], "Dropout"), "dropout": (lambda: recurrent(dropout=0.5), "lstm"),
    "recurrent dropout": (lambda: recurrent(recurrent_dropout=0.5), "lstm"),
    "forgetful": ([Forgetful(0.5, name="lost"), Dense(10)], "lost (Forgetful)", "factor"),
    "another name": ([Nameless(name="mine"), Dense(10)], "not the same mine/first/kernel", "its name too"),
    "not to be written": ([Unwritable(0.5, name="lost"), Dense(10)], "lost (Unwritable)"),
    "a Lambda": ([layers.Lambda(cubed, name="code"), Dense(10)], "code holds a lambda"),
    "a lambda": ([Dense(10, activation=lambda x: x, name="code"), Dense(10)], "code holds a lambda"),
    "a name of Keras'": ([Dense(10, activation=relu, name="mine"), Dense(10)], "mine holds relu from"),
    "two of a name": ([Scaling(0.5), Other(0.5, name="other"), Dense(10)], "Scaling from another"),
    "tied": (tied_across_models, "encoder/tied/kernel and tied/kernel"),
    "softmax": ([Dense(10, activation="softmax")], LOGITS), "Softmax": ([Dense(10), layers.Softmax()], LOGITS),
    "softmax inside": ([keras.Sequential([keras.Input((64,)), Dense(10, activation="softmax")])], LOGITS),
    "softmax reshaped": ([Dense(10, activation="softmax"), layers.Reshape((10,))], LOGITS),
    "tf.nn.softmax": (lambda: ends_in(tf.nn.softmax), LOGITS), "tf.sigmoid": (lambda: ends_in(tf.sigmoid), LOGITS),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("name", REFUSED)
def test_networks_that_cannot_be_tickets_are_refused_with_the_reason(name, monkeypatch):
    monkeypatch.setattr(trust, "_USER_CODE", {"Scaling": Scaling})
    parts, *mentions = REFUSED[name]
    with refused("model", None, *mentions):
        tt.Ticket.dense(ending(*parts) if isinstance(parts, list) else parts())


def test_logits_may_be_reshaped_but_must_fit_the_data_and_the_precision(few):
    for last in (layers.Reshape((10,)), layers.Activation("linear"), layers.BatchNormalization()):
        assert tt.Ticket.dense(ending(layers.Dense(10), last, name="taken")).mask
    with refused("model", None, "11 outputs", "Dense(10)"):
        tt.find_tickets(ending(layers.Dense(11)), few, levels=1)
    with refused("model", None, "(8, 8, 1)"):
        tt.find_tickets(keras.Sequential([keras.Input((64,)), layers.Dense(10)]), few, levels=1)
    with refused("data", None, "9 classes", "Dense(10)"):
        tt.train(tt.Ticket.dense(ending(layers.Dense(9))), few, train={"epochs": "1it"})
    ticket = tt.Ticket.dense(ending(Plus(name="plus"), layers.Dense(10), name="narrow"))
    network = network_of(ticket.model)
    with refused("precision", None, "narrow cannot be computed in bfloat16"):
        network_of(ticket.model, "bfloat16")
    kernel = next(path for path in ticket.start if path.endswith("kernel"))
    for weights in ({kernel: ticket.start[kernel]}, ticket.start | {kernel: np.zeros((2, 2))}):
        with refused("weights", None, kernel):
            network.assign(ticket.mask, weights)


# By name: a function, a file

SOURCE = """
from tfticket.backend import keras
layers = keras.layers

def network(shape, *last):
    return keras.Sequential([keras.Input(shape), layers.Flatten(), *last], name="mine")

class Scaled(layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight("factor", shape[-1:], initializer="ones")
    def call(self, inputs):
        return inputs * self.factor

def build(input_shape, num_classes):
    return network(input_shape, layers.Dense(num_classes, name="out"))
def scaled(input_shape, num_classes):
    return network(input_shape, Scaled(name="scaled"), layers.Dense(num_classes))
def wide(input_shape, num_classes, initialiser=None):
    return build(input_shape, num_classes + 2)
def narrow(input_shape, num_classes):
    return build(input_shape, num_classes - 1)
def broken(input_shape, num_classes):
    raise RuntimeError("no idea")
def nothing(input_shape, num_classes, initialiser=None):
    pass
def unnamed(input_shape, num_classes, initialiser="glorot_normal"):
    return network(input_shape, layers.Dense(20), layers.Dense(num_classes))
def deep(input_shape, num_classes):
    pools = [layers.MaxPooling2D(name=f"pool_{number}") for number in range(5)]
    return keras.Sequential([keras.Input(input_shape), *pools, layers.Flatten(), layers.Dense(num_classes)])
text = "no function"
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A module `my_networks` in the current folder, of which some functions are registered as by a package."""
    (tmp_path / "my_networks.py").write_text(SOURCE)
    (tmp_path / "fails_itself.py").write_text("import nothing_of_this_name\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(path for path in sys.path if path)])
    for name in ("my_networks", "fails_itself"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    targets = {name: Entry(f"my_networks:{name}", "") for name in ("unnamed", "narrow", "wide", "nothing")}
    monkeypatch.setitem(vars(MODELS), "_all", {**MODELS, **targets})
    yield tmp_path
    sys.modules.pop("my_networks", None)


def test_unnamed_layers_have_the_same_names_whatever_was_built_before(package, few):
    for name in ("my_networks:unnamed", "unnamed"):
        once, again = (tt.build_model(name, few) for _ in range(2))
        assert list(kernel_shapes(once)) == list(kernel_shapes(again)) == ["dense/kernel", "dense_1/kernel"]
        assert list(named_variables(model_from_spec(spec_of(once)))) == list(named_variables(once))
    ticket = tt.find_tickets(again, few, sparsity=0.5, levels=1, exempt=["dense_1"], train={"epochs": "1it"})[-1]
    assert ticket.survivors["dense_1/kernel"] == 200


UNUSABLE = """
narrow: fails with TypeError | wide: Dense(10) | nothing: returns NoneType | my_networks:biuld: has no 'biuld'
my_network:build: no module 'my_network' | my_networks:text: is str | my_networks:broken: RuntimeError: no idea
my_networks:narrow: 9 outputs | my_networks:deep: its layer pool_4 has too few pixels left
my_networks.py:build: Write it without .py | sys:exit: no source file | fails_itself:build: nothing_of_this_name
"""


@pytest.mark.parametrize("case", UNUSABLE.replace("|", "\n").strip().splitlines())
def test_a_network_that_cannot_be_built_by_name_is_refused(case, package, data):
    name, mention = (part.strip() for part in re.split(r": ", case, maxsplit=1))
    with refused("model.name", "my_networks:build" if ".py" in name else None, name.partition(":")[0], mention):
        tt.build_model(name, data)


def test_whether_weights_can_be_drawn_and_control_densities_fit_is_known_before_a_run(package, monkeypatch):
    changes = [], ["controls=[shuffle-layerwise]"], ["control_densities=[]"], ["model.start=seed"]
    for change, fails in zip(changes, (True, False, False, True), strict=True):
        monkeypatch.setattr(trust, "_USER_CODE", {})
        config = load_experiment("quickstart", ["model.name=my_networks:scaled", "model.start=current", *change])
        with refused("start", "current", "scaled") if fails else nullcontext():
            imp.Imp().check_model(config)
    far, none = (["train.engine=keras", more] for more in ("control_densities=[0.25, 0.0001]", "controls=[]"))
    (note,) = imp.Imp().check_model(load_experiment("quickstart", far))
    assert "0.0001" in note and "level 10, of density 0.01" in note  # noqa: PT018
    assert not imp.Imp().check_model(load_experiment("quickstart", [*none, "control_densities=[0.0001]"]))
    for values in ({"name": "my_networks:build", "initialiser": "he_normal"}, {"name": "lenet-5", "start": "current"}):
        with pytest.raises(tt.InputError, match="own network"):
            validate(ModelConfig, values, where="here")


def test_a_keras_file_is_loaded_with_its_weights_and_refused_if_damaged(package, few, call):
    model = tt.build_model("my_networks:build", few)
    model.save("mine.keras")
    again = tt.build_model("mine.keras", few)
    np.testing.assert_array_equal(tt.Ticket.dense(again, start="current").start["out/kernel"], model.get_weights()[0])
    content = (package / "mine.keras").read_bytes()
    for damaged in (b"no zip", content[: len(content) // 2]):
        (package / "mine.keras").write_bytes(damaged)
        with refused("model.name", None, "mine.keras is damaged"):
            tt.build_model("mine.keras", few)
    code, _, err = call("run", "quickstart-smoke", "-o", "model.name=missing.keras")
    assert (code, "there is no file" in err, "--trust" in err) == (2, True, False)


def test_the_source_of_a_network_counts_in_its_fingerprint_as_it_was_imported(package, data):
    def of(name):
        return fingerprint("start", StartStep(model=ModelConfig(name=name), seed=0), {})

    before = of("my_networks:build")
    (package / "my_networks.py").write_text(SOURCE + "\n# other\n")
    edited = of("my_networks:build")
    assert edited != before
    tt.build_model("my_networks:build", data).save("mine.keras")
    (package / "my_networks.py").write_text(SOURCE)
    assert of("my_networks:build") == edited  # the code that runs here
    del sys.modules["my_networks"]
    assert of("my_networks:build") == before
    (package / "moved.keras").write_bytes((package / "mine.keras").read_bytes())
    (package / "other.keras").write_bytes((package / "mine.keras").read_bytes() + b"x")
    assert of("mine.keras") == of("moved.keras") != of("other.keras")
