"""The one gradient loop, its optimisers, schedules and order of rows."""

from tfticket.training.gradient import Trained, train_weights

__all__ = ["Trained", "train_weights"]
