"""Fitting and evaluating a model."""
