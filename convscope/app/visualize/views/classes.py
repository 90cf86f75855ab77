"""The classes view: pictures with a high logit of a class, made by gradient ascent."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from convscope import images, names
from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View
from convscope.app.visualize.views.natural_spectrum import natural_spectrum
from convscope.config.schema.views.classes import ClassesConfig
from convscope.errors import ConvscopeError, unknown
from convscope.graph import of_each_class
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.render.artifact import Artifact
from convscope.render.class_sheet import class_sheet
from convscope.vis.ascent.class_pictures import ClassPictures, maximize_class, picture_size
from convscope.vis.ascent.maximize import Network
from convscope.vis.ascent.objectives import LOGITS
from convscope.vis.ascent.patterns import Settings
from convscope.vis.class_activation.targets import of_class

TABLE = "classes/classes.csv"
COLUMNS = ("class", "number", "probability", "logit", "highest_logit_of_photographs", "photographs")
FEW = 10  # classes that are all drawn by default
TITLES = {"maco": "MACO", "fourier": "Fourier"}
PAPER = 235  # the grey level below transparent pixels
_MOST = 512  # photographs that logits are compared with
_BATCH = 32


class ClassesView(View[ClassesConfig]):
    """Draws a sheet of pictures for each chosen class."""

    def __init__(self, run: Run, settings: ClassesConfig) -> None:
        """Check the input of the model, and choose the classes."""
        super().__init__(run, settings)
        self.bundle = run.models.first
        self.names = self.bundle.contract.class_names
        height, width = self.bundle.contract.input_size
        if height != width:
            raise ConvscopeError(
                f"views=classes draws square pictures, but the input of the model has {height}×{width} "
                "pixels: remove classes from views"
            )
        self.input_size = height
        self.indices = self._given() if settings.classes else self._default()
        self.network = Network(self.bundle.model, self.bundle.layers, self.bundle.contract.preprocessing)
        self._table: list[tuple[Any, ...]] = []
        self._steps = 0  # that are done, of all pictures

    # ---- which classes

    def _given(self) -> list[int]:
        """Return the classes of the option; a name comes before an index."""
        chosen = []
        for entry in self.settings.classes:
            if entry in self.names:
                chosen.append(self.names.index(entry))
            elif entry.isdecimal() and int(entry) < len(self.names):
                chosen.append(int(entry))
            else:
                raise unknown("class", entry, self.names)
        return list(dict.fromkeys(chosen))

    def _default(self) -> list[int]:
        """Return all classes if they are few, otherwise those that are predicted for the photographs."""
        if len(self.names) <= FEW:
            return list(range(len(self.names)))
        if not self.run.config.images and self.run.training_data.manifest is None:
            raise ConvscopeError(
                f"views=classes: the model has {len(self.names)} classes, and there are no photographs to "
                "predict some for: set classes.classes=[NAME,…], or images=FILES"
            )
        predicted: dict[int, None] = {}
        for photograph in self.run.photographs:
            scores = self.run.probabilities(photograph, self.bundle)
            predicted[self.names.index(max(scores, key=lambda name: scores[name]))] = None
            if len(predicted) == FEW:
                break
        return list(predicted)

    # ---- pictures

    def draw(self) -> Iterator[Artifact]:
        """Yield a sheet for each class."""
        files = names.unique(map(names.file_name, self.names))
        paths = [self.file_name("file", **{"class": files[index]}) for index in self.indices]
        total = len(self.indices) * self.settings.count
        with progress(total=total, desc="classes", unit="picture") as bar:
            for index, path in zip(self.indices, paths, strict=True):
                bar.set_description(f"class {names.printable(self.names[index])}")
                yield self._sheet(index, path, bar)

    def finish(self) -> Iterator[Artifact]:
        """Yield the table of all pictures."""
        if self._table:
            yield self.table(TABLE, COLUMNS, self._table, about=self._about)

    @cached_property
    def _ascent(self) -> Settings:
        """The settings of the ascent; the spectrum is that of the data set."""
        size = picture_size(self.settings.method, self.input_size)
        spectrum = natural_spectrum(self.run.training_data, size)
        return Settings(self.settings.method, size, self.settings.steps, self.run.config.seed, spectrum)

    @property
    def _about(self) -> dict[str, Any]:
        about: dict[str, Any] = {
            "method": self.settings.method,
            "steps": self.settings.steps,
            "spectrum": self._ascent.spectrum.source,
        }
        if self._photographs is not None:
            about |= {"photographs": self._count, "splits": list(self.run.config.splits)}
        return about

    def _pictures(self, target: np.ndarray, bar: Any) -> ClassPictures:
        """Return the pictures of a class; the bar counts pictures."""

        def on_step(count: int) -> None:
            self._steps += count
            bar.update(self._steps // self.settings.steps - bar.n)

        return maximize_class(
            self.network,
            target,
            self._ascent,
            input_size=self.input_size,
            count=self.settings.count,
            on_step=on_step,
        )

    # ---- measurements

    def _logits(self, pictures: np.ndarray) -> np.ndarray:
        """Return the logits of pictures at the size of the input, float32 (n, logits)."""
        (logits,) = self.network.values([LOGITS], self.input_size)(tf.constant(pictures, tf.float32))
        return np.asarray(logits)

    def _probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """Return the probability of each class for pictures at the size of the input, (n, classes)."""
        encoded = self.bundle.contract.preprocessing.encode(pictures)
        return of_each_class(self.bundle.model(encoded, training=False))

    @cached_property
    def _photographs(self) -> np.ndarray | None:
        """The logits of at most 512 images of `splits`, float32 (n, logits); None without a data set."""
        if not self.run.has_reference_images:
            return None
        found, size = self.run.reference_images.spread(_MOST), self.input_size
        parts = []
        starts = range(0, len(found.paths), _BATCH)
        for start in progress(starts, desc="photographs of classes", unit="batch", leave=False):
            rows = range(start, min(start + _BATCH, len(found.paths)))
            pixels = list(in_threads(lambda row: images.resize(found.read(row), size, size), rows))
            parts.append(self._logits(np.stack(pixels)))
        return np.concatenate(parts)

    @property
    def _count(self) -> int:
        return 0 if self._photographs is None else len(self._photographs)

    # ---- drawing

    def _sheet(self, index: int, path: str, bar: Any) -> Artifact:
        name, size = self.names[index], self.input_size
        target = of_class(index, int(self.bundle.model.output_shape[-1]))
        found = self._pictures(target, bar)
        seen = np.stack([images.resize(picture, size, size) for picture in found.pixels])
        probabilities, logits = self._probabilities(seen)[:, index], self._logits(seen) @ target
        highest = float((self._photographs @ target).max()) if self._photographs is not None else None
        for number, (probability, logit) in enumerate(zip(probabilities, logits, strict=True)):
            compared = ("", "") if highest is None else (f"{highest:.7g}", self._count)
            self._table.append((name, number, f"{probability:.6f}", f"{logit:.7g}", *compared))
        notes = [
            f"{probability:.1%}\nlogit {logit:.1f}"
            for probability, logit in zip(probabilities, logits, strict=True)
        ]
        how, measured = self._captions(highest)
        return self.picture(
            path,
            class_sheet([found.on_paper(PAPER), found.pixels], notes, name, how),
            title=name,
            caption=f"{how}. {measured}",
            about=self._about
            | {
                "class": name,
                "value_range": [0, 255],
                "probability": [round(float(value), 6) for value in probabilities],
                "logit": [round(float(value), 6) for value in logits],
            },
        )

    def _captions(self, highest: float | None) -> tuple[str, str]:
        """Return how the pictures are made, and what was measured on them."""
        side, spectrum = self._ascent.size, self._ascent.spectrum
        how = f"{TITLES[self.settings.method]}, {self.settings.steps} steps, {side}×{side} pixels, "
        how += f"{'spectrum' if self.settings.method == 'maco' else 'colours'}: {spectrum.source}"
        measured = "Probability and logit of the saved pixels"
        if side != self.input_size:
            measured += f", resized to {self.input_size}×{self.input_size}"
        if highest is not None:
            measured += f"; the highest logit of this class for {self._count:,} photographs is {highest:.1f}"
        return how, f"{measured}."
