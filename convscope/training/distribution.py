"""The training of one model on several GPUs of a machine: each device gets a part of every batch."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from convscope.errors import ConvscopeError


class Distribution:
    """The devices that train a model: all GPUs of this machine, or the only device.

    The weights have a copy on each device (`MirroredStrategy`). Each device computes the gradient for its
    part of a batch, and all copies get the mean of the gradients.

    Attributes:
        devices: their number.
    """

    def __init__(self, *, mirrored: bool, batch_size: int) -> None:
        """Find the devices.

        Args:
            mirrored: use all GPUs; without GPUs, the (virtual) CPUs.
            batch_size: pictures per step, of all devices together.

        Raises:
            ConvscopeError: there is only one device, or it is not possible to divide a batch equally.
        """
        self._strategy: Any = None
        self.devices = 1
        if not mirrored:
            return
        import tensorflow as tf

        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        names = [device.name.removeprefix("/device:") for device in devices]
        if len(names) < 2:
            raise ConvscopeError(
                f"training.distribution=mirrored: found one device ({names[0]}), expected two GPUs or more: "
                "remove training.distribution"
            )
        if batch_size % len(names):
            raise ConvscopeError(
                f"training.batch_size={batch_size}: expected a multiple of the {len(names)} devices of "
                f"training.distribution=mirrored, for example "
                f"{max(1, batch_size // len(names)) * len(names)}"
            )
        self.devices = len(names)
        print(f"training on {len(names)} devices: {', '.join(names)}")
        self._strategy = tf.distribute.MirroredStrategy([device.name for device in devices])

    def scope(self) -> AbstractContextManager:
        """Return a context: a model that is built, compiled and trained in it has a copy on each device."""
        return self._strategy.scope() if self._strategy else nullcontext()
