"""Stage 3 in shards: several runs draw a part of the photographs each; one page shows all of them.

Each shard is a complete run in a folder `shard_0`, `shard_1`, …; it also writes its page as `page.json`. The
shard that is complete last merges the pages into the folder above.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from convscope import files, run_directories
from convscope.app.visualize.output import CONFIG, JOURNAL, MANIFEST, PAGE, PHOTOGRAPHS
from convscope.config.launch import to_yaml
from convscope.config.schema.visualize import VisualizeConfig
from convscope.errors import ConvscopeError
from convscope.render.artifact import Artifact, Role
from convscope.render.page import Page, PhotographPart, Section, page_from_json, page_to_json, write_page

SAVED_PAGE = "page.json"
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
    """Return whether a shard is drawn already.

    Raises:
        ConvscopeError: it was drawn with other settings.
    """
    if not (directory / SAVED_PAGE).is_file() or (directory / JOURNAL).exists():
        return False
    drawn = (directory / CONFIG).read_text("utf-8")
    if _without_controls(drawn) != _without_controls(to_yaml(config)):
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


def saved_page(page: Page) -> Artifact:
    """Return the page of a shard as an artifact, which `merge` reads."""
    content = page_to_json(page).encode()
    return Artifact(SAVED_PAGE, SAVED_PAGE, content=content, view=PHOTOGRAPHS, role=Role.file)


def merge(config: VisualizeConfig, directory: Path) -> Path | None:
    """Write one page for all shards into the folder above `directory`; return None if a shard is missing.

    Tables that each shard has are joined. Several processes may call this function at the same time.

    Raises:
        ConvscopeError: the folder has another page, or a shard has other settings.
    """
    folder = directory.parent
    shards = [folder / _name(number) for number in range(config.shards)]
    with files.waiting_for(folder / _LOCK):
        missing = [shard.name for shard in shards if not is_complete(config, shard)]
        if missing:
            print(f"{directory.name} is complete; the page follows after {', '.join(missing)}")
            return None
        _refuse_another_page(folder)
        pages = [page_from_json((shard / SAVED_PAGE).read_text("utf-8")) for shard in shards]
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


def _name(number: int) -> str:
    return f"shard_{number}"


def _without_controls(settings: str) -> list[str]:
    return [line for line in settings.splitlines() if not line.startswith(_CONTROLS)]


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
