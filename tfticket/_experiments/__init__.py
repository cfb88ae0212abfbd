"""The checkout's ``experiments`` by a name that no package of a user's has; in a wheel they lie here themselves."""

from pathlib import Path

__path__ = [str(Path(__file__).parents[2] / "experiments")]
