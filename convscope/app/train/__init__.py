"""Stage 2: a data set into a trained model and its report."""
