"""The filters view: kernels of the first convolution, and patterns that channels respond to."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from convscope import names
from convscope.app.visualize.run import Run
from convscope.app.visualize.view import View
from convscope.app.visualize.views import animations
from convscope.app.visualize.views.filters import accentuation, course, references
from convscope.app.visualize.views.filters.cache import PatternCache
from convscope.app.visualize.views.filters.references import References
from convscope.app.visualize.views.natural_spectrum import natural_spectrum
from convscope.app.visualize.views.strips import shown_channels, strip_picture
from convscope.config.schema.views.filters import FiltersConfig
from convscope.errors import ConvscopeError
from convscope.graph import Layer
from convscope.models.bundle import ModelBundle
from convscope.progress import progress
from convscope.render import mosaic, rows
from convscope.render.artifact import Artifact, Role
from convscope.render.mosaic import Tiles
from convscope.render.sprite import sprite
from convscope.render.strip import Strip
from convscope.training.precision import BFLOAT16, known_to_hardware
from convscope.vis.ascent.maximize import Network
from convscope.vis.ascent.natural_images import Spectrum
from convscope.vis.ascent.patterns import BATCH, Patterns, Settings, join, maximize_channels
from convscope.vis.kernels import first_kernels, kernel_pictures
from convscope.vis.layer_selection import select, without_maps
from convscope.vis.layer_top import layers_to_search

MARGIN = 5  # pixels between patterns, as in the book
KERNEL_SIDE = 48  # maximum of a kernel's longer side in pixels
TABLE = "filters/filters.csv"
COLUMNS = (
    "layer", "channel", "method", "exact", "highest_response", "mean_positive_response",
    "highest_response_to_photographs", "photographs", "ascents",
)  # fmt: skip
_KEY = "filters.layers"
_IMAGENET = Spectrum()


class FiltersView(View[FiltersConfig]):
    """Draws the kernels of the first convolution and the patterns of chosen layers."""

    def __init__(self, run: Run, settings: FiltersConfig) -> None:
        """Check the layers and channels, and match the layers in all models."""
        super().__init__(run, settings)
        models = run.models
        self.layers = self._chosen_layers(models.first.layers)
        for layer in self.layers:
            self._check_channels(layer)
        self._matches = models.counterparts(self.layers, _KEY)
        self.first = first_kernels(models.first.layers)
        if self.first:
            self._first_matches = models.counterparts([self.first], _KEY)
        animations.check(settings.animate)
        self._photographs_to_accentuate = run.photographs if settings.accentuate else []
        self._table: list[tuple[Any, ...]] = []
        self._spectra: dict[int, Spectrum] = {}  # by size

    def _chosen_layers(self, layers: Sequence[Layer]) -> list[Layer]:
        """Return the layers to draw: layers with maps, and dense layers that are named."""
        patterns = self.settings.layers
        if not patterns:
            return layers_to_search(layers, [], _KEY)
        chosen = select(layers, patterns, drawable=True)
        for layer in chosen:
            if not layer.has_maps and not layer.has_units:
                raise without_maps(layer, f"choose convolutions or dense layers in {_KEY}")
        return chosen

    def _check_channels(self, layer: Layer) -> None:
        for channel in self.settings.channels:
            if channel >= layer.channels:
                raise ConvscopeError(
                    f"filters.channels={self.settings.channels}: {layer.path} has {layer.channels} channels; "
                    f"expected 0 to {layer.channels - 1}"
                )

    def draw(self) -> Iterator[Artifact]:
        """Yield the kernels, then the patterns of each layer."""
        if self.first:
            yield self._kernels(self.first)
        paths = [
            self.file_name("file", layer=layer.path, index=self.index_of(layer)) for layer in self.layers
        ]
        chosen = [self._channels(layer) for layer in self.layers]
        total = sum(map(len, chosen)) * len(self.run.models)
        with progress(total=total, desc="filters", unit="filter") as bar:
            for index, (layer, channels, path) in enumerate(zip(self.layers, chosen, paths, strict=True)):
                bar.set_description(f"filters of {layer.path}")
                patterns = []
                for state, matches in zip(self.run.models, self._matches, strict=True):
                    patterns.append(self._patterns(state.bundle, matches[index], channels, bar))
                self._add_rows(layer, channels, patterns[0])
                yield self._sheet(path, layer, channels, patterns)
                if len(patterns) == 1:
                    yield self._sprite(layer, channels, patterns[0])
                    yield from course.of_layer(self, path, layer, channels, patterns[0])
                yield from accentuation.accentuated(self, self._photographs_to_accentuate, layer, channels)

    def finish(self) -> Iterator[Artifact]:
        """Yield the table of the patterns of a single model."""
        if self._table and len(self.run.models) == 1:
            about = {"layers": sorted({row[0] for row in self._table})}
            yield self.table(TABLE, COLUMNS, self._table, about=about)

    # ---- channels and patterns

    @cached_property
    def _references(self) -> References | None:
        """The photographs that excite the channels most; None with several models, or without a data set."""
        return references.search(self.run, self.layers) if len(self.run.models) == 1 else None

    def _channels(self, layer: Layer) -> list[int]:
        """Return the channels to draw: the given ones, the strongest ones, or evenly spread ones."""
        if self.settings.channels:
            return self.settings.channels
        count = shown_channels(self, layer.channels, self.settings.count)
        if self._references and layer.has_maps:
            return [int(channel) for channel in self._references.tops[layer.path].top.strongest(count)]
        return [int(channel) for channel in np.linspace(0, layer.channels - 1, count).round()]

    def _patterns(self, bundle: ModelBundle, layer: Layer, channels: list[int], bar: Any) -> Patterns:
        """Return the patterns of a layer, from the cache or computed, batch by batch."""
        settings = self._ascent(bundle, layer)
        cache = self._cache(bundle, settings)
        parts = {channel: cache.get(layer.path, channel) for channel in channels} if cache else {}
        missing = [channel for channel in channels if parts.get(channel) is None]
        bar.update(len(channels) - len(missing))
        network = Network(bundle.model, bundle.layers, bundle.contract.preprocessing, bfloat16=self._bfloat16)
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            found = maximize_channels(
                network, layer.path, batch, settings, photographs=self._photographs(layer, batch, settings)
            )
            for row, channel in enumerate(batch):
                parts[channel] = pattern = found.rows(slice(row, row + 1))
                if cache and not pattern.depends_on_photographs[0]:
                    cache.put(layer.path, channel, pattern)
            bar.update(len(batch))
        if cache:
            cache.trim()
        return join([part for part in (parts[channel] for channel in channels) if part is not None])

    def _ascent(self, bundle: ModelBundle, layer: Layer) -> Settings:
        height, width = bundle.contract.input_size
        size = min(self.settings.size, height, width)
        if layer.has_units:
            if height != width:
                raise ConvscopeError(
                    f"{layer.path} is a dense layer, and the input of the model has {height}×{width} pixels: "
                    f"patterns are square; remove it from {_KEY}"
                )
            size = height
        return Settings(
            self.settings.method,
            size,
            self.settings.steps,
            self.run.config.seed,
            self._spectrum(size),
            frame_every=course.frame_every(self.settings),
        )

    @cached_property
    def _bfloat16(self) -> bool:
        return BFLOAT16 in known_to_hardware()

    def _spectrum(self, size: int) -> Spectrum:
        """Return the colours and the spectrum of the data set; the book's method uses none."""
        if self.settings.method == "book" or len(self.run.models) > 1:
            return _IMAGENET
        if size not in self._spectra:
            self._spectra[size] = natural_spectrum(self.run.training_data, size)
        return self._spectra[size]

    def _cache(self, bundle: ModelBundle, settings: Settings) -> PatternCache | None:
        if not self.settings.cache or self.settings.animate:  # cached patterns have no frames
            return None
        about = {
            "model": bundle.sha256,
            "preprocessing": bundle.contract.preprocessing.to_json(),
            "method": [settings.method, settings.size, settings.steps, settings.seed],
            "spectrum": settings.spectrum.sha256(settings.size),
            "bfloat16": self._bfloat16,
        }
        return PatternCache(Path(self.settings.cache), about)

    def _photographs(self, layer: Layer, channels: list[int], settings: Settings) -> dict[int, np.ndarray]:
        """Return the strongest photograph of each channel that responds to any."""
        if not self._references or not layer.has_maps:
            return {}
        highest = self._references.highest(layer)
        return {
            channel: self._references.photograph(layer, channel, settings.size)
            for channel in channels
            if highest[channel] > 0
        }

    # ---- drawing

    def _add_rows(self, layer: Layer, channels: list[int], patterns: Patterns) -> None:
        found = self._references if layer.has_maps else None
        for row, channel in enumerate(channels):
            self._table.append(
                (
                    layer.path, channel, self.settings.method, int(patterns.exact[row]),
                    f"{patterns.peak[row]:.7g}", f"{patterns.mean[row]:.7g}",
                    f"{found.highest(layer)[channel]:.7g}" if found else "", found.count if found else "",
                    0 if patterns.exact[row] else 1 + int(patterns.restarts[row]),
                )
            )  # fmt: skip

    def _sheet(self, path: str, layer: Layer, channels: list[int], patterns: list[Patterns]) -> Artifact:
        several = len(patterns) > 1
        size = patterns[0].pictures.shape[1]
        about = {
            "layer": layer.path,
            "channels": [channels[0], channels[-1]],
            "chosen": channels,
            "value_range": [0, 255],
            "normalize": "none: the pixels that the model was shown",
            "mean_positive_response": _of_models([_rounded(each.mean) for each in patterns]),
            "highest_response": _of_models([_rounded(each.peak) for each in patterns]),
            "method": self.settings.method,
            "colors": self._spectrum(size).source,
            "steps": self.settings.steps,
            "bfloat16": self._bfloat16,
        }
        tiles = [Tiles(each.pictures, each.silent, np.array(channels)) for each in patterns]
        caption = f"{len(channels)} of {layer.channels} channels, {size}×{size} pixels, "
        if patterns[0].exact.all():
            caption += "exact"
        else:
            caption += f"{self.settings.method}, at most {self.settings.steps} steps"
            caption += " from the same noise" if several else ""
        if several:
            strip = Strip(tiles, self.run.models.titles, layer.path, caption, None)
            return strip_picture(self, path, strip, None, about)
        (single,) = patterns
        found = self._references if layer.has_maps else None
        if found:
            caption += f"; right: the strongest of {found.count:,} photographs"
        caption += self._silent_note(layer, channels, single)
        if found:
            sheet = rows.sheet(self._beside_photographs(found, layer, channels, single), layer.path, caption)
            about |= {"photographs": found.count, "splits": list(self.run.config.splits)}
        else:
            sheet = mosaic.sheet(tiles[0], layer.path, caption, layout=mosaic.Layout(gap=MARGIN))
        return self.picture(path, sheet, title=layer.path, caption=caption, about=about)

    def _sprite(self, layer: Layer, channels: list[int], patterns: Patterns) -> Artifact:
        """Return the patterns without text, for the page, with the numbers of each pattern."""
        size = patterns.pictures.shape[1]
        found = self._references if layer.has_maps else None
        path = f"filters/{self.index_of(layer)}_patterns.jpg"
        sheet, columns = sprite(patterns.pictures, 1)
        data: dict[str, Any] = {
            "kind": "patterns",
            "layer": self.run.page_layers.keys[layer.path],
            "tile": size,
            "columns": columns,
            "channels": channels,
            "silent": [
                channel for channel, is_silent in zip(channels, patterns.silent, strict=True) if is_silent
            ],
            "highest": _rounded(patterns.peak),
            "method": "exact" if patterns.exact.all() else self.settings.method,
        }
        if found:
            data |= {"photographs": found.count, "of_photographs": _rounded(found.highest(layer)[channels])}
        picture = self.picture(
            self.reserve(path, f"patterns of {layer.path}"),
            sheet,
            title=layer.path,
            caption="patterns without text",
            role=Role.data,
            about={
                "layer": layer.path,
                "channels": [channels[0], channels[-1]],
                "chosen": channels,
                "value_range": [0, 255],
            },
        )
        return replace(picture, data=data)

    def _beside_photographs(
        self, found: References, layer: Layer, channels: list[int], patterns: Patterns
    ) -> rows.Rows:
        """Return a row for each channel: its pattern, then the photographs that excite it most."""
        highest = found.highest(layer)[channels]
        crops = found.crops(layer, channels, patterns.pictures.shape[1])
        dark = found.tops[layer.path].top.of_channels(np.array(channels)).value <= 0
        notes = [
            f"{peak / value:.1f}×" if value > 0 and peak > 0 else ""
            for peak, value in zip(patterns.peak, highest, strict=True)
        ]
        return rows.Rows(
            np.concatenate([patterns.pictures[:, None], crops], axis=1),
            np.concatenate([patterns.silent[:, None], dark], axis=1),
            [str(channel) for channel in channels],
            notes,
        )

    def _silent_note(self, layer: Layer, channels: list[int], patterns: Patterns) -> str:
        """Return the end of a caption that says what was tried for channels without a response."""
        silent = np.flatnonzero(patterns.silent)
        if not len(silent):
            return ""
        if patterns.exact.all():
            return f"; hatched: {len(silent)} whose largest possible response is not positive"
        tried = f"{self.settings.steps} steps from {1 + int(patterns.restarts[silent].max())} starts"
        note = f"; hatched: {len(silent)} without a response after {tried}"
        if self._references and layer.has_maps:
            highest = self._references.highest(layer)[np.array(channels)[silent]]
            dead = int((highest <= 0).sum())
            count = f"{self._references.count:,}"
            note += f"; {dead} of them do not respond to any of {count} photographs either" if dead else ""
        return note

    def _kernels(self, layer: Layer) -> Artifact:
        """Return the kernels: with one model each on its own scale, with several all on one scale."""
        models = self.run.models
        several = len(models) > 1
        count = shown_channels(self, layer.channels)
        weights = [
            np.asarray(match.keras_layer.kernel)[..., :count].copy()
            for _, (match,) in zip(models, self._first_matches, strict=True)
        ]
        end = max(float(np.abs(kernels).max()) for kernels in weights) if several else None
        tiles, largest = [], []
        for kernels, state in zip(weights, models[:], strict=True):
            order = state.bundle.contract.preprocessing.order
            pictures, largest_of_model = kernel_pictures(kernels, order=order, end=end)
            factor = max(1, KERNEL_SIDE // max(pictures.shape[1:3]))
            pictures = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
            tiles.append(Tiles(pictures, largest_of_model == 0, np.arange(count)))
            largest.append(_rounded(largest_of_model))
        height, width = weights[0].shape[:2]
        title = f"kernels of {layer.path}"
        about = {"layer": layer.path, "channels": [0, count - 1]}
        path = self.reserve(f"filters/kernels_{names.file_name(layer.path)}.png", title)
        if end is not None:
            caption = (
                f"{count} of {layer.channels} kernels, {height}×{width}, all on one scale, grey is 0, "
                f"the ends are ±{end:.3g}"
            )
            about |= {
                "value_range": [-end, end],
                "largest_weight": largest,
                "normalize": "largest absolute weight of all models",
            }
            return strip_picture(self, path, Strip(tiles, models.titles, title, caption, None), None, about)
        caption = (
            f"{count} kernels, {height}×{width}, each on its own scale, grey is 0; hatched: all weights are 0"
        )
        about |= {
            "value_range": [float(weights[0].min()), float(weights[0].max())],
            "largest_weight": largest[0],
            "normalize": "own largest absolute weight",
        }
        return self.picture(
            path, mosaic.sheet(tiles[0], title, caption), title=title, caption=caption, about=about
        )


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


def _of_models(values: list[Any]) -> Any:
    """Return the values of all models, or those of the only one."""
    return values if len(values) > 1 else values[0]
