"""Stage 1: acquire, inspect, split, write."""

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from convscope.app import assemble
from convscope.app.prepare import dataset_report as report
from convscope.config.schema.prepare import (
    ExtendConfig,
    FolderConfig,
    KaggleConfig,
    PhotographsConfig,
    PredefinedConfig,
    PrepareConfig,
    ProceduralConfig,
)
from convscope.data import folder, kaggle
from convscope.data.dataset_statistics import channel_statistics
from convscope.data.inspect import Candidate, Inspected, Rejected, inspect
from convscope.data.manifest import FILE, SPLITS, Manifest, fold_name, open_dataset
from convscope.errors import ConvscopeError
from convscope.files import replacing, sha256
from convscope.parallel import in_threads

DOWNLOADS = ".downloads"


def prepare(config: PrepareConfig) -> Path:
    """Make `data/NAME`, its manifest and its report; returns its folder.

    With a data set of that name and these settings there, nothing is done; with other settings it is
    replaced if `config.overwrite` says so, or extended if the split does. The new one is built beside and
    takes the old one's place at once.

    Raises:
        ConvscopeError: the source is missing or unfit, or the name is taken.
    """
    assert config.dataset.name is not None
    target = Path(config.dataset.root).expanduser() / config.dataset.name
    extend = isinstance(config.split, ExtendConfig)
    with replacing(target) as partial:
        earlier = _what_is_there(target, config)
        if earlier and not extend:
            print(f"{target} is there already, made with these settings")
            return target
        candidates, rejected, source, place = _acquire(config, partial / "source")
        if earlier:
            candidates = _not_yet_in(earlier, candidates)
            if not candidates:
                print(f"{target} has all images of the source already")
                return target
        inspected, unfit = inspect(candidates, min_size=config.inspect.min_size)
        _check_no_class_is_lost(candidates, inspected, unfit)
        manifest = _assemble(
            config, earlier, inspected, [*rejected, *unfit], (source, place), target, partial
        )
        shutil.rmtree(partial / "source", ignore_errors=True)
    _print_table(manifest, target, before=len(earlier.images) if earlier else None)
    return target


def _settings(config: PrepareConfig) -> dict[str, Any]:
    """What decides a data set's contents, as the manifest keeps it."""
    dataset = asdict(config.dataset)
    for name in ("root", "name", "fold"):
        del dataset[name]
    for name in ("source", "labels"):
        if dataset.get(name):
            dataset[name] = str(Path(dataset[name]).expanduser().resolve())
    wanted = {
        "origin": {"kind": _kind(config.dataset), **dataset},
        "split": {"kind": _kind(config.split), **asdict(config.split)},
        "inspect": asdict(config.inspect),
    }
    return json.loads(json.dumps(wanted))


def _kind(config: Any) -> str:
    return type(config).__name__.removesuffix("Config").lower()


def _what_is_there(target: Path, config: PrepareConfig) -> Manifest | None:
    """The manifest of the data set at `target` if it is to be kept or extended, None if it is to be made.

    Raises:
        ConvscopeError: something else is there that may not be replaced.
    """
    extend = isinstance(config.split, ExtendConfig)
    if not target.exists():
        if extend:
            raise ConvscopeError(
                f"split=extend, and there is no data set at {target}: make it with split=fractions"
            )
        return None
    if not (target / FILE).is_file():
        raise ConvscopeError(
            f"{target} is there and was not made by convscope (it has no {FILE}): choose another "
            "dataset.name, or move it away"
        )
    if config.overwrite and not extend:
        return None
    manifest = open_dataset(target)
    gone = sum(not (target / image.path).exists() for image in manifest.images)
    changed = [] if extend else _changes(manifest, _settings(config))
    if gone:
        raise ConvscopeError(
            f"{gone} of the {len(manifest.images)} images of {target} are gone: say overwrite=true to make "
            "it again"
        )
    if changed:
        raise ConvscopeError(
            f"{target} is there with other settings ({'; '.join(changed)}): say overwrite=true to "
            "replace it, or choose another dataset.name"
        )
    return manifest


def _changes(manifest: Manifest, settings: dict[str, Any]) -> list[str]:
    return [
        f"{part}.{key} is {getattr(manifest, part).get(key)!r} there and {value!r} here"
        for part, values in settings.items()
        for key, value in values.items()
        if getattr(manifest, part).get(key) != value
    ]


def _acquire(
    config: PrepareConfig, scratch: Path
) -> tuple[list[Candidate], list[Rejected], dict[str, Any], Path | None]:
    """The files that the source offers, those without a class, what the manifest says of it, its folder."""
    dataset = config.dataset
    if isinstance(dataset, ProceduralConfig):
        about = {"url": None, "version": "drawn by convscope", "licence": "MIT"}
        return _draw(dataset, scratch), [], about, None
    assert isinstance(dataset, PhotographsConfig)
    labels = Path(dataset.labels).expanduser() if dataset.labels else None
    if isinstance(dataset, KaggleConfig):
        if dataset.kaggle is None:
            raise ConvscopeError(
                "dataset.kaggle is not given: add dataset.kaggle=OWNER/NAME for a data set of Kaggle's, or "
                "the NAME of a competition"
            )
        kept = Path(dataset.root).expanduser() / DOWNLOADS
        download = kaggle.fetch(dataset.kaggle, kept, largest=int(dataset.max_gigabytes * 1e9))
        place, source, about = download.folder, download.about["url"], download.about
        if labels and not labels.is_absolute() and (place / labels).is_file():
            labels = place / labels
    else:
        assert isinstance(dataset, FolderConfig)
        if dataset.source is None:
            raise ConvscopeError(
                "dataset.source is not given: add dataset.source=DIR, a folder that holds a folder of "
                "images for each class"
            )
        place, source = Path(dataset.source).expanduser(), None
        about = {"folder": str(place.resolve()), "version": None, "licence": None}
    predefined = isinstance(config.split, PredefinedConfig)
    found, rejected = folder.find(
        place,
        class_pattern=dataset.class_pattern,
        labels=labels,
        classes=dataset.classes,
        predefined=predefined,
        origin=source,
    )
    return found, rejected, about, place


def _draw(dataset: ProceduralConfig, scratch: Path) -> list[Candidate]:
    from convscope.data import procedural  # not for everybody: SciPy's filters take a while to import

    return procedural.generate(
        scratch,
        classes=dataset.classes,
        images_per_class=dataset.images_per_class,
        image_size=dataset.image_size,
        difficulty=dataset.difficulty,
        seed=dataset.seed,
    )


def _not_yet_in(earlier: Manifest, candidates: Sequence[Candidate]) -> list[Candidate]:
    known = {image.original or image.sha256 for image in earlier.images}
    digests = in_threads(_digest, candidates)
    return [each for each, digest in zip(candidates, digests, strict=True) if digest not in known]


def _digest(candidate: Candidate) -> str:
    return sha256(candidate.path) if candidate.path.is_file() else ""


def _check_no_class_is_lost(
    candidates: Sequence[Candidate], inspected: Sequence[Inspected], rejected: Sequence[Rejected]
) -> None:
    lost = {each.label for each in candidates} - {each.candidate.label for each in inspected}
    if lost:
        label = min(lost)
        source = next(each.source for each in candidates if each.label == label)
        fault = next(each for each in rejected if each.source == source)
        raise ConvscopeError(
            f"class {label!r} has no readable image: mend its files or leave it out; the first of them, "
            f"{source}, is refused: {fault.reason} ({fault.detail})"
        )


def _assemble(
    config: PrepareConfig,
    earlier: Manifest | None,
    inspected: Sequence[Inspected],
    rejected: Sequence[Rejected],
    origin: tuple[dict[str, Any], Path | None],
    target: Path,
    partial: Path,
) -> Manifest:
    """Write images, manifests and report into `partial`."""
    settings = _settings(config)
    source, place = origin
    members = assemble.newcomers(inspected)
    classes = list(config.dataset.classes) or sorted({each.label for each in members})
    refused = [each.to_json() for each in rejected]
    if earlier:
        settings = {name: getattr(earlier, name) for name in settings}
        count = settings["split"]["folds"]
        folds = [open_dataset(target, number) for number in range(count)]
        members = [*assemble.residents(earlier, folds), *members]
        classes = list(dict.fromkeys([*earlier.classes, *classes]))
        refused = [each for each in earlier.rejected if each not in refused] + refused
        source = earlier.source | {"extended": [*earlier.source.get("extended", []), source]}
    arrangement = assemble.arrange(members, config, settings["split"])
    records = assemble.write_images(arrangement, config, target, partial)
    found, conflicts = assemble.describe_duplicates(arrangement, records)
    handled = Counter(earlier.handled if earlier else {})
    handled.update(trait for each in arrangement.members if each.inspected for trait in each.inspected.traits)
    place_of = {id(record): index for index, record in enumerate(records)}
    in_order = sorted(records, key=lambda record: (SPLITS.index(record.split), record.path))
    manifest = Manifest(
        name=str(config.dataset.name),
        classes=classes,
        **settings,
        images=in_order,
        source=source,
        rejected=refused + [each.to_json() for each in arrangement.rejected],
        duplicates=found,
        conflicts=conflicts,
        handled=dict(sorted(handled.items())),
        pixels=channel_statistics([partial / each.path for each in in_order if each.split == "train"]),
    )
    for number in range(settings["split"]["folds"]):
        images = [
            record
            if record.split == "test"
            else replace(
                record,
                split="validation" if arrangement.folds[place_of[id(record)]] == number else "train",
            )
            for record in in_order
        ]
        replace(manifest, images=images).write(partial, fold_name(number))
    report.write(partial, manifest, place)
    manifest.write(partial)
    return manifest


def _print_table(manifest: Manifest, target: Path, *, before: int | None) -> None:
    """Ten lines or so: counts by class and split, what was left out, what is double."""
    counts = manifest.counts()
    shown = _few(manifest.classes)
    width = max(len(name) for name in (*shown, "left out"))
    print(f"\n{'':{width}}" + "".join(f"{part:>12}" for part in SPLITS))
    for name in shown:
        cells = [counts[part][name] if name in manifest.classes else "" for part in SPLITS]
        print(f"{name:{width}}" + "".join(f"{cell:>12}" for cell in cells))
    print(f"{'total':{width}}" + "".join(f"{counts[part].total():>12}" for part in SPLITS))
    if before is not None:
        print(f"{'added':{width}}{len(manifest.images) - before:>12}")
    reasons = Counter(each["reason"] for each in manifest.rejected)
    kinds = Counter(each["kind"] for each in manifest.duplicates)
    listed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(5))
    if len(reasons) > 5:
        listed += f", {reasons.total() - sum(count for _, count in reasons.most_common(5))} for other reasons"
    print(f"{'left out':{width}}  {listed or 'none'}")
    double = f"{kinds['exact']} groups of equal files, {kinds['near']} of near duplicates"
    print(f"{'double':{width}}  {double}, {len(manifest.conflicts)} of them under two classes")
    print(f"{'written':{width}}  {target}, with {report.FILE} to look at")


def _few(classes: Sequence[str]) -> list[str]:
    """The classes to show a line each: all, or the first four and the last."""
    if len(classes) <= 6:
        return list(classes)
    return [*classes[:4], f"… {len(classes) - 5} more", classes[-1]]
