"""Stage 3 in shards: several runs draw a part of the photographs each; one page shows all of them.

Each shard is a complete run in a folder `shard_0`, `shard_1`, …; it also writes its page as `page.json`. The
shard that is complete last merges the pages into the folder above.
"""

import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from convscope import files, run_directories
from convscope.app.visualize.output import CONFIG, JOURNAL, MANIFEST, PAGE, PHOTOGRAPHS
from convscope.config.launch import to_yaml
from convscope.config.schema.visualize import VisualizeConfig
from convscope.errors import ConvscopeError
from convscope.render.artifact import Artifact, Role
from convscope.render.page import Page, PhotographPart, Section, page_from_json, page_to_json, write_page

SAVED_PAGE = "page.json"
_LIST = "list"  # the key of page.json with the hash of the list of photographs
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
    if not (directory / SAVED_PAGE).is_file() or (directory / JOURNAL).exists():
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


def saved_page(page: Page, photographs: Sequence[Path]) -> Artifact:
    """Return the page of a shard as an artifact, which `merge` reads.

    Args:
        page: the page of the shard.
        photographs: the files of all shards; their hash tells whether all shards saw the same list.
    """
    listed = hashlib.sha256(b"\0".join(map(os.fsencode, photographs))).hexdigest()
    content = json.dumps({**json.loads(page_to_json(page)), _LIST: listed}).encode()
    return Artifact(SAVED_PAGE, SAVED_PAGE, content=content, view=PHOTOGRAPHS, role=Role.file)


def merge(config: VisualizeConfig, directory: Path) -> Path | None:
    """Write one page for all shards into the folder above `directory`; return None if a shard is missing.

    Tables that each shard has are joined. Several processes may call this function at the same time.

    Raises:
        ConvscopeError: the folder has another page, or a shard has other settings or photographs.
    """
    folder = directory.parent
    shards = [folder / _name(number) for number in range(config.shards)]
    with files.waiting_for(folder / _LOCK):
        missing = [shard for shard in shards if not is_complete(config, shard)]
        missing = missing or _with_another_list(shards, refuse=not config.overwrite)
        if missing:
            names = ", ".join(shard.name for shard in missing)
            print(f"{directory.name} is complete; the page follows after {names}")
            return None
        _refuse_another_page(folder)
        pages = [page_from_json(json.dumps(_saved(shard)[0])) for shard in shards]
        manifests = [files.read_json(shard / MANIFEST) for shard in shards]
        tables = _join_tables(folder, shards, manifests)
        listed = [
            {**entry, "path": f"{shard.name}/{entry['path']}"}
            for shard, manifest in zip(shards, manifests, strict=True)
            for entry in manifest["files"]
        ]
        first = manifests[0]
        content = {key: first[key] for key in ("models", "seed", "versions")}
        command = _command(pages[0].command, config.shards)
        joined = [{"path": path} for path in (*tables, PAGE)]
        files.write_json(
            folder / MANIFEST,
            {"command": command, "shards": config.shards, **content, "files": listed + joined},
        )
        write_page(folder / PAGE, _merged(pages, shards, command))
    run_directories.link_latest(folder)
    return folder / PAGE


def _name(number: int | str) -> str:
    return f"shard_{number}"


def _without_controls(settings: str) -> list[str]:
    return [line for line in settings.splitlines() if not line.startswith(_CONTROLS)]


def _saved(shard: Path) -> tuple[dict[str, Any], str | None]:
    """Return the page of a shard as JSON, and the hash of the list of photographs that it saw."""
    content = files.read_json(shard / SAVED_PAGE)
    listed = content.pop(_LIST, None)
    return content, listed


def _with_another_list(shards: Sequence[Path], *, refuse: bool) -> list[Path]:
    """Return the shards that saw another list of photographs than the shard that was drawn last.

    Raises:
        ConvscopeError: there is one, and `refuse` is true.
    """
    lists = {shard: _saved(shard)[1] for shard in shards}
    newest = max(shards, key=lambda shard: (shard / SAVED_PAGE).stat().st_mtime_ns)
    others = [shard for shard in shards if lists[shard] != lists[newest]]
    if others and refuse:
        numbers = ",".join(shard.name.removeprefix(_name("")) for shard in others)
        raise ConvscopeError(
            f"{', '.join(map(str, others))} saw other photographs than {newest.name}: expected the same list "
            f"in all shards; repeat shard={numbers} with overwrite=true"
        )
    return others


def _refuse_another_page(folder: Path) -> None:
    if not (folder / PAGE).exists():
        return
    manifest = files.read_json(folder / MANIFEST) if (folder / MANIFEST).is_file() else {}
    if "shards" not in manifest:
        raise ConvscopeError(f"{folder} has the page of another run: choose another hydra.sweep.dir")


def _merged(pages: Sequence[Page], shards: Sequence[Path], command: str) -> Page:
    """Return the page of all shards, with the photographs in their original order."""
    moved = [
        [_moved_photograph(part, shard.name) for part in page.photographs]
        for page, shard in zip(pages, shards, strict=True)
    ]
    rounds = itertools.zip_longest(*moved)  # shard k has the photographs k, k + n, k + 2 n, …
    return replace(
        pages[0],
        photographs=[part for parts in rounds for part in parts if part],
        leading=[_moved(section, shards[0].name) for section in pages[0].leading],
        sections=[_moved(section, shards[0].name) for section in pages[0].sections],
        command=command,
    )


def _moved_photograph(part: PhotographPart, shard: str) -> PhotographPart:
    picture = replace(part.picture, path=f"{shard}/{part.picture.path}")
    return replace(part, picture=picture, sections=[_moved(section, shard) for section in part.sections])


def _moved(section: Section, shard: str) -> Section:
    artifacts = [replace(one, path=f"{shard}/{one.path}") for one in section.artifacts]
    return replace(section, artifacts=artifacts)


def _join_tables(folder: Path, shards: Sequence[Path], manifests: Sequence[dict]) -> list[str]:
    """Join the tables that all shards have under the same name; return their names."""
    names = [{entry["path"] for entry in manifest["files"]} for manifest in manifests]
    tables = sorted(path for path in set.intersection(*names) if path.endswith(".csv"))
    for path in tables:
        if path.startswith("/") or ".." in path.split("/"):
            raise ConvscopeError(
                f"{shards[0] / MANIFEST} lists {path!r}, which is outside of the shard: repeat all shards "
                "with overwrite=true"
            )
        files.write_text(folder / path, _joined(shard / path for shard in shards))
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
