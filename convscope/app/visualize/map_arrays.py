"""Feature maps as files: all of a photograph in one .npz, added group by group."""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from convscope.errors import ConvscopeError
from convscope.files import beside


@contextmanager
def saving(path: Path, kind: str) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    """What adds arrays by name to a .npz, which is there at the end, or not at all after a failure.

    It raises ConvscopeError for values that `kind`, float16 or float32, cannot hold.
    """
    numbers = np.dtype(kind)
    with beside(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:

        def add(arrays: Mapping[str, np.ndarray]) -> None:
            for name, values in arrays.items():
                _check(name, values, numbers)
                with file.open(f"{name}.npy", "w", force_zip64=True) as place:
                    np.lib.format.write_array(place, values.astype(numbers), allow_pickle=False)

        yield add


def _check(name: str, values: np.ndarray, numbers: np.dtype) -> None:
    highest, most = np.abs(values).max(initial=0), np.finfo(numbers).max
    if highest > most:
        larger = "float32" if numbers == np.float16 else "null"
        raise ConvscopeError(
            f"layer {name} has values up to {highest:.3g}, {numbers} holds {most:.6g}: "
            f"say activations.save_arrays={larger}"
        )
