"""The pages' templates: what is put into them is escaped."""

from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """A template of `assets/` with its values; its style and script are inside."""
    environment = Environment(
        loader=PackageLoader("convscope.render", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["link"] = quote
    return environment.get_template(template).render(**values)
