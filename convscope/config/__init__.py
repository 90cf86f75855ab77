"""The configuration: its schema, the command line, and the only package that imports Hydra."""
