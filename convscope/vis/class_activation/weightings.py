"""Methods at feature maps that differ in one function: the weights by which the maps are multiplied.

A weighting is a function of the maps and of the gradient of the score at the maps, both float64
(height, width, channels). It returns weights that are broadcast to the maps: (channels,) or
(height, width, channels). The heat is the sum over the channels of maps times weights, with negative sums
set to zero.
"""

from collections.abc import Callable

import numpy as np

Weighting = Callable[[np.ndarray, np.ndarray], np.ndarray]


def mean_gradient(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return one weight for each channel: the mean of the gradient over its positions.

    R. R. Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization
    (2017).
    """
    return gradient.mean(axis=(0, 1))


def weighted_positive_gradient(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return one weight for each channel: a weighted sum of its positive gradients.

    The weights of the sum are those of the exponential of the score; the common factor exp(score) is left
    out.

    A. Chattopadhay et al., Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional
    Networks (2018), equations 11, 19 and 20.
    """
    square = gradient**2
    denominator = 2 * square + maps.sum(axis=(0, 1)) * gradient**3
    alpha = np.divide(square, denominator, out=np.zeros_like(square), where=denominator != 0)
    return (alpha * np.maximum(gradient, 0)).sum(axis=(0, 1))


def gradient_at_each_position(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return the gradient itself: the heat is then what each position adds to a linear score.

    R. L. Draelos and L. Carin, Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional
    neural networks (2020).
    """
    return gradient


def positive_gradient_at_each_position(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return the positive part of the gradient.

    P.-T. Jiang et al., LayerCAM: Exploring Hierarchical Class Activation Maps for Localization (2021).
    """
    return np.maximum(gradient, 0)


def first_component(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return the first right singular vector of the maps as (positions, channels); the class has no effect.

    A singular vector has no sign. This one is chosen so that the sum of the heat is positive.

    M. B. Muhammad and M. Yeasin, Eigen-CAM: Class Activation Map using Principal Components (2020).
    """
    positions = maps.reshape(-1, maps.shape[-1])
    vector = np.linalg.svd(positions, full_matrices=False)[2][0]
    return vector if (positions @ vector).sum() >= 0 else -vector


def heat(maps: np.ndarray, gradient: np.ndarray, weighting: Weighting) -> np.ndarray:
    """Return the heat, float64 (height, width), 0 or more."""
    weights = weighting(maps, gradient)
    values = maps @ weights if weights.ndim == 1 else (maps * weights).sum(axis=-1)
    return np.maximum(values, 0)
