"""Evaluation: metrics as pure functions, predictions of trained networks."""
