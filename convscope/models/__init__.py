"""The networks that can be trained, and the bundle in which one is kept."""
