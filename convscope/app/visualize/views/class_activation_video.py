"""Class activation on videos: a map for every frame or every n-th one, as MP4, GIF and table."""

import csv
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from convscope import images
from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.view import View
from convscope.config.schema.views import ClassActivationConfig
from convscope.decode_video import Video
from convscope.files import beside
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.progress import progress
from convscope.render.artifact import Artifact, Role
from convscope.render.frame_band import FrameBand
from convscope.render.video import gif_of_video, mp4
from convscope.vis.class_activation.methods import BATCH, METHODS, ClassActivation
from convscope.vis.class_activation.targets import of_class
from convscope.vis.smoothing import Smoothing

SAMPLED = 32  # the maximum number of frames that determine the colour scale
_HELD = 128 << 20  # bytes of the frames in memory; a batch has at least one frame
_GIF_RATE, _GIF_LONGEST, _GIF_SECONDS = 10, 360, 30  # limits: a GIF is many times as large as an MP4
_COLUMNS = ("frame", "seconds", "class", "probability", "maximum")


@dataclass(frozen=True)
class FrameMap:
    """The map of a frame: class, its probability (0 to 1), and the heat, float32 (height, width)."""

    label: str
    probability: float
    heat: np.ndarray


def title_of(settings: ClassActivationConfig) -> str:
    """Return what the map of each frame explains."""
    return settings.class_name or "the predicted class"


def targets_of_frames(
    settings: ClassActivationConfig, classes: Sequence[str], probabilities: np.ndarray, logits: int
) -> list[tuple[str, float, np.ndarray]]:
    """Return the class to explain in each frame, its probability, and the target, float32 (logits,).

    Args:
        settings: the settings of the view, which select the class.
        classes: the classes of the model.
        probabilities: their probabilities, float64 (frames, classes).
        logits: the number of logits of the model.
    """
    chosen = settings.class_name
    indices = [int(row.argmax()) if chosen is None else classes.index(chosen) for row in probabilities]
    return [
        (classes[index], float(row[index]), of_class(index, logits))
        for index, row in zip(indices, probabilities, strict=True)
    ]


class FrameMaps:
    """Computes the maps of frames in batches, in a compiled graph."""

    def __init__(
        self, settings: ClassActivationConfig, bundle: ModelBundle, activation: ClassActivation
    ) -> None:
        """Store the model and its class activation."""
        self._settings, self._contract, self._activation = settings, bundle.contract, activation

    def of_video(self, video: Video) -> Iterator[tuple[int, np.ndarray, FrameMap]]:
        """Yield the index of each frame, its pixels and the last map, smoothed in time."""
        every = self._settings.every
        heat = Smoothing(self._settings.smoothing)
        probabilities = Smoothing(self._settings.smoothing)
        last: FrameMap | None = None
        with closing(video.frames()) as frames:
            for chunk in _chunks(enumerate(frames), _at_once(video, BATCH * every)):
                new = [pixels for index, pixels in chunk if index % every == 0]
                maps = iter(self._compute(new, probabilities) if new else [])
                for index, pixels in chunk:
                    if index % every == 0:
                        current = next(maps)
                        if last is not None and current.label != last.label:
                            heat.restart()  # maps of two classes are not mixed
                        last = FrameMap(current.label, current.probability, heat(current.heat))
                    assert last is not None
                    yield index, pixels, last

    def highest(self, video: Video) -> tuple[float, int]:
        """Return the maximum of the maps of at most `SAMPLED` frames, and the number of these frames."""
        every = self._settings.every
        step = every * -(-video.count // (every * SAMPLED))
        count, result = 0, 0.0
        with closing(video.frames()) as frames:
            for chunk in _chunks(islice(frames, 0, None, step), _at_once(video, BATCH)):
                maps = self._compute(chunk, Smoothing(0))
                count += len(maps)
                result = max(result, *(float(frame.heat.max()) for frame in maps))
        return result, count

    def _compute(self, frames: Sequence[np.ndarray], smoothing: Smoothing) -> list[FrameMap]:
        """Return the maps of at most `BATCH` frames; the probabilities are smoothed first."""
        classes, size = self._contract.class_names, self._contract.input_size
        inputs = self._contract.preprocessing.encode(
            np.stack([images.resize(pixels, *size) for pixels in frames])
        )
        shown: list[tuple[str, float]] = []

        def choose(probabilities: np.ndarray) -> np.ndarray:
            smoothed = np.stack([smoothing(row) for row in probabilities])
            targets = targets_of_frames(self._settings, classes, smoothed, self._activation.logit_count)
            shown.extend((label, probability) for label, probability, _ in targets)
            return np.stack([weights for *_, weights in targets])

        heatmaps = self._activation.of_predictions(inputs, choose)
        return [FrameMap(*pair, heatmap.heat) for pair, heatmap in zip(shown, heatmaps, strict=True)]


def draw_videos(
    view: View[ClassActivationConfig], method: str, layers: Sequence[Layer], *, flips: bool = False
) -> Iterator[Artifact]:
    """Draw the videos among the photographs of a run with one model.

    Args:
        view: the view class_activation.
        method: a name in `METHODS`.
        layers: the layers of the model that are explained.
        flips: see `ClassActivation`.
    """
    videos = [photograph for photograph in view.run.photographs if photograph.video]
    if videos and len(view.run.models) > 1:
        print("note: class_activation draws only the frame in the middle of a video for several models")
    elif videos:
        (state,) = view.run.models
        activation = ClassActivation(
            state.bundle.model, layers, method, flips=flips, seed=view.run.config.seed, compiled=True
        )
        maps = FrameMaps(view.settings, state.bundle, activation)
        about = {"method": method, "layer": ", ".join(layer.path for layer in layers)}
        for photograph in videos:
            yield from _VideoDrawing(view, photograph, about).draw(maps)


class _VideoDrawing:
    """Draws one video; `about` has method and layer."""

    def __init__(
        self, view: View[ClassActivationConfig], photograph: Photograph, about: dict[str, Any]
    ) -> None:
        assert photograph.video is not None
        self.view, self.photograph, self.video = view, photograph, photograph.video
        self.about, self.method = about, METHODS[about["method"]]
        stem = f"{view.settings.name}/{photograph.key}/video"
        self.paths = {
            kind: view.reserve(f"{stem}.{kind}", f"the video of {photograph.name}")
            for kind in ("mp4", "gif", "csv")
        }
        self.classes: Counter[str] = Counter()

    def draw(self, maps: FrameMaps) -> Iterator[Artifact]:
        """Yield the MP4, the table and the GIF. After an interrupt there is no partial file."""
        output, settings, rate = self.view.run.output, self.view.settings, self.video.rate
        highest, sampled = maps.highest(self.video)
        files = {kind: output.path(path) for kind, path in self.paths.items()}
        with beside(files["csv"]) as partial, partial.open("w", encoding="utf-8", newline="") as table:
            write = csv.writer(table, lineterminator="\n").writerow
            write(_COLUMNS)
            with closing(self._frames(maps, highest, write)) as frames:
                mp4(files["mp4"], frames, rate)
        about = self.about | {
            "class": title_of(settings),
            "value_range": [0.0, highest],
            "color_map": settings.color_map,
            "normalize": f"maximum over {sampled} frames",
            "every": settings.every,
            "smoothing": settings.smoothing,
            "frames": sum(self.classes.values()),
            "rate": float(rate),
        }
        yield self._artifact("mp4", Role.figure, self._caption(highest, sampled), about)
        table_of = f"class, probability and maximum of the map of {about['frames']} frames"
        yield self._artifact("csv", Role.link, table_of, about)
        gif_rate = min(_GIF_RATE, float(rate))
        gif_of_video(files["gif"], files["mp4"], gif_rate, _GIF_LONGEST, _GIF_SECONDS)
        caption = f"{gif_rate:.3g} frames per second, at most {_GIF_SECONDS} seconds"
        yield self._artifact("gif", Role.link, caption, about | {"rate": gif_rate})

    def _frames(
        self, maps: FrameMaps, highest: float, write: Callable[[Sequence[Any]], Any]
    ) -> Generator[np.ndarray, None, None]:
        """Yield the frames of the MP4, with sides of even length, and write a row of the table for each."""
        color_map, unit = self.view.settings.color_map, self.method.unit or "relative"
        size = (_even(self.video.size[0]), _even(self.video.size[1]))
        band = FrameBand(size, color_map, ("0", f"{highest:.3g} {unit}"))
        known: FrameMap | None = None
        name = f"class_activation {self.photograph.name}"
        with progress(total=self.video.count, desc=name, unit="frame") as bar:
            for index, pixels, shown in maps.of_video(self.video):
                if shown is not known:
                    known, heat = shown, images.stretch(shown.heat / (highest or 1), *self.video.size)
                painted = images.overlay(pixels, heat, color_map)
                odd = [(0, even - side) for even, side in zip(size, self.video.size, strict=True)]
                painted = np.pad(painted, [*odd, (0, 0)], mode="edge")
                yield band.draw(painted, shown.label, f"{100 * shown.probability:.1f} %")
                self.classes[shown.label] += 1
                seconds = f"{float(index / self.video.rate):.3f}"
                write([index, seconds, shown.label, f"{shown.probability:.6f}", f"{shown.heat.max():.6g}"])
                bar.update()

    def _caption(self, highest: float, sampled: int) -> str:
        settings, frames = self.view.settings, sum(self.classes.values())
        (common, times), *_ = self.classes.most_common(1)
        every = "every frame" if settings.every == 1 else f"one of {settings.every} frames"
        where = "" if self.method.at_input else f" at {self.about['layer']}"
        caption = f"{self.method.title}{where}, a map for {every}; {frames} frames. "
        if settings.smoothing:
            caption += f"Probabilities and maps are smoothed in time (share {settings.smoothing:g}). "
        if len(self.classes) > 1:
            caption += f"Most frequent class: {common} ({100 * times / frames:.0f} % of the frames). "
        if highest <= 0:
            return f"{caption}No positive evidence in {sampled} sampled frames."
        unit = f" ({self.method.unit})" if self.method.unit else ""
        return (
            f"{caption}One colour scale for all frames: from 0 to {highest:.3g}{unit}, the maximum over "
            f"{sampled} frames; higher values have the last colour."
        )

    def _artifact(self, kind: str, role: Role, caption: str, about: dict[str, Any]) -> Artifact:
        height, width = map(_even, self.video.size)
        return Artifact(
            path=self.paths[kind],
            title=f"video: {title_of(self.view.settings)}",
            caption=caption,
            view=self.view.settings.name,
            photograph=self.photograph.key,
            role=role,
            size=(height, width) if kind == "mp4" else None,
            provenance=self.view.provenance(self.photograph, about),
        )


def _chunks(items: Iterator[Any], count: int) -> Iterator[list[Any]]:
    """Yield lists of `count` items; the last one may be shorter."""
    while chunk := list(islice(items, count)):
        yield chunk


def _at_once(video: Video, most: int) -> int:
    """Return how many frames to keep in memory, at most `most`."""
    height, width = video.size
    return max(1, min(most, _HELD // (height * width * 3)))


def _even(side: int) -> int:
    return side + side % 2
