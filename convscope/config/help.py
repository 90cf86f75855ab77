"""What `--help` prints: every key with its value and one line on it, read from the schema."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

FLAGS = """\
Hydra's own: `-m` runs a sweep over comma-separated values, `hydra.run.dir=DIR` chooses where the
output goes, `--cfg job` prints the configuration. Quote brackets: zsh refuses them bare."""


def render(config: DictConfig, groups: Mapping[str, Sequence[str]], about: str) -> str:
    """The help text of a stage.

    Args:
        config: the composed configuration, whose values are shown.
        groups: the names of what can be swapped as a whole, and what there is to choose from.
        about: what the stage does and how it is called, the script's docstring.
    """
    keys = list(_keys(config))
    width = min(38, max(len(key) for key, _, _ in keys))
    lines = [about.strip(), ""]
    if groups:
        choices = [f"  {name + '=':<15} {' | '.join(names)}" for name, names in groups.items()]
        lines += ["Swap whole groups:", *choices, ""]
    lines += ["Keys, with the values that they have now:"]
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
    """Every leaf of the configuration: its dotted key, its value, its help."""
    schema = OmegaConf.get_type(config)
    assert schema is not None
    assert is_dataclass(schema)
    inner = []
    for each in fields(schema):
        node = config._get_node(each.name)
        if isinstance(node, DictConfig):
            inner.append((node, f"{prefix}{each.name}."))
            continue
        missing = OmegaConf.is_missing(config, each.name)
        value = "???" if missing else _show(config[each.name])
        yield f"{prefix}{each.name}", value, each.metadata.get("help", "")
    for node, path in inner:
        yield from _keys(node, path)


def _show(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if OmegaConf.is_list(value):
        return "[" + ",".join(_show(item) for item in value) + "]"
    return str(value)
