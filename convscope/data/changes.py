"""Images of a data set that have changed since stage 1 wrote its manifest."""

from pathlib import Path

from convscope.data.manifest import ImageRecord, Manifest
from convscope.files import sha256
from convscope.parallel import in_threads


def changed_images(root: Path, manifest: Manifest) -> list[ImageRecord]:
    """Return the images whose bytes differ from the manifest, and those whose file is missing.

    An image is read only if its size or modification time differs from the manifest. An image without a hash
    in the manifest is never returned.
    """
    images = [image for image in manifest.images if image.sha256]
    changes = in_threads(lambda image: _has_changed(root / image.path, image), images)
    return [image for image, has_changed in zip(images, changes, strict=True) if has_changed]


def _has_changed(path: Path, image: ImageRecord) -> bool:
    try:
        status = path.stat()
        if (status.st_size, status.st_mtime_ns) == (image.size, image.modified):
            return False
        return sha256(path) != image.sha256
    except OSError:
        return True


def report_changes(root: Path, manifest: Manifest) -> None:
    """Print a note if images of a data set have changed since it was made."""
    changed = changed_images(root, manifest)
    if changed:
        print(
            f"note: {len(changed)} of the {len(manifest.images)} images of {root} have changed since the "
            f"data set was made, for example {changed[0].path}; make it again with the command that made it "
            "and overwrite=true"
        )
