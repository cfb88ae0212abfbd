"""Qt views, named after the models that they show."""
