"""Training and evaluation of a model."""
