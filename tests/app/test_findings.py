"""The findings, the results of a training and the photographs of its mistakes, from files made by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope.app.visualize.findings import findings
from convscope.app.visualize.mistakes import MOST, TILE, mistakes
from convscope.app.visualize.training_results import (
    Prediction,
    predictions,
    settings_of_run,
    training_results,
)  # fmt: skip
from convscope.files import sha256
from convscope.images import save_png


def content(**changes: Any) -> dict[str, Any]:
    layers = [
        {"key": "01", "path": "trunk/conv", "kind": "Conv2D", "shape": [4, 4, 8]},
        {"key": "02", "path": "pool", "kind": "MaxPooling2D", "shape": [2, 2, 8]},
    ]
    return {"layers": layers, "artifacts": [], "photographs": [], "training": {}, **changes}


def photograph(key: str, truth: str | None, *scores: tuple[str, float]) -> dict[str, Any]:
    return {"key": key, "name": f"{key}.jpg", "truth": truth, "scores": scores}


def test_the_accuracy_of_the_test_split_comes_with_its_interval() -> None:
    metrics = {"validation": {"accuracy": 0.5}, "test": {"accuracy": 0.725, "accuracy_95": [0.7, 0.75]}}
    assert findings(content(training={"metrics": metrics})) == [
        {
            "text": "The model predicts 72.5 % of the test images correctly (95 % interval: 70.0 % to "
            "75.0 %).",
            "route": "about",
        }
    ]


@pytest.mark.parametrize(("low", "reported"), [(0.61, False), (0.6, True)])
def test_an_accuracy_near_that_of_a_constant_answer_is_reported(low: float, reported: bool) -> None:
    metrics = {"test": {"accuracy": 0.7, "accuracy_95": [low, 0.8]}}
    confusion = {"split": "test", "counts": [["a", "a", 2], ["a", "b", 2], ["b", "a", 3], ["b", "b", 3]]}
    accuracy, _ = findings(content(training={"metrics": metrics, "confusion": confusion}))
    added = ". It may be no better than the constant answer “b”, which is correct for 60.0 %."
    assert accuracy["text"].endswith(added) == reported


def test_of_several_models_the_accuracy_of_each_is_told() -> None:
    runs = [
        {"title": "a", "metrics": {"test": {"accuracy": 0.9, "accuracy_95": [0.85, 0.95]}}},
        {"title": "random", "metrics": {}},
        {"title": "b", "metrics": {"test": {"accuracy": 0.5}}},
    ]
    assert findings(content(runs=runs)) == [
        {
            "text": "Share of the test images that each model predicts correctly: "
            "a 90.0 % (95 % interval: 85.0 % to 95.0 %), b 50.0 %.",
            "route": "compare",
        }
    ]


def test_of_a_sweep_the_run_with_the_lowest_loss_is_told() -> None:
    rows = [["units=2", 0.5], ["units=4", 0.25], ["units=8", ""]]
    sweep = {"columns": ["run", "validation_loss"], "rows": rows, "runs": 3, "complete": 2}
    (found,) = findings(content(training={"sweep": sweep}))
    assert found == {
        "text": "The lowest validation loss of 2 complete runs of the sweep is 0.2500: units=4.",
        "route": "compare",
    }


def test_the_most_frequent_mistake_is_named_with_its_share() -> None:
    counts = [["a", "a", 9], ["a", "b/c", 3], ["b/c", "a", 1], ["b/c", "b/c", 4]]
    (found,) = findings(content(training={"confusion": {"counts": counts}}))
    assert found["text"] == "Its most frequent mistake: it calls 3 of 12 images of a “b/c”."
    assert found["route"] == "mistakes/a/b%2Fc"


def test_dead_and_silent_channels_are_counted_in_convolutions() -> None:
    maps = {"kind": "maps", "model": 0}
    data = [
        {"kind": "channels", "layer": "01", "dead": [3], "images": 1000, "enough": True},
        {**maps, "layer": "01", "silent": 2},
        {**maps, "layer": "01", "silent": 4},
        {**maps, "layer": "02", "silent": 8},
    ]
    dead, silent = findings(content(artifacts=[{"path": "x", "data": one} for one in data] + [{"path": "y"}]))
    assert dead["text"] == (
        "1 channel in 1 layer is dead: zero on all 1,000 images. The largest share is in trunk/conv: 1 of 8."
    )
    assert silent["text"].startswith(
        "Most silent layer on these photographs: trunk/conv, where 37.5 % of the"
    )
    assert dead["route"] == silent["route"] == "layer/trunk%2Fconv?filter=dead"


def test_channels_are_not_called_dead_after_too_few_images() -> None:
    data = {"kind": "channels", "layer": "01", "dead": [3, 4], "images": 999, "enough": False}
    (found,) = findings(content(artifacts=[{"path": "x", "data": data}]))
    assert found["text"].startswith(
        "2 channels in 1 layer are zero on all 999 images, too few to call a channel dead. The largest share"
    )


def test_wrong_and_uncertain_photographs_are_named() -> None:
    photographs = [
        photograph("sure", "a", ("a", 0.9), ("b", 0.1)),
        photograph("wrong", "a", ("b", 0.8), ("a", 0.2)),
        photograph("unsure", None, ("a", 0.55), ("b", 0.45)),
        photograph("unknown", None),
    ]
    wrong, unsure = findings(content(photographs=photographs))
    assert wrong == {"text": "It takes wrong.jpg (true class: a) for “b” (80.0 %).", "route": "image/wrong"}
    assert unsure["text"] == "It is least sure of unsure.jpg: a 55.0 %, b 45.0 %."


def test_the_least_sure_photograph_may_be_wrong() -> None:
    photographs = [
        photograph("right", "a", ("a", 0.55), ("b", 0.45)),
        photograph("wrong", "b", ("a", 0.51), ("b", 0.49)),
    ]
    _, unsure = findings(content(photographs=photographs))
    assert unsure["text"] == "It is least sure of wrong.jpg: a 51.0 %, b 49.0 %."


def test_one_image_is_not_plural() -> None:
    data = {"kind": "channels", "layer": "01", "dead": [3], "images": 1, "enough": False}
    confusion = {"counts": [["a", "b", 1]]}
    mistake, zero = findings(
        content(training={"confusion": confusion}, artifacts=[{"path": "x", "data": data}])
    )
    assert mistake["text"] == "Its most frequent mistake: it calls 1 of 1 image of a “b”."
    assert "zero on 1 image, too few" in zero["text"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The files of a training run, made by hand."""
    rows = [
        "split,path,true,predicted,a,-b", "validation,data/x/validation/a/0.png,a,a,0.9,0.1",
        "test,data/x/test/a/1.png,a,'-b,0.3,0.7", "test,data/x/test/a/2.png,a,a,0.8,0.2",
        "test,data/x/test/-b/3.png,'-b,a,0.6,0.4",
    ]  # fmt: skip
    (tmp_path / "predictions.csv").write_text("\n".join(rows).replace("a,-b\n", "a,'-b\n", 1) + "\n")
    (tmp_path / "metrics.json").write_text('{"test": {"accuracy": 0.5, "loss": NaN, "macro_f1": 1}}')
    (tmp_path / "history.csv").write_text("epoch,loss\n1,0.5\n2,nan\n")
    (tmp_path / "config.yaml").write_text(
        "seed: 0\nmodel:\n  widths:\n  - 4\n  - 8\n  dropout: 0.1\nname: null\nevaluate: []\n"
    )
    (tmp_path / "model.keras").touch()
    data = {"name": "x", "path": str(tmp_path / "data/x")}
    (tmp_path / "model.json").write_text(json.dumps({"dataset": data}))
    for number, place in ((1, "test/a"), (3, "train/-b")):  # the second one is in another split now
        save_png(tmp_path / f"data/x/{place}/{number}.png", np.full((40, 20, 3), 50 * number, np.uint8))
    images = [
        {"class": "a", "split": "test"},
        {"class": "a", "split": "test"},
        {"class": "-b", "split": "train"},
    ]
    (tmp_path / "data/x/manifest.json").write_text(json.dumps({"images": images}))
    return tmp_path


def test_the_results_of_a_run_are_read(run: Path) -> None:
    results = training_results(str(run / "model.keras"))
    assert results["history"] == {"columns": ["epoch", "loss"], "rows": [[1, 0.5], [2, "nan"]]}
    assert results["confusion"]["split"] == "test"
    assert results["confusion"]["counts"] == [["-b", "a", 1], ["a", "-b", 1], ["a", "a", 1]]
    assert results["data"]["counts"] == [["-b", "train", 1], ["a", "test", 2]]
    assert results["metrics"] == {"test": {"accuracy": 0.5}}
    assert settings_of_run(str(run / "model.keras")) == {
        "seed": "0", "model.widths": "4 8", "model.dropout": "0.1", "name": "null", "evaluate": "null",
    }  # fmt: skip


def test_of_a_large_sweep_the_runs_with_the_lowest_losses_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convscope.app.visualize.training_results.MOST_RUNS", 2)
    lines = ["run,validation_loss", "a,0.5", "b,", "c,0.75", "d,nan", "e,0.25", "f", ""]
    (tmp_path / "results.csv").write_text("\n".join(lines))
    (tmp_path / "e").mkdir()
    (tmp_path / "e/model.keras").touch()
    sweep = training_results(str(tmp_path / "e/model.keras"))["sweep"]
    assert sweep["rows"] == [["e", 0.25], ["a", 0.5]]
    assert (sweep["runs"], sweep["complete"]) == (5, 3)
    (found,) = findings(content(training={"sweep": sweep}))
    assert found["text"] == "The lowest validation loss of 3 complete runs of the sweep is 0.2500: e."


@pytest.mark.parametrize("text", ["a: &a [1]\nb: *a\n", "- 1\n", "a: [", "? [1]\n: 2\n", "[" * 5000, "\xff"])
def test_settings_that_no_run_writes_are_not_read(run: Path, text: str) -> None:
    (run / "config.yaml").write_bytes(text.encode("latin-1"))
    assert settings_of_run(str(run / "model.keras")) == {}


def test_settings_make_no_objects(run: Path) -> None:
    (run / "config.yaml").write_text("a: !!python/object/apply:os.abort []\n")
    assert settings_of_run(str(run / "model.keras")) == {"a": "null"}


def test_a_model_without_a_run_has_no_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Path
) -> None:
    monkeypatch.chdir(run)
    assert training_results("InceptionV3 of keras.applications") == {}
    (run / "quantized.keras").touch()
    assert training_results("quantized.keras") == {}
    assert mistakes("quantized.keras", {"path": "data/x"}) == {}
    for name in ("metrics.json", "history.csv", "predictions.csv", "model.json"):
        (run / name).write_bytes(b"\xff\xfe{")
    assert training_results("model.keras") == {}
    assert predictions(run) == {}


def test_classes_may_have_the_names_of_other_columns(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text(
        "split,path,true,predicted,true,path,split,predicted\n"
        "test,a.png,true,path,0.1,0.7,0.2,0\ntest,b.png,split,true,1,0,0,0\n"
    )
    assert predictions(tmp_path) == {
        "test": [Prediction("a.png", "true", "path", 0.7), Prediction("b.png", "split", "true", 1)]
    }


def test_photographs_of_mistakes_are_found_and_missing_ones_have_no_picture(run: Path) -> None:
    first = sha256(run / "data/x/test/a/1.png")
    files = mistakes(str(run / "model.keras"), {"path": str(run / "data/x")}, {first: "one"})
    script = files["confused.js"].decode()
    table = json.loads(script.partition("] = ")[2].strip().removesuffix(";"))
    assert [row[1:] for row in table["rows"]] == [
        ["a", "-b", 0.7, 0, "one"], ["-b", "a", 0.6, 1, None], ["a", "a", 0.8, None, None],
    ]  # fmt: skip
    assert (table["split"], table["tile"]) == ("test", TILE)
    assert files["confused.jpg"].startswith(b"\xff\xd8")


def test_pictures_outside_of_the_data_set_are_not_read(run: Path) -> None:
    private = run / "test/a/private.png"
    save_png(private, np.zeros((8, 8, 3), np.uint8))
    names = [str(private), "data/x/test/../../../test/a/private.png"]
    rows = [f"test,{name},a,b,0.3,0.7" for name in names]
    (run / "predictions.csv").write_text("\n".join(["split,path,true,predicted,a,b", *rows]))
    assert "confused.jpg" not in mistakes(str(run / "model.keras"), {"path": str(run / "data/x")})
    assert "confused.jpg" not in mistakes(str(run / "model.keras"), {"path": str(run)})  # no data set


def test_the_most_certain_mistakes_of_many_classes_are_shown(tmp_path: Path) -> None:
    """Thirty classes with 40 mistakes each, and one more, the most certain of all."""
    rows = [f"test,{n}.png,{n % 30},x,0.{n % 89 + 10}" for n in range(1200)] + ["test,most.png,rare,x,0.999"]
    (tmp_path / "predictions.csv").write_text("\n".join(["split,path,true,predicted,x", *rows]))
    (tmp_path / "model.keras").touch()
    script = mistakes(str(tmp_path / "model.keras"), {})["confused.js"].decode()
    shown = json.loads(script.partition("] = ")[2].strip().removesuffix(";"))["rows"]
    assert len(shown) == len({row[0] for row in shown}) == MOST
    probabilities = sorted([float(row.split(",")[4]) for row in rows], reverse=True)
    assert sorted([row[3] for row in shown], reverse=True)[:48] == probabilities[:48]
    for name in map(str, range(30)):
        of_cell = [row[3] for row in shown if row[1] == name]
        assert of_cell == sorted(of_cell, reverse=True)


def test_pictures_are_found_below_the_last_folder_with_the_name_of_the_split(run: Path) -> None:
    save_png(run / "data/x/test/test/1.png", np.zeros((8, 8, 3), np.uint8))
    for place in ("test/x/test/a/1.png", "data/x/test/test/1.png", "data/x/train/-b/3.png"):
        row = f"test,{run / place},a,b,0.3,0.7"
        (run / "predictions.csv").write_text(f"split,path,true,predicted,a,b\n{row}\n")
        assert "confused.jpg" in mistakes(str(run / "model.keras"), {"path": str(run / "data/x")})
