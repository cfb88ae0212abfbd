"""Folders: atomic writes, artefacts, events, leases. Nothing here imports TensorFlow."""
