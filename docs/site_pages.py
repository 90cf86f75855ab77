"""Pages of the site that are not in docs/: README.md and others of the root, and a reference.

A hook of MkDocs. The links in the documents are those of the repository; here they become links of the site.
"""

import ast
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
FROM_ROOT = {"README.md": "start.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
FIRST = ("prepare", "train", "visualize", "open_model", "OpenModel")  # in the reference
REFERENCE = """# Reference

What each name of the public API takes and returns. [Python interface](api.md) has examples.
"""


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the pages."""
    from mkdocs.structure.files import File

    for name, page in FROM_ROOT.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    blocks = "\n\n".join(f"::: {path}" for path in public_names())
    files.append(File.generated(config, "reference.md", content=f"{REFERENCE}\n{blocks}\n"))
    return files


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Let links to files of the repository point to pages of the site."""
    for name, target in FROM_ROOT.items():
        markdown = markdown.replace(f"](../{name}", f"]({target}").replace(f"]({name}", f"]({target}")
    return markdown.replace("](docs/", "](")


def on_post_page(output: str, page: "Page", config: "MkDocsConfig") -> str:
    """Warn of scripts, styles and pictures from other servers; with `strict`, a warning fails the build."""
    for tag in re.findall(
        r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>", output
    ):
        logging.getLogger("mkdocs.hooks").warning(f"{page.file.src_uri} loads from another server: {tag}")
    return output


def public_names() -> list[str]:
    """Return the full path of each public name: what convscope.workflow defines and convscope.api imports."""
    workflow = ast.parse((ROOT / "convscope" / "workflow.py").read_text("utf-8")).body
    defined = [node.name for node in workflow if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    paths = [f"convscope.workflow.{name}" for name in defined if not name.startswith("_")]
    for node in ast.parse((ROOT / "convscope" / "api" / "__init__.py").read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            paths += [f"{node.module}.{alias.name}" for alias in node.names]
    order = {name: index for index, name in enumerate(FIRST)}
    return [
        *sorted(paths, key=lambda path: order.get(path.rpartition(".")[2], len(FIRST))),
        "convscope.ascent",
    ]
