"""The arguments of a command line that are not KEY=VALUE: flags, paths without a key, split lists."""

import difflib
import mimetypes
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from convscope.errors import ConvscopeError
from convscope.files import user_path
from convscope.models import checkpoint_files

_FLAGS = {
    "-h",
    "--help",
    "--help-all",
    "--hydra-help",
    "--version",
    "--resolve",
    "--run",
    "-r",
    "--multirun",
    "-m",
}
_FLAGS_WITH_VALUE = {
    "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd",
    "--experimental-rerun", "--info", "-i", "--shell-completion", "-sc",
}  # fmt: skip
_LONGEST = 60  # characters of an argument in an error message
_KEY = re.compile(r"[+~]*\w[\w.@/-]*")


def check(stage: str, arguments: Sequence[str], keys: Mapping[str, Any]) -> None:
    """Raise ConvscopeError for an argument that is neither KEY=VALUE nor a flag of Hydra.

    Args:
        stage: the name of the script.
        arguments: `sys.argv[1:]`.
        keys: the type of every key of the stage, and of every group.
    """
    is_value = False  # of the flag before it
    for index, argument in enumerate(arguments):
        flag = argument.partition("=")[0]
        if argument.startswith("-"):
            if flag not in _FLAGS | _FLAGS_WITH_VALUE:
                raise _unknown_flag(argument, arguments[index + 1 :], keys)
        elif argument.startswith("="):
            raise ConvscopeError(f"the argument {argument!r} has no key: expected KEY=VALUE")
        elif argument.startswith("+") and not argument.lstrip("+").startswith("hydra"):
            raise ConvscopeError(
                f"the argument {argument!r} adds a key, and there are no other keys than those of --help: "
                "expected KEY=VALUE without +"
            )
        elif _KEY.fullmatch(flag) and "=" in argument:
            _check_spaces(argument, arguments[index + 1 :])
            _check_brackets(argument, arguments[index + 1 :])
        elif "=" in argument and flag.strip() in keys:
            raise ConvscopeError(f"the argument {argument!r} has a space before =: expected KEY=VALUE")
        elif not is_value and not _removes_key(flag, keys):
            raise _without_key(stage, argument, keys)
        is_value = argument in _FLAGS_WITH_VALUE


def all_keys(schema: type, groups: Mapping[str, Mapping[str, type]]) -> dict[str, Any]:
    """Return the type of every key of a schema, also of the keys that only some choices of a group have."""
    return dict(_list_keys(schema, groups, ""))


def _list_keys(
    schema: Any, groups: Mapping[str, Mapping[str, type]], prefix: str
) -> Iterator[tuple[str, Any]]:
    for item in fields(schema):
        key = prefix + item.name
        yield key, item.type
        if is_dataclass(item.type):
            for choice in groups.get(key, {"": item.type}).values():
                yield from _list_keys(choice, groups, f"{key}.")


def _unknown_flag(argument: str, following: Sequence[str], keys: Mapping[str, Any]) -> ConvscopeError:
    flag, sign, value = argument.partition("=")
    if not sign and following and "=" not in following[0] and not following[0].startswith("-"):
        value = following[0]
    names = _keys_named(flag.lstrip("-").replace("-", "_"), keys)
    examples = [f"{name}={value or ('true' if keys[name] is bool else 'VALUE')}" for name in names]
    hint = f"write {' or '.join(map(_quoted, examples))}" if names else "--help lists the keys"
    return ConvscopeError(f"unknown option {flag}: expected KEY=VALUE without dashes; {hint}")


def _keys_named(name: str, keys: Mapping[str, Any]) -> list[str]:
    """Return the keys with a name; the last part of a key is enough, and a similar one if none is equal."""
    if name in keys:
        return [name]
    last = {key: key.rpartition(".")[2] for key in keys}
    near = [name, *difflib.get_close_matches(name, set(last.values()), n=1, cutoff=0.7)]
    for wanted in near:
        named = [key for key in keys if last[key] == wanted]
        if named:
            return named[:3]
    return []


def _removes_key(argument: str, keys: Mapping[str, Any]) -> bool:
    """Return whether an argument is `~KEY`, not a path such as `~/photos`."""
    key = argument.removeprefix("~").partition("@")[0]
    return argument.startswith("~") and (key in keys or key.startswith("hydra"))


def _check_spaces(argument: str, following: Sequence[str]) -> None:
    """Raise ConvscopeError if the shell has split an existing path at its spaces."""
    if "[" in argument or (following and "=" in following[0]):
        return
    whole = argument
    for part in following:
        whole += f" {part}"
        if os.path.exists(user_path(whole.partition("=")[2])):  # noqa: PTH110 (a long value is no error)
            raise ConvscopeError(
                f"the shell has split a path at a space, after {argument}: write {shlex.quote(whole)}"
            )


def _check_brackets(argument: str, following: Sequence[str]) -> None:
    """Raise ConvscopeError if the shell has split a list at its spaces."""
    _, _, value = argument.partition("=")
    if not value.startswith("[") or value.count("[") <= value.count("]") or Path(value).exists():
        return
    parts = [argument]
    for part in following:
        parts.append(part)
        whole = " ".join(parts)
        if whole.count("[") == whole.count("]"):
            raise ConvscopeError(
                f"the list {argument} has no closing bracket, because the shell has split it at a space: "
                f"write {shlex.quote(whole)}"
            )
    raise ConvscopeError(f"the list {argument} has no closing bracket: expected KEY=[FIRST,SECOND,…]")


def _without_key(stage: str, argument: str, keys: Mapping[str, Any]) -> ConvscopeError:
    shown = argument if len(argument) <= _LONGEST else argument[:_LONGEST] + "…"
    if argument in keys:
        value = "true" if keys[argument] is bool else "VALUE"
        return ConvscopeError(f"the key {shown} has no value: expected {shown}={value}")
    example = _EXAMPLES[stage](argument)
    return ConvscopeError(f"the argument {shown!r} has no key: expected KEY=VALUE, for example {example}")


def _for_prepare(argument: str) -> str:
    return f"dataset=folder {_quoted(f'dataset.source={argument}')}"


def _for_train(argument: str) -> str:
    path = Path(argument)
    if _is_checkpoint(path):
        return _quoted(f"evaluate={argument}")
    return f"dataset=folder {_quoted(f'dataset.name={path.name}')}"


def _for_visualize(argument: str) -> str:
    path = Path(argument)
    has_images = str(mimetypes.guess_type(argument)[0]).startswith("image/") or set(argument) & set("*@")
    if has_images or (path.is_dir() and not _is_checkpoint(path) and "outputs" not in path.parts):
        return _quoted(f"images={argument}")
    return _quoted(f"checkpoint={argument}")


_EXAMPLES = {"create_train_val_test": _for_prepare, "train": _for_train, "visualize": _for_visualize}


def _is_checkpoint(path: Path) -> bool:
    return path.suffix in checkpoint_files.SUFFIXES or (path / checkpoint_files.MODEL_FILE).exists()


def _quoted(argument: str) -> str:
    return shlex.quote(argument) if set(argument) & set(" '\"()[]*?&;|<>$`") else argument
