"""What a network computes: feature maps, filter patterns, class activation. Arrays in, arrays out."""
