"""The three stages from Python: functions with the settings of the commands, and what they return.

This module does not import TensorFlow, so a wrong setting is found at once.
"""

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convscope import decode, files
from convscope.config import in_process
from convscope.data.manifest import SPLITS, open_dataset
from convscope.images import fit_within
from convscope.models.checkpoint_files import CONTRACT_FILE
from convscope.render.artifact import PHOTOGRAPHS, Role
from convscope.render.thumbnail import data_address, file_address
from convscope.stages import STAGES
from convscope.sweep import record

if TYPE_CHECKING:
    from convscope.api.model import OpenModel

__all__ = ["DrawnPage", "PreparedData", "TrainedRun", "prepare", "train", "visualize"]
_PICTURES = 8  # of a page in a notebook
_SIDE, _WIDE_SIDE = 440, 860  # pixels of the longer side of a picture in a notebook, and of a wide one
_FITS = 'style="max-width:100%"'
_ROW = "display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start"


@dataclass(frozen=True, repr=False)
class PreparedData:
    """A data set of stage 1.

    Attributes:
        path: its folder, `data/NAME`.
        classes: the names of the classes, in the order of the outputs of a model.
        counts: the number of images by split and class.
        rejected: how many files were left out.
        split_sha256: the hash of the split, or None.
    """

    path: Path
    classes: list[str]
    counts: dict[str, dict[str, int]]
    rejected: int
    split_sha256: str | None

    @property
    def report(self) -> Path:
        """The page with counts, samples, duplicates and files that were left out."""
        return self.path / "report.html"

    def __repr__(self) -> str:
        """Return a summary in one line."""
        totals = ", ".join(f"{sum(self.counts[split].values())} {split}" for split in SPLITS)
        return _summary(self, self.path, f"{totals} images of {len(self.classes)} classes")

    def _repr_html_(self) -> str:
        """Return the counts as a table, for notebooks."""
        rows = [[name, *(self.counts[split].get(name, 0) for split in SPLITS)] for name in self.classes]
        return f"{_heading(self)}{_table(['', *SPLITS], rows)}{_link(self.report)}"


@dataclass(frozen=True, repr=False)
class TrainedRun:
    """A run of stage 2: a training, an evaluation, or predictions.

    Attributes:
        path: the run directory.
        metrics: the scores by split, as in `metrics.json`; empty for predictions.
        history: loss and accuracy of each epoch of the main phase; empty without a training.
    """

    path: Path
    metrics: dict[str, dict[str, Any]]
    history: Sequence[Mapping[str, float]]

    @property
    def report(self) -> Path:
        """The page with the results."""
        return self.path / "report.html"

    @property
    def predictions(self) -> Path:
        """The table with the predicted class of each image."""
        return self.path / "predictions.csv"

    def open_model(self) -> "OpenModel":
        """Return the trained model; see `convscope.open_model`."""
        from convscope.api.model import open_model

        return open_model(self.path)

    def __repr__(self) -> str:
        """Return a summary in one line."""
        scores = [f"{split} accuracy {values['accuracy']:.3f}" for split, values in self.metrics.items()]
        return _summary(self, self.path, ", ".join(scores) or self.predictions.name)

    def _repr_html_(self) -> str:
        """Return the scores as a table, and the learning curves, for notebooks."""
        rows = [
            [
                split,
                f"{values['loss']:.4f}",
                "{:.3f} ({:.3f} to {:.3f})".format(values["accuracy"], *values["accuracy_95"]),
            ]
            for split, values in self.metrics.items()
        ]
        table = _table(["split", "loss", "accuracy (95 %)"], rows) if rows else ""
        curves = self.path / "curves.png"
        picture = f'<img src="{file_address(curves)}" alt="curves" {_FITS}>' if curves.is_file() else ""
        shown = self.report if self.report.is_file() else self.predictions
        return f"{_heading(self)}{table}{picture}{_link(shown)}"


@dataclass(frozen=True, repr=False)
class DrawnPage:
    """A page of stage 3.

    Attributes:
        path: the path of `index.html`.
    """

    path: Path

    @property
    def pictures(self) -> list[Path]:
        """The pictures of the page that `manifest.json` lists."""
        listed = files.read_json(self.path.parent / "manifest.json")["files"]
        paths = [self.path.parent / entry["path"] for entry in listed]
        return [path for path in paths if path.suffix in (".png", ".jpg")]

    def __repr__(self) -> str:
        """Return a summary in one line."""
        return _summary(self, self.path, f"{len(self.pictures)} pictures")

    def _repr_html_(self) -> str:
        """Return a link to the page and pictures of its views, for notebooks."""
        shown = [_figure(self.path.parent / entry["path"], _caption(entry)) for entry in self._shown()]
        return f'{_heading(self)}<div style="{_ROW}">{"".join(shown)}</div>{_link(self.path)}'

    def _shown(self) -> list[dict[str, Any]]:
        """Return the first pictures of views, one of each folder first; without any, the photographs."""
        listed = files.read_json(self.path.parent / "page.json")["artifacts"]
        shown = [
            entry
            for entry in listed
            if entry["role"] in (Role.figure, Role.overlay) and entry["path"].endswith((".png", ".jpg"))
        ]
        drawn = [entry for entry in shown if entry["view"] != PHOTOGRAPHS] or shown
        folders: Counter[str] = Counter()
        ranks = []
        for entry in drawn:
            folder = entry["path"].rpartition("/")[0]
            ranks.append(folders[folder])
            folders[folder] += 1
        order = sorted(range(len(drawn)), key=lambda index: ranks[index])
        return [drawn[index] for index in order[:_PICTURES]]


def prepare(*arguments: str, **settings: Any) -> PreparedData:
    """Make a data set, as `convscope prepare` does, and return it.

    If the data set exists with these settings, it is kept.

    Args:
        arguments: texts KEY=VALUE, as on the command line.
        settings: values by key: `dataset="folder"`, `split={"test": 0.1}`, `overwrite=True`.

    Raises:
        ConvscopeError: a key or a value is wrong, or the command would end with an error.
    """
    path = _run("create_train_val_test", arguments, settings)
    manifest = open_dataset(path)
    counts = {split: dict(counter) for split, counter in manifest.counts().items()}
    return PreparedData(path, manifest.classes, counts, len(manifest.rejected), manifest.split_sha256)


def train(*arguments: str, **settings: Any) -> TrainedRun:
    """Train a network, as `convscope train` does, and return the run.

    With `evaluate=` or `predict=`, a trained model is used.

    Args:
        arguments: texts KEY=VALUE, as on the command line.
        settings: values by key: `experiment="demo"`, `training={"epochs": 3}`, `seed=1`.

    Raises:
        ConvscopeError: a key or a value is wrong, or the command would end with an error.
        KeyboardInterrupt: after Ctrl-C; its text has the call that resumes the run.
    """
    path = _run("train", arguments, settings)
    metrics = path / record.METRICS
    is_training = (path / CONTRACT_FILE).is_file()
    return TrainedRun(
        path,
        files.read_json(metrics) if metrics.is_file() else {},
        record.read_history(path) if is_training else [],
    )


def visualize(*arguments: str, **settings: Any) -> DrawnPage:
    """Draw what a model learned, as `convscope visualize` does, and return the page.

    Args:
        arguments: texts KEY=VALUE, as on the command line.
        settings: values by key: `checkpoint=run.path`, `views=["activations"]`, `images=["rex.jpg"]`.

    Raises:
        ConvscopeError: a key or a value is wrong, or the command would end with an error.
        KeyboardInterrupt: after Ctrl-C; the page shows the pictures drawn so far.
    """
    return DrawnPage(_run("visualize", arguments, settings))


def _run(stage: str, arguments: Sequence[str], settings: Mapping[str, Any]) -> Path:
    return in_process.run(stage, STAGES[stage].run, arguments, settings)


def _summary(result: object, path: Path, text: str) -> str:
    return f"<{type(result).__name__} {path}: {text}>"


def _heading(result: object) -> str:
    return f"<p>{html.escape(repr(result)[1:-1])}</p>"


def _table(titles: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    def row(cells: Iterable[object], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(str(cell))}</{tag}>' for cell in cells)}</tr>"

    return f"<table>{row(titles, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"


def _link(path: Path) -> str:
    return f'<p><a href="{html.escape(path.resolve().as_uri())}">{html.escape(path.name)}</a></p>'


def _caption(entry: Mapping[str, Any]) -> str:
    """Return the title of an entry of `manifest.json`, and the name of its photograph."""
    names = [entry["title"], *([Path(entry["photograph"]).name] if entry.get("photograph") else [])]
    return ", ".join(dict.fromkeys(names))  # the title of a photograph is its name


def _figure(path: Path, title: str) -> str:
    pixels = decode.load(path)
    height, width = pixels.shape[:2]
    address = data_address(fit_within(pixels, _WIDE_SIDE if width > 1.5 * height else _SIDE))
    text = html.escape(title)
    picture = f'<img src="{address}" alt="{text}" {_FITS}>'
    return f'<figure style="margin:0;max-width:100%">{picture}<figcaption>{text}</figcaption></figure>'
