"""The messages for wrong values. They depend on texts of OmegaConf and Hydra, which an upgrade can change."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from convscope.config.explain import explain
from convscope.config.schema.train import TrainConfig
from tests.test_configs import compose


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("training.epochs", "abc", "training.epochs=abc: expected an integer"),
        ("training.mixup", "much", "training.mixup=much: expected a number"),
        ("training.deterministic", "maybe", "training.deterministic=maybe: expected true or false"),
        ("logger", "wandb", "logger=wandb: expected one of none, tensorboard"),
        ("training.epochs", None, "training.epochs=null: expected a value"),
        ("training", 3, "training=3: training has several keys; expected training.KEY=VALUE"),
        ("splits", "[test", "splits: expected a list, [FIRST,SECOND,…]"),
    ],
)
def test_a_wrong_value_is_named_with_the_expected_one(path: str, value: object, message: str) -> None:
    with pytest.raises(OmegaConfBaseException) as error:
        OmegaConf.update(OmegaConf.structured(TrainConfig), path, value)
    assert explain(error.value, {}) == message


def test_an_argument_without_a_value_is_quoted() -> None:
    with pytest.raises(OverrideParseException) as error:
        OverridesParser.create().parse_overrides(["training.epochs"])
    assert explain(error.value, {}) == "cannot read the argument 'training.epochs': expected KEY=VALUE"


def test_a_value_with_a_comma_has_three_remedies() -> None:
    with pytest.raises(HydraException) as error:
        compose("train", "dataset.name=cats,dogs")
    assert explain(error.value, {}) == (
        "the argument 'dataset.name=cats,dogs' has a comma: expected KEY=[A,B] for a list, 'KEY=\"A,B\"' "
        "for a text, or the flag -m for a sweep"
    )
