"""How well a map of class activation shows what a classifier uses.

The measures are pure functions of a function that returns logits, and of arrays. Maps of any size are
enlarged to the size of the input first. A map without evidence, which has one value at all positions, scores
as chance in every measure.
"""
