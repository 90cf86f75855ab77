import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

import convscope
from convscope.config.schema.visualize import CheckpointConfig, VisualizeConfig
from convscope.errors import ConvscopeError
from convscope.models.reading import Reading
from convscope.preprocessing import by_name


def test_the_command_line_has_the_same_options_in_their_order() -> None:
    names = [field.name for field in fields(CheckpointConfig)]
    assert names == ["checkpoint", "application", "weights", *(field.name for field in fields(Reading))]
    for field in fields(Reading):
        assert field.metadata["help"]
        assert f"`{field.name}`" in (convscope.open_model.__doc__ or "")


def test_the_configuration_becomes_a_reading() -> None:
    given = OmegaConf.create(
        {"preprocessing": "affine", "scale": [2], "offset": [1, 2, 3], "outputs": "logits"}
    )
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(VisualizeConfig), given))
    assert isinstance(config, Reading)
    preprocessing = config.resolve_preprocessing()
    assert preprocessing is not None
    assert (preprocessing.scale, preprocessing.offset) == ((2, 2, 2), (1, 2, 3))
    assert config.described() == ["preprocessing", "scale", "offset", "outputs"]
    assert Reading(allow_code=True).described() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preprocessing": "unit_rang"}, "did you mean unit_range"),
        ({"preprocessing": ["caffe"]}, "no preprocessing"),
        ({"preprocessing": "affine"}, "expected preprocessing=affine with one or three finite numbers"),
        ({"scale": [2.0]}, "without preprocessing: set preprocessing=affine"),
        ({"outputs": "logit"}, "did you mean logits"),
        ({"input_size": 0}, "input_size=0 is out of range"),
    ],
)
def test_wrong_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ConvscopeError, match=message):
        Reading(**options)


def test_class_names_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\ufeffcat\n\n dog \n", "utf-8")
    assert Reading(class_names=[f"@{path}"]).read_class_names() == ["cat", "dog"]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConvscopeError, match="not in UTF-8"):
        Reading(class_names=[f"@{path}"]).read_class_names()
    path.unlink()
    with pytest.raises(ConvscopeError, match="no class names at"):
        Reading(class_names=[f"@{path}"]).read_class_names()


def test_class_names_of_imagenet() -> None:
    names = Reading(class_names=["imagenet"]).read_class_names()
    assert (len(set(names)), names[281]) == (1000, "tabby")


def test_a_preprocessing_object_is_used_as_it_is() -> None:
    ours = by_name("caffe").featurewise(np.ones(3), None)
    assert Reading(ours).resolve_preprocessing() is ours


def test_the_schema_imports_neither_keras_nor_tensorflow() -> None:
    code = (
        "import importlib, pkgutil, sys\n"
        "from convscope.config import schema\n"
        "names = [module.name for module in pkgutil.iter_modules(schema.__path__)]\n"
        "for name in names: importlib.import_module(f'convscope.config.schema.{name}')\n"
        "print('visualize' in names, {'keras', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True set()"
