"""The three stages, each one function: what the scripts call."""
