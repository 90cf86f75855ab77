"""Measure methods of class activation, and controls beside them, on many pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from convscope.app.visualize.views.explaining import opened
from convscope.app.visualize.views.faithfulness.samples import BATCH, Samples, targets_of
from convscope.config.schema.views.class_activation import ClassActivationConfig
from convscope.graph import Layer, activation_of
from convscope.images import enlarge
from convscope.progress import progress
from convscope.vis.class_activation.cut_model import CutModel
from convscope.vis.faithfulness import grid_pointing, randomisation
from convscope.vis.faithfulness.controls import CONTROLS, control
from convscope.vis.faithfulness.measures import MEASURES, Subject

GRID_POINTING, RANDOMISATION = "grid_pointing", "randomisation"
RANDOMISED = 16  # pictures in the randomisation test, and the size of the batch that recalibrates
_WORTH_COMPILING = 32  # pictures

Values = dict[tuple[str, str], np.ndarray]  # float64 (pictures,) by method and measure; NaN is unknown


@dataclass(frozen=True)
class Randomised:
    """The maps of a method in randomised networks.

    Attributes:
        layers: the numbers of randomised layers.
        total: the number of layers with weights.
        similarity: Spearman's correlations with the maps of the trained network, float64 (stages, pictures).
        maps: the map of the first picture in the trained network and in each stage.
        complexity: eMPRT of each picture, float64 (pictures,).
    """

    layers: list[int]
    total: int
    similarity: np.ndarray
    maps: list[np.ndarray]
    complexity: np.ndarray

    @property
    def changes(self) -> bool:
        """Whether the maps change when all layers are random."""
        return float(self.similarity[-1].mean()) < randomisation.UNCHANGED


class Measuring:
    """Methods of class activation at the same layer of one model, and pictures."""

    def __init__(
        self,
        model: keras.Model,
        layers: Sequence[Layer],
        methods: Sequence[str],
        *,
        samples: Samples,
        shown: ClassActivationConfig,
        seed: int,
    ) -> None:
        """Cut the model for each method; `shown` has the settings of the view that shows the maps."""
        compiled = len(samples.paths) >= _WORTH_COMPILING
        self._model, self._samples, self._seed = model, samples, seed
        self._activation = activation_of(model.outputs[0])
        self._logits = CutModel(model, layers[-1], compiled=compiled).logits
        self._activations = {
            name: opened(shown, model, layers, method=name, seed=seed, compiled=compiled) for name in methods
        }
        # Measured, because the shape of the tensor is not known if the model takes pictures of any size.
        maps = keras.Model(model.inputs[0], layers[-1].output)(samples.inputs[:1], training=False)
        self._map_size = (int(maps.shape[1]), int(maps.shape[2]))

    def measure_maps(self, names: Sequence[str]) -> Values:
        """Return the values of measures in `MEASURES` for each method and each control."""
        samples, size = self._samples, self._samples.inputs.shape[1:3]
        count = len(samples.paths)
        values = {
            (method, name): np.full(count, np.nan)
            for method in (*self._activations, *CONTROLS)
            for name in names
        }
        with progress(total=count, desc="measuring maps", unit="image") as bar:
            for first in range(0, count, BATCH):
                inputs = samples.inputs[first : first + BATCH]
                targets = samples.targets[first : first + BATCH]
                maps = self._maps(inputs, targets, first)
                for row, (picture, target) in enumerate(zip(inputs, targets, strict=True)):
                    index = first + row
                    mask = samples.masks[index]
                    subject = Subject(
                        self._logits, self._activation, picture, target, mask, self._seed_of(index)
                    )
                    for method, heats in maps.items():
                        heat = _at_size(heats[row], *size)
                        for name in names:
                            if mask is not None or not MEASURES[name].needs_mask:
                                values[method, name][index] = MEASURES[name].score(subject, heat)
                    bar.update()
        return values

    def measure_grid_pointing(self) -> Values:
        """Return the share in the own cell for each mosaic; an empty dictionary without mosaics."""
        samples = self._samples
        size = samples.inputs.shape[1:3]
        mosaics = grid_pointing.mosaics(
            samples.probabilities, samples.labels, limit=len(samples.paths), seed=self._seed
        )
        if not mosaics:
            return {}
        parts: list[dict[str, list[float]]] = []
        with progress(total=len(mosaics), desc="grid pointing game", unit="mosaic") as bar:
            for first in range(0, len(mosaics), BATCH):
                part = mosaics[first : first + BATCH]
                inputs = np.stack([grid_pointing.joined(samples.inputs[list(m.members)]) for m in part])
                classes = np.array([samples.labels[mosaic.members[mosaic.own]] for mosaic in part])
                maps = self._maps(inputs, targets_of(classes, samples.logits), first)
                parts.append(
                    {
                        method: [
                            grid_pointing.own_share(_at_size(heat, *size), mosaic.own)
                            for heat, mosaic in zip(heats, part, strict=True)
                        ]
                        for method, heats in maps.items()
                    }
                )
                bar.update(len(part))
        return {
            (method, GRID_POINTING): np.concatenate([part[method] for part in parts]) for method in parts[0]
        }

    def randomise(self, *, top_down: bool) -> dict[str, Randomised]:
        """Return the maps of each method in networks with more and more random layers."""
        inputs, targets = self._samples.inputs[:RANDOMISED], self._samples.targets[:RANDOMISED]
        trained = self._of_methods(inputs, targets)
        layers: list[int] = []
        random: dict[str, list[list[np.ndarray]]] = {method: [] for method in trained}
        stages = randomisation.stages(self._model, inputs, top_down=top_down, seed=self._seed)
        title = "randomisation from the output" if top_down else "randomisation from the input"
        with randomisation.replaced(self._model):
            for stage in progress(stages, total=randomisation.STAGES, desc=title, unit="stage"):
                self._model.set_weights(stage.weights)
                layers.append(stage.layers)
                for method, maps in self._of_methods(inputs, targets).items():
                    random[method].append(maps)
        return {
            method: _randomised(trained[method], random[method], layers, stage.total) for method in trained
        }

    def _of_methods(self, inputs: np.ndarray, targets: np.ndarray) -> dict[str, list[np.ndarray]]:
        """Return the maps of each method at their own size."""
        return {
            name: [heatmap.heat for heatmap in activation(inputs, targets)]
            for name, activation in self._activations.items()
        }

    def _maps(self, inputs: np.ndarray, targets: np.ndarray, first: int) -> Mapping[str, list[np.ndarray]]:
        """Return the maps of each method and each control; `first` is the index of the first picture."""
        controls = {
            name: [control(name, *self._map_size, self._seed_of(first + row)) for row in range(len(inputs))]
            for name in CONTROLS
        }
        return self._of_methods(inputs, targets) | controls

    def _seed_of(self, index: int) -> int:
        return int(np.random.SeedSequence((self._seed, index)).generate_state(1)[0])


def _randomised(
    trained: list[np.ndarray], stages: list[list[np.ndarray]], layers: list[int], total: int
) -> Randomised:
    return Randomised(
        layers,
        total,
        np.stack([randomisation.similarity(trained, maps) for maps in stages]),
        [trained[0], *(maps[0] for maps in stages)],
        np.array([randomisation.complexity_change(*pair) for pair in zip(trained, stages[-1], strict=True)]),
    )


def _at_size(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a map at the size of the input, enlarged as the page shows it."""
    return heat if heat.shape == (height, width) else enlarge(heat, height, width)
