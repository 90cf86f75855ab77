"""From arrays to pictures and pages. Nothing here imports TensorFlow."""
