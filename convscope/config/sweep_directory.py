"""The directory of a sweep: a new one, or with sweep.resume that of an earlier sweep."""

import shlex
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, read_write

from convscope import files, invocation, run_directories
from convscope.config.overrides import quote
from convscope.config.schema.train import SweepConfig
from convscope.errors import ConvscopeError
from convscope.sweep import comparison, record, report, results
from convscope.sweep.record import Record, State

_CONTROLS = ("sweep.name=", "sweep.resume=", "sweep.retry_failed=")
_NOT_OF_RUNS = (
    *_CONTROLS,
    "launcher=",
    "debug=",
    "overwrite=",
)  # what a run does is the same with all values
_DIRECTORY = "hydra.sweep.dir="
_LEFT = (State.waiting, State.interrupted)  # a run that is running belongs to another process


@dataclass(frozen=True)
class SweepDirectory:
    """A sweep on disk.

    Attributes:
        path: its directory, `outputs/sweeps/NAME`.
        arguments: the arguments of the sweep that decide what its runs do.
        command: the command that started it.
        settings: `sweep` of the configuration.
    """

    path: Path
    arguments: list[str]
    command: list[str]
    settings: SweepConfig

    def job_overrides(self, directory: Path, overrides: Sequence[str]) -> list[str]:
        """Return the arguments of a job of Hydra: those of a run, and its directory."""
        own = [f"hydra.sweep.dir={quote(str(self.path))}", f"hydra.sweep.subdir={quote(directory.name)}"]
        return [*overrides, *own]

    def resume_command(self) -> str:
        """Return the command that resumes the sweep."""
        is_named = any(argument.startswith(("sweep.name=", _DIRECTORY)) for argument in self.command)
        name = [] if is_named else [f"sweep.name={self.path.name}"]
        kept = [argument for argument in self.command if not argument.startswith(_CONTROLS[1:])]
        return shlex.join([*kept, *name, "sweep.resume=true"])


def without_controls(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without those that only control the start of a sweep."""
    return [argument for argument in arguments if not argument.lstrip("+").startswith(_CONTROLS)]


def of_runs(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that decide what the runs of a sweep do."""
    return [argument for argument in arguments if not argument.lstrip("+").startswith(_NOT_OF_RUNS)]


def choose(config: DictConfig, arguments: Sequence[str]) -> SweepDirectory:
    """Return the directory of a sweep; a new one is not created yet, unless its name is a date.

    Args:
        config: the configuration, with that of Hydra.
        arguments: what the runs are made from: arguments and parameters of the sweeper.

    Raises:
        ConvscopeError: the directory has a sweep, and sweep.resume is false.
    """
    settings: Any = OmegaConf.to_object(config.sweep)
    given = of_runs(arguments)
    command = [*invocation.program("train"), *invocation.get().arguments]
    sweep = SweepDirectory(_path(config, settings, given), given, command, settings)
    _refuse_another(sweep)
    with read_write(config):
        config.hydra.sweep.dir = str(sweep.path)  # the launcher creates it
    return sweep


def _path(config: DictConfig, settings: SweepConfig, arguments: Sequence[str]) -> Path:
    path = Path(config.hydra.sweep.dir)
    is_given = any(override.startswith(_DIRECTORY) for override in config.hydra.overrides.hydra)
    if is_given and settings.name:
        raise ConvscopeError(f"sweep.name={settings.name} and hydra.sweep.dir are both set: expected one")
    if is_given or settings.name:
        return path.with_name(settings.name) if settings.name else path
    if settings.resume:
        earlier = [file for file in path.parent.glob(f"*/{report.SWEEP}") if _arguments(file) == arguments]
        if earlier:
            return max(earlier, key=lambda file: file.stat().st_mtime).parent
        print(f"{path.parent} has no sweep with these arguments; starting a new one")
    path = run_directories.claim_new(path)
    run_directories.release(path)
    return path


def _arguments(file: Path) -> Any:
    try:
        content = files.read_json(file)
    except ValueError:
        return None
    return content.get("arguments") if isinstance(content, dict) else None


def _refuse_another(sweep: SweepDirectory) -> None:
    if (sweep.path / report.SWEEP).exists() and not sweep.settings.resume:
        raise ConvscopeError(
            f"{sweep.path} already has a sweep: set sweep.resume=true to resume it, or choose another "
            "sweep.name"
        )


def check_comparable(path: Path, arguments: Sequence[str], keys: Sequence[str]) -> None:
    """Check that the runs on disk and a new run differ in the values of the same keys only.

    Args:
        path: the directory of the sweep.
        arguments: those of the new run that decide what it does.
        keys: the keys whose values differ.

    Raises:
        ConvscopeError: a run cannot be ranked with the new one.
    """
    fixed = _fixed(arguments, keys)
    for earlier in record.read_all(path):
        if _fixed(of_runs(earlier.overrides), earlier.swept) != fixed or earlier.swept.keys() != set(keys):
            raise other_settings(earlier, " ".join([*fixed, *(f"{key}=…" for key in keys)]))


def _fixed(arguments: Sequence[str], keys: Collection[str]) -> list[str]:
    """Return the arguments of a run that are the same in all runs of its sweep."""
    return [one for one in sorted(arguments) if one.partition("=")[0].lstrip("+") not in keys]


def other_settings(earlier: Record, given: str) -> ConvscopeError:
    """Return the error for a run on disk whose settings are not those of the sweep."""
    return ConvscopeError(
        f"{earlier.directory} has the settings {' '.join(earlier.overrides)}, but this sweep has {given}: "
        "use the same settings, or choose another sweep.name"
    )


@contextmanager
def running(sweep: SweepDirectory, planned: Sequence[Record] = (), *, runs: int) -> Iterator[None]:
    """Write `sweep.json` and the planned records when a sweep begins; print its results when it ends.

    `runs` is the expected number of runs; a search plans each run only when it begins.

    Raises:
        ConvscopeError: another process has begun a sweep in the directory, or a run has failed or not ended.
        KeyboardInterrupt: after Ctrl-C; its text has the command that resumes the sweep.
    """
    sweep.path.mkdir(parents=True, exist_ok=True)
    with files.waiting_for(sweep.path / ".sweep.lock"):
        _refuse_another(sweep)
        about = {"arguments": sweep.arguments, "command": sweep.command, "runs": runs}
        files.write_json(sweep.path / report.SWEEP, about)
        for one in planned:
            if not record.is_planned(one.directory):
                one.write()
    print(f"sweep: {sweep.path}")
    try:
        yield
    except KeyboardInterrupt as stop:
        report.update(sweep.path, is_final=True)
        first = str(stop).partition("\n")[0] or "interrupted: the results so far are kept"
        raise KeyboardInterrupt(f"{first}\nto resume the sweep: {sweep.resume_command()}") from None
    except Exception:
        with suppress(ConvscopeError, OSError):  # the first error tells more
            report.update(sweep.path, is_final=True)
        raise
    _end(sweep, {one.name for one in planned})


def _end(sweep: SweepDirectory, planned: Collection[str]) -> None:
    """Print the best runs; raise ConvscopeError if a run has failed, or a planned one has not ended.

    `planned` are the names of the runs of this command; a search plans none.
    """
    records = report.update(sweep.path, is_final=True)
    print(results.table(records))
    print(comparison.as_text(records), end="")
    print(f"written: {sweep.path} ({report.FILE}, {results.FILE})")
    failed = [one for one in records if one.state is State.failed]
    if failed:
        is_own = not planned or all(one.name in planned for one in failed)
        which = "them" if is_own else "those with the values of this command"
        raise ConvscopeError(
            f"{len(failed)} of {len(records)} runs failed, the first with: {failed[0].error}; to repeat "
            f"{which}: {sweep.resume_command()} sweep.retry_failed=true"
        )
    left = [one for one in records if one.name in planned and one.state in _LEFT]
    if left:
        raise ConvscopeError(
            f"{len(left)} of {len(records)} runs have not ended, the first is {left[0].name}; to run them: "
            f"{sweep.resume_command()}"
        )
