"""Data sets: images or features, labels, split, normalisation.

Readers of files are imported at their first use: windows and help texts that only name data sets do without.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfticket.data.dataset import Dataset, check_alike
    from tfticket.data.load import load_data, load_dataset, split_rows
    from tfticket.data.normalisation import Normalisation

_WHERE = {"Dataset": "dataset", "Normalisation": "normalisation", "check_alike": "dataset"}
_WHERE |= dict.fromkeys(("load_data", "load_dataset", "split_rows"), "load")

__all__ = ["Dataset", "Normalisation", "check_alike", "load_data", "load_dataset", "split_rows"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'tfticket.data' has no attribute '{name}'")
    return getattr(importlib.import_module(f"tfticket.data.{_WHERE[name]}"), name)
