"""The data set's report: the manifest, with thumbnails, as a page."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convscope.app.thumbnails import thumbnails
from convscope.data.manifest import SPLITS, ImageRecord, Manifest
from convscope.render.dataset_page import (
    Group,
    LeftOut,
    Report,
    write_report,
)
from convscope.render.thumbnail import Thumbnail

FILE = "report.html"
_CONTACT, _LEFT_OUT, _GROUPS = 600, 60, 100  # thumbnails in all, files a reason, groups


def write(root: Path, manifest: Manifest, place: Path | None) -> None:
    """Write `report.html` into the data set's folder `root`.

    `place` is the folder that the images come from, if there is one: what was left out is shown from it.
    """
    write_report(
        root / FILE,
        Report(
            title=f"The data set {manifest.name}",
            facts=_facts(manifest),
            parts=SPLITS,
            counts={label: [manifest.counts()[part][label] for part in SPLITS] for label in manifest.classes},
            sizes=[(record.width, record.height) for record in manifest.images if record.width],
            contact=_contact(root, manifest),
            left_out=_left_out(manifest, place),
            groups=_groups(root, manifest),
            group_count=len(manifest.duplicates),
        ),
    )


def _facts(manifest: Manifest) -> list[tuple[str, str]]:
    source = {name: value for name, value in manifest.source.items() if value and name != "extended"}
    pixels = manifest.pixels
    kinds = [each["kind"] for each in manifest.duplicates]
    channels = ", ".join(
        f"{name} {mean:.1f} ± {deviation:.1f}"
        for name, mean, deviation in zip(
            ("red", "green", "blue"), pixels["mean"], pixels["deviation"], strict=True
        )
    )
    settings = ", ".join(f"{name} {value}" for name, value in manifest.split.items() if name != "kind")
    facts = [
        ("images", f"{len(manifest.images):,} of {len(manifest.classes)} classes"),
        ("left out", f"{len(manifest.rejected):,}"),
        (
            "duplicates",
            f"{kinds.count('exact'):,} groups of equal files, {kinds.count('near'):,} of near ones",
        ),
        ("label conflicts", f"{len(manifest.conflicts):,} of these groups, under several classes"),
        ("handled", ", ".join(f"{count:,} {name}" for name, count in manifest.handled.items()) or "nothing"),
        ("channels", f"mean ± deviation, 0 to 255: {channels} ({pixels['images']:,} images of train)"),
        ("split", f"{manifest.split.get('kind', '')}: {settings}"),
        ("near", f"up to {manifest.inspect.get('near')} of 64 bits of the perceptual hash (pHash) differ"),
    ]
    return facts + [("source" if name in ("folder", "url") else name, str(v)) for name, v in source.items()]


def _contact(root: Path, manifest: Manifest) -> dict[str, list[Thumbnail]]:
    """Pictures of each class, at even distances through train."""
    count = min(14, max(2, _CONTACT // len(manifest.classes)))
    by_class: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in manifest.of_split("train"):
        by_class[record.label].append(record)
    result = {}
    for label in manifest.classes:
        records = by_class[label]
        chosen = [records[len(records) * number // count] for number in range(min(count, len(records)))]
        result[label] = thumbnails([(root / each.path, Path(each.path).name, "") for each in chosen])
    return result


def _left_out(manifest: Manifest, place: Path | None) -> list[LeftOut]:
    by_reason: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for entry in manifest.rejected:
        by_reason[entry["reason"]].append(entry)
    result = []
    for reason, entries in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        wanted = [
            (_find(entry["source"], manifest, place), Path(entry["source"]).name, entry["detail"])
            for entry in entries[:_LEFT_OUT]
        ]
        result.append(LeftOut(reason, len(entries), thumbnails(wanted)))
    return result


def _find(source: str, manifest: Manifest, place: Path | None) -> Path | None:
    """The file of a source, on this machine: by its path, or below the folder it was unpacked to."""
    url = manifest.source.get("url")
    if url and place and source.startswith(f"{url}/"):
        return place / source.removeprefix(f"{url}/")
    return Path(source) if Path(source).is_file() else None


def _groups(root: Path, manifest: Manifest) -> list[Group]:
    by_path = {record.path: record for record in manifest.images}
    conflicts = {tuple(each["images"]) for each in manifest.conflicts}

    def order(entry: Mapping[str, Any]) -> tuple[bool, bool, int]:
        return tuple(entry["images"]) not in conflicts, entry["kind"] == "exact", -len(entry["images"])

    result = []
    for entry in sorted(manifest.duplicates, key=order)[:_GROUPS]:
        records = [by_path[path] for path in entry["images"][:24]]
        wanted = [(root / each.path, f"{each.label}, {each.split}", Path(each.path).name) for each in records]
        kind = "equal files" if entry["kind"] == "exact" else "near duplicates"
        more = len(entry["images"]) - len(records)
        kind += f" ({more} more)" if more else ""
        result.append(Group(kind, tuple(entry["images"]) in conflicts, thumbnails(wanted)))
    return result
