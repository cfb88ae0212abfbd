"""Data sets: images or features, labels, split, normalisation.

Readers of files are imported at their first use: windows and help texts that only name data sets do without.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfticket.data.dataset import Dataset, check_alike
    from tfticket.data.load import load_data, load_dataset, split_rows
    from tfticket.data.normalisation import Normalisation

_WHERE = {
    "Dataset": "tfticket.data.dataset",
    "Normalisation": "tfticket.data.normalisation",
    "check_alike": "tfticket.data.dataset",
    "load_data": "tfticket.data.load",
    "load_dataset": "tfticket.data.load",
    "split_rows": "tfticket.data.load",
}

__all__ = ["Dataset", "Normalisation", "check_alike", "load_data", "load_dataset", "split_rows"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'tfticket.data' has no attribute '{name}'")
    return getattr(importlib.import_module(_WHERE[name]), name)
