"""Cross-entropy and gradient of masked networks over surviving weights alone, compiled for the CPU."""
