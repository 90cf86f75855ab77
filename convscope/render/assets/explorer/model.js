"use strict";
// What the index knows: layers, photographs, and the files of each view by layer and photograph.

const layers = index.layers;
const layerByKey = new Map(layers.map((layer) => [layer.key, layer]));
const layerByPath = new Map(layers.flatMap((layer) => layer.members.map((path) => [path, layer])));
const photographs = index.photographs;
const photographByKey = new Map(photographs.map((photograph) => [photograph.key, photograph]));
const artifacts = index.artifacts;
const training = index.training;

const mapFiles = new Map(); // by "photograph key model"
const channelFiles = new Map(); // by layer
const kernelFiles = new Map();
const patternSheets = new Map(); // a list by layer
const thumbnailFiles = new Map(); // by photograph
const inputFiles = new Map();
const mistakeFiles = new Map(); // by the path in predictions.csv
let channelIndex = null; // what the numbers of all layers share

for (const artifact of artifacts) {
  const { data } = artifact;
  if (!data) continue;
  if (data.kind === "maps") mapFiles.set(`${artifact.photograph} ${data.layer} ${data.model}`, artifact);
  if (data.kind === "maps_before") mapFiles.set(`${artifact.photograph} ${data.layer} ${data.model} before`, artifact);
  if (data.kind === "channels") channelFiles.set(data.layer, artifact);
  if (data.kind === "channel_index") channelIndex = artifact;
  if (data.kind === "kernel") kernelFiles.set(data.layer, artifact);
  if (data.kind === "patterns") patternSheets.set(data.layer, [...(patternSheets.get(data.layer) || []), artifact]);
  if (data.kind === "thumbnails") thumbnailFiles.set(artifact.photograph, artifact);
  if (data.kind === "mistake") mistakeFiles.set(data.photograph, artifact);
  if (data.kind === "input") inputFiles.set(artifact.photograph, artifact);
}

const layersWithMaps = layers.filter((layer) => photographs.some((one) => mapFiles.has(`${one.key} ${layer.key} 0`)));

// Return the layers that have a page of their own: with maps, patterns or numbers.
const shownLayers = layers.filter((layer) => layersWithMaps.includes(layer) || patternSheets.has(layer.key) || channelFiles.has(layer.key));

function channelsOf(layer) {
  return layer.shape[layer.shape.length - 1] || 0;
}

function isSpatial(layer) {
  return layer.shape.length === 3;
}

// Return whether the channels of a layer are the classes.
function isLast(layer) {
  return channelsOf(layer) === index.classes.length && !layers.some((other) => other.sources.includes(layer.key));
}

// The photograph that is chosen for the whole page.
function chosenPhotograph() {
  return photographByKey.get(here.state.photo) || photographs[0] || null;
}

// Return which of several models a part of the page shows.
function ofFirstModel() {
  return index.models.length > 1 && h("span", { class: "faint" }, ` in ${index.models[0]}`);
}

function mapsOf(photograph, layer, model = 0) {
  const artifact = photograph && mapFiles.get(`${photograph.key} ${layer.key} ${model}`);
  return artifact ? loadMaps(artifact) : Promise.resolve(null);
}

function hasBefore(layer) {
  return photographs.some((one) => mapFiles.has(`${one.key} ${layer.key} 0 before`));
}

// Return a promise of the maps that the address chooses: after the activation, or before it where they were drawn.
function chosenMapsOf(photograph, layer) {
  const before = here.state.before && photograph && mapFiles.get(`${photograph.key} ${layer.key} 0 before`);
  return before ? loadMaps(before) : mapsOf(photograph, layer);
}

// Return the switch between the values after and before the activation, or null if one of them was not drawn.
function beforeSwitch(layer) {
  return hasBefore(layer) && choice("values", [["", "after activation"], ["1", "before activation"]], here.state.before, (before) => change({ before }));
}

// Return the command that adds the values before the activation, folded.
function beforeMissing(layer) {
  if (!layer.activated || hasBefore(layer) || !layersWithMaps.includes(layer) || index.models.length > 1) return null;
  return folded("Values before the activation", () => [
    h("p", {}, "They were not drawn, because they would double the size of the maps. This command adds them:"),
    h("pre", { tabindex: "0" }, `${commandWith("activations")} activations.before_activation=true`)]);
}

// Return a promise of the numbers of the view channels, with what all layers share in `shared`; or of null.
async function numbersOf(layer) {
  const artifact = channelFiles.get(layer.key);
  if (!artifact || !channelIndex) return null;
  const [content, shared] = await Promise.all([load(artifact.path, artifact.key), load(channelIndex.path, channelIndex.key)]);
  const folder = artifact.path.slice(0, -`${artifact.key}.js`.length); // of the shard, if there are shards
  const spritePath = content.sprite ? folder + content.sprite.file : null;
  return { ...content, shared, spritePath };
}

// Return numbers by class as {name, value}.
function byClass(numbers, values) {
  return numbers.shared.classes.map((name, at) => ({ name, value: values[at] })).filter((one) => one.value !== null && one.value !== undefined);
}

// Return what to call a channel that is zero on all reference images.
function deadWord(layer) {
  const artifact = channelFiles.get(layer.key);
  return artifact && artifact.data.enough ? "dead" : "zero";
}

function zeroText(layer) {
  const { enough, images } = channelFiles.get(layer.key).data;
  const text = `zero on all ${count(images, "image")}`;
  return enough ? `dead: ${text}` : `${text} (too few to call a channel dead)`;
}

function deadIn(layer) {
  const artifact = channelFiles.get(layer.key);
  return artifact && artifact.data.dead ? artifact.data.dead : [];
}

// Return {sheet, at} of the pattern of a channel, or null.
function patternOf(layer, channel) {
  for (const sheet of patternSheets.get(layer.key) || []) {
    const at = sheet.data.channels.indexOf(channel);
    if (at >= 0) return { sheet, at };
  }
  return null;
}

// Return the command that adds what is missing on a page.
function commandWith(...views) {
  const all = [...new Set([...index.views.map((view) => view.key).filter((key) => key !== "comparison"), ...views])];
  return `${index.program} ${index.model_options} 'views=[${all.join(",")}]'`;
}

// Return a value in quotes for the grammar of Hydra, as `argument` of convscope.config.overrides writes it.
function hydraWord(text) {
  return /^(?!(null|true|false|inf|nan)$)[a-z/][\w./-]*$/i.test(text) ? text : `'${text.replace(/(\\*)('|$)/g, (_, slashes, end) => slashes + slashes + (end && "\\'"))}'`;
}

// Return a word in quotes for a shell.
function shellWord(text) {
  return /^[\w./=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

// Return the command that draws a view for a layer, where the run drew it for others.
function missingOfLayer(layer, text, view) {
  return h("div", { class: "missing" }, h("p", {}, text, " This command draws the view for this layer:"),
    h("pre", { tabindex: "0" }, `${index.program} ${index.model_options} 'views=[${view}]' ${shellWord(`${view}.layers=[${hydraWord(layer.path)}]`)}`));
}

function missing(text, ...views) {
  const follows = !index.complete && views.every((key) => index.views.some((view) => view.key === key));
  if (follows) return h("div", { class: "missing" }, h("p", {}, text, " The run has not ended: load this page again later."));
  return h("div", { class: "missing" }, h("p", {}, text), h("pre", { tabindex: "0" }, commandWith(...views)));
}
