"""Stage 1: a folder of images, or an archive, into a data set."""
