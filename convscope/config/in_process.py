"""Run a stage from Python, with the settings, the checks and the errors of the command line."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from convscope import invocation, run_directories
from convscope.config import arguments, folders, launch, overrides, registry, run_name
from convscope.config.explain import EXPLAINED, explain
from convscope.errors import ConvscopeError
from convscope.invocation import COMMANDS, Invocation

_PLAIN = re.compile(r"[A-Za-z./_][A-Za-z0-9./_-]*")  # texts that need no quotes


def run(
    name: str,
    stage: Callable[..., Any],
    given: Sequence[str],
    settings: Mapping[str, Any],
) -> Path:
    """Run a stage in this process, and return what it returns: the path of its output.

    Args:
        name: the name of the stage.
        stage: the function that runs it.
        given: arguments KEY=VALUE, as on the command line.
        settings: values by key; a mapping has the values of the keys below its key.

    Raises:
        ConvscopeError: any error that would end the command with one line.
    """
    before = invocation.get()
    try:
        _check(name, given)
        keys = list(registry.list_keys(registry.SCHEMAS[name]()))
        all_given = overrides.normalize([*given, *_as_arguments(settings)], keys)
        invocation.begin(Invocation((), name, tuple(all_given)))
        config, directory, has_date = _composed(name, all_given)
        return _run(stage, config, directory, has_date=has_date)
    except ConvscopeError:
        raise
    except EXPLAINED as error:
        raise ConvscopeError(explain(error, registry.GROUPS)) from None
    finally:
        invocation.begin(before)


def _check(name: str, given: Sequence[str]) -> None:
    for argument in given:
        if not isinstance(argument, str):
            raise ConvscopeError(
                f"the argument {argument!r} is not a text: expected 'KEY=VALUE', or key=value"
            )
        if argument.startswith("-"):
            raise ConvscopeError(
                f"the argument {argument!r} is a flag: expected 'KEY=VALUE'; flags are for the command "
                f"convscope {COMMANDS[name]}"
            )
    arguments.check(name, given, arguments.all_keys(registry.SCHEMAS[name](), registry.GROUPS))


def _as_arguments(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _as_arguments(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={_in_grammar(value)}"


def _in_grammar(value: Any) -> str:
    """Return a value of Python in the grammar of Hydra."""
    if type(value).__module__ == "numpy" and hasattr(value, "item") and not getattr(value, "shape", None):
        value = value.item()
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float) and not isinstance(value, Enum):
        return repr(value)
    if isinstance(value, str | Path):
        text = str(value.value if isinstance(value, Enum) else value)
        is_plain = _PLAIN.fullmatch(text) and text.lower() not in ("null", "true", "false", "nan", "inf")
        return text if is_plain else overrides.literal(text)
    if isinstance(value, Iterable):
        return f"[{','.join(map(_in_grammar, value))}]"
    raise ConvscopeError(
        f"the value {value!r} has the type {type(value).__name__}: expected a text, a number or a list"
    )


def _composed(name: str, given: Sequence[str]) -> tuple[DictConfig, Path, bool]:
    """Return the configuration without that of Hydra, the run directory, and whether its name is a date."""
    registry.register(name)
    run_name.register(name)
    with _own_files(name):
        config = launch.compose(name, given)
    if config.hydra.mode is RunMode.MULTIRUN:
        raise ConvscopeError(
            f"this is a sweep, but a function trains one run: use the command convscope {COMMANDS[name]} -m"
        )
    has_date = "${now:" in str(OmegaConf.to_container(config.hydra.run, resolve=False))
    directory = Path(config.hydra.run.dir)
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return config, directory, has_date


@contextmanager
def _own_files(name: str) -> Iterator[None]:
    """Find files in `./conf` first, but only here: the process may use Hydra for something else."""
    folders.use_own(name)
    try:
        yield
    finally:
        folders.forget_own()


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Restore the random states of Python and NumPy, which a training sets to its seed."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _run(stage: Callable[..., Any], config: DictConfig, directory: Path, *, has_date: bool) -> Path:
    launch.check_complete(config)
    settings = OmegaConf.to_object(config)
    existing = run_directories.existing_parents([str(directory)])
    if has_date:
        directory = run_directories.claim_new(directory)
    try:
        with _own_randomness():
            return Path(stage(settings, directory, as_library=True))
    finally:
        if has_date:
            run_directories.release(directory)
        run_directories.remove_empty(directory, existing)
