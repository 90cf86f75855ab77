"""Load a model from a file without running code that it contains."""

from pathlib import Path

import keras

from convscope.errors import ConvscopeError, one_line

SUFFIXES = (".keras", ".h5", ".hdf5")


def load_model(path: Path, *, allow_code: bool = False) -> keras.Model:
    """Return the model in a file.

    Args:
        path: a `.keras`, `.h5` or `.hdf5` file.
        allow_code: whether Lambda layers may run.

    Raises:
        ConvscopeError: the file is missing, damaged, not a whole model, or contains code.
    """
    if not path.is_file():
        raise ConvscopeError(f"no model at {path}: expected a {', '.join(SUFFIXES)} file")
    if path.name.endswith(".weights.h5"):
        raise ConvscopeError(f"{path} has weights without a model: expected a file with a whole model")
    if path.suffix not in SUFFIXES:
        raise ConvscopeError(f"{path} is not a file of Keras: expected {', '.join(SUFFIXES)}")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=not allow_code)
    except Exception as error:
        reason = one_line(error).replace(str(path), "the file")
        if "Lambda" in reason and not allow_code:
            raise ConvscopeError(
                f"cannot open {path}: it has a Lambda layer, which contains code; set allow_code=true if you "
                "trust the author of the file"
            ) from None
        if "Could not locate class" in reason or "Unknown layer" in reason:
            raise ConvscopeError(
                f"cannot open {path}: it has a custom class ({reason[:160]}); open it in Python: model = "
                f"keras.saving.load_model({str(path)!r}, custom_objects={{NAME: CLASS}}); "
                "convscope.open_model(model, preprocessing=…, class_names=…)"
            ) from None
        if "No model config found" in reason:
            raise ConvscopeError(
                f"{path} has weights without a model: expected a file with a whole model"
            ) from None
        raise ConvscopeError(f"cannot open {path}: {reason[:300]}") from None
