import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import convscope
from tests.conftest import Outcome, files_on_page

Command = Callable[..., Outcome]


@pytest.fixture
def donor(tmp_path: Path, trained_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of two classes in `data/two`, and a run that was trained on it in `donor`."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained_folder / "donor", tmp_path / "donor")


@pytest.mark.usefixtures("donor")
def test_the_gallery_lists_the_predictions_of_the_model(command: Command) -> None:
    given = ["views=[gallery]", "splits=[train,test]", "gallery.count=2", "hydra.run.dir=out"]
    done = command("visualize", "checkpoint=donor", *given)
    assert done.status == 0, done.err
    with Path("out/gallery/gallery.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 4
    model = convscope.open_model("donor")
    for row in rows:
        assert row["class"] == row["true"] == Path(row["path"]).parent.name
        (probabilities,) = model.predict(row["path"])
        assert model.class_names[probabilities.argmax()] == row["predicted"]
        assert float(row["probability"]) == pytest.approx(probabilities.max(), abs=1e-5)
        if row["kind"] != "uncertain":
            assert (row["kind"] == "correct") == (row["predicted"] == row["true"])
    files = {entry["path"]: entry for entry in json.loads(Path("out/manifest.json").read_text())["files"]}
    for name in ("dark.jpg", "light.jpg", "mean_maps.png"):
        with Image.open(f"out/gallery/{name}") as picture:
            picture.verify()
        assert files[f"gallery/{name}"]["method"] == "hires_cam"  # the convnet flattens its maps
        assert f"gallery/{name}" in files_on_page()


@pytest.mark.usefixtures("donor")
def test_a_gallery_without_true_classes_is_refused(command: Command, class_folders: Path) -> None:
    done = command("visualize", "checkpoint=donor", "views=[gallery]", f"splits=[{class_folders}]")
    assert done.status == 1
    assert "views=gallery needs true classes" in done.err
