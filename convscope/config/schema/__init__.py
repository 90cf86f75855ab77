"""The schema of every configuration: dataclasses whose fields have a description.

The YAML files in `conf/` contain the values. Values from YAML and from the command line are checked against
these classes before TensorFlow is imported. A configuration contains data, never code.
"""
