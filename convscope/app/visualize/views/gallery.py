"""The gallery: class activation of the photographs of a split that the model is surest and least sure of."""

from collections.abc import Iterator, Sequence

import numpy as np

from convscope import decode, images, names
from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View
from convscope.app.visualize.views.explaining import chosen_methods, layers_to_explain, opened
from convscope.config.schema.views.class_activation import ClassActivationConfig
from convscope.config.schema.views.gallery import GalleryConfig
from convscope.data.manifest import SPLITS
from convscope.data.pipeline import Batches
from convscope.errors import ConvscopeError
from convscope.graph import probabilities_of
from convscope.parallel import in_threads
from convscope.progress import progress
from convscope.render.artifact import Artifact
from convscope.render.gallery_figure import Panel, gallery_figure
from convscope.render.heat import HeatScale
from convscope.vis.class_activation.gallery import Choice, choose
from convscope.vis.class_activation.methods import METHODS, Heatmap, relative
from convscope.vis.class_activation.targets import of_class

TABLE = "gallery/gallery.csv"
COLUMNS = ("class", "kind", "path", "true", "predicted", "probability", "probability_of_true")
_BATCH = 32
_LONGEST = 260  # pixels of a photograph's longer side
_AVERAGED = 64  # photographs of a mean map, at most
_KINDS = {
    "correct": "correct, the highest probability first",
    "wrong": "wrong, the highest probability first; each with the map of the predicted and of the true class",
    "uncertain": "the lowest probability of the predicted class",
}


class GalleryView(View[GalleryConfig]):
    """Predicts a split once, then draws a gallery for each class and the mean map of each class."""

    def __init__(self, run: Run, settings: GalleryConfig) -> None:
        """Check layer, method and split.

        Raises:
            ConvscopeError: the true classes of the images are not known, or a setting does not fit.
        """
        super().__init__(run, settings)
        bundle = run.models.first
        unknown = [entry for entry in run.config.splits if entry not in SPLITS]
        if unknown:
            raise ConvscopeError(
                f"views=gallery needs true classes, but splits has {unknown[0]}: set splits to train, "
                "validation or test"
            )
        self.images = run.reference_images
        self.classes = bundle.contract.class_names
        if set(self.images.classes) != set(self.classes):
            raise ConvscopeError(
                f"the data set has the classes {', '.join(self.images.classes[:5])}, the model "
                f"{', '.join(self.classes[:5])}: expected the same classes for views=gallery"
            )
        self.labels = np.array([self.classes.index(name) for name in self.images.classes])[self.images.labels]
        # Method, layer and colours are those of class activation, so that both views show the same maps.
        self.shown: ClassActivationConfig = run.config.settings_of("class_activation")
        layers = layers_to_explain(bundle.layers, self.shown.layer)
        self.method = chosen_methods(self.shown, bundle.model, layers)[0]
        self.activation = opened(
            self.shown, bundle.model, layers, method=self.method, seed=run.config.seed, compiled=True
        )
        self.about = {
            "method": self.method,
            "layer": [layer.path for layer in layers],
            "splits": list(run.config.splits),
            "photographs": len(self.images.paths),
        }

    def draw(self) -> Iterator[Artifact]:
        """Yield the table, a gallery for each class, and the mean maps."""
        probabilities = self._predict()
        choices = choose(probabilities, self.labels, self.settings.count)
        yield self.table(TABLE, COLUMNS, self._rows(choices, probabilities), about=self.about)
        files = names.unique(map(names.file_name, self.classes))
        for label, choice in enumerate(progress(choices, desc="gallery", unit="class")):
            if (self.labels == label).any():
                yield self._gallery(label, choice, probabilities, f"gallery/{files[label]}.jpg")
        yield self._means(probabilities)

    def _batches(self) -> Batches:
        contract = self.run.models.first.contract
        return Batches(
            self.images, size=contract.input_size, preprocessing=contract.preprocessing, batch_size=_BATCH
        )

    def _predict(self) -> np.ndarray:
        """Return the probabilities of all images, float64 (n, classes)."""
        batches, model = self._batches(), self.run.models.first.model
        steps = progress(range(len(batches)), desc="predictions", unit="batch")
        return np.concatenate([probabilities_of(model, batches[step][0]) for step in steps])

    def _rows(self, choices: Sequence[Choice], probabilities: np.ndarray) -> Iterator[tuple[str, ...]]:
        for label, choice in enumerate(choices):
            for kind in _KINDS:
                for index in getattr(choice, kind):
                    row = probabilities[index]
                    yield (
                        self.classes[label], kind, names.printable(str(self.images.paths[index])),
                        self.classes[label], self.classes[int(row.argmax())], f"{row.max():.6f}",
                        f"{row[label]:.6f}",
                    )  # fmt: skip

    def _gallery(self, label: int, choice: Choice, probabilities: np.ndarray, path: str) -> Artifact:
        rows = []
        for kind, title in _KINDS.items():
            pairs = []
            for index in getattr(choice, kind):
                predicted = int(probabilities[index].argmax())
                pairs += [(index, target) for target in dict.fromkeys([predicted, label])]
            rows.append((title, self._panels(pairs, label, probabilities)))
        name = self.classes[label]
        of_class = int((self.labels == label).sum())
        correct = int((probabilities[self.labels == label].argmax(axis=1) == label).sum())
        caption = (
            f"{METHODS[self.method].title}, each map on its own scale; {correct} of {of_class} photographs "
            f"({', '.join(self.run.config.splits)}) are classified correctly"
        )
        pixels = gallery_figure(f"{name}: {correct} of {of_class} correct", rows)
        return self.picture(path, pixels, title=name, caption=caption, about=self.about | {"class": name})

    def _panels(self, pairs: Sequence[tuple[int, int]], label: int, probabilities: np.ndarray) -> list[Panel]:
        """Return a panel for each pair of a photograph and a class to explain."""
        if not pairs:
            return []
        indices, targets = zip(*pairs, strict=True)
        heatmaps = self._explain(indices, targets)
        photographs = list(in_threads(self._photograph, indices))
        panels = []
        for (index, target), heatmap, pixels in zip(pairs, heatmaps, photographs, strict=True):
            scale = HeatScale.of(heatmap.heat, self.shown.color_map)
            overlay = scale.paint(heatmap.heat, pixels, self.shown.alpha)[1]
            row = probabilities[index]
            role = "true" if target == label and row.argmax() != label else "predicted"
            if row.argmax() == label:
                role = "predicted, true"
            panels.append(Panel(overlay, f"{self.classes[target]} {row[target]:.1%}\n{role}"))
        return panels

    def _explain(self, indices: Sequence[int], targets: Sequence[int]) -> list[Heatmap]:
        bundle = self.run.models.first
        contract = bundle.contract
        resized = [images.resize(self._read(index), *contract.input_size) for index in indices]
        inputs = contract.preprocessing.encode(np.stack(resized))
        logits = int(bundle.model.output_shape[-1])
        return self.activation(inputs, np.stack([of_class(target, logits) for target in targets]))

    def _means(self, probabilities: np.ndarray) -> Artifact:
        """Return the mean of the relative maps of each class, over its first correct photographs."""
        panels = []
        predicted = probabilities.argmax(axis=1)
        for label, name in enumerate(progress(self.classes, desc="mean maps", unit="class")):
            correct = np.flatnonzero((self.labels == label) & (predicted == label))[:_AVERAGED].tolist()
            if correct:
                heatmaps = self._explain(correct, [label] * len(correct))
                mean = np.mean([relative(heatmap.heat) for heatmap in heatmaps], axis=0)
                scale = HeatScale.of(mean, self.shown.color_map)
                blank = np.zeros((_LONGEST, _LONGEST, 3), np.uint8)
                heat = scale.paint(mean, blank, 1)[0]
                panels.append(Panel(heat, f"{name}, {len(correct)} photographs\nmaximum {mean.max():.2f}"))
        rows = [
            (
                "mean of the maps of correct photographs, each divided by its maximum",
                panels[start : start + 6],
            )
            for start in range(0, len(panels), 6)
        ]
        caption = "the mean position of the evidence for each class, which also depends on where objects are"
        pixels = gallery_figure("Mean map of each class", rows)
        return self.picture(
            "gallery/mean_maps.png", pixels, title="mean map of each class", caption=caption, about=self.about
        )

    def _photograph(self, index: int) -> np.ndarray:
        return images.fit_within(self._read(index), _LONGEST)

    def _read(self, index: int) -> np.ndarray:
        read = decode.load_plain if self.images.plain else decode.load
        return read(self.images.paths[index])
