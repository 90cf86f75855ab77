"""Stage 1: make a data set from a folder of images or an archive."""
