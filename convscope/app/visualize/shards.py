"""Stage 3 in shards: several runs draw a part of the photographs each; one page shows all of them.

Each shard is a complete run in a folder `shard_0`, `shard_1`, …, with its page as data, `page.json`. The
shard that is complete last merges the pages into the folder above.
"""

import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from convscope import files, run_directories
from convscope.app.visualize.output import (
    CONFIG,
    JOURNAL,
    MANIFEST,
    listed_in,
    path_in_journal,
    refuse_unlisted_files,
)  # fmt: skip
from convscope.app.visualize.rebuild import photographs_of_mistakes, results_of, with_results
from convscope.config.registry import to_yaml
from convscope.config.schema.visualize import VisualizeConfig
from convscope.errors import ConvscopeError
from convscope.render.page import FOLDER, PAGE, SAVED, write_page

_LIST = "list"  # the key of page.json with the hash of the list of photographs, which `hash_of_list` returns
_LOCK = ".merge.lock"
_CONTROLS = ("shard:", "overwrite:", "debug:")  # the settings that may differ between shards


def check_directory(config: VisualizeConfig, directory: Path) -> None:
    """Raise ConvscopeError unless the directory of a shard has its name, which `-m` gives it."""
    if directory.name != _name(config.shard):
        raise ConvscopeError(
            f"shard={config.shard} writes into a folder {_name(config.shard)}, and the run directory is "
            f"{directory}: add -m, or set hydra.run.dir={directory / _name(config.shard)}"
        )


def is_complete(config: VisualizeConfig, directory: Path) -> bool:
    """Return whether a shard is drawn already; one that `overwrite` will replace is not.

    Raises:
        ConvscopeError: it was drawn with other settings, and `overwrite` is false.
    """
    if not (directory / SAVED).is_file() or (directory / JOURNAL).exists():
        return False
    drawn = (directory / CONFIG).read_text("utf-8")
    if _without_controls(drawn) != _without_controls(to_yaml(config)):
        if config.overwrite:
            return False
        raise ConvscopeError(
            f"{directory} was drawn with other settings: use the same ones, set overwrite=true, or choose "
            "another hydra.sweep.dir"
        )
    return True


def announce(config: VisualizeConfig) -> None:
    """Print which views only the first shard draws."""
    others = [view.name for view in config.drawn_views() if not view.by_photograph]
    if others and config.shard == 0:
        print(f"note: only shard 0 draws {', '.join(others)}, which do not depend on the photographs")


def hash_of_list(photographs: Sequence[Path]) -> str:
    """Return the hash of the files of all shards, which tells whether all shards saw the same list."""
    return hashlib.sha256(b"\0".join(map(os.fsencode, photographs))).hexdigest()


def merge(config: VisualizeConfig, directory: Path) -> Path | None:
    """Write one page for all shards into the folder above `directory`; return None if a shard is missing.

    Tables that each shard has are joined. Several processes may call this function at the same time.

    Raises:
        ConvscopeError: the folder has another page or other files in the way, or a shard has other settings
            or photographs.
    """
    folder = directory.parent
    shards = [folder / _name(number) for number in range(config.shards)]
    with files.waiting_for(folder / _LOCK):
        missing = [shard for shard in shards if not is_complete(config, shard)]
        missing = missing or _of_another_run(shards, refuse=not config.overwrite)
        if missing:
            names = ", ".join(shard.name for shard in missing)
            print(f"{directory.name} is complete; the page follows after {names}")
            return None
        _refuse_another_page(folder)
        pages = [files.read_json(shard / SAVED) for shard in shards]
        manifests = [files.read_json(shard / MANIFEST) for shard in shards]
        tables = _common_tables(shards[0], manifests)
        refuse_unlisted_files(folder, [f"{FOLDER}/*", SAVED, MANIFEST, PAGE, *tables], listed_in(folder))
        path_of = partial(path_in_journal, folder)
        for path in tables:
            files.write_text(path_of(path), _joined(shard / path for shard in shards))
        listed = [
            {**entry, "path": f"{shard.name}/{entry['path']}"}
            for shard, manifest in zip(shards, manifests, strict=True)
            for entry in manifest["files"]
        ]
        first = manifests[0]
        content = {key: first[key] for key in ("models", "seed", "versions")}
        command = _command(pages[0]["command"], config.shards)
        page = _merged(pages, shards, command)
        results = results_of(page, [model["sha256"] for model in first["models"]])
        page = with_results(page, results)
        written = write_page(path_of, page, photographs_of_mistakes(page, results))
        joined = [{"path": path} for path in (*tables, *written)]
        files.write_json(
            path_of(MANIFEST),
            {"command": command, "shards": config.shards, **content, "files": listed + joined},
        )
        (folder / JOURNAL).unlink()
    run_directories.link_latest(folder)
    return folder / PAGE


def _name(number: int | str) -> str:
    return f"shard_{number}"


def _without_controls(settings: str) -> list[str]:
    return [line for line in settings.splitlines() if not line.startswith(_CONTROLS)]


def _of_another_run(shards: Sequence[Path], *, refuse: bool) -> list[Path]:
    """Return the shards that saw other photographs or another model than the shard that was drawn last.

    Raises:
        ConvscopeError: there is one, and `refuse` is true.
    """
    lists = {shard: files.read_json(shard / SAVED).get(_LIST) for shard in shards}
    newest = max(shards, key=lambda shard: (shard / SAVED).stat().st_mtime_ns)
    models = {
        shard: [model["sha256"] for model in files.read_json(shard / MANIFEST)["models"]] for shard in shards
    }
    others = [s for s in shards if (lists[s], models[s]) != (lists[newest], models[newest])]
    if others and refuse:
        numbers = ",".join(shard.name.removeprefix(_name("")) for shard in others)
        is_model = any(models[shard] != models[newest] for shard in others)
        seen, expected = ("another model", "model") if is_model else ("other photographs", "list")
        raise ConvscopeError(
            f"{', '.join(map(str, others))} saw {seen} than {newest.name}: expected the same {expected} "
            f"in all shards; repeat shard={numbers} with overwrite=true"
        )
    return others


def _refuse_another_page(folder: Path) -> None:
    if not (folder / PAGE).exists() or (folder / JOURNAL).exists():  # a merge was killed
        return
    manifest = files.read_json(folder / MANIFEST) if (folder / MANIFEST).is_file() else {}
    if "shards" not in manifest:
        raise ConvscopeError(f"{folder} has the page of another run: choose another hydra.sweep.dir")


def _merged(pages: Sequence[dict[str, Any]], shards: Sequence[Path], command: str) -> dict[str, Any]:
    """Return the page of all shards, with the photographs in their original order.

    What does not depend on a photograph is that of the first shard.
    """
    moved = [
        [_moved(part, shard.name) for part in page["photographs"]]
        for page, shard in zip(pages, shards, strict=True)
    ]
    rounds = itertools.zip_longest(*moved)  # shard k has the photographs k, k + n, k + 2 n, …
    artifacts = [
        _moved(artifact, shard.name)
        for page, shard in zip(pages, shards, strict=True)
        for artifact in page["artifacts"]
        if page is pages[0] or "photograph" in artifact
    ]
    photographs = [part for parts in rounds for part in parts if part]
    return {**pages[0], "photographs": photographs, "artifacts": artifacts, "command": command}


def _moved(file: dict[str, Any], shard: str) -> dict[str, Any]:
    """Return a file of a shard, relative to the folder of all shards."""
    return {**file, "path": f"{shard}/{file['path']}"}


def _common_tables(shard: Path, manifests: Sequence[dict]) -> list[str]:
    """Return the names of the tables that all shards have; `shard` is the folder of the first one."""
    names = [{entry["path"] for entry in manifest["files"]} for manifest in manifests]
    tables = sorted(path for path in set.intersection(*names) if path.endswith(".csv"))
    for path in tables:
        if path.startswith("/") or ".." in path.split("/"):
            raise ConvscopeError(
                f"{shard / MANIFEST} lists {path!r}, which is outside of the shard: repeat all shards "
                "with overwrite=true"
            )
    return tables


def _joined(tables: Iterable[Path]) -> str:
    """Return the text of several tables with the same columns as one."""
    texts = [table.read_text("utf-8") for table in tables]
    header = texts[0].partition("\n")[0] + "\n"
    return header + "".join(text.removeprefix(header) for text in texts)


def _command(command: str, count: int) -> str:
    """Return the command of all shards from that of the first one."""
    numbers = ",".join(map(str, range(count)))
    return re.sub(r"\bshard=0\b", f"-m shard={numbers}", command, count=1)
