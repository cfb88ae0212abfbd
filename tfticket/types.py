"""Names for what passes between the rooms: plain arrays by path."""

from typing import Any

import numpy as np

Weights = dict[str, np.ndarray]
"""Path of a weight (layer's name + '/' + variable's name) -> array."""

Mask = dict[str, np.ndarray]
"""Kernel path -> boolean array of the kernel's shape, True = survives."""

Spec = dict[str, Any]
"""A network: ``{"name", "input_shape", "num_classes", "initialiser"}`` if registered, else ``{"keras": config}``."""
