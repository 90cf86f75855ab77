"""Feature maps as arrays: all layers of a photograph in one .npz file, added group by group."""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from convscope.errors import ConvscopeError
from convscope.files import beside


@contextmanager
def saving(path: Path, kind: str) -> Iterator[Callable[[Mapping[str, np.ndarray]], None]]:
    """Yield a function that adds arrays by name to a .npz file; after an error there is no file.

    `kind` is float16 or float32. The function raises ConvscopeError for values above the maximum of `kind`.
    """
    dtype = np.dtype(kind)
    with beside(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:

        def add(arrays: Mapping[str, np.ndarray]) -> None:
            for name, values in arrays.items():
                _check(name, values, dtype)
                with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, values.astype(dtype), allow_pickle=False)

        yield add


def _check(name: str, values: np.ndarray, dtype: np.dtype) -> None:
    highest, limit = np.abs(values).max(initial=0), np.finfo(dtype).max
    if highest > limit:
        larger = "float32" if dtype == np.float16 else "null"
        raise ConvscopeError(
            f"layer {name} has values up to {highest:.3g}, but the maximum of {dtype} is {limit:.6g}: set "
            f"activations.save_arrays={larger}"
        )
