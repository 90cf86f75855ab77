"""The text of `--help` and `--help-all`: keys with values and descriptions, read from the schema."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

_Rows = Sequence[tuple[str, str]]  # KEY=VALUE or another argument, and its description
_ARGUMENTS: _Rows = (
    ("'KEY=[A,B]'", "a list; quote its brackets for the shell"),
    ("-m KEY=A,B", "run a sweep: once with KEY=A, once with KEY=B"),
    ("hydra.run.dir=DIR", "the run directory of stages 2 and 3"),
    ("--cfg job", "print the settings, run nothing"),
)


@dataclass(frozen=True)
class _Key:
    """An option: KEY=VALUE, its description, and its heading in the short help."""

    given: str
    text: str
    heading: str | None


def render(config: DictConfig, groups: Mapping[str, Sequence[str]], about: str, *, everything: bool) -> str:
    """Return the help text of a stage.

    Args:
        config: the composed configuration, whose values are shown.
        groups: the other choices of each config group, by GROUP=CHOICE.
        about: the docstring of the script, with a description of the stage and examples.
        everything: whether to show all keys, or only the keys with a heading, below their headings.
    """
    keys = list(_keys(config))
    tables: dict[str, _Rows] = {
        "Groups and their other choices": [(given, " | ".join(names)) for given, names in groups.items()]
    }
    if everything:
        tables["Keys and their current values"] = [(key.given, key.text) for key in keys]
    else:
        for heading in dict.fromkeys(key.heading for key in keys if key.heading):
            tables[heading] = [(key.given, key.text) for key in keys if key.heading == heading]
    group = next(iter(groups)).partition("=")[0]
    tables["Other arguments"] = [
        ("--help-all", f"explain all {len(keys)} keys"),
        (f"{group}=CHOICE --help", "explain the keys of another choice"),
        *_ARGUMENTS,
    ]
    columns = max(60, min(shutil.get_terminal_size((100, 24)).columns, 120))
    lines = [about.strip()]
    for title, rows in tables.items():
        lines += ["", f"{title}:", *_table(rows, columns)]
    return "\n".join(lines)


def _table(rows: _Rows, columns: int) -> Iterator[str]:
    """Yield the lines of two columns; a long KEY=VALUE has a line of its own."""
    widest = columns * 2 // 5
    width = max(len(left) for left, _ in rows if len(left) <= widest)
    indent = " " * (width + 4)
    for left, text in rows:
        first, *more = textwrap.wrap(text, columns - len(indent), break_on_hyphens=False) or [""]
        if len(left) <= width:
            yield f"  {left:<{width}}  {first}"
        else:
            yield from (f"  {left}", indent + first)
        yield from (indent + line for line in more)


def _keys(config: DictConfig, prefix: str = "") -> Iterator[_Key]:
    """Yield every option of the configuration in the order of the schema."""
    schema = OmegaConf.get_type(config)
    assert schema is not None
    assert is_dataclass(schema)
    for item in fields(schema):
        node = config._get_node(item.name)
        if isinstance(node, DictConfig):
            yield from _keys(node, f"{prefix}{item.name}.")
            continue
        value = "???" if OmegaConf.is_missing(config, item.name) else _show(config[item.name])
        metadata = item.metadata
        yield _Key(f"{prefix}{item.name}={value}", metadata.get("help", ""), metadata.get("heading"))


def _show(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if OmegaConf.is_list(value):
        return "[" + ",".join(_show(item) for item in value) + "]"
    return str(value)
