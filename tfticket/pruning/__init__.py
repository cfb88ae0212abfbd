"""Pruning: masks and scores as pure arrays, selection, and the wrapper that carries a mask in a model."""
