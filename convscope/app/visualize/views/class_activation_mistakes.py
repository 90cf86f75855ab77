"""Class activation of mistakes: the maps of the predicted and of the true class, for the confusion matrix."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from convscope import decode, images, names
from convscope.app.visualize.mistakes import file_of, shown_predictions
from convscope.app.visualize.training_results import Prediction, predictions, run_of
from convscope.app.visualize.views.class_activation_pictures import MethodPictures
from convscope.files import sha256
from convscope.models.bundle import ModelBundle
from convscope.progress import progress
from convscope.render.artifact import Artifact, Role
from convscope.render.heat import HeatScale
from convscope.vis.channels.work import PER_MINUTE, work_of
from convscope.vis.class_activation.methods import METHODS, Heatmap, remark_on
from convscope.vis.class_activation.targets import of_class

if TYPE_CHECKING:
    from convscope.app.visualize.views.class_activation import ClassActivationView

WORK = PER_MINUTE / 6  # for all mistakes; see `convscope.vis.channels.work`
_AT_ONCE = 8  # photographs, with two maps each
_LONGEST = 200  # pixels of a photograph's longer side


def draw_mistakes(view: "ClassActivationView", method: MethodPictures) -> Iterator[Artifact]:
    """Draw the mistakes of a trained run: photograph, map of the predicted and of the true class in a row.

    The photographs are those of the split that the confusion matrix of the page shows. Without a training
    run, or without its data set, nothing is drawn.
    """
    run = view.run
    if len(run.models) > 1 or run.config.shard > 0 or not view.settings.mistakes:
        return
    bundle = run.models.first
    directory = run_of(str(bundle.path))
    of_splits = predictions(directory) if directory else {}
    if not of_splits:
        return
    split, found = next(iter(of_splits.items()))
    known = set(bundle.contract.class_names)
    wrong = [one for one in shown_predictions(found) if {one.true, one.predicted} <= known]
    ordered = in_rounds(wrong, view.settings.mistakes)
    most = affordable(bundle, method.name, flips=view.settings.flips)
    if len(ordered) > most:
        print(
            f"note: class activation of {most} of {len(ordered)} mistakes, because more would take long; "
            "the page has the command for the others"
        )
    dataset = run.training_results[0].get("data", {})
    drawing = _MistakeDrawing(view, method)
    starts = range(0, min(most, len(ordered)), _AT_ONCE)
    for start in progress(starts, desc="mistakes", unit="batch"):
        part = ordered[start : min(start + _AT_ONCE, most)]
        yield from drawing.draw([(one, file_of(one.path, split, dataset)) for one in part])


def in_rounds(found: Sequence[Prediction], of_cell: int) -> list[Prediction]:
    """Return the most certain mistakes of each cell, at most `of_cell`: the first of each comes first."""
    cells: dict[tuple[str, str], list[Prediction]] = {}
    for one in sorted(found, key=lambda one: -one.probability):
        if one.true != one.predicted:
            cells.setdefault((one.true, one.predicted), []).append(one)
    return [cell[at] for at in range(of_cell) for cell in cells.values() if at < len(cell)]


def affordable(bundle: ModelBundle, method: str, *, flips: bool = False) -> int:
    """Return for how many photographs two maps can be computed, estimated from the size of the network."""
    passes = 2 * METHODS[method].passes * (2 if flips else 1)
    return max(1, int(WORK / (passes * sum(map(work_of, bundle.layers)))))


class _MistakeDrawing:
    """Draws mistakes by one method."""

    def __init__(self, view: "ClassActivationView", method: MethodPictures) -> None:
        self.view, self.method = view, method
        self.contract = view.run.models.first.contract
        self.logits = int(view.run.models.first.model.output_shape[-1])

    def draw(self, part: Sequence[tuple[Prediction, Path | None]]) -> Iterator[Artifact]:
        """Yield a picture for each mistake whose photograph can be read."""
        opened = [(one, path, _read(path)) for one, path in part if path]
        readable = [(one, path, pixels) for one, path, pixels in opened if pixels is not None]
        if not readable:
            return
        resized = np.stack([images.resize(pixels, *self.contract.input_size) for *_, pixels in readable])
        classes = self.contract.class_names
        targets = [
            of_class(classes.index(name), self.logits)
            for one, *_ in readable
            for name in (one.predicted, one.true)
        ]
        inputs = self.contract.preprocessing.encode(resized).repeat(2, axis=0)
        heatmaps = self.method.explain(inputs, np.stack(targets))
        for at, (one, path, pixels) in enumerate(readable):
            yield self._picture(one, path, pixels, heatmaps[2 * at : 2 * at + 2])

    def _picture(
        self, one: Prediction, path: Path, pixels: np.ndarray, heatmaps: Sequence[Heatmap]
    ) -> Artifact:
        """Return the photograph and both maps on one scale, side by side."""
        settings = self.view.settings
        scale = HeatScale.of(np.stack([heatmap.heat for heatmap in heatmaps]), settings.color_map)
        small = images.fit_within(pixels, _LONGEST)
        overlays = [scale.paint(heatmap.heat, small, settings.alpha)[1] for heatmap in heatmaps]
        highest = [float(heatmap.heat.max()) for heatmap in heatmaps]
        caption = (
            f"{self.method.where}, both maps on one scale. Maximum for {one.predicted}: {highest[0]:.3g}, "
            f"for {one.true}: {highest[1]:.3g}{remark_on(self.method.unit)}."
        )
        about = {
            **self.method.about([one.predicted, one.true], scale),
            "normalize": "both maps on one scale",
            "photograph": names.printable(str(path)),
            "photograph_sha256": sha256(path),
        }
        title = f"{one.true}, predicted {one.predicted}: {names.printable(path.name)}"
        name = self.view.reserve_mistake(one.true, one.predicted)
        picture = self.view.picture(
            name, np.concatenate([small, *overlays], axis=1), title=title, caption=caption, about=about
        )
        data = {"kind": "mistake", "photograph": one.path, "true": one.true, "predicted": one.predicted}
        return replace(picture, role=Role.file, data=data)


def _read(path: Path) -> np.ndarray | None:
    try:
        return decode.load(path)
    except decode.DecodeError:
        return None
