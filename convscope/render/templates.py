"""The HTML templates of the pages. Jinja escapes the values."""

from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """Return a template from `assets/` filled with values, with its style and script inside."""
    environment = Environment(
        loader=PackageLoader("convscope.render", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["link"] = quote
    return environment.get_template(template).render(**values)
