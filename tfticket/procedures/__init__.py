"""Procedures of several experiments, as steps of a lab, one per file."""
