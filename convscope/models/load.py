"""Reading a model's file, safely."""

from pathlib import Path

import keras

from convscope.errors import ConvscopeError, one_line

SUFFIXES = (".keras", ".h5", ".hdf5")


def load_model(path: Path, *, allow_code: bool = False) -> keras.Model:
    """A model from a file; raises ConvscopeError, on one line, if it cannot be or should not be opened."""
    if not path.is_file():
        raise ConvscopeError(f"no model at {path}: expected a file {', '.join(SUFFIXES)}")
    if path.name.endswith(".weights.h5"):
        raise ConvscopeError(f"{path} holds weights without a model: expected a file of a whole model")
    if path.suffix not in SUFFIXES:
        raise ConvscopeError(f"{path} is no file of Keras': expected {', '.join(SUFFIXES)}")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=not allow_code)
    except Exception as error:
        said = one_line(error).replace(str(path), "the file")
        if "Lambda" in said and not allow_code:
            raise ConvscopeError(
                f"cannot open {path}: it holds a Lambda layer, which is its author's code; allow_code=true "
                "runs it, if you trust where the file is from"
            ) from None
        if "Could not locate class" in said or "Unknown layer" in said:
            raise ConvscopeError(
                f"cannot open {path}: it holds a class of its author's ({said[:160]}); in Python: model = "
                f"keras.saving.load_model({str(path)!r}, custom_objects={{NAME: CLASS}}); "
                "convscope.open_model(model, preprocessing=…, class_names=…)"
            ) from None
        if "No model config found" in said:
            raise ConvscopeError(
                f"{path} holds weights without a model: expected a file of a whole model"
            ) from None
        raise ConvscopeError(f"cannot open {path}: {said[:300]}") from None
