"""What a stranger's ticket may make this process build. Needs TensorFlow."""

import copy
import json
import os
import sys
from dataclasses import replace

import pytest

import tfticket as tt
from tests.models.networks import IMAGE, KERNELS, attentive, ending, operations, own_parts, shared
from tests.processes import execute
from tests.refusals import refused
from tfticket.backend import keras
from tfticket.models import allow_list, kernel_shapes, model_from_spec, named_variables, spec_of, trust
from tfticket.models.allow_list import entries_of, is_harmless

layers = keras.layers
UNITS = ("Dense", "LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell", "SimpleRNNCell", "RepeatVector")
ARGUMENTS = dict.fromkeys(UNITS, (3,)) | {
    "Activation": ("relu",), "Bidirectional": (layers.LSTM(3),), "CenterCrop": (2, 2), "Dot": (1,),
    "EinsumDense": ("ab,bc->ac", 3), "Embedding": (5, 3), "GaussianNoise": (0.1,), "MultiHeadAttention": (2, 3),
    "Permute": ((2, 1),), "RNN": (layers.LSTMCell(3),), "Rescaling": (0.5,), "Reshape": ((4, 1),), "Resizing": (4, 4),
    "SpectralNormalization": (layers.Dense(3),), "StackedRNNCells": ([layers.LSTMCell(3), layers.GRUCell(2)],),
    "TimeDistributed": (layers.Dense(3),),
}  # fmt: skip


def as_json(thing):
    return json.loads(json.dumps(keras.saving.serialize_keras_object(thing)))


def test_every_allowed_layer_and_the_initialisers_and_the_like_of_keras_are_accepted():
    for name in sorted(allow_list._LAYERS - {"InputLayer"}):
        convolution = (2,) if "Depthwise" in name else (2, 2)
        arguments = convolution if "Conv" in name else (0.1,) if "Dropout" in name else ()
        layer = getattr(layers, name)(*ARGUMENTS.get(name, arguments))
        assert all(map(is_harmless, entries_of(as_json(layer)))), name
    drawn = keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")
    options = {"kernel_regularizer": "l2", "bias_constraint": keras.constraints.MaxNorm(2.0), "activation": "gelu"}
    layer = layers.Dense(3, kernel_initializer=drawn, bias_initializer="zeros", dtype="mixed_bfloat16", **options)
    assert all(map(is_harmless, entries_of(as_json(layer))))


def part(kind, config, module="keras.layers"):
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def sequential(*parts, size=784):
    start = {"batch_input_shape": [None, size], "dtype": "float32", "sparse": False, "ragged": False, "name": "i"}
    return {"keras": part("Sequential", {"name": "s", "layers": [part("InputLayer", start), *parts]}, "keras")}


def dense(units, name="d", **options):
    return part("Dense", {"name": name, "units": units, **options})


def check(spec, *mentions):
    with refused(None, None, *mentions):
        model_from_spec(spec)


@pytest.mark.parametrize("kind", ["StringLookup", "TextVectorization", "Discretization", "Lambda", "RandomFlip"])
def test_layers_that_may_read_files_or_cost_more_than_their_weights_are_refused(kind, tmp_path):
    os.mkfifo(tmp_path / "fifo")  # to read it would take for ever
    for module in ("keras.layers", None, "keras", "tf_keras.src.layers.preprocessing.string_lookup"):
        bad = part(kind, {"name": "x", "vocabulary": str(tmp_path / "fifo")}, module)
        for spec in (sequential(bad), sequential(part("Sequential", {"name": "inner", "layers": [bad]}, "keras"))):
            check(spec, f"The model holds {kind}", "would run code", "read files")


@keras.saving.register_keras_serializable("mine")
class Init(keras.initializers.Zeros):
    pass


def from_keras(name, module):
    return {"class_name": "function", "config": name, "module": module, "registered_name": name}


REFUSED = [
    {"activation": "get_file"}, {"activation": "mine>cubed"}, {"activation": from_keras("deserialize", "builtins")},
    {"activation": from_keras("system", "os")}, {"kernel_initializer": "Foreign"},
    {"kernel_initializer": part("Init", {}, "mine")}, {"kernel_initializer": as_json(Init())},
    {"kernel_initializer": part("Zeros", {}, "keras.initializers") | {"registered_name": "mine>Zeros"}},
    {"kernel_regularizer": "foreign"}, {"kernel_constraint": part("Lookup", {}, "keras.constraints")},
    {"path": "/etc/passwd"}, {"path": "~/file"}, {"url": "http://localhost/x"}, {"deep": {"in": ["file:///x"]}},
]  # fmt: skip


@pytest.mark.parametrize("options", REFUSED, ids=str)
def test_arguments_that_name_code_paths_or_addresses_are_refused(options):
    check(sequential(dense(3, **options)), "would run code")


def test_computations_that_grow_or_begin_at_once_or_nest_without_end_are_refused():
    check(sequential(COLUMN, part("LSTM", {"name": "r", "units": 3, "unroll": True})), "holds LSTM")
    images = part("InputLayer", {"batch_input_shape": [None, 3], "dtype": "float32", "name": "i"})
    ones = part("TFOpLambda", {"name": "o", "function": "broadcast_to"}, "tf_keras.src.layers.core.tf_op_layer")
    constants = ["_CONSTANT_VALUE", -1, 1.0, {"shape": [10**13]}]
    calls = [images | {"name": "i", "inbound_nodes": []}, ones | {"name": "o", "inbound_nodes": [constants]}]
    whole = {"name": "m", "layers": calls, "input_layers": [["i", 0, 0]], "output_layers": [["i", 0, 0]]}
    check({"keras": part("Functional", whole, "tf_keras.src.engine.functional")}, "holds TFOpLambda")
    inner = dense(3)
    for depth in range(3000):
        inner = part("Sequential", {"name": "s", "layers": [inner]}, "keras")
        if depth in (199, 2999):
            check(sequential(inner))
    check(sequential(*[dense(3, f"d{number}") for number in range(20_001)]), "20,000 layers")
    check(sequential(part("RepeatVector", {"name": "r", "n": 10**9})), "layer r gives 784,000,000,000 numbers")


# Trust in code of models that were described here


@pytest.fixture
def stranger(monkeypatch):
    """A process in which no model was described yet; describes a model there as data and forgets it."""
    monkeypatch.setattr(trust, "_TRUSTED", set())
    monkeypatch.setattr(trust, "_USER_CODE", {})

    def describe(model):
        spec = json.loads(json.dumps(tt.Ticket.dense(model).model))
        trust._TRUSTED.clear()
        return spec

    return describe


def test_a_class_of_a_stranger_is_refused_until_a_model_with_it_was_built_here(tmp_path, monkeypatch):
    tt.Ticket.dense(own_parts()).save(tmp_path / "ticket.safetensors")
    monkeypatch.setattr(trust, "_TRUSTED", set())
    loaded = tt.Ticket.load(tmp_path / "ticket.safetensors")
    with refused(None, None, "would run code"):
        loaded.build_model()
    spec_of(own_parts())
    assert list(named_variables(loaded.build_model())) == list(loaded.start)


@pytest.mark.parametrize("build", [build for build in KERNELS if build not in (own_parts, attentive)])
def test_a_ticket_of_keras_own_layers_is_built_whoever_wrote_it(build, stranger):
    assert kernel_shapes(model_from_spec(stranger(build()))) == KERNELS[build]


@pytest.mark.parametrize("name", ["strangers_networks:build", "mine.keras"])
def test_a_ticket_names_registered_networks_only(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strangers_networks.py").write_text("raise SystemExit\n")
    ending(layers.Dense(10)).save("mine.keras")
    ticket = tt.Ticket.dense(tt.build_model("lenet-300-100", input_shape=IMAGE, num_classes=10))
    ticket.model["name"] = name
    ticket.save(tmp_path / "ticket.safetensors")
    for use in (lambda: tt.Ticket.load(tmp_path / "ticket.safetensors"), lambda: model_from_spec(ticket.model)):
        with pytest.raises(tt.InputError, match="network"):
            use()
    assert "strangers_networks" not in sys.modules


FOREIGN = [
    {"class_name": "TFOpLambda", "config": {"function": "io.gfile.makedirs"}},
    {"class_name": "ClassMethod", "config": {"cls_symbol": "io.gfile.GFile", "method_name": "write"}},
    {"class_name": "InstanceMethod", "config": {"attr_name": "numpy"}},
    {"class_name": "TensorFlowOpLayer", "config": {"node_def": {"op": "WriteFile"}}},
    {"class_name": "Lambda", "module": None},
    {"class_name": "Other", "module": "tf_keras.src.layers.core.lambda_layer", "registered_name": "Lambda"},
    {"class_name": "function", "config": "get_file", "module": "keras.utils"},
    {"class_name": "TFSMLayer", "config": {"filepath": "x"}, "module": "tf_keras.src.export.export_lib"},
    {"class_name": "Dense", "module": "keras.layers", "registered_name": "mine>Other"},
    {"class_name": "Dense", "module": "os"},
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
def test_code_that_a_config_of_a_stranger_would_run_is_refused(foreign, stranger):
    spec = stranger(operations())
    (layer,) = (layer for layer in spec["keras"]["config"]["layers"] if layer["config"].get("function") == "nn.relu")
    del layer["registered_name"], layer["config"]["function"]
    config = foreign.get("config", {})
    layer |= foreign | {"config": config if isinstance(config, str) else layer["config"] | config}
    check(spec, "would run code")


def test_a_damaged_config_is_refused_and_compile_options_are_left_out(stranger):
    spec = stranger(shared())
    del spec["keras"]["config"]["layers"][2]["config"]["units"]
    check(spec, "cannot be rebuilt")
    own = ending(layers.Dense(10))
    own.compile("sgd", "mse")
    spec = stranger(own)
    spec["keras"]["compile_config"]["loss"] = part("Foreign", {}, "mine")
    check(spec, "holds Foreign")
    spec["keras"]["compile_config"]["loss"] = "mse"
    assert model_from_spec(spec).optimizer is None


def test_a_layer_that_is_not_allowed_is_accepted_with_the_arguments_that_a_model_had_here(stranger):
    spec = json.loads(json.dumps(spec_of(ending(layers.Discretization([0.0, 1.0]), layers.Dense(10)))))
    assert model_from_spec(spec).output_shape == (None, 10)
    other = copy.deepcopy(spec)
    other["keras"]["config"]["layers"][2]["config"]["bin_boundaries"] = [0.5]
    check(other, "holds Discretization")


# Memory and names

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
LENET = {"name": "lenet-300-100", "input_shape": [28, 28, 1], "num_classes": 10, "initialiser": "glorot_normal"}
COLUMN = part("Reshape", {"name": "shape", "target_shape": [784, 1]})
HUGE = [
    sequential(dense(4_000_000), dense(10, "e")), LENET | {"num_classes": 4_000_000},
    LENET | {"name": "conv-2", "input_shape": [4000, 4000, 3]},
    sequential(part("Embedding", {"name": "e", "input_dim": 10**9, "output_dim": 100}), size=1),
    sequential(COLUMN, part("LSTM", {"name": "r", "units": 10**5})),
    sequential(*[dense(300, f"d{number}") for number in range(100)]),
    {**sequential(dense(4_000_000), dense(10, "e")), "variational": {}},
]  # fmt: skip


def test_networks_larger_than_their_tickets_are_refused_before_they_take_memory(tmp_path):
    path = tmp_path / "ticket.safetensors"
    tt.Ticket.dense(model_from_spec(LENET)).save(path)
    lines = execute([sys.executable, "-c", OVERSIZED, path, json.dumps(HUGE)]).stdout.splitlines()
    assert len(lines) == 3 * len(HUGE)
    assert all("or more, but holds 266,610" in line for line in lines)


def test_names_that_tensorflow_does_not_accept_are_refused_before_any_training():
    inner = keras.Sequential([keras.Input((2, 4)), layers.Dense(3)], name="inner")
    stack = [keras.Input((2, 4)), inner, layers.TimeDistributed(layers.Dense(3)), layers.Flatten(), layers.Dense(2)]
    ticket = tt.Ticket.dense(keras.Sequential(stack, name="outer"))
    for name in ("a b", "\x1b[31m", "_a", "", 3):
        for place in range(4):  # the model, a layer, an inner model, a wrapped layer
            spec = copy.deepcopy(ticket.model)
            parts = spec["keras"]["config"]["layers"]
            entry = (spec["keras"], parts[4], parts[1], parts[2]["config"]["layer"])[place]
            entry["config"]["name"] = name
            with refused(None, None, "is named"):
                replace(ticket, model=spec)
    model = keras.Sequential([keras.Input((4,), name="in put"), layers.Dense(3)], name="my model")
    for call in (tt.Ticket.dense, tt.to_variational):
        with refused(None, None, "'my model'"):
            call(model)
    model._name = "my/model-1"
    assert tt.Ticket.dense(model).name == "my/model-1"
