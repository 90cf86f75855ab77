"""The filters view: kernels, and the patterns that channels respond to, beside photographs."""
