"""Sweeps: a record of each run, the table of results, the report. It imports neither Hydra nor TensorFlow."""
