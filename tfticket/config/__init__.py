"""Configurations: frozen, typed, and refused if they hold a key we do not know.

One definition feeds YAML files, ``-o`` overrides on the command line, forms and fingerprints. Nothing here
imports TensorFlow.
"""

from tfticket.config.data import ENDINGS, DataConfig, Initialiser, ModelConfig, name_of
from tfticket.config.experiment import Execution, ExperimentConfig
from tfticket.config.monte_carlo import DrawStep, FitStep, MonteCarlo
from tfticket.config.population import MemberStep, Population
from tfticket.config.pruning import Control, PruneConfig, PruneStep
from tfticket.config.sampling import PART, SHORTEST_WARMUP, PriorConfig, SampleConfig, SampleStep
from tfticket.config.schema import MOST
from tfticket.config.step_configs import (
    ControlStep,
    EnsembleStep,
    EvaluateStep,
    PoolStep,
    StartStep,
    TrainStep,
    TransplantStep,
    scientific_fields,
)
from tfticket.config.training import Adam, Augment, Sgd, TrainConfig, check_augment, check_lengths
from tfticket.config.variational import Carried, Objective, Variational

__all__ = [
    "ENDINGS",
    "MOST",
    "PART",
    "SHORTEST_WARMUP",
    "Adam",
    "Augment",
    "Carried",
    "Control",
    "ControlStep",
    "DataConfig",
    "DrawStep",
    "EnsembleStep",
    "EvaluateStep",
    "Execution",
    "ExperimentConfig",
    "FitStep",
    "Initialiser",
    "MemberStep",
    "ModelConfig",
    "MonteCarlo",
    "Objective",
    "PoolStep",
    "Population",
    "PriorConfig",
    "PruneConfig",
    "PruneStep",
    "SampleConfig",
    "SampleStep",
    "Sgd",
    "StartStep",
    "TrainConfig",
    "TrainStep",
    "TransplantStep",
    "Variational",
    "check_augment",
    "check_lengths",
    "name_of",
    "scientific_fields",
]
