"""Load a model from a file without running code that it contains."""

import re
from pathlib import Path

import keras

from convscope.errors import ConvscopeError, one_line
from convscope.models.checkpoint_files import check_model_file

_CUSTOM = re.compile(r"(Could not locate class|Could not locate function|Unknown layer:) '([^']+)'")


def load_model(path: Path, *, allow_code: bool = False) -> keras.Model:
    """Return the model in a file.

    Args:
        path: a `.keras`, `.h5` or `.hdf5` file.
        allow_code: whether Lambda layers may run.

    Raises:
        ConvscopeError: the file is missing, damaged, not a whole model, or contains code.
    """
    check_model_file(path)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=not allow_code)
    except Exception as error:
        raise ConvscopeError(_explain(path, one_line(error), allow_code=allow_code)) from None


def _explain(path: Path, reason: str, *, allow_code: bool) -> str:
    """Return the message for an error of Keras."""
    if "Lambda" in reason and not allow_code:
        return (
            f"cannot open {path}: it has a Lambda layer, which contains code; set allow_code=true if you "
            "trust the author of the file"
        )
    if custom := _CUSTOM.search(reason):
        kind, name = ("function" if "function" in custom[1] else "class"), custom[2]
        registered = re.findall(r"'registered_name': '([^']+)'", reason) if kind == "class" else []
        key, name = (registered or [name])[-1], name.rpartition(">")[2]
        return (
            f"cannot open {path}: it has a custom {kind} {name}; open it in Python: model = "
            f"keras.saving.load_model({str(path)!r}, custom_objects={{{key!r}: {name}}}); "
            "convscope.open_model(model, preprocessing=…, class_names=…)"
        )
    if "No model config found" in reason:
        return f"{path} has weights without a model: expected a file with a whole model"
    innermost = reason.rpartition("Exception encountered: ")[2].replace(str(path), "the file")
    return f"cannot open {path}: {innermost[:300]}"
