"""Reports: rows, claims, tables and figures, from run folders alone. No TensorFlow."""
