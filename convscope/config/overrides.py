"""The arguments KEY=VALUE, with quotes where the grammar of Hydra needs them.

Hydra rejects `photo (1).jpg`, `~`, `#`, `'`, non-ASCII letters and values with `=`, unless they are quoted
twice: for the shell and for Hydra. This module quotes the values that Hydra cannot parse or takes for another
number, and turns a single value of a list key into a list.
"""

import os
import re
from collections.abc import Collection, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

_JOINED_DIGITS = re.compile(r"[+-]?\d+(_\d+)+")  # 2024_05 is the number 202405 for Hydra, but a name for us
_PLAIN = re.compile(r"(?!(null|true|false|inf|nan)$)[a-z/][a-z0-9_./-]*", re.ASCII | re.IGNORECASE)


def normalize(arguments: Sequence[str], list_keys: Collection[str]) -> list[str]:
    """Return the arguments, with quotes around the values that Hydra cannot parse.

    Args:
        arguments: `sys.argv[1:]`. Arguments without `=` and flags are not changed.
        list_keys: keys whose values are lists; `images=a.jpg` becomes `images=[a.jpg]`, except in a
            sweep (`-m`).
    """
    sweep = any(argument in ("-m", "--multirun") for argument in arguments)
    return [_normalize(argument, () if sweep else list_keys) for argument in arguments]


def _normalize(argument: str, list_keys: Collection[str]) -> str:
    key, sign, value = argument.partition("=")
    if not sign or key.startswith("-"):
        return argument
    is_list = value.startswith("[") and value.endswith("]")
    if key in list_keys and not is_list and value not in ("", "null"):
        if "," in value and os.path.exists(value.removeprefix("@")):  # noqa: PTH110 (a long value is no error)
            value = quote(value)
        value, is_list = f"[{value}]", True
    if is_list:
        value = "[" + ",".join(map(_text_of_digits, value[1:-1].split(","))) + "]"
    else:
        value = _text_of_digits(value)
    if _parses(f"{key}={value}"):
        return f"{key}={value}"
    if is_list:
        quoted = "[" + ",".join(quote(item.strip()) for item in value[1:-1].split(",")) + "]"
    else:
        quoted = quote(value)
    return f"{key}={quoted}"


def _text_of_digits(value: str) -> str:
    return quote(value.strip()) if _JOINED_DIGITS.fullmatch(value.strip()) else value


def _parses(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def argument(key: str, value: str | Sequence[str]) -> str:
    """Return KEY=VALUE for the grammar of Hydra; a command line needs `shlex.quote` around it."""
    if isinstance(value, str):
        return f"{key}={_literal_if_needed(value)}"
    return f"{key}=[{','.join(map(_literal_if_needed, value))}]"


def _literal_if_needed(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else literal(value)


def quote(value: str) -> str:
    """Return a value in quotes for the grammar of Hydra, unless it has them already."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value
    return literal(value)


def literal(value: str) -> str:
    """Return a text in quotes for the grammar of Hydra, also if it has quotes itself."""
    escaped = re.sub(r"(\\*)('|$)", lambda match: 2 * match[1] + ("\\'" if match[2] else ""), value)
    return f"'{escaped}'"
