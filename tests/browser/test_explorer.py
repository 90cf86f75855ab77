"""The page in a real browser, opened from disk: clicks, keys, pixels, names, accessibility."""

import base64
import io
import json
import shlex
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import Image

from convscope import decode
from convscope.config.overrides import argument
from convscope.images import color_table
from convscope.render.data_script import packed
from convscope.render.map_data import map_content
from tests.browser.conftest import HOSTILE, Explorer
from tests.conftest import files_on_page, shown_on_page

Explore = Callable[..., Explorer]
LAYER = "conv2d_1"
ROUTES = [
    "", f"layer/{LAYER}", f"layer/{LAYER}?filter=dead", f"layer/{LAYER}/channel/2", "layer/predictions",
    "image/bright", "mistakes", "mistakes/dark/dark", "compare", "figures", "figures/layers",
    "figures/activations", "list?list=01%3A2", "about", "layer/nothing", "nothing",
    "constructor", "__proto__", "toString",
]  # fmt: skip


def pixels_of(canvas: Any) -> np.ndarray:
    """Return a canvas as uint8 (height, width, 3)."""
    address = canvas.evaluate("canvas => canvas.toDataURL()")
    picture = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    return np.asarray(picture.convert("RGB"))


def arrays(run: Path, photograph: str) -> dict[str, np.ndarray]:
    with np.load(run / f"activations/{photograph}/maps.npz") as file:
        return dict(file)


def colored(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return values as the colours of viridis, uint8 (..., 3)."""
    return color_table("viridis")[np.clip(np.round((values - low) / (high - low) * 255), 0, 255).astype(int)]


def assert_close(pixels: np.ndarray, expected: np.ndarray) -> None:
    """Check colours; each map is stored in 256 steps, so that a level can differ by one."""
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= 8


# ---- what is shown


def test_clicks_lead_from_the_start_to_a_channel_and_back(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    page = explorer.open()
    assert explorer.heading == "What small_convnet learned from two"
    assert "of the test images correctly" in page.locator(".findings").inner_text()
    explorer.arrive(lambda: page.locator("#rail a", has_text=LAYER).click())
    assert explorer.heading == LAYER
    page.locator("#grid .tile[data-channel='3']").click()
    page.wait_for_selector("#panel[data-channel='3'] h2 a")
    explorer.arrive(lambda: page.locator("#panel h2 a").first.click())
    assert explorer.heading.startswith("Channel 3 of")
    explorer.arrive(page.go_back)
    assert explorer.heading == LAYER
    explorer.arrive(lambda: page.locator("#top a", has_text="Photograph").click())
    assert explorer.heading in (HOSTILE, "bright.png")


def test_the_page_restores_predicted_maps_and_knows_which_channels_are_left_out(
    explore: Explore, drawn: Path
) -> None:
    page = explore(drawn).open()
    maps = np.random.default_rng(0).normal(size=(9, 14, 3)).cumsum(axis=0).cumsum(axis=1).astype(np.float32)
    maps[..., 1] *= 100
    for most in (None, 2):
        content = map_content(maps, 96, most)
        assert content["predicted"]
        found = page.evaluate(
            """async content => {
              content.values = await unpacked(content.values);
              const all = [0, 1, 2].map(channel => levelsOf(content, channel));
              return all.map(levels => levels && [...levels]);
            }""",
            content,
        )
        for channel, values in enumerate(found):
            if channel not in content.get("kept", range(3)):
                assert values is None
                continue
            one = maps[..., channel]
            expected = np.round((one - one.min()) / (one.max() - one.min()) * 255)
            assert np.abs(np.reshape(values, (9, 14)) - expected).max() <= 1
    assert len(content["kept"]) == 2


def test_browsers_without_decompression_show_the_same_maps(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    explorer.context.add_init_script("delete window.DecompressionStream")
    page = explorer.open(f"layer/{LAYER}?photo=bright")
    assert page.evaluate("'DecompressionStream' in window") is False
    maps = arrays(drawn, "bright")[LAYER]
    channel = int(maps.max(axis=(0, 1)).argmax())
    values = maps[..., channel]
    canvas = page.locator(f"#grid .tile[data-channel='{channel}'] canvas")
    assert_close(pixels_of(canvas), colored(values, values.min(), values.max()))
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, 70_000).astype(np.uint8)  # two stored blocks
    for content in (
        noise,
        np.repeat(noise[:999], 80),
        rng.normal(128, 3, 9999).astype(np.uint8),
        noise[:9] // 99,
    ):
        text = packed(content)
        found = page.evaluate("async text => [...await unpacked(text)]", text)
        np.testing.assert_array_equal(found, content)


@pytest.mark.parametrize("scale", ["channel", "layer"])
def test_a_tile_shows_the_map_of_its_channel(explore: Explore, drawn: Path, scale: str) -> None:
    page = explore(drawn).open(f"layer/{LAYER}?photo=bright&scale={scale}")
    maps = arrays(drawn, "bright")[LAYER]
    channel = int(maps.max(axis=(0, 1)).argsort()[-2])  # its maximum is not that of the layer
    of = maps[..., channel]
    low, high = (of.min(), of.max()) if scale == "channel" else (maps.min(), maps.max())
    canvas = page.locator(f"#grid .tile[data-channel='{channel}'] canvas")
    assert_close(pixels_of(canvas), colored(of, low, high))


def test_a_switch_shows_the_values_before_the_activation(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    page = explorer.open(f"layer/{LAYER}?photo=bright")
    before, after = (arrays(drawn, "bright")[f"{LAYER}{end}"] for end in (" before activation", ""))
    channel = int((after.min(axis=(0, 1)) - before.min(axis=(0, 1))).argmax())
    values = before[..., channel]
    assert values.min() < after[..., channel].min()
    explorer.arrive(lambda: page.get_by_label("values").select_option("1"))
    assert "before=1" in explorer.route
    bound = np.abs(values).max()
    canvas = page.locator(f"#grid .tile[data-channel='{channel}'] canvas")
    colors = color_table("RdBu_r")[np.round((values + bound) / (2 * bound) * 255).astype(int)]
    assert_close(pixels_of(canvas), colors)
    explorer.open(f"layer/{LAYER}/channel/{channel}?photo=bright&before=1")
    assert page.locator("h2", has_text="Map over each photograph before the activation").count() == 1
    explorer.arrive(lambda: page.get_by_label("values").select_option(""))
    assert "before=1" not in explorer.route
    low, high = (f"{float(f'{end:.3g}'):g}" for end in (after[..., channel].min(), after[..., channel].max()))
    assert f"{low} to {high}" in page.locator(".maps").inner_text()


def test_the_colour_bar_names_the_ends_of_the_scale(explore: Explore, drawn: Path) -> None:
    page = explore(drawn).open(f"layer/{LAYER}?photo=bright")
    assert page.locator(".bar-row .colorbar").inner_text().splitlines()[0] == "lowest"
    signed = page.evaluate("colorBarOfEach({ low: -2, high: 2, colors: 'signed' }).textContent")
    assert signed == "\u2212highesthighest absolute value of each channel"


def test_a_positive_channel_of_a_layer_with_negative_ones_has_signed_colours(
    explore: Explore, drawn: Path
) -> None:
    page = explore(drawn).open(f"layer/{LAYER}?photo=bright")
    maps = "{ low: [1, -4], high: [2, 3] }"
    grid = page.evaluate(f"scaleOf({maps}, 0, 'channel')")
    assert grid == {"low": -2, "high": 2, "colors": "signed"}
    assert (
        page.evaluate(f"scaleOf({maps}, 0, 'layer', rangeOfAll([{maps}], 0), rangeOfAll([{maps}]))") == grid
    )


def test_the_first_tile_is_the_strongest_channel(explore: Explore, drawn: Path) -> None:
    page = explore(drawn).open(f"layer/{LAYER}?photo=bright")
    means = arrays(drawn, "bright")[LAYER].mean(axis=(0, 1))
    shown = [int(tile.get_attribute("data-channel")) for tile in page.locator("#grid .tile").all()]
    assert shown == np.argsort(-means, kind="stable").tolist()


def test_photograph_scale_and_order_change_without_a_reload(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    page = explorer.open(f"layer/{LAYER}?photo=bright")
    page.evaluate("window.stays = true")
    explorer.arrive(lambda: page.get_by_label("scale").select_option("layer"))
    explorer.arrive(lambda: page.get_by_label("sort").select_option("channel"))
    explorer.arrive(lambda: page.locator("#rail .thumb").first.click())
    assert page.evaluate("window.stays")
    assert page.get_by_label("scale").input_value() == "layer"
    photograph = shown_on_page(drawn)["photographs"][0]["key"]
    maps = arrays(drawn, photograph)[LAYER]
    shown = [int(tile.get_attribute("data-channel")) for tile in page.locator("#grid .tile").all()]
    assert shown == list(range(maps.shape[-1]))
    channel = int(maps.max(axis=(0, 1)).argmax())
    canvas = page.locator(f"#grid .tile[data-channel='{channel}'] canvas")
    assert_close(pixels_of(canvas), colored(maps[..., channel], maps.min(), maps.max()))


def test_the_sum_behind_a_cell_is_the_value_of_the_cell(explore: Explore, drawn: Path) -> None:
    maps = arrays(drawn, "bright")[LAYER]
    channel = int(maps.max(axis=(0, 1)).argmax())
    page = explore(drawn).open(f"layer/{LAYER}/channel/{channel}?photo=bright&cell=5,7")
    rows = page.locator(".products tr.total td:last-child").all_inner_texts()
    before, after = (float(text.replace("\u2212", "-")) for text in rows)
    assert after == pytest.approx(maps[5, 7, channel], abs=float(np.ptp(maps[..., channel])) / 250, rel=1e-3)
    assert max(before, 0) == pytest.approx(after, abs=float(np.ptp(maps[..., channel])) / 50)
    inputs = page.locator(".products tbody th").all_inner_texts()[:3]
    assert sorted(inputs) == ["blue", "green", "red"]
    board = page.get_by_role("application")
    board.press("ArrowDown")
    assert "Row 6, column 7" in page.locator(".cell-detail").inner_text()


def test_large_receptive_fields_are_not_rounded(explore: Explore, drawn: Path) -> None:
    page = explore(drawn).open()
    layer = "{ ...layers[1], windows: [[0, 1311, 16], [0, 999, 16]] }"
    heading = page.evaluate(f"layerHeading({layer}).textContent")
    assert "each position sees 1311×999 pixels" in heading


def test_a_map_that_is_stored_smaller_gives_no_value_of_one_cell(explore: Explore, drawn: Path) -> None:
    page = explore(drawn).open()
    detail = """async (stored) => {
        const layer = layerByPath.get("conv2d_1");
        const inputs = await cellInputs(layer, photographs[0]);
        const maps = { stored, shape: [4, 4, 8], values: new Uint8Array(128), low: [1], high: [2] };
        return h("div", {}, cellDetail(layer, 0, maps, [3, 2], inputs)).textContent;
    }"""
    whole, smaller = (page.evaluate(detail, side) for side in ([4, 4, 8], [2, 2, 8]))
    assert "column 2: 1" in whole
    assert "after relu" in whole
    assert "column 2: mean of the cells around it 1" in smaller
    assert "before the activation" in smaller
    assert "after relu" not in smaller


def test_a_photograph_shows_the_chosen_method_and_class(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    page = explorer.open("image/bright")

    def shown() -> list[str]:
        return [heat.get_attribute("src") for heat in page.locator(".explanations .over").all()]

    def paths(*ends: str) -> list[str]:
        return [f"class_activation/bright/{end}.png" for end in ends]

    assert shown() == paths("dark_overlay_hires_cam", "light_overlay_hires_cam")
    assert "HiRes-CAM at" in page.locator(".explanations").inner_text()
    explorer.arrive(lambda: page.get_by_label("method").select_option("eigen_cam"))
    assert shown() == paths("dark_overlay_eigen_cam", "light_overlay_eigen_cam")
    explorer.arrive(lambda: page.get_by_role("combobox", name="class", exact=True).select_option("light"))
    assert shown() == paths("light_overlay_eigen_cam")
    page.get_by_label("opacity of the heatmap").fill("30")
    assert page.locator(".explanations .over").evaluate("heat => heat.style.opacity") == "0.3"
    assert "method=eigen_cam&target=light" in explorer.route
    assert page.get_by_label("method").input_value() == "eigen_cam"
    links = page.locator(".explanations figcaption").nth(1).locator("a").all_inner_texts()
    assert {name.split(".")[0] for name in links} == {
        f"light{part}_eigen_cam" for part in ("", "_overlay", "_heatmap")
    }


def test_the_walk_goes_through_all_layers(explore: Explore, drawn: Path) -> None:
    page = explore(drawn).open("image/bright")
    steps = int(page.get_by_label("layer", exact=True).get_attribute("max"))
    assert page.locator(".step-name").inner_text().startswith(f"1 of {steps + 1}: {LAYER}")
    for _ in range(steps):
        page.locator("#step").click()
    page.locator(".step-name", has_text="predictions").wait_for()
    assert page.locator(".stage th").first.inner_text() in ("dark", "light")


def test_the_walk_says_how_many_channels_it_leaves_out(explore: Explore, compared: Path) -> None:
    photograph = shown_on_page(compared)["photographs"][0]["key"]
    page = explore(compared).open(f"image/{photograph}")
    name, tiles = page.locator(".step-name").inner_text(), page.locator(".stage .tile").count()
    assert name.endswith(f"30×30×4, {tiles} of 4 channels, the strongest first")
    assert tiles < 4


def test_a_cell_of_the_confusion_matrix_shows_its_photographs(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    page = explorer.open("mistakes")
    counts = shown_on_page(drawn)["training"]["confusion"]["counts"]
    true, predicted, count = counts[0]
    explorer.arrive(lambda: page.locator(f".matrix td a[title*='{true}: predicted {predicted}']").click())
    assert page.locator(".cell-photographs .card").count() == count
    assert page.locator(".cell-photographs .sprite").count() == count


def test_a_mistake_is_shown_with_the_maps_of_both_classes(
    explore: Explore, drawn: Path, trained_folder: Path
) -> None:
    explorer = explore(drawn)
    page = explorer.open("mistakes")
    shown = next(one for path, one in files_on_page(drawn).items() if "/mistakes/" in path)
    true, predicted = shown["data"]["true"], shown["data"]["predicted"]
    explorer.arrive(lambda: page.locator(".cell-photographs a.card", has_text=f"is {true}").first.click())
    assert explorer.route == f"#/mistakes/{true}/{predicted}"
    figure = page.locator(".mistake").first
    assert {one.get_attribute("src") for one in figure.locator("img").all()} == {shown["path"]}
    assert Path(shown["data"]["photograph"]).name in figure.inner_text()
    texts = figure.locator(".trio > div").all_inner_texts()
    assert [text.partition(" ")[0] for text in texts] == ["the", "predicted:", "true:"]
    position = "img => getComputedStyle(img).objectPosition"
    positions = [picture.evaluate(position) for picture in figure.locator("img").all()]
    assert positions == ["0% 0px", "50% 0px", "100% 0px"]
    given = decode.load(trained_folder / shown["data"]["photograph"]).mean(axis=2)
    first = decode.load(drawn / shown["path"]).mean(axis=2)[:, : given.shape[1]]
    assert np.corrcoef(first.ravel(), given.ravel())[0, 1] > 0.7  # noise, as JPEG
    assert page.locator(".cell-photographs pre").count() == 0  # nothing is left for a command


def test_metrics_without_a_number_of_images_are_shown(explore: Explore, drawn: Path) -> None:
    page = explore(drawn).open()
    assert page.evaluate("accuracyLine({ accuracy: 0.5 }).textContent") == "Accuracy 50.0\u00a0%."


def test_addresses_need_no_size_of_their_state(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    explorer.page.add_init_script("delete URLSearchParams.prototype.size")  # as in Safari 16
    page = explorer.open(f"layer/{LAYER}?photo=bright")
    assert page.locator("#rail .layers a").first.get_attribute("href").endswith("?photo=bright")


def test_a_list_of_channels_is_in_the_address_and_can_be_exported(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    page = explorer.open(f"layer/{LAYER}/channel/2")
    explorer.arrive(lambda: page.locator("button", has_text="add to the list").click())
    explorer.arrive(lambda: page.locator("#next").click())
    explorer.arrive(lambda: page.locator("button", has_text="add to the list").click())
    explorer.arrive(lambda: page.locator("#list-link").click())
    assert "01%3A2%2C01%3A3" in explorer.route
    with page.expect_download() as download:
        page.locator("#export").click()
    exported = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert exported["channels"] == [{"layer": LAYER, "channel": 2}, {"layer": LAYER, "channel": 3}]


def test_the_list_names_each_channel_and_can_remove_it(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    page = explorer.open("list?list=02%3A1%2C01%3A3")
    assert page.locator(".listed figcaption").all_inner_texts() == ["max_pooling2d_1 1 ×", f"{LAYER} 3 ×"]
    name = page.locator(".listed figcaption").first
    assert name.evaluate("name => name.scrollWidth <= name.clientWidth")  # not cut off
    explorer.arrive(lambda: page.get_by_label("remove max_pooling2d_1 1").click())
    assert page.locator(".listed figcaption").all_inner_texts() == [f"{LAYER} 3 ×"]
    assert "list=01%3A3" in explorer.route
    page = explorer.open("list?list=01%3A3%2C01%3A99%2Cx%3A0")
    assert page.locator("#missing").inner_text() == "2 channels of the address are not on this page."
    assert page.locator(".listed figcaption").count() == 1
    page = explorer.open("list?list=06%3A0%2C01%3A3")  # a unit has a value instead of a map
    key = shown_on_page(drawn)["photographs"][0]["key"]
    value = float(arrays(drawn, key)["predictions"].ravel()[0])
    page.locator(".listed .nothing").wait_for()
    assert float(page.locator(".listed .nothing").inner_text()) == pytest.approx(value, rel=0.01)


def test_models_are_side_by_side_on_one_scale(explore: Explore, compared: Path) -> None:
    page = explore(compared).open("compare")
    pairs = [pair for pair in page.locator(".pair").all() if pair.locator("canvas").count() == 2]
    assert pairs  # of a channel that is silent in no model
    channel = int(pairs[0].locator("figcaption").inner_text())
    tiles = pairs[0].locator("canvas")
    labels = [tile.get_attribute("aria-label") for tile in tiles.all()]
    assert labels == [f"random, channel {channel}", f"donor, channel {channel}"]
    brightest = color_table("viridis")[255]
    reached = [(pixels_of(tile) == brightest).all(axis=-1).any() for tile in tiles.all()]
    assert sum(reached) == 1  # one model has the highest value of both


def test_a_page_says_which_command_adds_what_is_missing(explore: Explore, compared: Path) -> None:
    page = explore(compared).open(f"layer/{LAYER}/channel/0")
    command = page.locator(".missing pre").first.inner_text()
    assert "channels]'" in command
    assert "'compare=[random,donor]'" in command  # as given, not the paths and titles of the models
    page.evaluate("index.complete = false")  # the run goes on, and will draw what is missing
    assert page.evaluate("missing('', 'activations').querySelector('pre')") is None
    assert page.evaluate("missing('', 'channels').querySelector('pre')") is not None


def test_a_layer_that_a_view_left_out_has_a_command_of_its_own(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    for route, view, layer in (
        ("layer/max_pooling2d_1/channel/0", "channels", "max_pooling2d_1"),
        ("layer/flatten", "activations", "flatten"),
    ):
        command = explorer.open(route).locator(".missing pre").inner_text()
        assert command.endswith(f"'views=[{view}]' '{view}.layers=[{layer}]'")


def test_commands_to_copy_have_quotes_for_the_shell_and_for_hydra(explore: Explore, drawn: Path) -> None:
    page = explore(drawn).open()
    names = ["a/b_1.png", "photo (1).jpg", "it's,[x]\\", "1e3", "true", "$HOME `x`", "é"]
    script = "names => shellWord(`images=[${names.map(hydraWord).join(',')}]`)"
    (word,) = shlex.split(page.evaluate(script, names))
    assert word == argument("images", names)
    assert list(map(str, OverridesParser.create().parse_override(word).value())) == names


def numbers_of(run: Path, name: str) -> dict[str, Any]:
    script = (run / f"channels/{name}.js").read_text("utf-8")
    return json.loads(script.partition("] = ")[2].strip().removesuffix(";"))


def test_channels_are_sorted_and_filtered_by_the_classes_that_they_push(
    explore: Explore, drawn: Path
) -> None:
    explorer = explore(drawn)
    page = explorer.open(f"layer/{LAYER}?sort=class%3Alight")
    push = np.array([one["push"] for one in numbers_of(drawn, "01")["channels"]])
    classes = numbers_of(drawn, "index")["classes"]

    def shown() -> list[int]:
        return [int(tile.get_attribute("data-channel")) for tile in page.locator("#grid .tile").all()]

    assert shown() == np.argsort(-push[:, classes.index("light")], kind="stable").tolist()
    explorer.arrive(lambda: page.get_by_label("channels").select_option("push:light"))
    favourites = push.argmax(axis=1) == classes.index("light")
    assert sorted(shown()) == np.flatnonzero(favourites & (push.max(axis=1) > 0)).tolist()


def test_a_layer_ignores_choices_that_only_another_layer_has(explore: Explore, drawn: Path) -> None:
    page = explore(drawn).open(
        "layer/max_pooling2d_1?sort=class%3Alight&filter=push%3Alight&show=patterns&photo=bright"
    )
    means = arrays(drawn, "bright")["max_pooling2d_1"].mean(axis=(0, 1))
    shown = [int(tile.get_attribute("data-channel")) for tile in page.locator("#grid .tile").all()]
    assert shown == np.argsort(-means, kind="stable").tolist()
    assert page.locator("#grid .tile").first.locator("canvas").count() == 1
    without_maps = page.evaluate(f"chosenOf(optionsOf(layerByPath.get('{LAYER}'), null, null))")
    assert without_maps == {"sort": "strongest", "filter": "pattern", "show": "patterns"}


def test_the_page_of_a_unit_names_its_class(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    page = explorer.open("layer/predictions/channel/1")
    assert explorer.heading.startswith("Class light of predictions")
    assert page.locator(".bars a[href*='image/bright']").inner_text() == "bright.png"
    assert page.locator(".missing").count() == 0  # the view channels has no numbers of units


def test_names_beside_bars_break_only_between_words(explore: Explore, drawn: Path) -> None:
    page = explore(drawn).open()
    heights = page.evaluate(
        """() => {
          const names = ["dandelion", "sunflower"].map((name, at) => ({ name, value: 1 - 2 * at }));
          const box = h("div", { style: { width: "190px" } }, bars(names));
          document.getElementById("main").append(box);
          return [...box.querySelectorAll("th")].map((name) => name.offsetHeight);
        }"""
    )
    assert max(heights) < 30  # one line


def test_a_channel_shows_its_numbers_and_examples(explore: Explore, drawn: Path) -> None:
    numbers = numbers_of(drawn, "01")["channels"]
    channel = int(np.argmax([one["max"] for one in numbers]))
    page = explore(drawn).open(f"layer/{LAYER}/channel/{channel}")
    for title in ("Reference photographs", "Values by class", "Classes that it pushes", "Without it"):
        assert page.locator("section.block h2", has_text=title).count() == 1, title
    shared = numbers_of(drawn, "index")
    names = page.locator("section.block", has_text="Without it").locator("th").all_inner_texts()
    images = [*shared["removed_of_class"], shared["counts"]["removed"]]
    titles = [*shared["classes"], "these photographs"]
    assert names == [
        f"{title}\none photograph is {float(f'{100 / count:.2g}'):g} points"
        for title, count in zip(titles, images, strict=True)
    ]
    tiles = page.locator(".example-groups .sprite")
    assert tiles.count() == len(numbers[channel]["examples"]["images"])
    address = tiles.first.evaluate("tile => getComputedStyle(tile).backgroundImage")
    assert address.endswith('channels/01.jpg")')
    pushed = page.locator("section.block", has_text="Classes that it pushes").locator("tr").all_inner_texts()
    names = [text.split()[0] for text in pushed]
    classes = numbers_of(drawn, "index")["classes"]
    assert names == [classes[at] for at in np.argsort(-np.array(numbers[channel]["push"]))]


def test_a_channel_without_pictures_shows_the_values_of_its_examples(
    explore: Explore, drawn: Path, tmp_path: Path
) -> None:
    run = copytree(drawn, tmp_path / "run")
    file, numbers = run / "channels/01.js", numbers_of(drawn, "01")
    for one in numbers["channels"]:
        one["examples"].pop("tile", None)
    file.write_text(file.read_text("utf-8").partition(" = ")[0] + f" = {json.dumps(numbers)};\n", "utf-8")
    channel = int(np.argmax([one["max"] for one in numbers["channels"]]))
    page = explore(run).open(f"layer/{LAYER}/channel/{channel}")
    assert page.locator(".example-groups li").count() == len(
        numbers["channels"][channel]["examples"]["images"]
    )
    assert page.locator(".example-groups .sprite").count() == 0


# ---- keys


def test_the_keyboard_reaches_layers_channels_and_photographs(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    page = explorer.open()
    page.keyboard.press("/")
    page.keyboard.type(LAYER)
    explorer.arrive(lambda: page.keyboard.press("Enter"))
    assert explorer.heading == LAYER
    first = page.locator("#grid .tile[aria-current]").get_attribute("data-channel")
    page.keyboard.press("ArrowRight")
    assert page.locator("#grid .tile[aria-current]").get_attribute("data-channel") != first
    explorer.arrive(lambda: page.keyboard.press("Enter"))
    assert explorer.heading.startswith("Channel ")
    explorer.arrive(lambda: page.keyboard.press("ArrowRight"))
    assert explorer.heading.startswith("Channel ")
    shown = explorer.route
    page.evaluate("document.getElementById('main').append(h('pre', { tabindex: '0', id: 'wide' }, 'text'))")
    page.locator("#wide").press("ArrowLeft")
    assert explorer.route == shown  # the arrow scrolls the text
    page.evaluate("document.activeElement.blur()")
    explorer.arrive(lambda: page.keyboard.press("]"))
    assert "photo=" in explorer.route
    explorer.arrive(lambda: page.keyboard.press("ArrowDown"))
    assert explorer.heading == "max_pooling2d_1"
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()


def test_the_search_finds_a_channel_a_class_and_a_photograph(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    page = explorer.open()
    for text, route in (
        (f"{LAYER} 3", f"#/layer/{LAYER}/channel/3"),
        ("light", "#/mistakes/light"),
        ("bright", "#/image/bright"),
    ):
        page.keyboard.press("/")
        page.keyboard.type(text)
        explorer.arrive(lambda: page.keyboard.press("Enter"))
        assert explorer.route.startswith(route)


def test_a_search_right_after_another_keeps_its_results(explore: Explore, drawn: Path) -> None:
    page = explore(drawn).open()
    for key in ("/", "Escape", "/"):
        page.keyboard.press(key)
    page.keyboard.type("bright")
    page.wait_for_timeout(300)
    assert page.locator("#results li").count() == 1
    page.locator("#results li").click()
    page.wait_for_selector("body[data-page=image]")
    assert page.locator("#results li").count() == 0


def test_the_rail_marks_the_photograph_of_the_address(explore: Explore, drawn: Path) -> None:
    page = explore(drawn).open("image/bright")
    assert page.locator(".thumb[aria-current]").get_attribute("title") == "bright.png"


# ---- safe, accessible, on any screen


def test_hostile_names_stay_text(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn)
    key = next(one["key"] for one in shown_on_page(drawn)["photographs"] if one["name"] == HOSTILE)
    for route in (
        "",
        f"image/{key}".replace(" ", "%20"),
        f"layer/{LAYER}?photo={key}",
        "about",
        "figures/activations",
    ):
        page = explorer.open(route)
        assert page.evaluate("typeof hacked") == "undefined"
        assert page.locator("img[src='x']").count() == 0
    explorer.open("image/" + key)
    assert explorer.heading == HOSTILE


def test_every_page_is_silent_and_fits_a_phone(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn, viewport={"width": 390, "height": 844})
    for route in ROUTES:
        page = explorer.open(route)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, route
        assert explorer.heading
        assert "cannot be shown" not in explorer.heading, route
    explorer.open()
    page.locator("#search").fill(LAYER)
    found = page.locator("#results").bounding_box()
    assert found["x"] >= 0
    assert found["x"] + found["width"] <= 390
    page.locator("#search").press("Escape")
    assert not page.locator("#rail").is_visible()
    page.locator("#open-rail").click()
    explorer.arrive(lambda: page.locator("#rail a", has_text=LAYER).click())
    assert explorer.heading == LAYER
    explorer.arrive(lambda: page.locator("#grid .tile").first.click())
    assert explorer.heading.startswith("Channel ")


def test_the_colours_are_those_of_the_system_or_of_the_choice(explore: Explore, drawn: Path) -> None:
    light, dark = "rgb(244, 245, 247)", "rgb(18, 20, 25)"
    for system, auto in (("light", light), ("dark", dark)):
        page = explore(drawn, color_scheme=system).open("mistakes")
        found = []
        for _ in range(4):
            found.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            page.locator("#mode").click()
        assert found == [auto, light, dark, auto]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(explore: Explore, drawn: Path, scheme: str) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe-core: install the group dev")
    axe = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
    explorer = explore(drawn, bypass_csp=True, color_scheme=scheme)
    for route in ROUTES:
        page = explorer.open(route)
        page.evaluate(axe)
        found = page.evaluate("axe.run({preload: false}).then(result => result.violations)")
        serious = [
            (one["id"], node["html"][:120], node["failureSummary"][:300])
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
        assert serious == [], route


def test_the_comparison_of_four_models_fits_a_phone(explore: Explore, swept: Path) -> None:
    explorer = explore(swept, viewport={"width": 390, "height": 844})
    page = explorer.open("compare?size=l")
    page.evaluate(
        """() => {
          index.models.push(...index.models);
          const add = (file, key) => mapFiles.set(key.replace(/[01]$/, (at) => 2 + Number(at)), file);
          new Map(mapFiles).forEach(add);
        }"""
    )
    explorer.arrive(lambda: page.evaluate("arrive()"))
    assert page.locator(".pair").first.locator(".map, .hatched").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_long_names_in_findings_fit_a_phone(explore: Explore, drawn: Path) -> None:
    explorer = explore(drawn, viewport={"width": 390, "height": 844})
    page = explorer.open()
    page.locator(".findings a, .findings li").last.evaluate(
        "item => { item.textContent += 'long=0.001,'.repeat(9); }"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_runs_of_a_sweep_are_a_table_that_its_headings_sort(explore: Explore, swept: Path) -> None:
    page = explore(swept).open("compare")
    table = page.locator("table.sortable")

    def column(name: str) -> list[str]:
        at = table.locator("thead th").all_inner_texts()
        place = next(number for number, text in enumerate(at) if text.split(" ▲")[0].split(" ▼")[0] == name)
        return [row.locator("th, td").nth(place).inner_text() for row in table.locator("tbody tr").all()]

    assert column("validation loss") == ["0.2500", "0.5000", "0.7500"]
    assert column("validation accuracy")[0].split("\n") == ["50.0\u00a0%", "25.0\u00a0% to 75.0\u00a0%"]
    assert table.locator("th[aria-sort=ascending]").inner_text().startswith("validation loss")
    assert table.locator("tbody b").all_inner_texts() == ["units=10", "units=2"]  # side by side
    heading = table.locator("thead button", has_text="model.units")
    heading.focus()
    page.keyboard.press("Enter")
    assert column("model.units") == ["2", "3", "10"]
    page.keyboard.press("Space")
    assert column("model.units") == ["10", "3", "2"]
    assert table.locator("th[aria-sort]").count() == 1
    assert table.locator("th[aria-sort=descending]").inner_text().startswith("model.units")
    assert page.locator(".pair").first.locator(".map, .hatched").count() == 2
    notes = shown_on_page(swept)["notes"]
    assert notes == ["2 of 3 runs of the sweep are side by side: compare=[RUN,RUN] chooses others"]
