"""The faithfulness view: tables, charts and a strip of the maps of randomised networks."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View, shown_as_table
from convscope.app.visualize.views.explaining import layers_to_explain
from convscope.app.visualize.views.faithfulness.measuring import (
    GRID_POINTING,
    RANDOMISATION,
    Measuring,
    Randomised,
    Values,
)
from convscope.app.visualize.views.faithfulness.samples import Samples, open_samples
from convscope.config.schema.views.class_activation import ClassActivationConfig
from convscope.config.schema.views.faithfulness import FaithfulnessConfig
from convscope.errors import ConvscopeError, unknown
from convscope.render import figure
from convscope.render.artifact import Artifact
from convscope.vis.class_activation.methods import METHODS
from convscope.vis.faithfulness.controls import CONTROLS
from convscope.vis.faithfulness.intervals import Interval, bootstrap
from convscope.vis.faithfulness.measures import MEASURES

FOLDER = "faithfulness"
COLUMNS = ("method", "measure", "mean", "low", "high", "chance", "images")
RANDOMISED_COLUMNS = ("method", "order", "layers", "of", "spearman", "low", "high")
ALL_MEASURES = (*MEASURES, GRID_POINTING, RANDOMISATION)
SIMILARITY, COMPLEXITY = "spearman_after_randomisation", "emprt"
TITLES = {name: measure.title for name, measure in MEASURES.items()} | {
    GRID_POINTING: "Grid pointing",
    SIMILARITY: "Spearman, all random",
    COMPLEXITY: "eMPRT",
}
ORDERS = {"top_down": True, "bottom_up": False}


class FaithfulnessView(View[FaithfulnessConfig]):
    """Measures methods of class activation on reference images, with controls beside them."""

    def __init__(self, run: Run, settings: FaithfulnessConfig) -> None:
        """Check methods, measures and layer, and open the reference images."""
        super().__init__(run, settings)
        self.methods = _chosen("faithfulness.methods", settings.methods, METHODS)
        self.measures = _chosen("faithfulness.measures", settings.measures, ALL_MEASURES)
        self.shown: ClassActivationConfig = run.config.settings_of("class_activation")
        self.layers = layers_to_explain(run.models.first.layers, self.shown.layer)
        run.reference_images  # noqa: B018  # reports missing splits before anything is drawn

    def draw(self) -> Iterator[Artifact]:
        """Yield the table, its chart, and the results of the randomisation."""
        seed = self.run.config.seed
        samples = open_samples(self.run, self.settings.limit)
        model = self.run.models.first.model
        measuring = Measuring(model, self.layers, self.methods, samples=samples, shown=self.shown, seed=seed)
        values: Values = {}
        of_maps = [name for name in self.measures if name in MEASURES and _known(name, samples)]
        unknown_to_all = set(self.settings.measures) & set(MEASURES) - set(of_maps)
        if unknown_to_all:
            missing = ", ".join(sorted(unknown_to_all))
            print(f"note: no {missing}, because no image has a mask and a correct prediction")
        if of_maps:
            values |= measuring.measure_maps(of_maps)
        if GRID_POINTING in self.measures:
            values |= measuring.measure_grid_pointing()
            if not any(measure == GRID_POINTING for _, measure in values):
                print("note: no grid pointing game, because all confident, correct images have one class")
        randomised: dict[str, dict[str, Randomised]] = {}
        if RANDOMISATION in self.measures:
            randomised = {name: measuring.randomise(top_down=down) for name, down in ORDERS.items()}
            for method, result in randomised["top_down"].items():
                values[method, SIMILARITY] = result.similarity[-1]
                values[method, COMPLEXITY] = result.complexity
        if not values:
            raise ConvscopeError(
                f"faithfulness.measures=[{','.join(self.measures)}]: these images have neither masks nor "
                "confident predictions of several classes; choose other measures, or other splits"
            )
        yield from self._tables(values, samples)
        if randomised:
            yield from self._randomisation(randomised)

    def _tables(self, values: Values, samples: Samples) -> Iterator[Artifact]:
        """Yield the table with all intervals, and a chart."""
        intervals = {key: bootstrap(of_images, self.run.config.seed) for key, of_images in values.items()}
        known = {key: interval for key, interval in intervals.items() if interval}
        chance = _chance(samples)
        rows = [
            (
                method, measure, f"{interval.mean:.4f}", f"{interval.low:.4f}", f"{interval.high:.4f}",
                "" if chance.get(measure) is None else f"{chance[measure]:.4f}", interval.count,
            )
            for (method, measure), interval in known.items()
        ]  # fmt: skip
        about = {"layers": [layer.path for layer in self.layers], "images": len(samples.paths)}
        table = self.table(f"{FOLDER}/faithfulness.csv", COLUMNS, rows, about=about)
        yield shown_as_table(table, *_page_table(known, chance))
        shown = [name for name in TITLES if any(measure == name for _, measure in known)]
        panels = {
            _heading(name): (
                {_title(method): interval for (method, of), interval in known.items() if of == name},
                chance.get(name),
            )
            for name in shown
        }

        def draw(path: Path) -> None:
            figure.intervals(path, panels)

        caption = (
            f"Mean over at most {len(samples.paths)} images, with 95 % intervals. Dashed: chance. Layer: "
            f"{' and '.join(layer.path for layer in self.layers)}"
        )
        yield self.chart(
            f"{FOLDER}/faithfulness.png", draw, title="measures by method", caption=caption, about=about
        )

    def _randomisation(self, results: dict[str, dict[str, Randomised]]) -> Iterator[Artifact]:
        """Yield the similarities by the number of random layers, and the maps of one image."""
        rows = []
        for order, of_methods in results.items():
            for method, result in of_methods.items():
                for layers, similarity in zip(result.layers, result.similarity, strict=True):
                    interval = bootstrap(similarity, self.run.config.seed)
                    assert interval
                    numbers = (f"{n:.4f}" for n in (interval.mean, interval.low, interval.high))
                    rows.append((method, order, layers, result.total, *numbers))
        yield self.table(f"{FOLDER}/randomisation.csv", RANDOMISED_COLUMNS, rows, about={})
        unchanged = [_title(name) for name, result in results["top_down"].items() if not result.changes]
        remark = f"The maps of {', '.join(unchanged)} do not change." if unchanged else "All maps change."
        if unchanged:
            print(f"note: the maps of {', '.join(unchanged)} do not change when all layers are random")
        for order, of_methods in results.items():
            yield self._strip(order, of_methods, remark)

    def _strip(self, order: str, results: dict[str, Randomised], remark: str) -> Artifact:
        """Return the maps of one image: a row for each method, a column for each stage."""
        first = next(iter(results.values()))
        start = "the output" if order == "top_down" else "the input"
        caption = (
            f"The maps of one image while more layers get random weights, from {start} on. Below a map: "
            f"Spearman's correlation with the trained network, the mean over {len(first.complexity)} images. "
            f"{remark}"
        )
        columns = ["trained", *(f"{layers} of {first.total}" for layers in first.layers)]
        maps = {_title(name): result.maps for name, result in results.items()}
        notes = {
            _title(name): ["", *(f"{value:.2f}" for value in result.similarity.mean(axis=1))]
            for name, result in results.items()
        }

        def draw(path: Path) -> None:
            figure.map_table(path, maps, columns, notes)

        path, title = f"{FOLDER}/randomisation_{order}.png", f"randomisation from {start}"
        return self.chart(path, draw, title=title, caption=caption, about={"order": order})


def _chosen(key: str, given: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the given names, each once; all names if none are given."""
    for name in given:
        if name not in known:
            raise unknown(key, name, known)
    return list(dict.fromkeys(given or known))


def _known(name: str, samples: Samples) -> bool:
    """Return whether a measure can be computed."""
    return not MEASURES[name].needs_mask or any(mask is not None for mask in samples.masks)


def _chance(samples: Samples) -> dict[str, float | None]:
    """Return the score of a map that knows nothing, by measure."""
    shares = [mask.mean() for mask in samples.masks if mask is not None]
    of_mask = float(np.mean(shares)) if shares else None
    chance = {name: of_mask if measure.needs_mask else measure.chance for name, measure in MEASURES.items()}
    return chance | {GRID_POINTING: 0.25}


def _title(method: str) -> str:
    return METHODS[method].title if method in METHODS else CONTROLS[method]


def _heading(name: str) -> str:
    if name in (SIMILARITY, COMPLEXITY):  # a check, not a ranking
        return TITLES[name]
    lower = name in MEASURES and MEASURES[name].lower_is_better
    return f"{TITLES[name]} {'↓' if lower else '↑'}"


def _page_table(
    known: dict[tuple[str, str], Interval], chance: dict[str, float | None]
) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows of the table on the page: a row for each method, and one for chance."""
    measures = [name for name in TITLES if any(measure == name for _, measure in known)]
    methods = list(dict.fromkeys(method for method, _ in known))
    rows = [
        [_title(method), *(_cell(known.get((method, measure))) for measure in measures)] for method in methods
    ]
    of_chance = [chance.get(measure) for measure in measures]
    rows.append(["chance", *("" if value is None else f"{value:.2f}" for value in of_chance)])
    return ["method", *(_heading(name) for name in measures)], rows


def _cell(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.mean:.2f} ({interval.low:.2f} to {interval.high:.2f})"
