"""What a stranger's ticket may make this process build. Needs TensorFlow."""

import copy
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

import tfticket as tt
from tfticket.backend import keras
from tfticket.models import allow_list, model_from_spec, spec_of, trust
from tfticket.models.allow_list import entries_of, is_harmless

layers = keras.layers
ARGUMENTS = {
    "Activation": ("relu",),
    "CenterCrop": (2, 2),
    "Conv3D": (2, 2),
    "Dense": (3,),
    "EinsumDense": ("ab,bc->ac", 3),
    "Embedding": (5, 3),
    "LSTM": (3,),
    "GRU": (3,),
    "SimpleRNN": (3,),
    "LSTMCell": (3,),
    "GRUCell": (3,),
    "SimpleRNNCell": (3,),
    "MultiHeadAttention": (2, 3),
    "Permute": ((2, 1),),
    "RepeatVector": (3,),
    "Rescaling": (0.5,),
    "Resizing": (4, 4),
    "Reshape": ((4, 1),),
    "GaussianNoise": (0.1,),
    "Dot": (1,),
    "Bidirectional": (layers.LSTM(3),),
    "TimeDistributed": (layers.Dense(3),),
    "SpectralNormalization": (layers.Dense(3),),
    "RNN": (layers.LSTMCell(3),),
    "StackedRNNCells": ([layers.LSTMCell(3), layers.GRUCell(2)],),
}


def made(name):
    kind = getattr(layers, name)
    if "Conv" in name:
        return kind(2, 2) if "Depthwise" not in name else kind(2)
    rate = (0.1,) if "Dropout" in name else ()
    return kind(*ARGUMENTS.get(name, rate))


@pytest.mark.parametrize("name", sorted(allow_list._LAYERS - {"InputLayer"}))
def test_every_allowed_layer_is_let_in_as_keras_writes_it(name):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(made(name))))
    assert all(map(is_harmless, entries_of(config)))


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_initializer": keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")},
        {"kernel_initializer": keras.initializers.Constant(0.5), "activation": "gelu"},
        {"kernel_regularizer": "l2", "bias_constraint": keras.constraints.MaxNorm(2.0)},
        {"dtype": "mixed_bfloat16", "bias_initializer": "random_normal"},
    ],
)
def test_keras_own_initialisers_activations_and_the_like_are_let_in(options):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layers.Dense(3, **options))))
    assert all(map(is_harmless, entries_of(config)))


def sequential(*parts, size=784):
    start = {"batch_input_shape": [None, size], "dtype": "float32", "sparse": False, "ragged": False, "name": "i"}
    return {"keras": part("Sequential", {"name": "s", "layers": [part("InputLayer", start), *parts]}, "keras")}


def part(kind, config, module="keras.layers"):
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def dense(units, name="d", **options):
    return part("Dense", {"name": name, "units": units, **options})


@pytest.fixture
def fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    return str(tmp_path / "fifo")


LOOKUPS = ["StringLookup", "IntegerLookup", "TextVectorization", "Hashing", "CategoryEncoding", "Discretization"]


@pytest.mark.parametrize("module", ["keras.layers", None, "keras", "tf_keras.src.layers.preprocessing.string_lookup"])
@pytest.mark.parametrize("kind", [*LOOKUPS, "Lambda", "LocallyConnected1D", "RandomFlip", "Wrapper", "DenseFeatures"])
def test_layers_that_may_read_files_or_cost_more_than_their_weights_are_refused(kind, module, fifo):
    bad = part(kind, {"name": "x", "vocabulary": fifo}, module)
    for spec in (sequential(bad), sequential(part("Sequential", {"name": "inner", "layers": [bad]}, "keras"))):
        with pytest.raises(tt.InputError, match=rf"The model holds {kind}.* would run code .*or read files"):
            model_from_spec(spec)


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "get_file"},
        {"activation": "deserialize"},
        {"activation": "mine>cubed"},
        {"activation": {"class_name": "function", "config": "deserialize", "module": "builtins"}},
        {"activation": {"class_name": "function", "config": "system", "module": "os", "registered_name": "system"}},
        {"kernel_initializer": "mine>Init"},
        {"kernel_initializer": "Foreign"},
        {"kernel_initializer": part("Init", {}, "mine")},
        {"kernel_initializer": part("Zeros", {}, "keras.initializers") | {"registered_name": "mine>Zeros"}},
        {"kernel_regularizer": "foreign"},
        {"kernel_constraint": part("Lookup", {}, "keras.constraints")},
        {"path": "/etc/passwd"},
        {"path": "~/file"},
        {"url": "http://localhost/x"},
        {"deep": {"in": ["file:///x"]}},
    ],
)
def test_arguments_that_name_code_paths_or_addresses_are_refused(options):
    with pytest.raises(tt.InputError, match="would run code"):
        model_from_spec(sequential(dense(3, **options)))


def test_a_registered_foreign_name_is_refused_though_its_package_is_imported():
    @keras.saving.register_keras_serializable("mine")
    class Init(keras.initializers.Zeros):
        pass

    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layers.Dense(3, kernel_initializer=Init()))))
    with pytest.raises(tt.InputError, match="holds Init"):
        model_from_spec(sequential(config))


def test_an_unrolled_loop_is_refused():
    rnn = part("LSTM", {"name": "r", "units": 3, "unroll": True})
    with pytest.raises(tt.InputError, match="holds LSTM"):
        model_from_spec(sequential(part("Reshape", {"name": "shape", "target_shape": [784, 1]}), rnn))


def operation(inputs):
    images = part("InputLayer", {"batch_input_shape": [None, 3], "dtype": "float32", "name": "i"})
    ones = part("TFOpLambda", {"name": "o", "function": "broadcast_to"}, "tf_keras.src.layers.core.tf_op_layer")
    calls = [images | {"name": "i", "inbound_nodes": []}, ones | {"name": "o", "inbound_nodes": [inputs]}]
    whole = {"name": "m", "layers": calls, "input_layers": [["i", 0, 0]], "output_layers": [["i", 0, 0]]}
    return {"keras": part("Functional", whole, "tf_keras.src.engine.functional")}


def test_a_computation_of_constants_alone_is_not_begun():
    with pytest.raises(tt.InputError, match="holds TFOpLambda"):
        model_from_spec(operation(["_CONSTANT_VALUE", -1, 1.0, {"shape": [10**13]}]))


def test_what_compiled_a_model_is_left_out(monkeypatch):
    own = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)])
    own.compile("sgd", "mse")
    spec = json.loads(json.dumps(spec_of(own)))
    monkeypatch.setattr(trust, "_TRUSTED", set())
    spec["keras"]["compile_config"]["loss"] = part("Foreign", {}, "mine")
    with pytest.raises(tt.InputError, match="holds Foreign"):
        model_from_spec(spec)
    spec["keras"]["compile_config"]["loss"] = "mse"
    assert model_from_spec(spec).optimizer is None


def test_a_keras_layer_that_is_not_allowed_is_let_in_with_the_arguments_that_a_model_had_here(monkeypatch):
    monkeypatch.setattr(trust, "_TRUSTED", set())
    own = keras.Sequential(
        [keras.Input((4,)), layers.Discretization([0.0, 1.0]), layers.Rescaling(1.0), layers.Dense(10)], name="own"
    )
    spec = json.loads(json.dumps(spec_of(own)))
    assert model_from_spec(spec).output_shape == (None, 10)
    other = copy.deepcopy(spec)
    other["keras"]["config"]["layers"][1]["config"]["bin_boundaries"] = [0.5]
    with pytest.raises(tt.InputError, match="holds Discretization"):
        model_from_spec(other)


@pytest.mark.parametrize("depth", [200, 3000])
def test_models_within_models_without_end_are_refused(depth):
    inner = dense(3)
    for _ in range(depth):
        inner = part("Sequential", {"name": "s", "layers": [inner]}, "keras")
    with pytest.raises(tt.InputError):
        model_from_spec(sequential(inner))


def test_a_million_layers_are_refused():
    with pytest.raises(tt.InputError, match=r"more than 20,000 layers"):
        model_from_spec(sequential(*[dense(3, f"d{n}") for n in range(20_001)]))


def test_a_layer_whose_output_fills_the_memory_is_refused():
    repeat = part("RepeatVector", {"name": "r", "n": 10**9})
    with pytest.raises(tt.InputError, match="layer r gives 784,000,000,000 numbers for one image"):
        model_from_spec(sequential(repeat))


OVERSIZED = """
import json, resource, sys
from pathlib import Path
import tfticket as tt
from tfticket.runs.artefacts import load_tensors, save_tensors
from tfticket.inspection.graph import network_for_inspection
from tfticket.models import model_from_spec

path = Path(sys.argv[1])
tt.Ticket.load(path).build_model()  # TensorFlow is loaded and warm
tensors, header = load_tensors(path, "ticket")
for name in ("format", "kind", "versions", "sha256"):
    header.pop(name, None)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300 * 2**20,) * 2)
for spec in json.loads(sys.argv[2]):
    save_tensors(path, "ticket", tensors, header | {"model": spec})
    ticket = tt.Ticket.load(path)
    builders = (ticket.build_model, lambda: network_for_inspection(ticket.model), lambda: model_from_spec(ticket.model))
    for use in builders:
        try:
            use()
            print("built")
        except tt.InputError as error:
            print(error)
"""

HUGE = {
    "units": sequential(dense(4_000_000), dense(10, "e")),
    "classes": {
        "name": "lenet-300-100",
        "input_shape": [28, 28, 1],
        "num_classes": 4_000_000,
        "initialiser": "glorot_normal",
    },
    "images": {"name": "conv-2", "input_shape": [4000, 4000, 3], "num_classes": 10, "initialiser": "glorot_normal"},
    "embedding": sequential(part("Embedding", {"name": "e", "input_dim": 10**9, "output_dim": 100}), size=1),
    "a recurrent layer": sequential(
        part("Reshape", {"name": "shape", "target_shape": [784, 1]}), part("LSTM", {"name": "r", "units": 10**5})
    ),
    "one layer after another": sequential(*[dense(300, f"d{n}") for n in range(100)]),
    "variational": {
        **sequential(dense(4_000_000), dense(10, "e")),
        "variational": {},
    },
}


def test_networks_that_are_larger_than_their_tickets_are_refused_before_they_take_memory(tmp_path):
    path = tmp_path / "ticket.safetensors"
    tt.Ticket.dense(tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10)).save(path)
    command = [sys.executable, "-c", OVERSIZED, str(path), json.dumps(list(HUGE.values()))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert len(lines) == 3 * len(HUGE)
    assert all("or more, but holds 266,610. It is damaged or made to fill the memory" in line for line in lines)


@pytest.mark.parametrize("name", ["a b", "[red]a[/]", "\x1b[31m", "_a", "é", "", "a\\b", 3])
@pytest.mark.parametrize("place", ["model", "layer", "inner model", "wrapped layer"])
def test_a_name_that_tensorflow_does_not_take_is_refused_when_a_ticket_is_read(name, place):
    inner = keras.Sequential([keras.Input((2, 4)), layers.Dense(3)], name="inner")
    wrapped = [layers.TimeDistributed(layers.Dense(3)), layers.Flatten()]
    stack = [keras.Input((2, 4)), inner, *wrapped, layers.Dense(2)]
    ticket = tt.Ticket.dense(keras.Sequential(stack, name="outer"))
    spec = copy.deepcopy(ticket.model)
    parts = spec["keras"]["config"]["layers"]
    wrapped_layer = parts[2]["config"]["layer"]
    entry = {"model": spec["keras"], "layer": parts[4], "inner model": parts[1], "wrapped layer": wrapped_layer}[place]
    entry["config"]["name"] = name
    with pytest.raises(tt.InputError, match=r"is named .*, which TensorFlow does not accept; expected letters"):
        replace(ticket, model=spec)


def test_a_users_model_of_such_a_name_is_refused_before_any_training():
    model = keras.Sequential([keras.Input((4,), name="in put"), layers.Dense(3)], name="my model")
    for call in (tt.Ticket.dense, tt.to_variational):
        with pytest.raises(tt.InputError, match="is named 'my model', which TensorFlow does not accept"):
            call(model)
    model._name = "my/model-1"
    assert tt.Ticket.dense(model).name == "my/model-1"
