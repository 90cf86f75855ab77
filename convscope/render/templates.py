"""The templates of the pages; their values are escaped."""

from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """Return a template of `assets/`, which includes its style and script, filled with values."""
    environment = Environment(
        loader=PackageLoader("convscope.render", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["link"] = quote
    return environment.get_template(template).render(**values)
