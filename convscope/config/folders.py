"""The folders of YAML files: `conf` in the current folder comes first, then that of convscope."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from convscope.errors import ConvscopeError, one_line

NAME = "conf"
_PACKAGE = Path(__file__).resolve().parent.parent
_own: Path | None = None


def shipped() -> Path:
    """Return the folder of convscope: in the package after an installation, beside it in a clone."""
    inside = _PACKAGE / NAME
    return inside if inside.is_dir() else _PACKAGE.parent / NAME


def use_own(stage: str) -> None:
    """Let Hydra look for files in `./conf` first, if there is one.

    Raises:
        ConvscopeError: `./conf` has a file of the stage that is not one of convscope.
    """
    global _own
    folder = Path(NAME).resolve()
    _own = folder if folder.is_dir() and folder != shipped().resolve() else None
    main, schema = folder / f"{stage}.yaml", f"schema_{stage}"
    if _own and main.is_file() and schema not in _defaults(main):
        raise ConvscopeError(
            f"{NAME}/{stage}.yaml is not a configuration of convscope: expected '- {schema}' first in its "
            f"defaults, as in {shipped() / main.name}; rename it if it belongs to another program"
        )


def _defaults(path: Path) -> Any:
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except Exception as error:
        raise ConvscopeError(f"cannot read {path} ({one_line(error)[:200]}): expected YAML") from None
    return (content.get("defaults") if isinstance(content, dict) else None) or ()


def forget_own() -> None:
    """Let Hydra look for no files in `./conf`."""
    global _own
    _own = None


def own() -> Path | None:
    """Return `./conf` if Hydra looks for files there, else None."""
    return _own


def main_file(stage: str) -> Path:
    """Return the YAML file of a stage that counts."""
    candidates = [folder / f"{stage}.yaml" for folder in _all()]
    return next((path for path in candidates if path.is_file()), candidates[-1])


def choices(group: str) -> list[str]:
    """Return the names of the files of a group, in both folders."""
    return sorted({path.stem for folder in _all() for path in (folder / group).glob("*.yaml")})


def _all() -> list[Path]:
    return [*([_own] if _own else []), shipped()]
