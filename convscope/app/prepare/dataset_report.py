"""The report on a data set: its manifest and thumbnails on a page."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convscope.app.thumbnails import thumbnails
from convscope.data.manifest import SPLITS, ImageRecord, Manifest
from convscope.render.dataset_page import (
    DatasetReport,
    DuplicateGroup,
    LeftOut,
    write_report,
)
from convscope.render.thumbnail import Thumbnail

FILE = "report.html"
_SAMPLES, _LEFT_OUT, _GROUPS = 600, 60, 100  # maximum of sample pictures, of files per reason, of groups


def write(root: Path, manifest: Manifest, source: Path | None) -> None:
    """Write `report.html` into the folder `root` of a data set.

    `source` is the folder of the source or None; the thumbnails of files that were left out are read from it.
    """
    counts = manifest.counts()
    write_report(
        root / FILE,
        DatasetReport(
            title=f"The data set {manifest.name}",
            facts=_facts(manifest),
            splits=SPLITS,
            counts={label: [counts[split][label] for split in SPLITS] for label in manifest.classes},
            sizes=[(record.width, record.height) for record in manifest.images if record.width],
            samples=_samples(root, manifest),
            left_out=_left_out(manifest, source),
            groups=_groups(root, manifest),
            group_count=len(manifest.duplicates),
        ),
    )


def _facts(manifest: Manifest) -> list[tuple[str, str]]:
    source = {name: value for name, value in manifest.source.items() if value and name != "extended"}
    pixels = manifest.pixels
    kinds = [group["kind"] for group in manifest.duplicates]
    channels = ", ".join(
        f"{name} {mean:.1f} ± {deviation:.1f}"
        for name, mean, deviation in zip(
            ("red", "green", "blue"), pixels["mean"], pixels["deviation"], strict=True
        )
    )
    settings = ", ".join(f"{name} {value}" for name, value in manifest.split.items() if name != "kind")
    facts = [
        ("images", f"{len(manifest.images):,} in {len(manifest.classes)} classes"),
        ("left out", f"{len(manifest.rejected):,}"),
        (
            "duplicates",
            f"{kinds.count('exact'):,} groups of equal files, {kinds.count('near'):,} of near duplicates",
        ),
        ("label conflicts", f"{len(manifest.conflicts):,} of these groups are in more than one class"),
        (
            "unusual files",
            ", ".join(f"{count:,} {name}" for name, count in manifest.handled.items()) or "none",
        ),
        ("channels", f"mean ± deviation, 0 to 255: {channels} ({pixels['images']:,} images of train)"),
        ("split", f"{manifest.split.get('kind', '')}: {settings}"),
        ("hash of the split", str(manifest.split_sha256)),
        (
            "near duplicates",
            f"at most {manifest.inspect.get('near')} of 64 bits of the perceptual hash (pHash) differ",
        ),
    ]
    return facts + [("source" if name in ("folder", "url") else name, str(v)) for name, v in source.items()]


def _samples(root: Path, manifest: Manifest) -> dict[str, list[Thumbnail]]:
    """Return evenly spaced training pictures of each class."""
    count = min(14, max(2, _SAMPLES // len(manifest.classes)))
    by_class: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in manifest.of_split("train"):
        by_class[record.label].append(record)
    result = {}
    for label in manifest.classes:
        records = by_class[label]
        chosen = [records[len(records) * number // count] for number in range(min(count, len(records)))]
        result[label] = thumbnails([(root / record.path, Path(record.path).name, "") for record in chosen])
    return result


def _left_out(manifest: Manifest, source: Path | None) -> list[LeftOut]:
    by_reason: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for entry in manifest.rejected:
        by_reason[entry["reason"]].append(entry)
    result = []
    for reason, entries in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        items = [
            (_find(entry["source"], manifest, source), Path(entry["source"]).name, entry["detail"])
            for entry in entries[:_LEFT_OUT]
        ]
        result.append(LeftOut(reason, len(entries), thumbnails(items)))
    return result


def _find(origin: str, manifest: Manifest, source: Path | None) -> Path | None:
    """Return the file with this origin, None if it is not on this machine."""
    url = manifest.source.get("url")
    if url and source and origin.startswith(f"{url}/"):
        return source / origin.removeprefix(f"{url}/")
    return Path(origin) if Path(origin).is_file() else None


def _groups(root: Path, manifest: Manifest) -> list[DuplicateGroup]:
    by_path = {record.path: record for record in manifest.images}
    conflicts = {tuple(group["images"]) for group in manifest.conflicts}

    def order(entry: Mapping[str, Any]) -> tuple[bool, bool, int]:
        return tuple(entry["images"]) not in conflicts, entry["kind"] == "exact", -len(entry["images"])

    result = []
    for entry in sorted(manifest.duplicates, key=order)[:_GROUPS]:
        records = [by_path[path] for path in entry["images"][:24]]
        items = [(root / r.path, f"{r.label}, {r.split}", Path(r.path).name) for r in records]
        kind = "equal files" if entry["kind"] == "exact" else "near duplicates"
        more = len(entry["images"]) - len(records)
        kind += f" ({more} more)" if more else ""
        result.append(DuplicateGroup(kind, tuple(entry["images"]) in conflicts, thumbnails(items)))
    return result
