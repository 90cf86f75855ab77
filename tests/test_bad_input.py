"""A table of bad input: each command ends with one line, exit status 1, and an unchanged tree.

An expected line that ends in `…` is only the start of the line.
"""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from convscope import quiet
from tests.bad_input_files import write_files, write_trained_files
from tests.conftest import Outcome

Command = Callable[..., Outcome]
SHORT = {
    "TWO": "dataset=folder dataset.name=two",
    "OTHER": "checkpoint=alone.keras preprocessing=none class_names=[a,b]",
}
SCRIPTS = {"prepare": "create_train_val_test", "train": "train", "visualize": "visualize"}

PREPARE = [
    (
        "datset=folder",
        "no key 'datset': did you mean dataset? Expected one of dataset, split, inspect, overwrite, debug",
    ),
    (
        "dataset=flower",
        "no dataset 'flower': did you mean flowers or folder? Expected one of cats_vs_dogs, flowers, …",
    ),
    ("model=inception_v3", "this script has no group 'model': --help lists its groups and keys"),
    (
        "split.tset=0.1",
        "no key 'split.tset': did you mean split.test or split.seed or split.of or split.folds? …",
    ),
    ("split.test=much", "split.test=much: expected a number"),
    ("split.test=1.5", "split.test=1.5 is out of range: expected at least 0 and below 1"),
    ("split.seed=-1", "split.seed=-1 is out of range: expected at least 0"),
    ("split.link=soft", "split.link=soft: expected one of auto, copy, hardlink, symlink"),
    (
        "split=extend",
        "split=extend, but there is no data set at data/procedural: make it with split=fractions first",
    ),
    ("split=extend split.seed=1", "split.seed needs split=fractions: add it, or remove split.seed"),
    ("inspect.near=99", "inspect.near=99 is out of range: expected at least -1 and at most 16"),
    (
        "dataset=folder",
        "dataset.name is not given: set dataset.name=NAME (or dataset.source=DIR in stage 1)",
    ),
    (
        "dataset=folder dataset.source=nowhere",
        "no folder at nowhere: set dataset.source to a folder that contains one folder of images per …",
    ),
    (
        "dataset=folder dataset.name=../x dataset.source=photos",
        "dataset.name='../x' is not a valid folder name: expected one without / and \\",
    ),
    (
        "dataset=folder dataset.source=~nobody-here/x",
        "no home folder for ~nobody-here in ~nobody-here/x: expected the name of a user after ~; …",
    ),
    (
        "dataset=folder dataset.source=empty",
        "empty contains no class folders with images: expected at least two classes, one folder of …",
    ),
    (
        "dataset=folder dataset.source=one",
        "one contains only one class, 'dark': expected at least two classes, one folder of images …",
    ),
    (
        "dataset=folder dataset.source=few",
        "class 'light' has 1 usable image(s), expected at least 3, one for each of train, …",
    ),
    (
        "dataset=folder dataset.source=gap",
        "class 'light' has no usable image; the first one is gap/light/0.jpg: not an image (expected …",
    ),
    (
        "dataset=folder dataset.source=photos dataset.root=taken",
        "taken is a file: expected a folder, to write taken/photos",
    ),
    (
        "dataset=folder dataset.source=photos dataset.name=mine",
        "data/mine exists and was not made by convscope (it has no manifest.json): choose another …",
    ),
    (
        "dataset=folder dataset.source=photos dataset.name=mine overwrite=true",
        "data/mine exists and was not made by convscope (it has no manifest.json): choose another …",
    ),
    (
        "dataset=folder dataset.source=photos dataset.name=two split.seed=1",
        "data/two exists with other settings (split.seed was 0 and is now 1): set overwrite=true to …",
    ),
    (
        "dataset=folder dataset.source=photos dataset.classes=[dark,lihgt]",
        "no class 'lihgt': did you mean light? Expected one of dark, light",
    ),
    (
        "dataset=folder dataset.source=photos dataset.class_pattern=(",
        "dataset.class_pattern='(' is not a regular expression (missing ), unterminated subpattern …",
    ),
    (
        "dataset=folder dataset.source=photos dataset.class_pattern=x dataset.labels=columns.csv",
        "dataset.class_pattern and dataset.labels are both set: expected only one of them",
    ),
    (
        "dataset=folder dataset.source=. dataset.name=x dataset.labels=none.csv",
        "cannot read dataset.labels=none.csv ([Errno 2] No such file or directory: 'none.csv'): …",
    ),
    (
        "dataset=folder dataset.source=. dataset.name=x dataset.labels=columns.csv",
        "columns.csv has the columns file, label: expected path and class",
    ),
    (
        "dataset=folder dataset.source=. dataset.name=x dataset.labels=quote.csv",
        "cannot read dataset.labels=quote.csv (unexpected end of data): expected a CSV file in UTF-8 …",
    ),
    (
        "dataset=kaggle",
        "dataset.name is not given: set dataset.name=NAME (or dataset.kaggle=OWNER/NAME in stage 1)",
    ),
    (
        "dataset=kaggle dataset.kaggle=../../etc",
        "dataset.kaggle='../../etc' is not valid: expected OWNER/NAME for a data set or NAME for a …",
    ),
    ("dataset.name=null", "dataset.name=null: expected the name of the data set"),
    (
        "dataset.classes=[rose,tulpi]",
        "no class 'tulpi': did you mean tulip? Expected one of daisy, dandelion, rose, sunflower, tulip",
    ),
    (
        "dataset.soruce=photos",
        "no key 'dataset.soruce': did you mean dataset.source? It needs dataset=folder",
    ),
    (
        "photos",
        "the argument 'photos' has no key: expected KEY=VALUE, for example dataset=folder …",
    ),
    (
        "--source=photos",
        "unknown option --source: expected KEY=VALUE without dashes; write dataset.source=photos",
    ),
    ("--overwrite", "unknown option --overwrite: expected KEY=VALUE without dashes; write overwrite=true"),
    ("=1", "the argument '=1' has no key: expected KEY=VALUE"),
    ("dataset", "the key dataset has no value: expected dataset=VALUE"),
]
TRAIN = [
    (
        "dataset=two",
        "no dataset 'two': expected one of cats_vs_dogs, flowers, folder, kaggle, procedural. For …",
    ),
    (
        "dataset=folder dataset.name=tow",
        "no data set at data/tow (data contains: two): make it with 'python …",
    ),
    (
        "dataset=folder dataset.name=mine",
        "no data set at data/mine (data contains: two): make it with 'python …",
    ),
    (
        "dataset=folder dataset.name=two dataset.fold=0",
        "dataset.fold=0 does not exist in data/two: make the data set with split.folds=5 to get five …",
    ),
    (
        "model=resnet",
        "no model 'resnet': expected one of inception_v3, keras_application, mobilenet_v2, …",
    ),
    ("model=resnet50", "no model 'resnet50': use model=keras_application model.application=ResNet50"),
    (
        "model.droput=0.1",
        "no key 'model.droput': did you mean model.dropout or model.output or model.units or …",
    ),
    (
        "model.application=VGG16",
        "model.application needs model=keras_application: add it, or remove model.application",
    ),
    (
        "model.aplication=VGG16",
        "no key 'model.aplication': did you mean model.application? It needs model=keras_application",
    ),
    (
        "predict=donor images=a.jpg tta=[flop]",
        "tta: flop is unknown: expected flip, or a factor of the input size from 0.25 to 4, for example 1.29",
    ),
    (
        "training.input_sizes=[160,192] training.epochs=1",
        "training.input_sizes=[160, 192] has 2 sizes for training.epochs=1: expected at most one size per "
        "epoch",
    ),
    (
        "model=pretrained_file model.file=x finetune=two_phase training.epochs=0 training.input_sizes=[160]",
        "training.input_sizes=[160] has 1 sizes for training.epochs=0: expected at most one size per epoch",
    ),
    ("model.input_size=0", "model.input_size=0 is out of range: expected at least 16 and at most 2048"),
    (
        "model.units=999999999999",
        "model.units=999999999999 is out of range: expected at least 1 and at most 100000",
    ),
    ("model=keras_application", "model.application is not given: set model.application=VALUE"),
    (
        "model=keras_application model.application=VGG",
        "no application of Keras 'VGG': did you mean VGG19 or VGG16?",
    ),
    (
        "model=keras_application model.application=MobileNet model.weights=none.weights.h5",
        "no weights at none.weights.h5: expected a file, imagenet or null",
    ),
    (
        "model=keras_application model.application=MobileNet model.weights=m.txt",
        "m.txt is not a weights file: expected NAME.weights.h5",
    ),
    (
        "model=pretrained_file model.file=none.keras",
        "no checkpoint at none.keras: expected a training run, or a .keras, .h5, .hdf5 file",
    ),
    (
        "model=pretrained_file model.file=alone.keras",
        "unknown preprocessing for alone.keras: set model.preprocessing=unit_range, …",
    ),
    (
        "model=pretrained_file model.file=x model.preprocessing=affine",
        "preprocessing=affine, scale=[] and offset=[]: expected preprocessing=affine with one or …",
    ),
    (
        "model=pretrained_file model.file=x model.preprocessing=affine model.scale=[nan] model.offset=[1]",
        "preprocessing=affine, scale=[nan] and offset=[1.0]: expected preprocessing=affine with one …",
    ),
    (
        "finetune=two_phase",
        "finetune=two_phase needs a pretrained model, but model=small_convnet is set: choose another …",
    ),
    (
        "finetune=two_phase model=vgg16 finetune.head_learning_rate=inf",
        "finetune.head_learning_rate=inf is out of range: expected at least 0 and finite",
    ),
    (
        "training.epochs=0",
        "training.epochs=0 trains no epoch: expected training.epochs=1 or more, or finetune=two_phase",
    ),
    (
        "training.learning_rate=inf",
        "training.learning_rate=inf is out of range: expected at least 0 and finite",
    ),
    ("training.optimizer=Adm", "no optimizer 'Adm': did you mean Adam or AdamW or Adamax or Nadam?"),
    (
        "training.warmup_epochs=2",
        "training.warmup_epochs=2.0 needs training.schedule=CosineDecay: set it, or …",
    ),
    (
        "training.momentum=0.9",
        "training.momentum=0.9 is for SGD and RMSprop, not for training.optimizer=Adam: remove it, …",
    ),
    (
        "augmentation.zoom_range=[2,1]",
        "augmentation.zoom_range=[2, 1]: expected a fraction, or [lowest, highest]",
    ),
    (
        "augmentation.featurewise_center=true",
        "augmentation.featurewise_… and samplewise_… need ImageDataGenerator: set …",
    ),
    (
        "'augmentation={featurewise_center: true, samplewise_center: true, engine: keras}'",
        "augmentation.featurewise_… and samplewise_… are both set: expected only one of them",
    ),
    (
        "callbacks=[snapshots] training.epochs=0 finetune=two_phase model=mobilenet_v2",
        "callbacks=[snapshots] saves epochs of the main phase, but training.epochs=0: set …",
    ),
    ("splits=[]", "splits=[] is empty: expected some of train, validation, test"),
    (
        "evaluate=nowhere",
        "no checkpoint at nowhere: expected a training run, or a .keras, .h5, .hdf5 file",
    ),
    ("evaluate=runs", "runs has no model.keras, but contains 1 run(s): expected one of runs/a"),
    (
        "predict=runs/a images=nowhere",
        "no image at nowhere: expected a file, a folder, a glob or @LIST.txt",
    ),
    ("predict= images=photos", "predict= is empty: expected the directory of a run, or a model file"),
    ("predict=runs/a", "predict=RUN needs photographs: add images=DIR (or a file, a glob, @LIST.txt)"),
    (
        "predict=runs/a evaluate=runs/a",
        "predict=runs/a and evaluate=runs/a are both set: expected one of them",
    ),
    (
        "evaluate=runs/a coverage=0.9",
        "coverage=0.9 is for predict=RUN, and reports have the sets for 0.95: set predict=RUN, or remove "
        "coverage",
    ),
    ("splits=[test]", "splits=[test] is for evaluate=RUN with one run: set evaluate=RUN, or remove splits"),
    (
        "evaluate=[runs/a,runs/b] soup=true splits=[test]",
        "splits=[test] is for evaluate=RUN with one run: set evaluate=RUN, or remove splits",
    ),
    ("images=photos", "images=[photos] is for predict=RUN: set predict=RUN, or remove images"),
    ("--epochs 3", "unknown option --epochs: expected KEY=VALUE without dashes; write training.epochs=3"),
    (
        "--training.epochs=3",
        "unknown option --training.epochs: expected KEY=VALUE without dashes; write training.epochs=3",
    ),
    ("--model=vgg16", "unknown option --model: expected KEY=VALUE without dashes; write model=vgg16"),
    ("--lr=0.1", "unknown option --lr: expected KEY=VALUE without dashes; --help lists the keys"),
    (
        "evaluate=[runs/a,runs/b]",
        "evaluate=[runs/a,runs/b] has 2 run(s), and soup=false: expected one run, or several runs and "
        "soup=true, which averages their weights",
    ),
    (
        "evaluate=runs/a soup=true",
        "evaluate=[runs/a] has 1 run(s), and soup=true: expected one run, or several runs and soup=true, "
        "which averages their weights",
    ),
    ("runs/a", "the argument 'runs/a' has no key: expected KEY=VALUE, for example evaluate=runs/a"),
    (
        "data/two",
        "the argument 'data/two' has no key: expected KEY=VALUE, for example dataset=folder …",
    ),
    ("overwrite", "the key overwrite has no value: expected overwrite=true"),
    (
        "+training.epoch=3",
        "the argument '+training.epoch=3' adds a key, and there are no other keys than those of …",
    ),
    (
        "experiment=flower",
        "no experiment 'flower': did you mean flowers_transfer? Expected one of …",
    ),
]
VISUALIZE = [
    (
        "",
        "no training run under outputs/: train a model with 'python …",
    ),
    (
        "checkpoint=nowhere",
        "no checkpoint at nowhere: expected a training run, or a .keras, .h5, .hdf5 file",
    ),
    (
        "checkpoint=alone.keras",
        "unknown preprocessing for alone.keras: set preprocessing=unit_range, minus_one_to_one, caffe, "
        "torch, none, or affine with scale and offset, and class_names=[FIRST,SECOND,…] in the order of the "
        "outputs, @FILE with one name per line, or imagenet",
    ),
    (
        "compare=[runs/a,alone.keras] preprocessing=none class_names=@none.txt",
        "no class names at none.txt: expected a text file with one name per line",
    ),
    ("checkpoint=runs", "runs has no model.keras, but contains 1 run(s): expected one of runs/a"),
    ("checkpoint=files", "files has no model.keras: expected one of its files, files/net.h5"),
    (
        "checkpoint=empty",
        "no checkpoint at empty/model.keras: expected a training run, or a .keras, .h5, …",
    ),
    (
        "checkpoint=saved",
        "saved is a SavedModel of TensorFlow: expected a training run, or a .keras, …",
    ),
    (
        "checkpoint=m.pth",
        "m.pth is a file of PyTorch, which Keras cannot open: expected a .keras, .h5, .hdf5 file; …",
    ),
    (
        "checkpoint=m.pkl",
        "m.pkl is a pickle, which can run any code: expected a .keras, .h5, .hdf5 file; open it in …",
    ),
    (
        "checkpoint=m.weights.h5",
        "m.weights.h5 has weights without a model: expected a file with a whole model",
    ),
    ("checkpoint=renamed.keras", "renamed.keras is an HDF5 file: rename it to renamed.h5"),
    (
        "checkpoint=text.keras",
        "text.keras is damaged or incomplete: expected a zip archive that Keras wrote",
    ),
    (
        "checkpoint=runs/a application=VGG16",
        "checkpoint and application are both set: expected one of them",
    ),
    ("application=VGG", "no application of Keras 'VGG': did you mean VGG19 or VGG16?"),
    (
        "scale=[1]",
        "scale=[1.0] and offset=[] without preprocessing: set preprocessing=affine, or remove them",
    ),
    ("input_size=0", "input_size=0 is out of range: expected at least 1"),
    (
        "checkpoint=runs/a images=nothing.jpg",
        "no image at nothing.jpg: expected a file, a folder, a glob or @LIST.txt",
    ),
    (
        "checkpoint=runs/a images=empty",
        "no images in folder empty: expected .3gp, .avi, .avif, .bmp, .flv, .gif, .jp2, .jpeg, .jpg, …",
    ),
    (
        "checkpoint=runs/a images=@none.txt",
        "no list at none.txt: expected a text file with one path per line",
    ),
    (
        "checkpoint=runs/a images=@loop.txt",
        "the list loop.txt includes itself: remove its path from the lists",
    ),
    (
        "images=[a.png, b.png]",
        "the list images=[a.png, has no closing bracket, because the shell has split it at a space: …",
    ),
    ("images=[a.png", "the list images=[a.png has no closing bracket: expected KEY=[FIRST,SECOND,…]"),
    ("views=[pages]", "no view 'pages': did you mean page or layers or classes?"),
    (
        "views=[pictures]",
        "no view 'pictures': did you mean filters or faithfulness?",
    ),
    (
        "activations.canvas=300",
        "activations.canvas=300 is out of range: expected at least 320 and at most 10000",
    ),
    (
        "activations.channel_canvas=400",
        "activations.channel_canvas=[400]: expected [width,height] in pixels, or []",
    ),
    (
        "activations.file={lyer}.png",
        "activations.file={lyer}.png: unknown placeholder {lyer}; expected {photograph}, {layer}, …",
    ),
    (
        "activations.file={layer}.gif",
        "activations.file={layer}.gif: expected a name that ends in .png or .jpg",
    ),
    (
        "activations.layer=conv2d",
        "no key 'activations.layer': did you mean activations.layers or activations.file or …",
    ),
    (
        "class_activation.heatmap_file=../{class}.png",
        "class_activation.heatmap_file=../{class}.png: expected a path below the run directory, for …",
    ),
    ("evolution.rate=0", "evolution.rate=0.0 is out of range: expected at least 0.1 and at most 50"),
    ("evolution.channels=[1,1]", "evolution.channels=[1, 1]: expected each channel once"),
    ("comparison.normalize=range", "comparison.normalize=range: expected layer or channel"),
    (
        "compare=[runs/a]",
        "compare=[runs/a]: expected at least two models, one of them not random, for example …",
    ),
    (
        "compare=[random,random]",
        "compare=[random,random]: expected at least two models, one of them not random, for example …",
    ),
    (
        "compare=[runs/a,nowhere]",
        "no checkpoint at nowhere: expected a training run, or a .keras, .h5, .hdf5 file",
    ),
    (
        "compare=[runs/a,alone.keras] checkpoint=three",
        "checkpoint=three is not in compare=[runs/a,alone.keras]: add it to the list, or remove …",
    ),
    (
        "compare=[runs/a,application]",
        "compare=[runs/a,application], application=null: set application=NAME and list the word …",
    ),
    (
        "compare=[runs/a,alone.keras] application=VGG16",
        "compare=[runs/a,alone.keras], application=VGG16: set application=NAME and list the word …",
    ),
    (
        "compare=[runs/a,alone.keras] views=[examples]",
        "views=examples draws one model and compare lists 2: expected views among layers, …",
    ),
    (
        "compare=[runs/a,alone.keras] activations.order=mean",
        "activations.order=mean applies to one model only: remove it, or remove compare",
    ),
    (
        "compare=[runs/a,alone.keras] activations.channel_file={layer}.png",
        "activations.channel_file={layer}.png applies to one model only: remove it, or remove compare",
    ),
    (
        "compare=[runs/a,alone.keras] examples.top=3",
        "examples.top=3 applies to one model only: remove it, or remove compare",
    ),
    (
        "compare=[runs/a,alone.keras] splits=[test]",
        "splits=['test'] applies to one model only: remove it, or remove compare",
    ),
    ("runs/a", "the argument 'runs/a' has no key: expected KEY=VALUE, for example checkpoint=runs/a"),
    ("photos", "the argument 'photos' has no key: expected KEY=VALUE, for example images=photos"),
    ("~/rex.jpg", "the argument '~/rex.jpg' has no key: expected KEY=VALUE, for example images=~/rex.jpg"),
    ("./a=b.png", "the argument './a=b.png' has no key: expected KEY=VALUE, for example images=./a=b.png"),
    ("'images =x.png'", "the argument 'images =x.png' has a space before =: expected KEY=VALUE"),
    ("images=my photos", "the shell has split a path at a space, after images=my: write 'images=my photos'"),
    ("*.jpg", "the argument '*.jpg' has no key: expected KEY=VALUE, for example 'images=*.jpg'"),
    (
        "--checkpoint=runs/a",
        "unknown option --checkpoint: expected KEY=VALUE without dashes; write checkpoint=runs/a",
    ),
    (
        "--layers conv2d",
        "unknown option --layers: expected KEY=VALUE without dashes; write activations.layers=conv2d …",
    ),
    ("hydra.run.dir=taken/out checkpoint=runs/a", "Not a directory: taken/out"),
    ("checkpiont=runs/a", "no key 'checkpiont': did you mean checkpoint or comparison?"),
    (
        "hydra.run.dir=a/b/c checkpoint=nowhere",
        "no checkpoint at nowhere: expected a training run, or a .keras, .h5, .hdf5 file",
    ),
    (
        "hydra.run.dir=empty checkpoint=nowhere",
        "no checkpoint at nowhere: expected a training run, or a .keras, .h5, .hdf5 file",
    ),
]
MODEL_TRAIN = [
    (
        "TWO hydra.run.dir=run",
        "run already holds a trained model: set overwrite=true to replace it, or choose another …",
    ),
    (
        "TWO model=keras_application model.application=MobileNet model.weights=null model.trainable=x",
        "no layer 'x': expected one of 90 names, pixels to predictions",
    ),
    (
        "TWO model=pretrained_file model.file=five_channels.keras model.preprocessing=none",
        "five_channels.keras has the input shape (None, 8, 8, 5): expected one colour picture, …",
    ),
    (
        "TWO evaluate=run hydra.run.dir=run",
        "run/metrics.json exists already: set overwrite=true, or choose another hydra.run.dir",
    ),
]
MODEL_VISUALIZE = [
    (
        "checkpoint=run images=broken.jpg",
        "cannot read broken.jpg: …",
    ),
    (
        "checkpoint=run images=photo.png hydra.run.dir=drawn",
        "drawn already has a page: set overwrite=true to replace it, or choose another hydra.run.dir",
    ),
    (
        "checkpoint=run images=photo.png hydra.run.dir=run/model.keras/out",
        "Not a directory: run/model.keras/out",
    ),
    (
        "checkpoint=run images=photo.png class_activation.classes=dusk",
        "no class 'dusk': did you mean dark? Expected one of dark, light",
    ),
    (
        "checkpoint=run images=photo.png class_activation.layer=conv2d_7",
        "no layer 'conv2d_7': did you mean conv2d_1? Expected one of pixels, conv2d_1, …",
    ),
    (
        "checkpoint=run images=photo.png class_activation.layer=dense",
        "layer dense (Dense) has no feature maps (output shape (4,)): set class_activation.layer to …",
    ),
    (
        "checkpoint=run images=photo.png class_activation.color_map=jett",
        "no colour map 'jett': did you mean jet or jet_r or Set3 or Set2?",
    ),
    (
        "checkpoint=run images=photo.png class_activation.method=gradcam",
        "no class_activation.method 'gradcam': did you mean grad_cam…",
    ),
    (
        "checkpoint=run images=photo.png class_activation.method=[grad_cam,layercam]",
        "no class_activation.method 'layercam': did you mean layer_cam…",
    ),
    (
        "checkpoint=run class_activation.method=[grad_cam,grad_cam]",
        "class_activation.method=[grad_cam,grad_cam]: expected each method once",
    ),
    (
        "checkpoint=run images=photo.png filters.layers=[conv3d]",
        "no layer 'conv3d': did you mean conv2d_1? Expected one of pixels, conv2d_1, …",
    ),
    (
        "checkpoint=run images=photo.png activations.layers=[type:Conv3D]",
        "no type of layer 'Conv3D': did you mean Conv2D? Expected one of Conv2D, Dense, Dropout, …",
    ),
    (
        "checkpoint=run views=[examples] splits=[trian]",
        "splits=trian: no such split, folder or file; did you mean train?",
    ),
    (
        "checkpoint=run views=[examples] splits=[nowhere]",
        "no image at nowhere: expected a file, a folder, a glob or @LIST.txt",
    ),
    (
        "checkpoint=run views=[evolution]",
        "no snapshots in run/snapshots: train with callbacks=[snapshots], which saves the weights …",
    ),
    (
        "checkpoint=run preprocessing=caffe",
        "preprocessing given for run/model.keras: expected none of them, because run/model.json …",
    ),
    (
        "checkpoint=tampered",
        "the input does not fit: tampered/model.keras has the input shape (32, 32, 3), but …",
    ),
    (
        "checkpoint=alone.keras preprocessing=none class_names=[a,b,c]",
        "alone.keras has 2 classes, but class_names lists 3: set class_names=[FIRST,SECOND,…] in the …",
    ),
    (
        "OTHER input=left",
        "input=left: the model has the inputs pixels; set input=NAME",
    ),
    (
        "OTHER",
        "no photographs: images=[] selects test images of the data set of the training, which the model …",
    ),
    (
        "OTHER images=photo.png activations.normalize=dataset",
        "splits=train needs the data set of the training, which the model does not name; set splits=FOLDER",
    ),
    (
        "OTHER views=[examples]",
        "splits=train needs the data set of the training, which the model does not name; set splits=FOLDER",
    ),
    (
        "checkpoint=five_channels.keras preprocessing=none class_names=[a,b]",
        "five_channels.keras has the input shape (8, 8, 5): expected one picture, (height, width, 3) …",
    ),
    (
        "compare=[run,run/snapshots/epoch_007.weights.npz]",
        "no snapshot at run/snapshots/epoch_007.weights.npz: expected RUN/snapshots/epoch_NNN.weights.npz",
    ),
]


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and modification time of every file below a folder, and (0, 0) for every folder."""
    status = {path: path.lstat() for path in folder.rglob("*")}
    return {
        str(path): (0, 0) if path.is_dir() else (entry.st_size, entry.st_mtime_ns)
        for path, entry in status.items()
    }


def check(command: Command, script: str, arguments: str, expected: str) -> None:
    """Run a command and check its line, its exit status and the tree."""
    before = contents(Path.cwd())
    outcome = command(script, *shlex.split(arguments))
    lines = outcome.err.replace(f"{Path.cwd()}/", "").replace("\r", "\n").splitlines()
    (line,) = (line for line in lines if line.strip() and "%|" not in line)  # progress bars
    if expected.endswith("…"):
        line = line[: len(f"error: {expected}") - 1] + "…"
    assert line == f"error: {expected}"
    assert outcome.status == 1
    assert contents(Path.cwd()) == before


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands that fail before TensorFlow is imported."""
    folder = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_files(folder)
    return folder


@pytest.fixture(scope="session")
def trained_files(tmp_path_factory: pytest.TempPathFactory, trained_folder: Path) -> Path:
    """The folder of the commands that open a model."""
    folder = tmp_path_factory.mktemp("trained_files")
    write_trained_files(folder, trained_folder)
    return folder


def rows(**tables: list[tuple[str, str]]) -> pytest.MarkDecorator:
    """Parametrize a test with the rows of tables; the name of a table is that of a stage."""
    cases = [(SCRIPTS[stage], *row) for stage, table in tables.items() for row in table]
    return pytest.mark.parametrize(("script", "arguments", "expected"), cases)


@rows(prepare=PREPARE, train=TRAIN, visualize=VISUALIZE)
def test_bad_input_is_refused_before_tensorflow_is_imported(
    command: Command,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    arguments: str,
    expected: str,
) -> None:
    monkeypatch.chdir(files)
    monkeypatch.setattr(quiet, "import_tensorflow", pytest.fail)
    check(command, script, arguments, expected)


@rows(train=MODEL_TRAIN, visualize=MODEL_VISUALIZE)
def test_input_that_does_not_fit_a_model_is_refused(
    command: Command,
    trained_files: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    arguments: str,
    expected: str,
) -> None:
    monkeypatch.chdir(trained_files)
    for name, value in SHORT.items():
        arguments = arguments.replace(name, value)
    check(command, script, arguments, expected)
