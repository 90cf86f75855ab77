"""From photographs to batches: sources, inspection, split, manifest, augmentation."""
