"""Benchmarks: each measures one thing and prints it beside its target.

``python -m experiments.benchmarks`` runs all of them; ``--list`` shows their names. Quiet machines give true
figures: nothing else should run. A missed target is printed, never an error.
"""

BENCHMARKS = {
    "epoch": "an epoch of LeNet-300-100, against PyTorch and Model.fit",
    "overhead": "what the lab adds to the trainings of a level loop",
    "main_job": "the whole quickstart: wall time and peak memory",
    "startup": "`import tfticket` and `tfticket --help`",
    "data": "50,000 images from an npz to the device: time and memory",
    "augmentation": "what flips and crops add to a step of Conv-2",
    "costs": "a training step of every network, for the costs of presets",
    "networks": "a step of Conv-2, ResNet-20, VGG-11, ViT-tiny; evaluation; memory; against PyTorch",
    "inside": "what is done to ResNet-18's mask: controls, algebra, inspection",
    "monte_carlo": "a Monte Carlo ticket for Conv-6, against a training",
    "vi_step": "a step of variational inference, against torch-blue and deterministic steps; memory",
    "nuts_gradient": "exact gradients of tickets' posteriors, against JAX and TensorFlow; memory; cost",
    "nuts_draws": "draws of NUTS against NumPyro; what the sampler adds to its gradients",
    "gui": "the window: start, opening, stalls, CPU, memory",
    "workspaces": "listing 200 runs of 10,000 events, and reading one",
    "determinism": "what op determinism costs, and whether bits repeat",
}
"""Name, which is also the module's, -> one line about it."""
