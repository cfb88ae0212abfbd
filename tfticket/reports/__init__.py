"""Reports: rows, tables and figures made from run folders and from nothing else. No TensorFlow."""
