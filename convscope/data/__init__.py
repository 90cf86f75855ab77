"""Data: sources, inspection, split, manifest, augmentation and batches."""
