"""The model card of a run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt

from convscope.app.train import model_card
from convscope.models.bundle import Contract
from convscope.preprocessing import by_name
from convscope.training.evaluate import Evaluation
from tests.conftest import Outcome

Command = Callable[..., Outcome]
HOSTILE = ["<script>alert(1)</script>", "[a](http://x.org) | **b** `c`", "![i](j.png)\n# *d* &lt; @e ~~f~~"]
SETS = {"coverage": 0.9, "mean_size": 1.5}
CALIBRATED = {"temperature": 1.25, "loss": 0.4, "calibration_error": 0.02, "sets": SETS}


def scores(names: list[str]) -> dict[str, object]:
    """The scores of a split, as in `metrics.json`."""
    of_class = {"precision": 0.5, "recall": 0.25, "f1": 1 / 3, "support": 4}
    return {
        "loss": 0.5, "accuracy": 0.75, "accuracy_95": [0.5, 0.875], "macro_f1": 0.7, "images": 6,
        "calibration_error": 0.04, "calibrated": CALIBRATED, "classes": dict.fromkeys(names, of_class),
    }  # fmt: skip


def card(folder: Path, names: list[str], command: str = "python train.py") -> str:
    """Write a card with five predictions: two of the first class are taken for the second one."""
    training = {"seed": 0, "epochs": 0, "momentum": 0.0, "optimizer": "Adam"}
    data = {"name": "set", "path": "nowhere"}
    contract = Contract("net", names, (32, 32), by_name("unit_range"), data, training=training)
    predicted = np.array([1, 1, 0, 2, 1])
    last = Evaluation(np.eye(3)[predicted], np.array([0, 0, 0, 2, 1]))
    model_card.write(folder, contract, {"test": scores(names)}, last, command=command)
    return (folder / model_card.FILE).read_text()


def test_a_card_has_the_scores_the_calibration_and_the_confusions(tmp_path: Path) -> None:
    text = card(tmp_path, ["cat", "dog", "owl"])
    assert "| test | 6 | 75.0% (50.0% to 87.5%) | 0.5000 | 0.700 |" in text
    assert "| owl | 4 | 0.500 | 0.250 | 0.333 |" in text
    assert "- Temperature: 1.250, fitted on validation" in text
    assert "on test, 90.0% contain it; they have 1.50 classes on average" in text
    pairs = text.partition("## Known confusions")[2].partition("##")[0].strip().splitlines()[2:]
    assert pairs == ["| cat | dog | 2 of 3 |"]
    assert "Please fill in" in text.partition("## Intended use")[2].partition("##")[0]


def test_a_class_without_images_has_no_recall(tmp_path: Path) -> None:
    names = ["cat", "dog", "owl"]
    last = Evaluation(np.eye(3)[[0, 1]], np.array([0, 1]))
    contract = Contract("net", names, (32, 32), by_name("unit_range"), {"name": "set", "path": "nowhere"})
    model_card.write(tmp_path, contract, {"test": last.summary(names)}, last, command="train")
    assert "| owl | 0 | 0.000 | – | – |" in (tmp_path / model_card.FILE).read_text()


def test_a_card_shows_the_seed_and_the_epochs_also_if_they_are_0(tmp_path: Path) -> None:
    assert "- Settings: seed 0, epochs 0, optimizer Adam; `config.yaml`" in card(tmp_path, ["a", "b", "c"])


def test_a_card_says_how_many_pairs_of_classes_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = Contract("net", list("abc"), (32, 32), by_name("unit_range"), {"name": "s", "path": "nowhere"})
    last = Evaluation(np.eye(3)[[1, 1, 2, 0]], np.array([0, 0, 0, 2]))
    monkeypatch.setattr(model_card, "MOST_CONFUSIONS", 2)
    model_card.write(tmp_path, contract, {"test": scores(list("abc"))}, last, command="python train.py")
    text = (tmp_path / model_card.FILE).read_text().partition("## Known confusions")[2]
    assert text.splitlines()[2] == "The 2 most frequent of 3 pairs of classes:"
    assert text.count(" of 3 |") == 2


def test_hostile_names_and_commands_stay_text(tmp_path: Path) -> None:
    text = card(tmp_path, HOSTILE, command="python train.py '\n```\n<script>x</script>\n````'")
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    for tag in ("<script", "<a ", "<img", "<strong", "<s>", "<h1>*", "<em>d"):
        assert tag not in page
    assert page.count("<h2>") == 6
    assert page.count("<pre>") == 1
    (row,) = [line for line in page.splitlines() if line == "<td>[a](http://x.org) | **b** `c`</td>"][:1]
    assert page.count(row) >= 2  # the scores of the class, and a confusion
    assert "<td>![i](j.png) # *d* &amp;lt; @e ~~f~~</td>" in page


@pytest.mark.parametrize("edit", [lambda text: text.replace("*Please fill in", "For flowers", 1), str.upper])
def test_an_edited_card_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], edit: Callable[[str], str]
) -> None:
    names = ["cat", "dog", "owl"]
    first = card(tmp_path, names)
    assert card(tmp_path, names, "python train.py seed=1") != first  # it was not edited, so it is replaced
    mine = edit(first)
    (tmp_path / model_card.FILE).write_text(mine)
    model_card.remove_generated(tmp_path)
    assert card(tmp_path, names, "python train.py seed=2") == mine
    assert "is kept; the card of this run is MODEL_CARD.new.md" in capsys.readouterr().out
    beside = tmp_path / model_card.BESIDE
    assert "seed=2" in beside.read_text()
    beside.write_text(edit(beside.read_text()))
    assert card(tmp_path, names, "python train.py seed=3") == mine
    assert "seed=3" not in beside.read_text()


def test_a_training_writes_its_card_with_data_and_split(trained_folder: Path) -> None:
    text = (trained_folder / "donor" / model_card.FILE).read_text()
    assert text.startswith("# small\\_convnet, trained on two\n")
    assert "- SHA-256 of the split: `" in text
    assert "| dark | 7 | 1 | 2 |\n| light | 7 | 1 | 2 |\n| all classes | 14 | 2 | 4 |" in text
    assert "\n```sh\npython " in text


def test_an_evaluation_of_another_run_writes_no_card(
    command: Command, trained_folder: Path, tmp_path: Path
) -> None:
    data = ["dataset=folder", "dataset.name=two", f"dataset.root={trained_folder / 'data'}"]
    done = command("train", f"evaluate={trained_folder / 'donor'}", *data, "hydra.run.dir=run")
    assert done.status == 0, done.err
    assert (tmp_path / "run" / "metrics.json").is_file()
    assert not (tmp_path / "run" / model_card.FILE).exists()
