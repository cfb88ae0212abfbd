"""Data sets: images as uint8, labels, one split, one place for normalisation."""

from tfticket.data.dataset import Dataset
from tfticket.data.load import load_data, load_dataset, training_rows
from tfticket.data.normalisation import Normalisation

__all__ = ["Dataset", "Normalisation", "load_data", "load_dataset", "training_rows"]
