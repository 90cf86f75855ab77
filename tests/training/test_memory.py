import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from convscope.models import small_convnet
from convscope.training import memory
from convscope.training.recipe import Recipe

BATCH = 64


def wide_net(trainable: bool) -> keras.Model:
    """Most of its memory is the output of one convolution, 94 x 94 x 64; `trainable` is about that layer."""
    model = small_convnet.build(2, input_size=96, widths=(64,), units=8)
    model.get_layer("conv2d_1").trainable = trainable
    return model


def measure_peaks() -> None:
    """Print the peak memory in bytes: frozen net, 1 and 64 pictures; trainable net, 64 pictures."""
    import numpy as np

    for trainable, count in ((False, 1), (False, BATCH), (True, BATCH)):
        model = wide_net(trainable)
        Recipe().compile(model, 1)
        labels = np.eye(2, dtype=np.float32)[np.zeros(count, int)]
        for _ in range(2):
            model.train_on_batch(np.zeros((count, 96, 96, 3), np.float32), labels)
        print(peak_memory())


def peak_memory() -> int:
    """Return the peak memory of this process in bytes; `ru_maxrss` may be that of the parent process."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_estimate_is_within_a_factor_of_two_of_the_measured_peak() -> None:
    probe = "from tests.training.test_memory import measure_peaks; measure_peaks()"
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    smallest, frozen, trained = (int(line) for line in out.split())
    expected = memory.needed(wide_net(True), BATCH)
    assert expected / 2 < trained < 2 * expected
    least = memory.needed(wide_net(False), 1)
    activations = expected - least  # what remains without TensorFlow itself
    assert activations / 2 < trained - smallest < 2 * activations
    expected = memory.needed(wide_net(False), BATCH)
    assert expected / 2 < frozen < 2 * expected


def test_weights_gradients_and_optimizer_slots_take_four_bytes_each() -> None:
    """A dense layer of 10 x 5 weights and 5 biases: 55 numbers, 55 gradients, two slots of Adam for each."""
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(5)])
    frozen = keras.models.clone_model(model)
    frozen.trainable = False
    assert memory.needed(model, 0) - memory.needed(frozen, 0) == 4 * 55 * 3
    assert memory.needed(model, 0) - memory.needed(model, 0, slots=0) == 4 * 55 * 2


def test_activations_in_16_bits_take_half_the_memory() -> None:
    model = wide_net(True)
    fixed = memory.needed(model, 0)
    assert memory.needed(model, 8, half=True) - fixed == pytest.approx((memory.needed(model, 8) - fixed) / 2)


@pytest.mark.skipif(memory.available() is None, reason="the system does not report its free memory")
def test_available_memory_is_at_most_the_memory_of_the_machine() -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory.available() <= total
