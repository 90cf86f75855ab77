"use strict";
// Everything that is known about one channel, as a page and as the panel beside a layer.

function channelLink(layer, channel, children, given = {}) {
  return to(["layer", layer.path, "channel", String(channel)], children, given);
}

// Return the channels of the shared list as pairs of layer and channel.
function listed() {
  return here.state.list.split(",").filter(Boolean).map((one) => one.split(":")).map(([key, channel]) => [layerByKey.get(key), Number(channel)])
    .filter(([layer, channel]) => layer && Number.isInteger(channel) && channel >= 0 && channel < channelsOf(layer));
}

function listButton(layer, channel) {
  const entry = `${layer.key}:${channel}`;
  const entries = here.state.list.split(",").filter(Boolean);
  const has = entries.includes(entry);
  const list = (has ? entries.filter((one) => one !== entry) : [...entries, entry]).join(",");
  return h("button", { type: "button", "aria-pressed": String(has), click: () => change({ list }) }, has ? "★ in the list" : "☆ add to the list");
}

async function channelPage(path, text) {
  const layer = layerByPath.get(path);
  const channel = Number(text);
  if (!layer) return notFound(`a layer “${path}”`);
  if (!Number.isInteger(channel) || channel < 0 || channel >= channelsOf(layer)) return notFound(`channel “${text}” of ${layer.path}, which has ${count(channelsOf(layer), "channel")}`);
  const step = (by) => (channel + by + channelsOf(layer)) % channelsOf(layer);
  return [
    h("p", { class: "crumbs" }, to(["layer", layer.path], `← ${layer.path}`)),
    h("div", { class: "heading" }, h("h1", {}, channelTitle(layer, channel), h("span", { class: "faint" }, ` of ${layer.path}, ${sizeText(layer.shape)}`)),
      h("span", { class: "buttons" }, channelLink(layer, step(-1), "← previous", { id: "previous" }), channelLink(layer, step(1), "next →", { id: "next" }), listButton(layer, channel))),
    h("div", { class: "channel-page" }, await channelBlocks(layer, channel)),
  ];
}

// Return the title of a channel; a dense layer has units, the last layer classes.
function channelTitle(layer, channel) {
  if (isLast(layer)) return `Class ${index.classes[channel]}`;
  return `${isSpatial(layer) ? "Channel" : "Unit"} ${channel}`;
}

async function channelBlocks(layer, channel, { compact = false } = {}) {
  const numbers = await numbersOf(layer);
  const known = numbers && numbers.channels[channel];
  const blocks = [
    await overPhotographs(layer, channel, compact),
    patternBlock(layer, channel),
    examplesBlock(numbers, known, compact),
    known && histogramBlock(numbers, known),
    known && effectsBlock(numbers, known),
    known && relatedBlock(layer, known),
    !compact && evolutionBlock(layer, channel),
    known && statisticsBlock(numbers, known, layer, channel),
    !numbers && isSpatial(layer) && missingNumbers(layer),
  ];
  return blocks.filter(Boolean);
}

function missingNumbers(layer) {
  const text = "The view channels adds: photographs that excite the channel, classes that it pushes, what its removal changes, related channels.";
  return channelIndex && index.complete ? missingOfLayer(layer, text, "channels") : missing(text, "channels");
}

function block(title, ...children) {
  return h("section", { class: "block" }, h("h2", {}, title), children);
}

const MOST_PHOTOGRAPHS = 12; // on the page of a channel before "all"

// Return the photographs that the page of a channel shows: all, or the first ones with the chosen one.
function shownPhotographs() {
  if (here.state.all) return photographs;
  const first = photographs.slice(0, MOST_PHOTOGRAPHS);
  return [...new Set([...first, chosenPhotograph()].filter(Boolean))];
}

async function overPhotographs(layer, channel, compact) {
  const chosen = compact ? [chosenPhotograph()].filter(Boolean) : shownPhotographs();
  if (!isSpatial(layer)) {
    const rows = [];
    for (const photograph of chosen) {
      const maps = await chosenMapsOf(photograph, layer);
      if (maps) rows.push({ name: photographName(photograph), value: maps.mean[channel] });
    }
    return rows.length > 0 && block("Value for each photograph", !compact && beforeSwitch(layer), bars(rows));
  }
  const all = (await Promise.all(chosen.map((photograph) => chosenMapsOf(photograph, layer)))).map(withSilent);
  if (!all.some(Boolean)) return missing("The maps of this layer were not drawn.", "activations");
  const known = all.filter(Boolean);
  const ends = scaleOf(known[0], channel, "layer", rangeOfAll(known, channel), rangeOfAll(known));
  const stacks = [];
  const tiles = chosen.map((photograph, at) => {
    const maps = all[at];
    if (!maps) return null;
    const caption = maps.silentSet.has(channel) ? `constant: ${number(maps.mean[channel])}` : `${number(maps.low[channel])} to ${number(maps.high[channel])}`;
    const over = mapTile(maps, channel, ends, { label: `map of channel ${channel} for ${photograph.name}` });
    over.dataset.channel = channel;
    stacks.push(over);
    return h("figure", {}, overPhotograph(photograph, over, compact ? 1 : 0.75),
      h("figcaption", {}, to(["image", photograph.key], photograph.name, { changes: { photo: photograph.key } }), h("span", { class: "faint" }, ` ${caption}`)));
  });
  const slider = opacitySlider("map", compact ? 1 : 0.75, (value) => stacks.forEach((over) => { over.style.opacity = value; }));
  const cell = !compact && await cellBlock(layer, channel);
  return [
    block(`Map${compact ? "" : " over each photograph"}${here.state.before && hasBefore(layer) ? " before the activation" : ""}`,
      h("div", { class: compact ? "maps one" : "maps" }, tiles),
      h("div", { class: "controls" }, !compact && beforeSwitch(layer), slider, ends.low < ends.high && colorBar(ends),
        !compact && chosen.length < photographs.length && [`${chosen.length} of ${count(photographs.length, "photograph")}`,
          h("button", { type: "button", click: () => change({ all: "1" }) }, "show all")])),
    cell,
  ];
}

function photographName(photograph) {
  return to(["image", photograph.key], [h("img", { src: fileAddress(photograph.path), alt: "", loading: "lazy" }), h("span", {}, breakable(photograph.name))],
    { class: "named-thumb", changes: { photo: photograph.key } });
}

function opacitySlider(what, value, set) {
  return h("label", { class: "opacity" }, "photograph ",
    h("input", { type: "range", min: 0, max: 100, value: 100 * value, "aria-label": `opacity of the ${what}`, input: (event) => set(event.target.value / 100) }),
    ` ${what}`);
}

function patternBlock(layer, channel) {
  const tile = patternTile(layer, channel, 192);
  if (!tile) return null;
  return block("Pattern", tile, h("p", { class: "faint" }, "A picture that gradient ascent changed until the channel responds. ", patternText(layer, channel)));
}

// Return the examples of a channel in groups of equal percentiles: [text, examples].
function exampleGroups(numbers, known) {
  const { percentiles, images, classes } = numbers.shared;
  const { examples } = known;
  const groups = new Map();
  percentiles.forEach((percentile, at) => {
    if (examples.images[at] === undefined) return;
    const [path, label] = images[examples.images[at]];
    const text = percentile === 100 ? "strongest" : percentile === 50 ? "median" : `${percentile}th percentile`;
    const tile = examples.tile === undefined ? null : examples.tile + at;
    groups.set(text, [...(groups.get(text) || []), { path, name: path.split("/").pop(), class: classes[label] || "", value: examples.values[at], tile }]);
  });
  return [...groups];
}

function examplesBlock(numbers, known, compact) {
  if (!known || !known.examples || (known.examples.tile === undefined && known.sparsity === 1)) return null;
  const side = compact ? 68 : 96;
  const tile = (example) => h("figure", { title: example.path },
    spriteTile(numbers.spritePath, example.tile, numbers.sprite, side, `${example.class} ${example.name}`),
    h("figcaption", {}, number(example.value), h("span", { class: "faint" }, ` ${example.class}`)));
  const line = (example) => h("li", { title: example.path }, number(example.value), h("span", { class: "faint" }, ` ${example.class} `, breakable(example.name)));
  const hasTiles = numbers.spritePath && known.examples.tile !== undefined;
  const shown = (examples) => hasTiles ? h("div", { class: "tiles" }, examples.map(tile)) : h("ul", {}, examples.map(line));
  return block("Reference photographs",
    h("div", { class: "example-groups" }, exampleGroups(numbers, known).map(([text, examples]) => h("div", {}, h("h3", {}, text), shown(examples)))),
    !compact && h("p", { class: "faint" }, `The number is the highest value of the channel in a photograph, of ${count(numbers.shared.counts.images, "photograph")}. The strongest alone would hide what else it responds to.`));
}

function histogramBlock(numbers, known) {
  const { histogram } = known;
  if (!histogram) return null;
  const names = [...numbers.shared.classes, "other classes"];
  const totalOf = (counts) => Math.max(1, counts.reduce((sum, value) => sum + value, 0));
  const highest = Math.max(1e-9, ...histogram.counts.map((counts) => Math.max(...counts) / totalOf(counts)));
  const width = 200;
  return block("Values by class",
    h("table", { class: "ridges" }, h("tbody", {}, histogram.counts.map((counts, row) => {
      const step = width / counts.length;
      const height = (value) => 24 * value / totalOf(counts) / highest;
      return h("tr", {}, h("th", { scope: "row" }, names[row]), h("td", {},
        svg("svg", { viewBox: `0 0 ${width} 24`, preserveAspectRatio: "none", role: "img", "aria-label": `histogram of ${names[row]}: ${counts.join(", ")}` },
          counts.map((value, at) => svg("rect", { x: at * step, width: step * 0.9, y: 24 - height(value), height: height(value) })))));
    }))),
    h("p", { class: "faint" }, `Share of the photographs of a class (${numbers.shared.grouped_by === "true" ? "true" : "predicted"}) by the highest value of the channel, from ${number(histogram.low)} to ${number(histogram.high)}.`));
}

function effectsBlock(numbers, known) {
  const parts = [];
  if (known.push) {
    const rows = byClass(numbers, known.push).sort((one, other) => other.value - one.value);
    parts.push(block("Classes that it pushes", bars(shortened(rows), { text: signed }),
      h("p", { class: "faint" }, "Mean of gradient × activation, in logits.")));
  }
  if (known.removed) {
    // A change that one photograph can cause is no finding: say how large it is.
    const { counts, removed_of_class: ofClass } = numbers.shared;
    const named = (name, images) => [name, h("span", { class: "faint" }, ` one photograph is ${number(100 / images, 2)} points`)];
    const rows = [...byClass(numbers, known.removed.accuracy).map((row) => ({ ...row, name: named(row.name, ofClass[numbers.shared.classes.indexOf(row.name)]) })),
      { name: named("these photographs", counts.removed), value: known.removed.all, class: "total" }];
    const points = rows.map((row) => ({ ...row, value: 100 * row.value }));
    parts.push(block("Without it", bars(shortened(points), { text: (value) => signed(value, 2) }),
      h("p", { class: "faint" }, `Change of the accuracy in percentage points on ${count(numbers.shared.counts.removed, "photograph")} if the channel always has its mean.`)));
  }
  return parts;
}

// Return the ends of a sorted list if it is long.
function shortened(rows) {
  return rows.length > 14 ? [...rows.slice(0, 7), ...rows.slice(-7)] : rows;
}

function relatedBlock(layer, known) {
  const near = (pairs, text) => pairs && pairs.length > 0 && h("div", { class: "related" }, h("h3", {}, text), h("div", { class: "tiles" }, pairs));
  const tile = (of, channel, value) => of && h("figure", {},
    channelLink(of, channel, patternTile(of, channel, 56) || h("span", { class: "chip" }, String(channel))),
    h("figcaption", {}, of === layer ? `${channel}` : [breakable(of.path), ` ${unitName(of, channel)}`], h("span", { class: "faint" }, ` ${number(value, 2)}`)));
  const parts = [
    near((known.similar || []).map(([channel, value]) => tile(layer, channel, value)), "similar (correlation)"),
    near((known.inputs || []).map(([key, channel, value]) => tile(layerByKey.get(key), channel, value)).filter(Boolean), "strongest inputs (norm of the kernel)"),
    near((known.outputs || []).map(([key, channel, value]) => tile(layerByKey.get(key), channel, value)).filter(Boolean), "strongest outputs (norm of the kernel)"),
  ].filter(Boolean);
  return parts.length > 0 && block("Related channels", parts);
}

function statisticsBlock(numbers, known, layer, channel) {
  const { counts } = numbers.shared;
  return block("Statistics",
    table(["statistic", "value"], [["mean", number(known.mean)], ["maximum", number(known.max)], ["share of zeros", percent(known.sparsity)]]),
    numbers.dead.includes(channel) && h("p", {}, `This channel is ${zeroText(layer)}.`),
    h("p", { class: "faint" }, `Over ${count(counts.images, "reference photograph")}.`),
    (numbers.shared.left_out || []).map((sentence) => h("p", { class: "faint" }, sentence)));
}

// Return the number of a channel; of the last layer, the class.
function unitName(layer, channel) {
  return isLast(layer) ? index.classes[channel] : String(channel);
}

// The strips of the view evolution that contain this layer.
function evolutionBlock(layer, channel) {
  const found = artifacts.filter((artifact) => artifact.view === "evolution" && artifact.role === "figure" && layer.members.includes(artifact.layer));
  if (!found.length) return null;
  return h("section", { class: "block wide" }, h("h2", {}, "Across the epochs"),
    h("p", { class: "faint" }, `Some channels of ${layer.path}; channel ${channel} is among them if the view drew it.`), figures(found));
}
