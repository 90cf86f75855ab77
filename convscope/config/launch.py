"""The main function of every script: compose the configuration, run the stage, report errors in one line."""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, Protocol

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from convscope import invocation, parallel, run_directories
from convscope.config import arguments, folders, launchers, overrides, registry, run_name
from convscope.config import help as help_text
from convscope.config.explain import EXPLAINED, explain
from convscope.config.standard_streams import make_lenient
from convscope.errors import ConvscopeError, one_line
from convscope.invocation import Invocation
from convscope.progress import close_all
from convscope.sweep import record, report, results


class Stage(Protocol):
    """A stage; see `convscope.stages.Stage`."""

    @property
    def run(self) -> Callable[..., Any]:
        """The function that runs it, with its settings and the run directory."""

    def about(self, program: str) -> str:
        """Return the first lines of the help."""


def main(name: str, program: Sequence[str], stage: Stage) -> NoReturn:
    """Run a stage with the arguments `sys.argv[1:]`, and exit.

    The exit status is 0 on success, 1 after an error and 130 after Ctrl-C. An error is printed as one line;
    `debug=true` prints a traceback first. In a sweep, the jobs after a failed job still run.

    Args:
        name: the name of the stage.
        program: the words that start it, for the commands that are printed.
        stage: the stage.
    """
    _prepare_process(Invocation(tuple(program), name, tuple(sys.argv[1:])))
    failures: list[str] = []
    try:
        launchers.prepare(sys.argv[1:])
        arguments.check(name, sys.argv[1:], arguments.all_keys(registry.SCHEMAS[name](), registry.GROUPS))
        sys.argv[1:] = overrides.normalize(sys.argv[1:], list(registry.list_keys(registry.SCHEMAS[name]())))
        invocation.begin(Invocation(tuple(program), name, tuple(sys.argv[1:])))
        folders.use_own(name)
        if {"-h", "--help", "--help-all"} & set(sys.argv[1:]):
            shown = f"python {name}.py" if invocation.is_script() else " ".join(program)  # without a path
            print(_help(name, stage.about(shown)), flush=True)
            sys.exit(0)
        decorate = hydra.main(version_base="1.3", config_path=str(folders.shipped()), config_name=name)
        existing = run_directories.existing_parents(_directories(name))
        decorate(_Task(invocation.get(), stage.run, failures, existing))()
    except EXPLAINED as error:
        _report(explain(error, registry.GROUPS), debug="debug=true" in sys.argv)
        sys.exit(1)
    except Exception as error:
        message = launchers.explain_failure(error)
        if message is None:
            raise
        _report(message, debug="debug=true" in sys.argv)
        sys.exit(1)
    except KeyboardInterrupt as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # another Ctrl-C would give a traceback
        close_all()
        print(f"\n{_text_of(stop) or 'interrupted: nothing was written'}", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    sys.exit(bool(failures))


@dataclass
class _Task:
    """The function that Hydra calls for each job. A launcher may send it to a process on another machine."""

    started: Invocation
    run: Callable[..., Any]
    failures: list[str]
    existing: Collection[Path]
    folder: str = field(default_factory=os.getcwd)
    is_sent: bool = False

    def __call__(self, config: DictConfig) -> Any:
        """Run one job; in another process, return the message of an error, which Hydra brings back."""
        value = _job(config, self.run, self.failures, self.existing)
        return self.failures.pop() if self.is_sent and self.failures else value

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Prepare a process of a launcher like that of the command; paths are relative to the same folder."""
        self.__dict__.update(state, is_sent=True)
        sys.argv = [self.started.program[-1]]
        _prepare_process(self.started)
        if Path(self.folder).is_dir():  # else a copy of the code on another machine
            os.chdir(self.folder)


def _prepare_process(started: Invocation) -> None:
    invocation.begin(started)
    _configure_process()
    registry.register(started.stage)
    run_name.register(started.stage)


def _configure_process() -> None:
    """Change settings of the whole process, which only a script may do: `import convscope` changes none."""
    make_lenient()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises its errors instead of printing them
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")  # convscope has threads of its own: one per picture
    # convscope.decode refuses such pictures; the warning of Pillow would be a second message.
    warnings.filterwarnings("ignore", "Image size", RuntimeWarning)
    warnings.filterwarnings("ignore", append=True)  # those of libraries; `python -W default` shows them
    sys.unraisablehook = _report_unraisable
    for name in ("SIGTERM", "SIGHUP"):  # end like Ctrl-C, which saves what is complete
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _report_unraisable(error: Any) -> None:
    """Say nothing of a second Ctrl-C while objects are deleted, for example a progress bar."""
    if not isinstance(error.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(error)


def _directories(stage: str) -> list[str]:
    """Return the patterns of the directories that Hydra creates, from the configuration and the arguments."""
    settings: Any = OmegaConf.to_container(OmegaConf.load(folders.main_file(stage)), resolve=False)
    given = [argument.partition("=") for argument in sys.argv[1:]]
    chosen = [value.strip("'\"") for key, _, value in given if key in ("hydra.run.dir", "hydra.sweep.dir")]
    configured = [settings.get("hydra", {}).get(kind, {}).get("dir") for kind in ("run", "sweep")]
    return [directory for directory in configured if directory] + chosen


def _job(
    config: DictConfig, run: Callable[..., Any], failures: list[str], existing: Collection[Path]
) -> float | None:
    """Run one job; print an error and append it to `failures`, so that a sweep continues.

    Empty directories that are not in `existing` are removed. A run that a sweeper of convscope has planned is
    recorded instead; its validation loss is returned.
    """
    directory = Path(HydraConfig.get().runtime.output_dir)
    is_claimed = _has_date()
    if is_claimed:
        directory = run_directories.claim_new(directory)
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        parallel.share_machine(launchers.runs_at_once(HydraConfig.get().launcher, _jobs(directory)))
        arguments = tuple(HydraConfig.get().overrides.task)
        invocation.begin(replace(invocation.get(), arguments=arguments))

    def run_stage() -> None:
        check_complete(config)
        run(OmegaConf.to_object(config), directory)

    def explain_and_report(error: Exception) -> str:
        message = _message(error, debug=bool(config.debug))
        _report(message, debug=bool(config.debug))
        return message

    try:
        if record.is_planned(directory):
            return attempt(directory, run_stage, explain_and_report)
        run_stage()
    except Exception as error:
        failures.append(explain_and_report(error))
    finally:
        if is_claimed:
            run_directories.release(directory)
        run_directories.remove_empty(directory, existing)
    return None


def check_complete(config: DictConfig) -> None:
    """Raise ConvscopeError if the value of a key is missing."""
    for key in sorted(OmegaConf.missing_keys(config)):
        raise ConvscopeError(f"{key} is not given: set {key}=VALUE")


def _jobs(directory: Path) -> int | None:
    """Return the number of processes of a search or of runs of a grid; None for other jobs."""
    processes: int | None = HydraConfig.get().sweeper.get("n_jobs")
    return processes or report.expected_runs(directory.parent) or None


def attempt(
    directory: Path, run: Callable[[], None], explain_error: Callable[[Exception], str]
) -> float | None:
    """Run one planned run of a sweep, update the results of the sweep, and return the validation loss."""

    def announce_and_run() -> None:
        print(f"run {directory.name}", flush=True)
        run()

    one, is_new = record.attempt(directory, announce_and_run, explain_error)
    if is_new:
        records = report.update(directory.parent)
        print(results.progress_line(one, records, report.expected_runs(directory.parent)), flush=True)
    return one.value


def _message(error: Exception, *, debug: bool) -> str:
    if isinstance(error, ConvscopeError | OmegaConfBaseException | OSError):
        return explain(error, registry.GROUPS)
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # of TensorFlow
        return f"not enough memory ({one_line(error)[:100]}): choose smaller settings"
    hint = "" if debug else " with the output of debug=true"
    return f"{type(error).__name__}: {error}".splitlines()[0] + f" (internal error; please report it{hint})"


def _text_of(stop: BaseException | None) -> str:
    """Return the text of an interrupt, or of the one before it if Ctrl-C was pressed twice."""
    while stop is not None and not (isinstance(stop, KeyboardInterrupt) and str(stop)):
        stop = stop.__context__
    return str(stop or "")


def _has_date() -> bool:
    """Return whether the run directory is named after the current time, so that two runs may share a name."""
    config: Any = HydraConfig.get()
    kind = config.sweep if config.mode is RunMode.MULTIRUN else config.run
    return "${now:" in str(OmegaConf.to_container(kind, resolve=False))


def _report(message: str, *, debug: bool) -> None:
    close_all()
    if debug:
        traceback.print_exc()
    print(f"error: {message}", file=sys.stderr)


def _help(stage: str, about: str) -> str:
    given = [argument for argument in sys.argv[1:] if "=" in argument and not argument.startswith("hydra")]
    config = compose(stage, given)
    groups = {}
    for group, choice in reversed(config.hydra.runtime.choices.items()):  # as in the list of defaults
        if not group.startswith("hydra/"):
            names = [name for name in folders.choices(group) if name != choice]
            groups[f"{group}={choice or 'null'}"] = names
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return help_text.render(config, groups, about, everything="--help-all" in sys.argv[1:])


def compose(stage: str, given: Sequence[str]) -> DictConfig:
    """Return the configuration of a stage, with that of Hydra; the state of a program with Hydra is kept."""
    instance = GlobalHydra.instance()
    active = instance.hydra
    instance.clear()
    try:
        with hydra.initialize_config_dir(str(folders.shipped()), version_base="1.3"):
            return hydra.compose(stage, overrides=list(given), return_hydra_config=True)
    finally:
        GlobalHydra.instance().hydra = active
