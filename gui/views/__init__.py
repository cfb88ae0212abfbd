"""Qt views, each named after the model that it shows."""
