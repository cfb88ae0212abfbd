"""Benchmarks: each measures one thing and prints the figures with their targets.

``python -m experiments.benchmarks`` runs all of them; ``--list`` shows their names. Nothing else should run on the
machine meanwhile. A missed target is reported, and is not an error.
"""

BENCHMARKS = {
    "epoch": "an epoch of LeNet-300-100, against PyTorch and Model.fit",
    "overhead": "time that the lab adds to the trainings of a level loop",
    "main_job": "the whole quickstart: wall time and peak memory",
    "startup": "`import tfticket` and `tfticket --help`",
    "data": "50,000 images from an npz to the device: time and memory",
    "augmentation": "time that flips and crops add to a step of Conv-2",
    "costs": "a training step of every network, for the costs of presets",
    "networks": "a step of Conv-2, ResNet-20, VGG-11, ViT-tiny; evaluation; memory; against PyTorch",
    "masks": "operations on the mask of ResNet-18: controls, algebra, inspection",
    "monte_carlo": "a Monte Carlo ticket for Conv-6, against a training",
    "sparse_training": "training and prediction over surviving weights, against PyTorch, Keras and ONNX Runtime",
    "vi_step": "a step of variational inference, against torch-blue and deterministic steps; memory",
    "nuts_gradient": "exact gradients of tickets' posteriors, against JAX and TensorFlow; memory; cost",
    "nuts_draws": "draws of NUTS against NumPyro; overhead of the sampler over its gradients",
    "ess": "effective draws per gradient and per minute, by sampler, against NumPyro",
    "gui": "the window: start, opening, stalls, CPU, memory",
    "workspaces": "listing 200 runs of 10,000 events, and reading one",
    "determinism": "cost of op determinism, and whether bits repeat",
}
"""Name, also of the module -> a one-line description."""
