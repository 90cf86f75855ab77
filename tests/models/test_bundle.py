import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from convscope.errors import ConvscopeError
from convscope.models import small_convnet
from convscope.models.bundle import Contract, read_contract, save_model
from convscope.models.checkpoint_files import find_last_run
from convscope.models.opening import open_checkpoint
from convscope.preprocessing import by_name

CONTRACT = Contract("small_convnet", ["a", "b"], (20, 20), by_name("unit_range"), {"name": "x"}, {"seed": 1})


def save(directory: Path, model: keras.Model | None = None) -> keras.Model:
    directory.mkdir(parents=True, exist_ok=True)
    model = model or small_convnet.build(2, input_size=20, widths=(3,), units=4)
    save_model(model, directory)
    CONTRACT.write(directory)
    return model


def test_saved_bundle_opens_unchanged(tmp_path: Path) -> None:
    model = save(tmp_path)
    bundle = open_checkpoint(tmp_path)
    assert bundle.contract == CONTRACT
    x = np.random.default_rng(0).uniform(size=(3, 20, 20, 3)).astype(np.float32)
    np.testing.assert_array_equal(bundle.model(x), model(x))
    assert open_checkpoint(tmp_path / "model.keras").sha256 == bundle.sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.keras"]


def test_last_run_is_the_newest(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "old")):
        save(tmp_path / name / "inner")
        os.utime(tmp_path / name / "inner" / "model.keras", (1e9 - age, 1e9 - age))
    assert find_last_run(tmp_path) == tmp_path / "new" / "inner"


def test_code_in_a_checkpoint_is_refused(tmp_path: Path) -> None:
    inputs = keras.Input((20, 20, 3))
    x = keras.layers.Lambda(lambda x: x * 2)(inputs)
    outputs = keras.layers.Dense(2)(keras.layers.Flatten()(x))
    save(tmp_path, keras.Model(inputs, outputs))
    with pytest.raises(ConvscopeError, match=r"it has a Lambda layer") as error:
        open_checkpoint(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("shape", "classes", "message"),
    [
        ((24, 24, 3), 2, "input does not fit"),
        ((20, 20, 1), 2, "input does not fit"),
        ((8,), 2, "input does not fit"),
        ((20, 20, 3), 3, "output does not fit"),
    ],
)
def test_a_model_that_does_not_fit_its_contract_is_refused(
    tmp_path: Path, shape: tuple[int, ...], classes: int, message: str
) -> None:
    inputs = keras.Input(shape)
    outputs = keras.layers.Dense(classes)(keras.layers.Flatten()(inputs))
    save(tmp_path, keras.Model(inputs, outputs))
    with pytest.raises(ConvscopeError, match=message):
        open_checkpoint(tmp_path)


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match="no checkpoint at"):
        open_checkpoint(tmp_path / "nothing")
    with pytest.raises(ConvscopeError, match="no training run under"):
        find_last_run(tmp_path)
    save(tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(content | {"input_size": "large"}))
    with pytest.raises(ConvscopeError, match=r"malformed .*model\.json"):
        open_checkpoint(tmp_path)
    (tmp_path / "model.json").unlink()
    with pytest.raises(ConvscopeError, match=r"no model\.json beside"):
        open_checkpoint(tmp_path)
    CONTRACT.write(tmp_path)
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ConvscopeError, match="is damaged or incomplete"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 99}, r"model\.json has version 99, expected 1: train the model again"),
        ({"class_names": ["a", "a"]}, "class_names lists 'a' more than once"),
        ({"class_names": [["a"], "b"]}, "class_names is not a list of texts"),
        ({"class_names": "ab"}, "class_names is not a list of texts"),
        ({"class_names": ["a", "\ud800"]}, r"malformed .*surrogates"),
        ({"model": 5}, "model is not a text"),
        ({"input_size": [20, True]}, "not a height and a width"),
        ({"input_size": [20, -1]}, "not a height and a width"),
        ({"preprocessing": {**by_name("unit_range").to_json(), "scale": [1, float("nan"), 1]}}, "finite"),
        ({"preprocessing": {**by_name("unit_range").to_json(), "offset": [0, 10**400, 1]}}, "malformed"),
        ({"dataset": {"path": 5}}, "dataset.path is 5, not str"),
        ({"dataset": {"path": "x", "fold": "1"}}, "dataset.fold is '1', not int"),
        ({"dataset": [["path", "x"]]}, "dataset is not an object"),
        ({"training": "none"}, "training is not an object"),
    ],
)
def test_a_contract_that_was_changed_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    CONTRACT.write(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ConvscopeError, match=message) as error:
        read_contract(path)
    assert "\n" not in str(error.value)


def test_a_contract_that_is_nested_deeply_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ConvscopeError, match="nested too deeply"):
        read_contract(tmp_path / "model.json")
