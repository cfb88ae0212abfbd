"""Data sets: images as uint8, labels, one split, one place for normalisation."""

from tfticket.data.dataset import Dataset
from tfticket.data.load import data_checksum, load_data, load_dataset

__all__ = ["Dataset", "data_checksum", "load_data", "load_dataset"]
