"""Class activation on videos: a map for every frame or every n-th one, as MP4, GIF and table."""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TextIO

import numpy as np

from convscope import images
from convscope.app.visualize.photographs import Photograph
from convscope.app.visualize.view import View
from convscope.app.visualize.views.explaining import opened
from convscope.config.schema.views.class_activation import ClassActivationConfig
from convscope.decode_video import Video
from convscope.files import beside, csv_line
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.progress import progress
from convscope.render.artifact import Artifact, Role
from convscope.render.frame_band import FrameBand
from convscope.render.heat import HeatScale
from convscope.render.video import gif_of_video, mp4
from convscope.vis.class_activation.methods import BATCH, METHODS, ClassActivation, remark_on
from convscope.vis.class_activation.targets import Target, resolve
from convscope.vis.smoothing import Smoothing

SAMPLED = 32  # the maximum number of frames that determine the colour scale
_HELD = 128 << 20  # bytes of the frames in memory; a batch has at least one frame
_GIF_RATE, _GIF_LONGEST, _GIF_SECONDS = 10, 360, 30  # limits: a GIF is many times as large as an MP4
_LISTED = 20  # classes in the manifest
_COLUMNS = ("frame", "seconds", "class", "probability", "maximum")


@dataclass(frozen=True)
class FrameMap:
    """The map of a frame.

    `target` is what it explains, `probabilities` are those of its classes (0 to 1), `heat` is float32
    (height, width).
    """

    target: Target
    probabilities: tuple[float, ...]
    heat: np.ndarray

    @property
    def percent(self) -> str:
        """The probability of the class, or those of both classes of a difference."""
        return " − ".join(f"{100 * probability:.1f}" for probability in self.probabilities) + " %"


def target_of_frame(choices: Sequence[str], probabilities: Mapping[str, float], truth: str | None) -> Target:
    """Return the first target of `class_activation.classes`; without any, that of the predicted class."""
    return resolve([*choices, "predicted"], probabilities, truth)[0]


class FrameMaps:
    """Computes the maps of frames in batches."""

    def __init__(
        self,
        settings: ClassActivationConfig,
        bundle: ModelBundle,
        activation: ClassActivation,
        truth: str | None,
    ) -> None:
        """Store the model, its class activation, and the true class of the video if it is known."""
        self._truth = truth
        self._settings, self._contract, self._activation = settings, bundle.contract, activation
        self._logits = int(bundle.model.output_shape[-1])

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
                        if last is not None and current.target != last.target:
                            heat.restart()  # maps of two classes are not mixed
                        last = replace(current, heat=heat(current.heat))
                    assert last is not None
                    yield index, pixels, last

    def scale(self, video: Video) -> tuple[HeatScale, int]:
        """Return the scale of the maps of at most `SAMPLED` frames, and the number of these frames."""
        every = self._settings.every
        step = every * -(-video.count // (every * SAMPLED))
        ends: list[float] = []
        count = 0
        with closing(video.frames()) as frames:
            for chunk in _chunks(islice(frames, 0, None, step), _at_once(video, BATCH)):
                for frame in self._compute(chunk, Smoothing(0)):
                    ends += [float(frame.heat.min()), float(frame.heat.max())]
                    count += 1
        return HeatScale.of(np.array(ends), self._settings.color_map), count

    def _compute(self, frames: Sequence[np.ndarray], smoothing: Smoothing) -> list[FrameMap]:
        """Return the maps of at most `BATCH` frames; the probabilities are smoothed first."""
        classes, size = self._contract.class_names, self._contract.input_size
        inputs = self._contract.preprocessing.encode(
            np.stack([images.resize(pixels, *size) for pixels in frames])
        )
        targets: list[Target] = []
        scores: list[dict[str, float]] = []

        def choose(probabilities: np.ndarray) -> np.ndarray:
            for row in probabilities:
                scores.append(dict(zip(classes, map(float, smoothing(row)), strict=True)))
                targets.append(target_of_frame(self._settings.classes, scores[-1], self._truth))
            return np.stack([target.weights(classes, self._logits) for target in targets])

        heatmaps = self._activation.of_predictions(inputs, choose)
        return [
            FrameMap(target, tuple(of_frame[name] for name in (target.name, target.other) if name), map.heat)
            for target, of_frame, map in zip(targets, scores, heatmaps, strict=True)
        ]


def draw_videos(
    view: View[ClassActivationConfig], method: str, layers: Sequence[Layer]
) -> Iterator[Artifact]:
    """Draw the videos among the photographs of a run with one model.

    Args:
        view: the view class_activation.
        method: a name in `METHODS`.
        layers: the layers of the model that are explained.
    """
    videos = [photograph for photograph in view.run.photographs if photograph.video]
    if videos and len(view.run.models) > 1:
        print("note: class_activation draws only the frame in the middle of a video for several models")
    elif videos:
        (state,) = view.run.models
        settings, seed = view.settings, view.run.config.seed
        activation = opened(settings, state.bundle.model, layers, method=method, seed=seed, compiled=True)
        for photograph in videos:
            maps = FrameMaps(settings, state.bundle, activation, photograph.truth)
            yield from _VideoDrawing(view, photograph, method, layers).draw(maps)


class _VideoDrawing:
    """Draws one video."""

    def __init__(
        self, view: View[ClassActivationConfig], photograph: Photograph, method: str, layers: Sequence[Layer]
    ) -> None:
        assert photograph.video is not None
        self.view, self.photograph, self.video = view, photograph, photograph.video
        paths = [layer.path for layer in layers]
        self.about = {"method": method, "layer": paths if len(paths) > 1 else paths[0]}
        self.method = METHODS[method]
        self.where = "" if self.method.at_input else f" at {' and '.join(paths)}"
        self.unit = self.method.unit_at(len(paths))
        stem = f"{view.settings.name}/{photograph.key}/video"
        if len(view.settings.method) > 1:
            stem += f"_{method}"
        self.paths = {
            kind: view.reserve(f"{stem}.{kind}", f"the video of {photograph.name}")
            for kind in ("mp4", "gif", "csv")
        }
        self.targets: Counter[str] = Counter()
        self.roles: Counter[str] = Counter()

    def draw(self, maps: FrameMaps) -> Iterator[Artifact]:
        """Yield the MP4, the table and the GIF. After an interrupt there is no partial file."""
        output, settings, rate = self.view.run.output, self.view.settings, self.video.rate
        scale, sampled = maps.scale(self.video)
        files = {kind: output.path(path) for kind, path in self.paths.items()}
        with beside(files["csv"]) as partial, partial.open("w", encoding="utf-8", newline="") as table:
            table.write(csv_line(_COLUMNS))
            with closing(self._frames(maps, scale, table)) as frames:
                mp4(files["mp4"], frames, rate)
        about = self.about | {
            "class": list(self.targets) if len(self.targets) <= _LISTED else self._title,
            "value_range": list(scale.ends),
            "color_map": scale.color_map,
            "normalize": f"maximum over {sampled} frames",
            "every": settings.every,
            "smoothing": settings.smoothing,
            "frames": self.targets.total(),
            "rate": float(rate),
        }
        yield self._artifact("mp4", Role.figure, self._caption(scale, sampled), about)
        table_of = f"class, probability and maximum of the map of {about['frames']} frames"
        yield self._artifact("csv", Role.link, table_of, about)
        gif_rate = min(_GIF_RATE, float(rate))
        gif_of_video(files["gif"], files["mp4"], gif_rate, _GIF_LONGEST, _GIF_SECONDS)
        caption = f"{gif_rate:.3g} frames per second, at most {_GIF_SECONDS} seconds"
        yield self._artifact("gif", Role.link, caption, about | {"rate": gif_rate})

    def _frames(self, maps: FrameMaps, scale: HeatScale, table: TextIO) -> Generator[np.ndarray, None, None]:
        """Yield the frames of the MP4, with sides of even length, and write a row of the table for each."""
        size = (_even(self.video.size[0]), _even(self.video.size[1]))
        odd = [(0, even - side) for even, side in zip(size, self.video.size, strict=True)]
        low, high = scale.ends
        unit = self.unit or "relative"
        band = FrameBand(size, scale.color_map, (f"{low:.3g}", f"{high:.3g} {unit}"))
        name = f"class_activation {self.photograph.name}"
        with progress(total=self.video.count, desc=name, unit="frame") as bar:
            for index, pixels, shown in maps.of_video(self.video):
                _, painted = scale.paint(shown.heat, pixels, self.view.settings.alpha)
                painted = np.pad(painted, [*odd, (0, 0)], mode="edge")
                yield band.draw(painted, shown.target.title, shown.percent)
                self.roles[shown.target.role] += 1
                self.targets[shown.target.title] += 1
                seconds = f"{float(index / self.video.rate):.3f}"
                probability, highest = f"{shown.probabilities[0]:.6f}", f"{shown.heat.max():.6g}"
                table.write(csv_line([index, seconds, shown.target.title, probability, highest]))
                bar.update()

    @property
    def _title(self) -> str:
        """How the classes were chosen, and the class if it is the same in all frames."""
        ((role, _),) = self.roles.most_common(1)
        (title, *others) = self.targets
        by_method = f", {self.method.title}" if len(self.view.settings.method) > 1 else ""
        return f"video, {role}: {'the class of each frame' if others else title}{by_method}"

    def _caption(self, scale: HeatScale, sampled: int) -> str:
        settings, frames = self.view.settings, self.targets.total()
        every = "every frame" if settings.every == 1 else f"one of {settings.every} frames"
        caption = f"{self.method.title}{self.where}, a map for {every}; {frames} frames. "
        if not self.method.depends_on_class:
            caption += "The map does not depend on the class. "
        if settings.smoothing:
            caption += f"Probabilities and maps are smoothed in time (share {settings.smoothing:g}). "
        if len(self.targets) > 1:
            ((common, times),) = self.targets.most_common(1)
            caption += f"Most frequent: {common} ({100 * times / frames:.0f} % of the frames). "
        if scale.highest <= 0:
            return f"{caption}No position raises the score in {sampled} sampled frames."
        low, high = scale.ends
        return (
            f"{caption}One colour scale for all frames, from {low:.3g} to {high:.3g}{remark_on(self.unit)}. "
            f"The end of the scale is the maximum over {sampled} frames; higher values have the last colour."
        )

    def _artifact(self, kind: str, role: Role, caption: str, about: dict[str, Any]) -> Artifact:
        height, width = map(_even, self.video.size)
        return Artifact(
            path=self.paths[kind],
            title=self._title,
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
