"""Networks whose weights are normal distributions: layers, conversion, divergence, objective."""
