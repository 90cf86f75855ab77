"""The commands that the page prints."""

import shlex
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from convscope.app.visualize.page_content import _model_options
from convscope.config.schema.visualize import VisualizeConfig


@pytest.mark.parametrize("weights", [None, "my 'own'.weights.h5"])
def test_the_printed_options_open_the_same_weights(weights: str | None) -> None:
    run = SimpleNamespace(config=VisualizeConfig(application="VGG16", weights=weights))
    options = OverridesParser.create().parse_overrides(shlex.split(_model_options(cast(Any, run))))
    assert {one.key_or_group: one.value() for one in options} == {"application": "VGG16", "weights": weights}
