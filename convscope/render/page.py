"""The page of stage 3: `index.html`, its scripts and its style in `page/`, and what they show as data.

The page opens from disk. So it has no other way to load data than classic scripts and pictures.
"""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from convscope.files import write_bytes, write_json, write_text
from convscope.images import color_table
from convscope.render import templates
from convscope.render.artifact import Artifact
from convscope.render.data_script import data_script

MOST_SCORES = 8  # of a photograph; a thousand classes of many photographs would be megabytes
PAGE, FOLDER, SAVED = "index.html", "page", "page.json"
FORMAT = 2  # of page.json and of the data files; increase it when the scripts need other data
STYLE = "page.css"
# In this order, because a script uses what the scripts before it define.
SCRIPTS = (
    "elements.js", "inflate.js", "data.js", "maps.js", "address.js", "model.js", "frame.js", "pictures.js",
    "start.js", "channel.js", "layer.js", "cell.js", "photograph.js", "mistakes.js", "compare.js", "about.js",
    "search.js", "main.js",
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """The texts of a view: the name in links, the heading, and one or two sentences below it."""

    key: str
    title: str
    intro: str


@dataclass(frozen=True)
class PhotographPart:
    """A photograph of the run.

    `path` and `size` (height and width) are those of the picture on the page. `scores` are (class,
    probability): those of `shown_scores`. `truth` is the true class, None if it is unknown. `note` is a line
    below the name, or empty. `sha256` is the hash of the file that was given.
    """

    name: str
    key: str
    path: str
    sha256: str
    size: tuple[int, int]
    scores: Sequence[tuple[str, float]]
    truth: str | None
    note: str = ""


@dataclass(frozen=True)
class LayerPart:
    """A layer of the page: a single layer, or a convolution with its normalization and its activation.

    Attributes:
        key: the index of the last member as text.
        path: the path of the first member.
        kind: the class of the first member.
        shape: the shape of the output without the batch.
        members: the paths of all members.
        sources: the keys of the layers directly before it.
        parameters: the number of parameters of all members.
        activated: whether an activation is at the end.
        windows: start, size and step of the receptive field in pixels along height and width, or None if it
            is not known; see `ReceptiveField`.
    """

    key: str
    path: str
    kind: str
    shape: Sequence[int | None]
    members: Sequence[str]
    sources: Sequence[str]
    parameters: int
    activated: bool
    windows: Sequence[Sequence[float]] | None


@dataclass(frozen=True)
class Page:
    """The contents of the page.

    Attributes:
        title: the heading.
        facts: pairs (name, value) about the models and the run.
        models: the titles of the models.
        checkpoints: the files of the models.
        input_size: height and width of the input in pixels.
        classes: the classes in the order of the outputs.
        layers: the layers of the first model.
        photographs: the photographs.
        views: the views that were drawn.
        artifacts: all files of the run, in their order.
        program: the words that start stage 3 on a command line.
        model_options: the options that choose the models, in quotes for a command line.
        command: the command of the run.
        versions: the versions of the software.
        color_maps: the colour maps by what they colour: maps, signed.
        notes: sentences on what was left out.
        complete: whether the run has ended; otherwise more pictures follow.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    models: Sequence[str]
    checkpoints: Sequence[str]
    input_size: tuple[int, int]
    classes: Sequence[str]
    layers: Sequence[LayerPart]
    photographs: Sequence[PhotographPart]
    views: Sequence[Section]
    artifacts: Sequence[Artifact]
    program: str
    model_options: str
    command: str
    versions: Mapping[str, str]
    color_maps: Mapping[str, str]
    notes: Sequence[str] = ()
    complete: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the contents as JSON; of the provenance of a file, only what the page uses."""
        parts = {
            key: [asdict(part) for part in getattr(self, key)] for key in ("layers", "photographs", "views")
        }
        artifacts = [artifact.on_page() for artifact in self.artifacts]
        colors = {
            use: base64.b64encode(color_table(name).tobytes()).decode()
            for use, name in self.color_maps.items()
        }
        return {"format": FORMAT, **vars(self), **parts, "artifacts": artifacts, "color_maps": colors}


def shown_scores(scores: Mapping[str, float], truth: str | None) -> list[tuple[str, float]]:
    """Return the highest probabilities in their order, and that of the true class."""
    ordered = sorted(scores.items(), key=lambda pair: -pair[1])
    return [pair for rank, pair in enumerate(ordered) if rank < MOST_SCORES or pair[0] == truth]


def write_page(
    path: Callable[[str], Path], content: Mapping[str, Any], others: Mapping[str, bytes] | None = None
) -> list[str]:
    """Write the page; return the paths of its files relative to the run directory.

    Args:
        path: a function that returns where to write a file of the run.
        content: `Page.to_json`, with the results of the training and the findings.
        others: contents of more files of the page, by their names in its folder.
    """
    content = _without_nan(content)
    assets = files("convscope.render") / "assets" / "explorer"
    contents = {name: (assets / name).read_bytes() for name in (STYLE, *SCRIPTS)}
    contents |= {"index.js": data_script(f"{FOLDER}/index", content), **(others or {})}
    for name, script in contents.items():
        write_bytes(path(f"{FOLDER}/{name}"), script)
    write_json(path(SAVED), content)
    title = content["title"]
    write_text(path(PAGE), templates.render("explorer/index.html.j2", title=title, scripts=SCRIPTS))
    return [PAGE, SAVED, *(f"{FOLDER}/{name}" for name in contents)]


def _without_nan(content: Any) -> Any:
    """Return JSON with null instead of numbers that are not finite, which JSON does not have."""
    if isinstance(content, Mapping):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
