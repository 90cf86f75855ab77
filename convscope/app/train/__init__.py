"""Stage 2: train a model on a data set, and write its report."""
