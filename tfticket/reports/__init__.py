"""Reports: rows, claims, tables and figures, from run folders alone. No TensorFlow.

What reads a run or a step raises ``InputError`` where the run's configuration or a step's folder is damaged or missing.
"""
