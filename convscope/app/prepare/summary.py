"""The summary that stage 1 prints at its end."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from convscope.app.prepare import dataset_report
from convscope.data.manifest import SPLITS, Manifest

MOST_REASONS = 5


def print_summary(manifest: Manifest, target: Path, *, before: int | None) -> None:
    """Print the counts by class and split, the rejected files and the duplicates in about ten lines.

    Args:
        manifest: the data set.
        target: its folder.
        before: the number of images before the data set was extended, or None.
    """
    counts = manifest.counts()
    shown = _shown_classes(manifest.classes)
    width = max(len(name) for name in (*shown, "duplicates"))
    print(f"\n{'':{width}}" + "".join(f"{split:>12}" for split in SPLITS))
    for name in shown:
        cells = [counts[split][name] if name in manifest.classes else "" for split in SPLITS]
        print(f"{name:{width}}" + "".join(f"{cell:>12}" for cell in cells))
    print(f"{'total':{width}}" + "".join(f"{counts[split].total():>12}" for split in SPLITS))
    if before is not None:
        print(f"{'added':{width}}{len(manifest.images) - before:>12}")
    print(f"{'left out':{width}}  {_rejected(manifest)}")
    print(f"{'duplicates':{width}}  {_duplicates(manifest)}")
    print(f"{'split':{width}}  {str(manifest.split_sha256)[:12]} (hash of the membership)")
    print(f"{'written':{width}}  {target} (report: {target / dataset_report.FILE})")


def _rejected(manifest: Manifest) -> str:
    reasons = Counter(entry["reason"] for entry in manifest.rejected)
    common = reasons.most_common(MOST_REASONS)
    parts = [f"{count} {reason}" for reason, count in common]
    others = reasons.total() - sum(count for _, count in common)
    if others:
        parts.append(f"{others} for other reasons")
    return ", ".join(parts) or "none"


def _duplicates(manifest: Manifest) -> str:
    kinds = Counter(entry["kind"] for entry in manifest.duplicates)
    return (
        f"{kinds['exact']} groups of equal files, {kinds['near']} groups of near duplicates; "
        f"{len(manifest.conflicts)} of them in more than one class"
    )


def _shown_classes(classes: Sequence[str]) -> list[str]:
    """Return the classes that get a line: all of them, or the first four and the last."""
    if len(classes) <= 6:
        return list(classes)
    return [*classes[:4], f"… {len(classes) - 5} more", classes[-1]]
