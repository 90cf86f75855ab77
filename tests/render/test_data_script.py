"""Data files of the page."""

import base64
import gzip
import json

import numpy as np
import pytest

from convscope.render.data_script import data_script, packed


def test_a_script_registers_json_under_its_key():
    script = data_script("channels/03", {"name": '</script><img src=x>"\u2028'}).decode()

    start, value = script.split("] = ", 1)
    assert start == '(window.convscopeData ||= {})["channels/03"'
    assert "<" not in value
    assert value.isascii()
    assert json.loads(value.removesuffix(";\n")) == {"name": '</script><img src=x>"\u2028'}


def test_numbers_that_json_lacks_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        data_script("x", [float("nan")])


def test_packed_values_can_be_read_back_and_are_always_the_same():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)

    text = packed(values)

    assert gzip.decompress(base64.b64decode(text)) == values.tobytes()
    assert packed(values) == text
    with pytest.raises(TypeError, match="float64"):
        packed(values / 2)
