"""Errors of Hydra, OmegaConf, YAML and the operating system as messages of one line."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from convscope.errors import ConvscopeError, one_line, unknown
from convscope.models.application_names import similar_application

Groups = Mapping[str, Mapping[str, type]]
EXPLAINED = (ConvscopeError, HydraException, OmegaConfBaseException, OSError, YAMLError)

# Messages of OmegaConf and Hydra, and what is printed instead. `key` is the key of the configuration.
_WRONG_VALUES = (
    (r"Value '(.*?)' .*could not be converted to Integer", "{key}={0}: expected an integer"),
    (r"Value '(.*?)' .*could not be converted to Float", "{key}={0}: expected a number"),
    (r"Value '(.*?)' is not a valid bool", "{key}={0}: expected true or false"),
    (r"Invalid value '(.*?)', expected one of \[(.*?)\]", "{key}={0}: expected one of {1}"),
    (r"field '(.*?)' is not Optional", "{0}=null: expected a value"),
    (
        r"Invalid type assigned: \w+ is not a subclass of \w+\. value: (.*)",
        "{key}={0}: {key} has several keys; expected {key}.KEY=VALUE",
    ),
    (r"is not a ListConfig, list or tuple", "{key}: expected a list, [FIRST,SECOND,…]"),
    (
        r"Ambiguous value for argument '(.*?)'",
        "the argument {0!r} has a comma: expected KEY=[A,B] for a list, 'KEY=\"A,B\"' for a text, "
        "or the flag -m for a sweep",
    ),
    (r"Error parsing override '(.*?)'", "cannot read the argument {0!r}: expected KEY=VALUE"),
)


def explain(error: Exception, groups: Groups) -> str:
    """Return one line: what was received, what was expected, how to fix it.

    Args:
        error: the error.
        groups: the schema of each choice in each group of the configuration.
    """
    if isinstance(error, ConvscopeError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.options:  # also an OSError
        return _unknown_choice(error)
    if isinstance(error, OSError):
        paths = [str(path) for path in (error.filename, error.filename2) if path is not None]
        reason = error.strerror or " ".join(map(str, error.args)) or type(error).__name__
        return ": ".join([" ".join(reason.split()), *([" -> ".join(paths)] if paths else [])])
    if isinstance(error, YAMLError):
        return f"cannot read a file of settings ({one_line(error)[:300]}): expected YAML"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    return (
        _key_of_other_choice(cause, groups)
        or _unknown_key(cause)
        or _unknown_group(cause)
        or _key_in_file(cause, groups)
        or _wrong_value(cause)
        or _first_line(cause)
    )


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    options = [option for option in error.options or () if not option.startswith("schema_")]
    message = str(unknown(group or "config", name, options))
    if group == "dataset":
        end = "" if message.endswith("?") else "."
        message += f"{end} For your own photographs, use dataset=folder dataset.name={name}"
    application = similar_application(name)
    if group == "model" and application:
        message = f"no model {name!r}: use model=keras_application model.application={application}"
    return message


def _unknown_key(error: Exception) -> str | None:
    schema = getattr(error, "object_type", None)
    if not (isinstance(error, ConfigKeyError | ConfigAttributeError) and is_dataclass(schema)):
        return None
    path = str(error.full_key or error.key)
    parent = path.removesuffix(str(error.key))
    return str(unknown("key", path, [parent + item.name for item in fields(schema)]))


def _key_of_other_choice(error: Exception, groups: Groups) -> str | None:
    """Return the message for a key that the chosen schema of a group lacks and another one has."""
    schema = getattr(error, "object_type", None)
    if not (isinstance(error, ConfigKeyError | ConfigAttributeError) and is_dataclass(schema)):
        return None
    group, _, last = str(error.full_key or error.key).rpartition(".")
    known = {item.name for item in fields(schema)}
    choices: dict[str, str] = {}  # the first choice that has a key
    for choice, other in groups.get(group, {}).items():
        for item in fields(other):
            choices.setdefault(item.name, choice)
    nearest = difflib.get_close_matches(last, {*known, *choices}, n=1, cutoff=0.7)
    if not nearest or nearest[0] in known:
        return None
    key = f"{group}.{nearest[0]}"
    needed = f"{group}={choices[nearest[0]]}"
    if nearest[0] == last:
        return f"{key} needs {needed}: add it, or remove {key}"
    return f"no key {group + '.' + last!r}: did you mean {key}? It needs {needed}"


def _unknown_group(error: Exception) -> str | None:
    group = re.match(r"Could not override '([^']+)'", str(error))
    return f"this script has no group {group[1]!r}: --help lists its groups and keys" if group else None


def _key_in_file(error: Exception, groups: Groups) -> str | None:
    """Return the message for a file of settings with a key that its schema lacks."""
    match = re.match(r"In '(.+?)': Config\w+Error raised while composing config:\nKey '(.+?)'", str(error))
    if not match:
        return None
    file, key = match.groups()
    group = file.rpartition("/")[0]
    schemas = [choice for choice, schema in groups.get(group, {}).items() if key in _names(schema)]
    hint = f"write '- schema_{schemas[0]}' first in its defaults" if schemas else "--help-all lists the keys"
    return f"{file}.yaml has the key {key!r}, which its schema does not have: {hint}"


def _names(schema: type) -> set[str]:
    return {item.name for item in fields(schema)}


def _wrong_value(error: Exception) -> str | None:
    """Return the message for a value of the wrong type or for an argument that Hydra cannot parse."""
    text, key = str(error), getattr(error, "full_key", None)
    for pattern, message in _WRONG_VALUES:
        if match := re.search(pattern, text):
            return message.format(*match.groups(), key=key)
    return None


def _first_line(error: Exception) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    message = next((line for line in lines if line), type(error).__name__)
    key = getattr(error, "full_key", None)
    return f"{key}: {message}" if key and str(key) not in message else message
