"""Networks, opening of checkpoints, and the bundle that stores a model."""
