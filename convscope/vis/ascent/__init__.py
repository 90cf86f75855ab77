"""Gradient ascent to pictures that raise an objective: feature visualization.

Four ideas stay apart: the objective, the parametrization of the pictures, the transforms before each step,
and the optimizer. `patterns` joins them to methods. See C. Olah, A. Mordvintsev, L. Schubert, Feature
Visualization, Distill 2017.
"""
