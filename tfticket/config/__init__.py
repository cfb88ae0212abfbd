"""Configurations: frozen, typed, and refused if they hold a key we do not know.

One definition feeds YAML files, ``-o`` overrides on the command line, forms and fingerprints. Nothing here
imports TensorFlow.
"""

from tfticket.config.data import ENDINGS, DataConfig, Initialiser, ModelConfig, name_of
from tfticket.config.experiment import Execution, ExperimentConfig
from tfticket.config.pruning import Control, PruneConfig, PruneStep
from tfticket.config.steps import ControlStep, EvaluateStep, StartStep, TrainStep, scientific_fields
from tfticket.config.training import Adam, Augment, Sgd, TrainConfig, check_lengths

__all__ = [
    "ENDINGS",
    "Adam",
    "Augment",
    "Control",
    "ControlStep",
    "DataConfig",
    "EvaluateStep",
    "Execution",
    "ExperimentConfig",
    "Initialiser",
    "ModelConfig",
    "PruneConfig",
    "PruneStep",
    "Sgd",
    "StartStep",
    "TrainConfig",
    "TrainStep",
    "check_lengths",
    "name_of",
    "scientific_fields",
]
