"""The presets, one file an experiment, and the costs measured for them."""
