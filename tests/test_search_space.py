"""The sweep expressions of Hydra's override grammar as distributions of Optuna."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from convscope.config import launch, registry, search
from convscope.config.search_space import Parameter, split
from convscope.errors import ConvscopeError


def parameter(expression: str) -> Parameter:
    _, space = split([OverridesParser.create().parse_override(f"a.b={expression}")])
    return space["a.b"]


@pytest.mark.parametrize(
    ("expression", "distribution"),
    [
        ("interval(0,0.5)", FloatDistribution(0, 0.5)),
        ("tag(log,interval(1e-5,1e-2))", FloatDistribution(1e-5, 1e-2, log=True)),
        ("int(interval(1,12))", IntDistribution(1, 12)),
        ("tag(log,int(interval(8,64)))", IntDistribution(8, 64, log=True)),
        ("range(1,8,2)", IntDistribution(1, 7, step=2)),
        ("range(0.1,0.5,0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("tag(log,range(1,100))", IntDistribution(1, 99, log=True)),
        ("x,y", CategoricalDistribution(["x", "y"])),
        ("choice(0.1,0.3)", CategoricalDistribution([0.1, 0.3])),
        ("true,false", CategoricalDistribution([True, False])),
        ("[8,16],[32,64]", CategoricalDistribution(["[8,16]", "[32,64]"])),
        ("null,AdamW", CategoricalDistribution([None, "AdamW"])),
    ],
)
def test_each_expression_has_a_distribution(expression: str, distribution: BaseDistribution) -> None:
    assert parameter(expression).distribution == distribution


@pytest.mark.parametrize(
    ("expression", "ends"),
    [
        ("'a b',c", ["a.b='a b'", "a.b=c"]),
        ("[8,16],[32]", ["a.b=[8,16]", "a.b=[32]"]),
        ("null,1", ["a.b=null", "a.b=1"]),
        ("true,false", ["a.b=True", "a.b=False"]),
        ("range(1,8,2)", ["a.b=1", "a.b=7"]),
        ("interval(0,1)", ["a.b=0.0", "a.b=0.9999999999999999"]),
    ],
)
def test_values_are_written_as_arguments(expression: str, ends: list[str]) -> None:
    assert parameter(expression).ends() == ends


@pytest.mark.parametrize(
    ("expression", "setting", "value"),
    [
        ("interval(0,0.5)", 0.5, 0.5),
        ("interval(0,0.5)", 0.6, LookupError),
        ("interval(0,0.5)", None, LookupError),
        ("range(8,65,8)", 32, 32),
        ("range(8,65,8)", 33, LookupError),
        ("null,AdamW", None, None),
        ("[8,16],[32]", [32], "[32]"),
        ("true,false", 1, LookupError),
        ("0.1,0.3", 0.3, 0.3),
        ("x,y", "z", LookupError),
    ],
)
def test_the_current_setting_is_found_in_the_space(expression: str, setting: object, value: object) -> None:
    if value is LookupError:
        with pytest.raises(LookupError, match=r"a\.b="):
            parameter(expression).value_of(setting)
    else:
        assert parameter(expression).value_of(setting) == value


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("model.widths=[16,32],[32,64]", "[32,64]"),
        ("training.input_sizes=[],[64,96]", "[]"),
        ("callbacks=[],[snapshots]", "[snapshots]"),
        ("model=small_convnet,vgg16", "small_convnet"),
        ("training.precision=auto,float32", "auto"),
    ],
)
def test_the_current_setting_is_that_of_the_composed_configuration(argument: str, value: str) -> None:
    registry.register("train")
    base = launch.compose("train", ["dataset.name=x", "model.widths=[32,64]", "callbacks=[snapshots]"])
    _, space = split(OverridesParser.create().parse_overrides([argument]))
    assert search._defaults(base, space) == {argument.partition("=")[0]: value}


def test_names_have_shortened_numbers() -> None:
    assert parameter("interval(0,1)").text(0.12345678901) == "0.123457"
    assert parameter("0.1,0.3").text(0.3) == "0.3"
    assert parameter("range(1,9)").text(4) == "4"
    assert parameter("'a b',c").text("a b") == "'a b'"


def test_the_last_argument_of_a_key_counts_and_the_others_are_fixed() -> None:
    given = ["a=interval(0,1)", "b=1,2", "a=0.5", "c='x y'", "~d"]
    fixed, space = split(OverridesParser.create().parse_overrides(given))
    assert fixed == ["a=0.5", "c='x y'", "~d"]
    assert list(space) == ["b"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0.5", r"the search has no parameters: expected at least one expression"),
        ("tag(quick,interval(0,1))", r"has the tag quick: expected tag\(log, …\)"),
        ("tag(log,choice(1,2))", r"choices have no order"),
        ("interval(1,0)", r"expected low < high"),
        ("tag(log,interval(0,1))", r"expected 0 < low < high"),
        ("range(3,1)", r"at least two ascending values"),
        ("tag(log,range(1,9,2))", r"a range with step 2 cannot have tag"),
    ],
)
def test_an_expression_without_a_distribution_is_refused(expression: str, message: str) -> None:
    with pytest.raises(ConvscopeError, match=message):
        parameter(expression)
