"""The photographs of stage 3: which they are, and what is drawn of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

from convscope import decode, images, names
from convscope.app.visualize.activations import ActivationDrawing
from convscope.app.visualize.file_names import FileNames
from convscope.app.visualize.reference import dataset_of
from convscope.config.schema.visualize import View as Kind
from convscope.config.schema.visualize import VisualizeConfig
from convscope.data import image_paths as photographs
from convscope.data.manifest import ImageRecord
from convscope.data.pipeline import encode_photographs
from convscope.errors import ConvscopeError, unknown
from convscope.files import sha256
from convscope.graph import Layer, probabilities_of
from convscope.models.bundle import ModelBundle
from convscope.render.artifact import write_view
from convscope.render.page import Explanation, PhotographViews
from convscope.vis.grad_cam import GradCam, relative
from convscope.vis.layer_selection import last_maps, select

SECTIONS = (
    "photographs", "compare", "summary", "filters", "examples", "evolution", "layers", "model", "summary.csv",
)  # fmt: skip  # what the page links to and compare/ holds, besides photographs
LONGEST = 640  # pixels of a photograph's longer side in the run directory


@dataclass(frozen=True)
class Photograph:
    """A photograph to be explained: its file, its folder's name in the run, its class if known."""

    path: Path
    key: str
    sha256: str
    truth: str | None

    @property
    def provenance(self) -> dict[str, str]:
        """Which file it was."""
        return {"photograph": names.printable(str(self.path)), "photograph_sha256": self.sha256}

    @property
    def name(self) -> str:
        """Its file's name; bytes in it that are no UTF-8 are written out."""
        return names.printable(self.path.name)


def choose(patterns: Sequence[str], bundle: ModelBundle) -> list[Photograph]:
    """The photographs that `patterns` name, or one test image of each class of the model's data set.

    Each is opened once, so that an unreadable one is found before hours of drawing.

    Raises:
        ConvscopeError: there are none, or one cannot be read.
    """
    root, records = _trained_on(bundle)
    if patterns:
        paths = photographs.find(patterns)
    else:
        first = {record.label: record for record in reversed(records) if record.split == "test"}
        paths = [root / first[label].path for label in sorted(first)]
    if not paths:
        raise ConvscopeError(
            f"no images are given, and the data set that the model was trained on is not there ({root}): "
            "give images=FILES"
        )
    _check(paths)
    truths: dict[Path | str, str] = {(root / record.path).resolve(): record.label for record in records}
    truths |= {record.sha256: record.label for record in records if record.sha256}
    hashes = [sha256(path) for path in paths]
    keys = names.unique((names.file_name(path.stem) for path in paths), taken=SECTIONS)
    return [
        Photograph(path, key, digest, truths.get(digest, truths.get(path.resolve())))
        for path, key, digest in zip(paths, keys, hashes, strict=True)
    ]


def _check(paths: Sequence[Path]) -> None:
    """Raise the error of the first photograph that cannot be read, and say how many more there are."""
    errors: list[decode.DecodeError] = []
    for path in paths:
        try:
            decode.load(path)
        except decode.DecodeError as error:
            errors.append(error)
    if errors:
        more = f", and {len(errors) - 1} more cannot be read" if len(errors) > 1 else ""
        raise ConvscopeError(f"{errors[0]}{more}, of {len(paths)}: leave what is damaged out of images")


def _trained_on(bundle: ModelBundle) -> tuple[Path, list[ImageRecord]]:
    """The data set that the model was trained on: its folder and images; none if it is gone."""
    root, manifest = dataset_of(bundle)
    if manifest is None:
        return root, []  # photographs can still be named
    return root, manifest.images


@dataclass(frozen=True)
class _Read:
    """A photograph that was read: the model's input, float32 (1, height, width, channels), and as shown.

    `size` is its own height and width.
    """

    photograph: Photograph
    inputs: np.ndarray
    small: np.ndarray
    size: tuple[int, int]


class PhotographDrawing:
    """Draws all that is asked for batch by batch of photographs, into the run directory.

    Layers, classes and colour maps are checked when it is made; it raises ConvscopeError then.
    """

    def __init__(
        self, bundle: ModelBundle, layers: Sequence[Layer], config: VisualizeConfig, directory: Path
    ):
        self.bundle, self.config, self.directory = bundle, config, directory
        self.file_names = FileNames(config.files)
        classes = bundle.contract.class_names  # two may differ by case alone
        self.class_files = dict(zip(classes, names.unique(map(names.file_name, classes)), strict=True))
        self.activations: ActivationDrawing | None = None
        self.grad_cam: GradCam | None = None
        for name in (config.activations.color_map, config.class_activation.color_map):
            if name not in matplotlib.colormaps:
                raise unknown("colour map", name, matplotlib.colormaps)
        if Kind.activations in config.views:
            self.activations = ActivationDrawing(
                bundle, layers, config.activations, directory=directory, file_names=self.file_names
            )
        if Kind.class_activation in config.views:
            wanted = config.class_activation.class_name
            if wanted is not None and wanted not in bundle.contract.class_names:
                raise unknown("class", wanted, bundle.contract.class_names)
            self.explained = layer_to_explain(layers, config.class_activation.layer)
            self.grad_cam = GradCam(bundle.model, self.explained)

    @property
    def needs_statistics(self) -> bool:
        """Whether feature maps want `look_over` first."""
        return self.activations is not None and self.activations.needs_statistics

    def draw(self, photographs: Sequence[Photograph], drawn: list[PhotographViews]) -> Iterator[None]:
        """Write the photographs, their class activation and their feature maps, a batch at a time.

        `drawn` gets each photograph when its batch begins, and its pictures as they are written, so that it
        has them after Ctrl-C. Yields when a photograph is complete.
        """
        size = self.config.activations.batch
        for first in range(0, len(photographs), size):
            batch = [self._read(each) for each in photographs[first : first + size]]
            inputs = np.concatenate([each.inputs for each in batch])
            begun = len(drawn)
            for each, scores in zip(batch, probabilities_of(self.bundle.model, inputs), strict=True):
                drawn.append(self._views(each, scores))
                drawn[-1].explanations += self._explanations(each, drawn[-1])
            if self.activations:
                provenance = [each.photograph.provenance for each in batch]
                yield from self.activations.draw(drawn[begun:], inputs, provenance)
            else:
                yield from (None for _ in batch)

    def _read(self, photograph: Photograph) -> _Read:
        contract = self.bundle.contract
        pixels = decode.load(photograph.path)
        inputs = encode_photographs([pixels], contract.input_size, contract.preprocessing)
        return _Read(photograph, inputs, images.fit_within(pixels, LONGEST), pixels.shape[:2])

    def _views(self, read: _Read, scores: np.ndarray) -> PhotographViews:
        """Write a photograph as the page shows it, and say what the model says of it."""
        photograph, (height, width) = read.photograph, read.size
        view = write_view(
            self.directory,
            f"photographs/{photograph.key}.jpg",
            read.small,
            title=photograph.name,
            caption=f"{width}×{height}",
            provenance={"view": "photograph", **photograph.provenance},
        )
        of_classes = zip(self.bundle.contract.class_names, map(float, scores), strict=True)
        return PhotographViews(
            name=photograph.name,
            key=photograph.key,
            photograph=view,
            scores=sorted(of_classes, key=lambda pair: -pair[1]),
            truth=photograph.truth,
        )

    def _explanations(self, read: _Read, views: PhotographViews) -> Iterator[Explanation]:
        if self.grad_cam:
            for label, role in self._classes_to_explain(views).items():
                yield self._explain(read.photograph, read.small, read.inputs, label, role)

    def _classes_to_explain(self, views: PhotographViews) -> dict[str, str]:
        """The chosen class, or the predicted one, and the true one where it is another."""
        if self.config.class_activation.class_name is not None:
            return {self.config.class_activation.class_name: "chosen"}
        predicted = views.scores[0][0]
        wanted = {predicted: "predicted"}
        if views.truth in self.bundle.contract.class_names and views.truth != predicted:
            wanted[str(views.truth)] = "true"
        return wanted

    def _explain(
        self, photograph: Photograph, small: np.ndarray, inputs: np.ndarray, label: str, role: str
    ) -> Explanation:
        """Grad-CAM for one class: the heatmap over the photograph, and alone."""
        assert self.grad_cam is not None
        color_map = self.config.class_activation.color_map
        activation = self.grad_cam(inputs, self.bundle.contract.class_names.index(label))
        heat = images.stretch(relative(activation.heat), *small.shape[:2])
        strongest = float(activation.heat.max())
        height, width = activation.heat.shape
        caption = (
            f"Grad-CAM at {self.explained.path}, {height}×{width} places; score {activation.score:.2f}. "
        )
        if strongest > 0:
            caption += f"The brightest place stands for {strongest:.3g}."
        else:
            caption += "Nothing in this layer speaks for it: the map is zero everywhere."
        pictures = {
            "overlay": images.overlay(small, heat, color_map),
            "heatmap": images.colorize(np.round(heat * 255).astype(np.uint8), color_map),
        }
        fields = {"photograph": photograph.key, "class": self.class_files[label]}
        paths = {kind: self.file_names(kind, **fields) for kind in pictures}  # before one is written
        views = {
            kind: write_view(
                self.directory,
                paths[kind],
                pixels,
                title=f"{photograph.name}: {label}",
                caption=caption,
                provenance={
                    "view": "class_activation",
                    "layer": self.explained.path,
                    "class": label,
                    "score": activation.score,
                    "value_range": [0.0, strongest],
                    "color_map": color_map,
                    "normalize": "own maximum",
                    "model_sha256": self.bundle.sha256,
                    **photograph.provenance,
                },
            )
            for kind, pixels in pictures.items()
        }
        return Explanation(label, role, **views)


def layer_to_explain(layers: Sequence[Layer], name: str | None) -> Layer:
    """The layer that Grad-CAM weighs; ConvscopeError if it has no feature maps or is not one layer."""
    last = last_maps(layers)
    chosen = select(layers, [name]) if name else [last]
    if len(chosen) > 1:
        raise ConvscopeError(
            f"class_activation.layer={name} means {len(chosen)} layers: expected one, such as {last.path}"
        )
    layer = chosen[0]
    if not layer.has_maps:
        raise ConvscopeError(
            f"layer {layer.path} ({layer.kind}) has no feature maps, its output is {layer.shape}: choose "
            f"a convolution in class_activation.layer, such as {last.path}"
        )
    return layer
