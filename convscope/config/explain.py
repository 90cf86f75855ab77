"""One line for every failure that a user can cause: what Hydra, OmegaConf and the system say, made plain."""

import re
from dataclasses import fields, is_dataclass

from hydra.errors import MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from convscope.errors import ConvscopeError, unknown


def explain(error: Exception) -> str:
    """What was received, what was expected, how to mend it, in one line."""
    if isinstance(error, ConvscopeError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.options:  # an OSError, too
        return _unknown_choice(error)
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{place}"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    owner = getattr(cause, "object_type", None)
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and is_dataclass(owner):
        path = str(cause.full_key or cause.key)
        parent = path.removesuffix(str(cause.key))
        return str(unknown("key", path, [parent + each.name for each in fields(owner)]))
    group = re.match(r"Could not override '([^']+)'", str(cause))
    if group:
        return f"no group {group[1]!r} in this stage: --help lists the groups and keys that there are"
    message = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
    where = getattr(cause, "full_key", None)
    return f"{where}: {message}" if where and str(where) not in message else message


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    options = [each for each in error.options or () if not each.startswith("schema_")]
    message = str(unknown(group or "config", name, options))
    if group == "dataset":
        message += f"; for a data set of your own say dataset=folder dataset.name={name}"
    return message
