"""The configuration: its schema and the command line; the only package that imports Hydra."""
