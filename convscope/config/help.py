"""The text of `--help`: every key with its value and its description, read from the schema."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

FLAGS = """\
Hydra options: `-m` runs a sweep over comma-separated values, `hydra.run.dir=DIR` sets the output folder,
`--cfg job` prints the configuration. Quote arguments with brackets for zsh."""


def render(config: DictConfig, groups: Mapping[str, Sequence[str]], about: str) -> str:
    """Return the help text of a stage.

    Args:
        config: the composed configuration, whose values are shown.
        groups: the choices of each config group, by its name.
        about: the docstring of the script, with a description of the stage and examples.
    """
    keys = list(_keys(config))
    width = min(38, max(len(key) for key, _, _ in keys))
    lines = [about.strip(), ""]
    if groups:
        choices = [f"  {name + '=':<15} {' | '.join(names)}" for name, names in groups.items()]
        lines += ["Groups and their choices:", *choices, ""]
    lines += ["Keys and their current values:"]
    for key, value, text in keys:
        lines += _entry(f"{key}={value}", text, width + 14)
    return "\n".join([*lines, "", FLAGS])


def _entry(left: str, text: str, width: int) -> Sequence[str]:
    columns = min(shutil.get_terminal_size((100, 24)).columns, 120)
    indent = " " * (width + 3)
    wrapped = textwrap.wrap(text, max(30, columns - len(indent))) or [""]
    if len(left) > width:
        return [f"  {left}", *(indent + line for line in wrapped)]
    return [f"  {left:<{width}} {wrapped[0]}", *(indent + line for line in wrapped[1:])]


def _keys(config: DictConfig, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield every leaf of the configuration: its dotted key, its value, its description."""
    schema = OmegaConf.get_type(config)
    assert schema is not None
    assert is_dataclass(schema)
    nested = []
    for item in fields(schema):
        node = config._get_node(item.name)
        if isinstance(node, DictConfig):
            nested.append((node, f"{prefix}{item.name}."))
            continue
        missing = OmegaConf.is_missing(config, item.name)
        value = "???" if missing else _show(config[item.name])
        yield f"{prefix}{item.name}", value, item.metadata.get("help", "")
    for node, path in nested:
        yield from _keys(node, path)


def _show(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if OmegaConf.is_list(value):
        return "[" + ",".join(_show(item) for item in value) + "]"
    return str(value)
