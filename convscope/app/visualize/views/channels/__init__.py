"""The channels view: numbers, examples and connections of each channel, as data of the page."""
