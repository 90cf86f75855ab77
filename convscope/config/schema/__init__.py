"""The schema of every configuration: dataclasses whose fields carry their own help.

The YAML files under `conf/` hold the values. Values from YAML and from the command line are checked against
these classes before TensorFlow is imported. A config names data, never code.
"""
