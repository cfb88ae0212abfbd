"""The checkout's ``gui`` by a name that no package of a user's has; in a wheel it lies here itself."""

from pathlib import Path

__path__ = [str(Path(__file__).parents[2] / "gui")]
