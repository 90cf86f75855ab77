"""Class activation: which positions of a photograph raise the score of a class.

A score is a weighted sum of a classifier's logits: one class, or the difference of two. Every method is a
function of a cut model, a batch of inputs and their targets; `methods.METHODS` lists them by name.
"""
