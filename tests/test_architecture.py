"""Who may import whom (docs: the house's plan is in CONTRIBUTING.md)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "convscope"
COMMON = {
    "decode",
    "errors",
    "files",
    "graph",
    "images",
    "names",
    "options",
    "parallel",
    "preprocessing",
    "progress",
    "__version__",
}
LIBRARY = ("data", "models", "training", "vis", "render")
ALLOWED = {room: {room, *COMMON} for room in LIBRARY}
ALLOWED["config"] = {"config", "data", "errors", "models", "options", "preprocessing", "training"}
ALLOWED["app"] = {"app", "config", *LIBRARY, *COMMON}
ALLOWED["api"] = {"api", "data", "models", "render", "vis", *COMMON}
ALLOWED["__init__"] = {"api"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_each_room_imports_only_what_it_may(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    inner = {name.split(".")[1] for name in imports(path) if name.startswith("convscope.")}
    assert inner <= ALLOWED.get(room, COMMON)
    outer = {name.split(".")[0] for name in imports(path)}
    if room != "config":
        assert not outer & {"hydra", "omegaconf"}
    if room in ("config", "render") or path.name in ("manifest.py", "images.py", "decode.py"):
        assert not outer & {"tensorflow", "keras"}
    if room == "vis" and path.name not in ("gradients.py", "ascent.py"):
        assert "tensorflow" not in outer


def test_there_is_no_drawer_for_odds_and_ends() -> None:
    assert not [path for path in FILES if path.stem in ("utils", "helpers", "common", "misc")]
