"""The files that the rows of test_bad_input.py name: data sets, lists, and files like checkpoints."""

import json
import shutil
import zipfile
from pathlib import Path

from tests.conftest import run_script, write_class_folders

HDF5 = b"\x89HDF\r\n\x1a\n"


def write_files(folder: Path) -> None:
    """Write what can be written without TensorFlow into `folder`, which is the current one."""
    photos = write_class_folders(folder / "photos")
    assert (
        run_script("create_train_val_test", "dataset=folder", "dataset.source=photos", "dataset.name=two")
        == 0
    )
    for name in ("one", "few", "gap"):
        shutil.copytree(photos / "dark", folder / name / "dark")
    (folder / "hollow" / "dark").mkdir(parents=True)
    for name in ("few", "hollow"):
        (folder / name / "light").mkdir()
        shutil.copy(photos / "light" / "0.png", folder / name / "light")
    for name in ("empty", "my photos"):
        (folder / name).mkdir()
    contents = {
        "gap/light/0.jpg": b"no photograph", "data/mine/notes.txt": b"mine", "taken": b"a file",
        "gone.txt": b"gone.png\n", "loop.txt": b"@loop.txt\n", "latin.txt": b"gr\xfcn.png\n",
        "columns.csv": b"file,label\na.png,dark\n", "quote.csv": b'path,class\n"photos/dark/0.png,dark\n',
    }  # fmt: skip
    names = (
        "m.pth",
        "m.pkl",
        "m.npz",
        "m.txt",
        "saved/saved_model.pb",
        "text.keras",
        "text.h5",
        "files/net.h5",
    )
    contents |= dict.fromkeys(names, b"something else")
    contents |= dict.fromkeys(("m.weights.h5", "renamed.keras"), HDF5 + bytes(100))
    contents["runs/a/model.json"] = b"{}"
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name in ("runs/a/model.keras", "zip.h5", "alone.keras"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("config.json", "{}")


def write_trained_files(folder: Path, trained: Path) -> None:
    """Copy a data set and its run into `folder`, and write checkpoints and photographs that do not fit."""
    for source, target in (("photos", "photos"), ("data", "data"), ("donor", "run"), ("donor", "tampered")):
        shutil.copytree(trained / source, folder / target)
    shutil.copy(folder / "run" / "model.keras", folder / "alone.keras")
    contract = json.loads((folder / "run" / "model.json").read_text()) | {"input_size": [40, 40]}
    (folder / "tampered" / "model.json").write_text(json.dumps(contract))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photograph")
    (folder / "photo.png").write_bytes((folder / "photos" / "dark" / "1.png").read_bytes())
    (folder / "drawn").mkdir()
    (folder / "drawn" / "index.html").write_text("a page")
    import keras  # slow

    inputs = keras.Input((8, 8, 5))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    model.save(folder / "five_channels.keras")
