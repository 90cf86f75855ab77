"""Errors of Hydra, OmegaConf and the operating system as one line of plain English."""

import re
from dataclasses import fields, is_dataclass

from hydra.errors import MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from convscope.errors import ConvscopeError, unknown


def explain(error: Exception) -> str:
    """Return one line: what was received, what was expected, how to fix it."""
    if isinstance(error, ConvscopeError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.options:  # also an OSError
        return _unknown_choice(error)
    if isinstance(error, OSError):
        path = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{path}"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    return _unknown_key(cause) or _unknown_group(cause) or _first_line(cause)


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    options = [option for option in error.options or () if not option.startswith("schema_")]
    message = str(unknown(group or "config", name, options))
    if group == "dataset":
        message += f"; for your own data set use dataset=folder dataset.name={name}"
    return message


def _unknown_key(error: Exception) -> str | None:
    schema = getattr(error, "object_type", None)
    if not (isinstance(error, ConfigKeyError | ConfigAttributeError) and is_dataclass(schema)):
        return None
    path = str(error.full_key or error.key)
    parent = path.removesuffix(str(error.key))
    return str(unknown("key", path, [parent + item.name for item in fields(schema)]))


def _unknown_group(error: Exception) -> str | None:
    group = re.match(r"Could not override '([^']+)'", str(error))
    return f"this script has no group {group[1]!r}: --help lists its groups and keys" if group else None


def _first_line(error: Exception) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    message = next((line for line in lines if line), type(error).__name__)
    key = getattr(error, "full_key", None)
    return f"{key}: {message}" if key and str(key) not in message else message
