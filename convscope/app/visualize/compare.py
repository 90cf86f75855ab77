"""`compare=` of stage 3: several models of one architecture side by side, and how far they are apart."""

from pathlib import Path

from convscope.app.visualize.compare_filters import INTRO as FILTERS_INTRO
from convscope.app.visualize.compare_filters import FilterComparison
from convscope.app.visualize.compare_summary import INTRO as SUMMARY_INTRO
from convscope.app.visualize.compare_summary import TABLE
from convscope.app.visualize.compare_views import PhotographComparison
from convscope.app.visualize.compared import Comparison, open_models
from convscope.app.visualize.layers_view import draw_layers
from convscope.app.visualize.page import PAGE, Drawn, Subject, begin, page_whatever_happens
from convscope.app.visualize.photographs import choose
from convscope.config.schema.visualize import RANDOM, VisualizeConfig
from convscope.config.schema.visualize import View as Kind
from convscope.progress import progress
from convscope.render.artifact import DataFile

PHOTOGRAPH_INTRO = (
    "A row a channel, a column a model; below its name its lowest and highest value. Hatched: the same "
    "everywhere. A channel of one model is that of another where both began with the same weights; else only "
    "their number is the same."
)


def compare(config: VisualizeConfig, directory: Path) -> Path:
    """Draw the models that `config.compare` lists into `directory`; returns the page.

    Written are compare/IMAGE/NN_LAYER.png, compare/IMAGE/class_activation.png, compare/filters/LAYER.png,
    compare/summary.csv and .png, layers.csv of the first model, manifest.json, config.yaml and index.html.

    Raises:
        ConvscopeError: a model cannot be opened, or they differ in what is to be drawn.
        KeyboardInterrupt: Ctrl-C; the page shows what was drawn until then.
    """
    models = open_models(config)
    drawing = PhotographComparison(models, config, directory)
    filters = FilterComparison(models, config, directory) if Kind.filters in config.views else None
    looked_at = {Kind.activations, Kind.class_activation} & set(config.views)
    photographs = choose(config.images, models.all[-1].bundle) if looked_at else []
    first = models.all[0].bundle
    print(f"{', '.join(models.titles)}: {first.contract.name}; {len(photographs)} photograph(s)")
    begin(directory, config)
    drawn = Drawn()
    with page_whatever_happens(directory, _subject_of(models, config), drawn):
        draw_layers(first, config, directory, drawn)
        for photograph in progress(photographs, desc="photographs", unit="photograph"):
            name = photograph.name
            drawn.section(photograph.key, name, PHOTOGRAPH_INTRO, drawing.draw(photograph))
        if filters:
            drawn.section("filters", "Filters", FILTERS_INTRO, filters.draw())
        summary = drawing.summary.write(directory, models.provenance)
        drawn.section("summary", "All layers", SUMMARY_INTRO, summary)
        drawn.sections.insert(0, drawn.sections.pop())  # the numbers say more than the pictures
        drawn.tables.append(DataFile(TABLE, {"view": "compare", **models.provenance}))
    return directory / PAGE


def _subject_of(models: Comparison, config: VisualizeConfig) -> Subject:
    titles = models.titles
    facts = [
        ("network", models.all[0].bundle.contract.name),
        ("seed of what is random", str(config.seed)),
    ]
    listed = []
    for entry, each in zip(config.compare, models.all, strict=True):
        contract = each.bundle.contract
        facts += [
            (each.title, str(each.bundle.path)),
            ("SHA-256", each.bundle.sha256),
            ("preprocessing", contract.preprocessing.name),
            ("classes", ", ".join(contract.class_names)),
        ]
        about = {
            "title": each.title,
            "path": str(each.bundle.path),
            "sha256": each.bundle.sha256,
            "preprocessing": contract.preprocessing.to_json(),
        }
        listed.append(about | ({"seed": config.seed} if entry == RANDOM else {}))
    title = f"{', '.join(titles[:-1])} and {titles[-1]} side by side"
    return Subject(title, facts, {"models": listed, "seed": config.seed})
