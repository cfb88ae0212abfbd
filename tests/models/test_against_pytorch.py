"""The networks against PyTorch's of the benchmark, on equal weights; skipped where PyTorch is not installed."""

import numpy as np
import pytest

import tfticket as tt
from tfticket.models import named_variables

torch = pytest.importorskip("torch", reason="a peer, never needed: `make bench` installs it")


@pytest.fixture
def pair(request):
    """Ours and theirs, with the same random weights."""
    from experiments.benchmarks.torch_models import build

    ours = tt.build_model(request.param, input_shape=(32, 32, 3), num_classes=10)
    random = np.random.default_rng(0)
    weights = {}
    for path, (_, variable) in named_variables(ours).items():
        kernel, spread = path.endswith("/kernel"), path.endswith(("/gamma", "variance"))
        scale = np.sqrt(2 / np.prod(variable.shape[:-1])) if kernel else 0.1
        weights[path] = (random.normal(float(spread), scale, variable.shape)).astype(np.float32)
        weights[path] = np.abs(weights[path]) if spread else weights[path]
        variable.assign(weights[path])
    theirs = build(request.param)
    state = theirs.state_dict()
    copied = vit(weights) if request.param == "vit-tiny" else in_order(request.param, weights, theirs)
    for name, values in copied.items():
        state[name] = torch.tensor(np.ascontiguousarray(values))
    theirs.load_state_dict(state)
    return ours, theirs


def of_layer(weights, path):
    """A layer's weights as PyTorch calls them."""
    names = {"bias": "bias", "gamma": "weight", "beta": "bias"}
    names |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    named = {name: weights[f"{path}/{ours}"] for ours, name in names.items() if f"{path}/{ours}" in weights}
    if (kernel := weights.get(f"{path}/kernel")) is not None:
        named["weight"] = kernel.T if kernel.ndim == 2 else kernel.transpose(3, 2, 0, 1)
    return named


def in_order(name, weights, theirs):
    """Of networks whose layers follow one another; ResNets' shortcuts come after their blocks' convolutions."""
    layers = list(dict.fromkeys(path.rpartition("/")[0] for path in weights))
    if name.startswith("resnet"):
        blocks = list(dict.fromkeys(layer.partition("_conv")[0] for layer in layers if "_conv_1" in layer))
        parts = ("conv_1", "conv_1_norm", "conv_2", "conv_2_norm", "shortcut", "shortcut_norm")
        inside = [f"{block}_{part}" for block in blocks for part in parts]
        layers = ["stem", "stem_norm", *(layer for layer in inside if layer in layers), "dense"]
    modules = [
        path for path, module in theirs.named_modules() if "weight" in dict(module.named_parameters(recurse=False))
    ]
    assert len(modules) == len(layers)
    copied = {}
    for module, layer in zip(modules, layers, strict=True):
        values = of_layer(weights, layer)
        if name == "conv-2" and layer == "dense_1":  # flattened channels first
            values["weight"] = values["weight"].reshape(256, 16, 16, 64).transpose(0, 3, 1, 2).reshape(256, -1)
        copied |= {f"{module}.{name}": value for name, value in values.items()}
    return copied


def vit(weights):
    """Of the transformer, whose attention PyTorch keeps in one tensor."""
    copied = {f"patches.{name}": value for name, value in of_layer(weights, "patches").items()}
    copied |= {"token": weights["class/token"], "positions": weights["positions/embedding"]}
    for number in range(12):
        ours, theirs = f"block_{number + 1}", f"blocks.layers.{number}"
        attention = [of_layer(weights, f"{ours}_{part}") for part in ("query", "key", "value")]
        for name in ("weight", "bias"):
            copied[f"{theirs}.self_attn.in_proj_{name}"] = np.concatenate([part[name] for part in attention])
        layers = {"out": "self_attn.out_proj", "dense_1": "linear1", "dense_2": "linear2", "norm_1": "norm1"}
        for layer, module in (layers | {"norm_2": "norm2"}).items():
            copied |= {f"{theirs}.{module}.{n}": value for n, value in of_layer(weights, f"{ours}_{layer}").items()}
    for layer, module in {"norm": "blocks.norm", "dense": "head"}.items():
        copied |= {f"{module}.{name}": value for name, value in of_layer(weights, layer).items()}
    return copied


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("pair", ["conv-2", "resnet-20", "resnet-18", "vgg-11", "vit-tiny"], indirect=True)
def test_logits_are_pytorchs(pair, training):
    ours, theirs = pair
    images = np.random.default_rng(1).random((4, 32, 32, 3), np.float32)
    theirs.train(training)
    with torch.no_grad():
        expected = theirs(torch.tensor(images.transpose(0, 3, 1, 2))).numpy()
    logits = ours(images, training=training).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())
    if training:  # the running statistics: PyTorch's variance is the unbiased one
        means = [float(v.numpy().sum()) for path, (_, v) in named_variables(ours).items() if "moving_mean" in path]
        running = [float(value.sum()) for name, value in theirs.named_buffers() if name.endswith("running_mean")]
        assert sorted(means) == pytest.approx(sorted(running), abs=1e-3)
