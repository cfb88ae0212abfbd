"""Headless experiments: each an ordinary function that asks a lab for steps, with its presets beside it."""
