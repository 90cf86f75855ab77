"""The variants of a photograph that test-time augmentation averages; free of TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass

from convscope.errors import ConvscopeError

FLIP = "flip"
_SMALLEST, _LARGEST = 0.25, 4.0  # scales
_MULTIPLE = 8  # of pixels


@dataclass(frozen=True)
class Variants:
    """The photograph at each scale, and with `mirrored` also its mirror image at each scale.

    `scales` are factors of the input size; 1 comes first.
    """

    mirrored: bool = False
    scales: tuple[float, ...] = (1.0,)

    @classmethod
    def parse(cls, names: Sequence[str], option: str) -> "Variants":
        """Return the variants that an option names: `flip`, and scales.

        Raises:
            ConvscopeError: a name is neither `flip` nor a number from 0.25 to 4.
        """
        scales = []
        for name in names:
            if name == FLIP:
                continue
            try:
                scales.append(float(name))
            except ValueError:
                scales.append(0.0)
            if not _SMALLEST <= scales[-1] <= _LARGEST:
                raise ConvscopeError(
                    f"{option}: {name} is unknown: expected {FLIP}, or a factor of the input size from "
                    f"{_SMALLEST} to {_LARGEST:g}, for example 1.29"
                )
        return cls(FLIP in names, (1.0, *sorted({*scales} - {1.0})))

    @property
    def names(self) -> list[str]:
        """The variants as the option names them."""
        return [FLIP] * self.mirrored + [f"{scale:g}" for scale in self.scales[1:]]

    @property
    def count(self) -> int:
        """The number of predictions for each photograph."""
        return len(self.scales) * (1 + self.mirrored)

    def sizes(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """Return height and width at each scale: `size` itself, then multiples of 8 pixels.

        Raises:
            ConvscopeError: two scales give the same size.
        """

        def scaled(side: int, scale: float) -> int:
            return side if scale == 1 else max(_MULTIPLE, _MULTIPLE * round(side * scale / _MULTIPLE))

        sizes = [(scaled(size[0], scale), scaled(size[1], scale)) for scale in self.scales]
        for index, (height, width) in enumerate(sizes):
            if (height, width) in sizes[:index]:
                raise ConvscopeError(
                    f"tta: the factor {self.scales[index]:g} gives {height}×{width} pixels, as another one "
                    f"does: expected factors that change the size by {_MULTIPLE} pixels or more"
                )
        return sizes
