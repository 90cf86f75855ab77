"""Sweeps: many training runs, their records, and the search for settings. TensorFlow is never imported."""
