"""The imports that each package may have; CONTRIBUTING.md explains the architecture."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "convscope"
COMMON = {
    "decode",
    "decode_video",
    "errors",
    "ffmpeg",
    "files",
    "graph",
    "images",
    "invocation",
    "names",
    "options",
    "parallel",
    "preprocessing",
    "probabilities",
    "progress",
    "run_directories",
    "__version__",
}
LIBRARY = ("data", "models", "training", "vis", "render")
ALLOWED = {room: {room, *COMMON} for room in LIBRARY}
ALLOWED["config"] = {
    "config",
    "data",
    "errors",
    "files",
    "invocation",
    "models",
    "names",
    "options",
    "parallel",
    "preprocessing",
    "progress",
    "run_directories",
    "sweep",
    "training",
}
ALLOWED["sweep"] = {"sweep", "errors", "files", "invocation", "names", "render", "run_directories"}
ALLOWED["app"] = {"app", "config", "sweep", *LIBRARY, *COMMON}
ALLOWED["api"] = {"api", "data", "models", "render", "vis", *COMMON}
ALLOWED["ascent"] = {"vis", "quiet"}
ALLOWED["stages"] = {"app", "config", "quiet"}
ALLOWED["startup"] = {"config", "errors", "invocation", "stages", "__version__"}
ALLOWED["__main__"] = {"startup"}
ALLOWED["workflow"] = {"api", "config", "data", "models", "render", "stages", "sweep", *COMMON}
ALLOWED["__init__"] = {"api", "quiet", "workflow"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def violations(path: Path) -> list[str]:
    """Return the imports of a file that its package must not have."""
    package = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    names = imports(path)
    inner = {name.split(".")[1] for name in names if name.startswith("convscope.")}
    outer = {name.split(".")[0] for name in names}
    forbidden = inner - ALLOWED.get(package, COMMON)
    if package != "config":
        forbidden |= outer & {"hydra", "omegaconf"}
    if package in ("config", "render", "sweep") or path.name in ("manifest.py", "images.py", "decode.py"):
        forbidden |= outer & {"tensorflow", "keras"}
    if package == "vis" and path.name != "gradients.py" and path.parent.name != "ascent":
        forbidden |= outer & {"tensorflow"}
    return [f"{path.relative_to(PACKAGE)} imports {name}" for name in sorted(forbidden)]


def test_packages_import_only_what_the_design_allows() -> None:
    assert len(FILES) > 100
    assert [line for path in FILES for line in violations(path)] == []


def test_a_forbidden_import_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    (tmp_path / "render").mkdir()
    wrong = tmp_path / "render" / "wrong.py"
    wrong.write_text("import keras\nfrom convscope import images\nfrom convscope.vis import kernels\n")
    assert violations(wrong) == ["render/wrong.py imports keras", "render/wrong.py imports vis"]


def test_no_module_has_a_name_without_a_subject() -> None:
    assert not [path for path in FILES if path.stem in ("utils", "helpers", "common", "misc")]
