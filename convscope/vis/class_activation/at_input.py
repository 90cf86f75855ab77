"""Methods that use the gradient of the score at the input; their heat has a value for each pixel of it."""

import numpy as np

from convscope.vis.class_activation.cut_model import CutModel

SAMPLES = 32  # noisy copies of SmoothGrad
NOISE = 0.15  # standard deviation of the noise, as a share of the range of the input
STEPS = 50  # steps of the path of integrated gradients


def gradient(
    cut: CutModel, inputs: np.ndarray, targets: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest magnitude of the gradient over the channels, 0 or more.

    K. Simonyan, A. Vedaldi and A. Zisserman, Deep Inside Convolutional Networks: Visualising Image
    Classification Models and Saliency Maps (2013).
    """
    gradients, logits = cut.at_input(inputs, targets)
    return np.abs(gradients).max(axis=-1), logits


def gradient_times_input(
    cut: CutModel, inputs: np.ndarray, targets: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradient times the difference from `baseline`, summed over the channels; it has a sign.

    A. Shrikumar et al., Not Just a Black Box: Learning Important Features Through Propagating Activation
    Differences (2016).
    """
    gradients, logits = cut.at_input(inputs, targets)
    return (gradients * (inputs - baseline(inputs))).sum(axis=-1), logits


def smooth_gradient(
    cut: CutModel, inputs: np.ndarray, targets: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean magnitude of the gradient over noisy copies of the input; its maximum over channels.

    All inputs get the same noise, in units of their range.

    D. Smilkov et al., SmoothGrad: removing noise by adding noise (2017).
    """
    rng = np.random.default_rng(seed)
    span = np.ptp(inputs, axis=(1, 2, 3), keepdims=True)
    total = np.zeros(inputs.shape)
    for _ in range(SAMPLES):
        noise = rng.normal(0, 1, inputs.shape[1:]) * NOISE * span
        gradients, _ = cut.at_input((inputs + noise).astype(np.float32), targets)
        total += np.abs(gradients)
    return (total / SAMPLES).max(axis=-1), cut.logits(inputs)


def integrated_gradients(
    cut: CutModel, inputs: np.ndarray, targets: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradient integrated along the line from `baseline` to the input, times their difference.

    The heat has a sign. Its sum is the score of the input minus that of the baseline, up to
    `completeness_error`. The integral is a sum at the middles of equal steps.

    M. Sundararajan, A. Taly and Q. Yan, Axiomatic Attribution for Deep Networks (2017).
    """
    start = baseline(inputs)
    total = np.zeros(inputs.shape)
    for step in range(STEPS):
        share = (step + 0.5) / STEPS
        gradients, _ = cut.at_input((start + share * (inputs - start)).astype(np.float32), targets)
        total += gradients
    heat = (total / STEPS * (inputs - start)).sum(axis=-1)
    return heat, cut.logits(inputs)


def completeness_error(
    cut: CutModel, inputs: np.ndarray, targets: np.ndarray, heat: np.ndarray
) -> np.ndarray:
    """Return the error of integrated gradients, as a share of the scores' difference, float64 (batch,)."""
    difference = ((cut.logits(inputs) - cut.logits(baseline(inputs))) * targets).sum(axis=1)
    return np.abs(heat.sum(axis=(1, 2)) - difference) / np.maximum(np.abs(difference), 1e-12)


def baseline(inputs: np.ndarray) -> np.ndarray:
    """Return pictures without information: each has the mean colour of a photograph at all positions.

    Args:
        inputs: float32 (batch, height, width, channels).
    """
    return np.broadcast_to(inputs.mean(axis=(1, 2), keepdims=True), inputs.shape).astype(np.float32)
