"use strict";
// One layer: the maps and patterns of its channels for the chosen photograph.

const FIRST = 64; // channels before "all"

async function layerPage(path) {
  const layer = layerByPath.get(path);
  if (!layer) return notFound(`a layer “${path}”`);
  const photograph = chosenPhotograph();
  const [maps, numbers] = await Promise.all([chosenMapsOf(photograph, layer).then(withSilent), numbersOf(layer)]);
  const head = [layerHeading(layer), layerNeighbours(layer)];
  const files = layerFiles(layer);
  if (!maps && !numbers && !patternSheets.has(layer.key)) {
    const text = `No maps of this layer were drawn${photograph ? "" : ", because there is no photograph"}.`;
    return [head, index.complete && layersWithMaps.length ? missingOfLayer(layer, text, "activations") : missing(text, "activations"), files];
  }
  if (!isSpatial(layer)) return [head, maps && [beforeSwitch(layer), unitsOf(layer, maps, photograph)], await beside(layer), files];
  return [head, ...await grid(layer, maps, numbers, photograph), files];
}

function layerHeading(layer) {
  const about = [
    layer.members.length > 1 ? layer.members.slice(1).join(" + ") : layer.kind, sizeText(layer.shape),
    `${layer.parameters.toLocaleString("en")} parameters`,
    layer.windows && `each position sees ${Math.round(layer.windows[0][1])}×${Math.round(layer.windows[1][1])} pixels`,
  ].filter(Boolean);
  return h("div", { class: "heading" }, h("h1", {}, layer.path), h("p", { class: "faint" }, about.join(" · ")));
}

function layerNeighbours(layer) {
  const after = layers.filter((other) => other.sources.includes(layer.key));
  const before = layer.sources.map((key) => layerByKey.get(key)).filter(Boolean);
  const links = (text, found) => found.length > 0 && h("span", {}, text, found.map((other) => [" ", shownLayers.includes(other) ? to(["layer", other.path], other.path) : other.path]));
  return h("p", { class: "neighbours" }, links("from", before), " ", links("to", after));
}

const SORTS = [["strongest", "strongest"], ["channel", "number"], ["mean", "mean"], ["sparsity", "share of zeros"]];

// Return what a layer can be sorted by, filtered by and shown as: pairs of value and text by the name of the state.
function optionsOf(layer, maps, numbers) {
  const pushed = numbers && numbers.channels.some((one) => one.push) ? numbers.shared.classes : [];
  const hasPatterns = patternSheets.has(layer.key);
  return {
    sort: [...SORTS, ...pushed.map((name) => [`class:${name}`, `push to ${name}`])],
    filter: [(maps || !hasPatterns) && ["", "all"], hasPatterns && ["pattern", "with a pattern"], ["dead", `${deadWord(layer)} or silent`],
      ...pushed.map((name) => [`push:${name}`, `push ${name} most`])].filter(Boolean),
    show: [maps && ["maps", "maps"], maps && hasPatterns && ["both", "maps and patterns"], hasPatterns && ["patterns", "patterns"]].filter(Boolean),
  };
}

// Return the choices of the address; the first option where this layer lacks the one that another layer has.
function chosenOf(options) {
  return Object.fromEntries(Object.entries(options).map(([name, pairs]) =>
    [name, pairs.some(([value]) => value === here.state[name]) ? here.state[name] : pairs[0]?.[0]]));
}

// Return the channels in the chosen order, without those that the filter hides.
function orderOf(layer, maps, numbers, { sort, filter }) {
  const all = [...Array(channelsOf(layer)).keys()];
  const zeros = maps ? maps.zeros : numbers && numbers.channels.map((one) => one.sparsity);
  const mean = maps ? maps.mean : numbers && numbers.channels.map((one) => one.mean);
  const push = (name) => {
    const at = numbers ? numbers.shared.classes.indexOf(name) : -1;
    return (channel) => (at >= 0 && numbers.channels[channel].push ? numbers.channels[channel].push[at] : 0);
  };
  const by = (value) => all.sort((one, other) => value(other) - value(one));
  let order = all;
  if (sort.startsWith("class:")) order = by(push(sort.slice(6)));
  else if (sort === "mean" && mean) order = by((channel) => mean[channel]);
  else if (sort === "sparsity" && zeros) order = by((channel) => zeros[channel]);
  else if (sort === "strongest" && mean) order = maps ? [...strongest(maps)] : by((channel) => Math.abs(mean[channel]));
  if (filter === "pattern") order = order.filter((channel) => patternOf(layer, channel));
  if (filter === "dead") {
    const dead = new Set(deadIn(layer));
    order = order.filter((channel) => dead.has(channel) || (maps && maps.silentSet.has(channel)));
  }
  if (filter.startsWith("push:")) {
    const name = filter.slice(5);
    order = order.filter((channel) => favourite(numbers, channel) === name);
  }
  return order;
}

// Return the class that a channel pushes most, or null.
function favourite(numbers, channel) {
  const push = numbers && numbers.channels[channel].push;
  if (!push) return null;
  const at = push.indexOf(Math.max(...push));
  return push[at] > 0 ? numbers.shared.classes[at] : null;
}

function layerControls(layer, maps, options, chosen) {
  const { state } = here;
  return h("div", { class: "controls" },
    choice("sort", options.sort, chosen.sort, (sort) => change({ sort })),
    choice("channels", options.filter, chosen.filter, (filter) => change({ filter })),
    maps && beforeSwitch(layer),
    maps && choice("scale", [["channel", "per channel"], ["layer", "whole layer"]], state.scale, (scale) => change({ scale })),
    options.show.length > 1 && choice("show", options.show, chosen.show, (show) => change({ show })),
    choice("size", [["s", "small"], ["m", "medium"], ["l", "large"]], state.size, (size) => change({ size })));
}

async function grid(layer, maps, numbers, photograph) {
  const { state } = here;
  const options = optionsOf(layer, maps, numbers);
  const choices = chosenOf(options);
  const order = orderOf(layer, maps, numbers, choices);
  const shown = state.all ? order : order.slice(0, FIRST);
  const chosen = state.channel !== "" && Number(state.channel) < channelsOf(layer) ? Number(state.channel) : shown[0] ?? 0;
  const dead = new Set(deadIn(layer));
  const tiles = h("div", { class: "grid", id: "grid" }, shown.map((channel) => channelTile(layer, channel, { maps, dead, chosen, show: choices.show })));
  const silent = maps ? maps.silent.length : 0;
  const notes = [
    maps && maps.kept && `The run stored the maps of the ${maps.kept.length} strongest of ${channelsOf(layer)} channels.`,
    silent > 0 && `Hatched: ${silent} of ${channelsOf(layer)} channels have the same value everywhere on this photograph.`,
    dead.size > 0 && `Framed: ${dead.size} are ${zeroText(layer)}.`,
    (silent > 0 || dead.size > 0) && "After a ReLU, silence is normal: the channel looks for something that is not there.",
  ].filter(Boolean).join(" ");
  const panel = h("aside", { class: "panel", id: "panel", "aria-label": `Channel ${chosen}` });
  fillPanel(panel, layer, chosen);
  const ends = maps && (state.scale === "layer" ? colorBar(scaleOf(maps, 0, "layer")) : colorBarOfEach(scaleOf(maps, chosen, "channel")));
  return [
    h("div", { class: "columns" },
      h("div", { class: "middle" },
        h("div", { class: "bar-row" }, layerControls(layer, maps, options, choices), choices.show !== "patterns" && ends),
        photograph && maps && h("p", { class: "faint" }, "Maps of ", to(["image", photograph.key], photograph.name), ofFirstModel(), ". ", index.models.length > 1 && [to(["compare", layer.path], "Compare the models"), ". "], notes),
        !maps && missing("No maps of this layer were drawn.", "activations"),
        tiles,
        h("p", {}, `${shown.length} of ${count(order.length, "channel")} shown`, order.length < channelsOf(layer) && ` (${channelsOf(layer)} in the layer)`, shown.length < order.length &&
          [" · ", h("button", { type: "button", id: "all", click: () => change({ all: "1" }) }, "show all")])),
      panel),
  ];
}

function channelTile(layer, channel, { maps, dead, chosen, show }) {
  const { size, scale } = here.state;
  const side = SIZES[size] || SIZES.m;
  const parts = [];
  if (maps && show !== "patterns") parts.push(mapTile(maps, channel, scaleOf(maps, channel, scale), { side }));
  if (show !== "maps") parts.push(patternTile(layer, channel, side) || h("div", { class: "nothing", style: { width: `${side}px`, height: `${side}px` } }, show && "no pattern"));
  const text = maps ? (maps.silentSet.has(channel) ? "silent" : `up to ${number(maps.high[channel])}`) : "";
  const link = channelLink(layer, channel, [parts, h("span", { class: "tile-name" }, String(channel))], {
    class: dead.has(channel) ? "tile dead" : "tile", title: `channel ${channel}: ${text}${dead.has(channel) ? `, ${deadWord(layer)}` : ""}`, "aria-label": `channel ${channel}, ${text}`,
    "aria-current": channel === chosen ? "true" : null, "data-channel": channel,
    click: (event) => choose(event, layer, channel),
  });
  return link;
}

// A click on a tile opens the panel where there is one. Elsewhere, and with Enter, the link opens the page of
// the channel; the detail of such a click is 0.
function choose(event, layer, channel) {
  if (event.detail === 0 || event.ctrlKey || event.metaKey || event.shiftKey || !hasPanel()) return;
  event.preventDefault();
  select(layer, channel);
}

function hasPanel() {
  const panel = document.getElementById("panel");
  return panel && getComputedStyle(panel).display !== "none";
}

function select(layer, channel) {
  history.replaceState(null, "", address(here.parts, { ...here.state, channel: String(channel) }));
  here = readAddress();
  for (const tile of document.querySelectorAll("#grid .tile")) {
    if (Number(tile.dataset.channel) === channel) {
      tile.setAttribute("aria-current", "true");
      tile.focus({ preventScroll: false });
    } else tile.removeAttribute("aria-current");
  }
  const panel = document.getElementById("panel");
  panel.setAttribute("aria-label", `Channel ${channel}`);
  fillPanel(panel, layer, channel);
}

async function fillPanel(panel, layer, channel) {
  const head = h("div", { class: "heading" }, h("h2", { class: "title" }, channelLink(layer, channel, `Channel ${channel}`)), listButton(layer, channel));
  panel.dataset.channel = channel;
  const blocks = await channelBlocks(layer, channel, { compact: true });
  if (Number(panel.dataset.channel) === channel) replaceChildren(panel, head, blocks);
}

// ---- dense layers

function unitsOf(layer, maps, photograph) {
  const order = maps.mean.map((_, unit) => unit).sort((one, other) => maps.mean[other] - maps.mean[one]);
  const most = here.state.all ? order.length : 40;
  return h("section", {}, h("h2", {}, `${count(order.length, "unit")} for ${photograph.name}`),
    bars(order.slice(0, most).map((unit) => ({ name: channelLink(layer, unit, isLast(layer) ? index.classes[unit] : `unit ${unit}`), value: maps.mean[unit] }))),
    order.length > most && h("p", {}, h("button", { type: "button", click: () => change({ all: "1" }) }, "show all")));
}

async function beside(layer) {
  const sheets = patternSheets.get(layer.key) || [];
  return sheets.length > 0 && h("section", {}, h("h2", {}, "Patterns"), h("div", { class: "grid" }, sheets.flatMap((sheet) => sheet.data.channels.map((unit) =>
    channelLink(layer, unit, [patternTile(layer, unit, 168), h("span", { class: "tile-name" }, String(unit))], { class: "tile" })))));
}

// ---- the files of a layer

function layerFiles(layer) {
  const of = artifacts.filter((artifact) => layer.members.includes(artifact.layer) && artifact.role === "figure");
  const photograph = chosenPhotograph();
  const own = of.filter((artifact) => !artifact.photograph);
  const ofPhotograph = of.filter((artifact) => photograph && artifact.photograph === photograph.key);
  return h("section", { class: "files" },
    beforeMissing(layer),
    foldedFigures(`Pictures for slides: ${layer.path}`, own),
    photograph && (foldedFigures(`Pictures for slides: ${layer.path}, ${photograph.name}`, ofPhotograph) || index.notes.map((note) => h("p", { class: "faint" }, `Note: ${note}.`))));
}
