"use strict";
// Several models side by side, or the runs of a sweep.

async function comparePage(path) {
  if (index.models.length < 2) return [h("h1", {}, "Compare"), sweepSection() || h("p", {}, "One model was drawn. To compare several: ", h("code", {}, `${index.program} 'compare=[RUN,OTHER]'`))];
  const layer = layerByPath.get(path) || layersWithMaps.find(isSpatial);
  const photograph = chosenPhotograph();
  return [
    h("h1", {}, "Compare"),
    sweepSection() || runsSection(),
    layer && photograph && await sideBySide(layer, photograph),
    figures(artifacts.filter((artifact) => artifact.view === "comparison")),
  ];
}

function runsSection() {
  const known = index.runs.filter((run) => Object.keys(run.settings).length); // not random weights, or files without a run
  // An option that a run of an earlier version does not have is no difference.
  const keys = Object.keys(known[0]?.settings || {}).filter((key) => known.every((run) => key in run.settings));
  const settings = keys.filter((key) => new Set(known.map((run) => run.settings[key])).size > 1);
  const splits = ["validation", "test"].filter((split) => index.runs.some((run) => run.metrics[split]));
  if (!settings.length && !splits.length) return null;
  const columns = ["model", ...splits.flatMap((split) => [`${split} accuracy`, `${split} loss`]), ...settings];
  const rows = index.runs.map((run) => [h("span", {}, breakable(run.title)), ...splits.flatMap((split) => {
    const { accuracy, accuracy_95: interval = [], loss } = run.metrics[split] || {};
    return [accuracyCell(accuracy, ...interval), lossCell(loss)];
  }), ...settings.map((key) => run.settings[key] ?? "")]);
  return h("section", {}, h("h2", {}, "Metrics and settings that differ"), table(columns, rows, { sortable: true, caption: "Models" }));
}

function accuracyCell(share, low, high) {
  return valued(share, percent(share), Number.isFinite(low) && h("span", { class: "faint" }, ` ${percent(low)} to ${percent(high)}`));
}

function lossCell(loss) {
  return valued(loss, Number.isFinite(loss) && loss.toFixed(4));
}

// Return the titles of the models without the parts that all have in common.
function shortTitles() {
  const parts = index.models.map((title) => title.split(","));
  const short = parts.map((of) => of.filter((part) => !parts.every((other) => other.includes(part))).join(", "));
  return short.every(Boolean) ? short : index.models;
}

async function sideBySide(layer, photograph) {
  const all = (await Promise.all(index.models.map((_, model) => mapsOf(photograph, layer, model)))).map(withSilent);
  const known = all.filter(Boolean);
  if (!known.length) return missing("No maps of this layer were drawn.", "activations");
  const channels = strongest(known[known.length - 1]).slice(0, here.state.all ? undefined : 32);
  const range = rangeOfAll(known);
  const room = document.getElementById("main").clientWidth - 44; // without its padding
  const side = Math.min(SIZES[here.state.size] || SIZES.m, Math.floor(room / index.models.length)); // in one row on a phone too
  const titles = shortTitles();
  const ends = (maps, channel) => (here.state.scale === "layer" ? scaleOf(maps, channel, "layer", range)
    : scaleOf(maps, channel, "layer", rangeOfAll(known, channel), range));
  const rows = channels.map((channel) => h("figure", { class: "pair" },
    h("div", {}, all.map((maps, model) => maps && h("div", { title: index.models[model] }, mapTile(maps, channel, ends(maps, channel), { side, label: `${index.models[model]}, channel ${channel}` })))),
    h("figcaption", {}, String(channel))));
  return h("section", {},
    h("h2", {}, layer.path, h("span", { class: "faint" }, ` for ${photograph.name}`)),
    h("div", { class: "bar-row" }, h("div", { class: "controls" },
      choice("layer", layersWithMaps.filter(isSpatial).map((one) => [one.path, one.path]), layer.path, (chosen) => go(["compare", chosen])),
      choice("scale", [["channel", "per channel"], ["layer", "whole layer"]], here.state.scale, (scale) => change({ scale })),
      choice("size", [["s", "small"], ["m", "medium"], ["l", "large"]], here.state.size, (size) => change({ size }))),
      here.state.scale === "layer" ? colorBar(scaleOf(known[0], 0, "layer", range)) : null),
    h("p", { class: "faint" }, `In each group, from the left: ${titles.join("; ")}. All models on one scale. The ${channels.length} channels that are strongest in ${titles[titles.length - 1]}.`),
    h("div", { class: "pairs" }, rows),
    channels.length < channelsOf(layer) && h("p", {}, h("button", { type: "button", click: () => change({ all: "1" }) }, "show all")));
}

function sweepSection() {
  const { sweep } = training;
  if (!sweep) return null;
  const hidden = new Set(["overrides", "path", "attempts", "error"]);
  const kept = sweep.columns.filter((name) => !hidden.has(name) && !/_accuracy_(low|high)$/.test(name));
  const compared = index.models.length > 1;
  const cell = (name, row) => {
    const of = (column) => row[sweep.columns.indexOf(column)];
    if (name === "run") return h(compared && index.models.includes(String(of(name))) ? "b" : "span", {}, breakable(String(of(name))));
    if (name.endsWith("_accuracy")) return accuracyCell(of(name), of(`${name}_low`), of(`${name}_high`));
    return name.endsWith("_loss") ? lossCell(of(name)) : of(name);
  };
  const runs = sweep.runs ?? sweep.rows.length; // pages of earlier versions do not have it
  return h("section", {}, h("h2", {}, "Runs of the sweep"),
    compared && h("p", { class: "faint" }, `The ${index.models.length} runs in bold are side by side below, of ${count(runs, "run")}.`),
    sweep.rows.length < runs && h("p", { class: "faint" }, `The table has the ${sweep.rows.length} runs with the lowest validation loss, of ${count(runs, "run")}.`),
    table(kept.map((name) => (name.includes(".") ? name : name.replaceAll("_", " "))), sweep.rows.map((row) => kept.map((name) => cell(name, row))),
      { sortable: true, caption: "Runs of the sweep", by: "validation loss" }));
}
