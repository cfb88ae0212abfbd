"""Gradient training: the compiled loop, optimisers, schedules, batches."""
