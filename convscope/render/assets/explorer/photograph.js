"use strict";
// One photograph: predictions, class activation, and the walk through the network.

const WALK_CHANNELS = 12;
const WALK_PAUSE = 1200; // milliseconds of a step

async function photographPage(key) {
  const photograph = photographByKey.get(key);
  if (!photograph) return notFound(`a photograph “${key}”`);
  const own = artifacts.filter((artifact) => artifact.photograph === key);
  const overlays = own.filter((artifact) => artifact.role === "overlay");
  const at = photographs.indexOf(photograph);
  const next = (by) => photographs[(at + by + photographs.length) % photographs.length];
  const changes = (one) => ({ changes: { photo: one.key } });
  return [
    h("div", { class: "heading" }, h("h1", {}, photograph.name),
      photographs.length > 1 && h("span", { class: "buttons" }, to(["image", next(-1).key], "← previous", { id: "previous", ...changes(next(-1)) }), to(["image", next(1).key], "next →", { id: "next", ...changes(next(1)) }))),
    photograph.note && h("p", { class: "faint" }, photograph.note),
    h("div", { class: "photograph" },
      h("div", { class: "explanations" }, explanations(photograph, overlays, own)),
      photograph.scores.length > 0 && scores(photograph)),
    await walk(photograph),
    otherFigures(own),
  ];
}

function explanations(photograph, overlays, own) {
  const picture = h("figure", {}, h("img", { src: fileAddress(photograph.path), alt: photograph.name, width: photograph.size[1], height: photograph.size[0] }),
    h("figcaption", {}, "the photograph"));
  const compared = own.filter((artifact) => artifact.view === "class_activation" && artifact.role === "figure");
  if (!overlays.length && compared.length) return h("div", { class: "wide" }, figures(compared)); // of several models
  if (!overlays.length) return [picture, missing("Class activation shows which parts of the photograph support a class.", "class_activation")];
  const heats = [];
  const { shown, choices } = chosenOverlays(overlays);
  const cards = shown.map((overlay) => {
    const heat = h("img", { src: fileAddress(overlay.path), alt: `${overlay.title}: ${overlay.caption}` });
    heats.push(heat);
    const links = own.filter((other) => other.role === "link" && other.title === overlay.title && other.view === overlay.view);
    return h("figure", {}, overPhotograph(photograph, heat, 1),
      h("figcaption", {}, h("b", {}, overlay.title), " ", [overlay, ...links].map((file) => [fileLink(file), " "]), h("span", { class: "faint" }, overlay.caption)));
  });
  const slider = opacitySlider("heatmap", 1, (value) => heats.forEach((heat) => { heat.style.opacity = value; }));
  return [h("div", { class: "controls wide" }, choices, slider), picture, cards];
}

// Return the overlays of the chosen method and class, and the controls that choose them. The first method is
// chosen unless the address names one, or "all".
function chosenOverlays(overlays) {
  const { method, target } = here.state;
  const [methods, targets] = ["method", "class"].map((key) => [...new Set(overlays.map((overlay) => overlay[key]))]);
  const chosenMethod = method === "all" || methods.includes(method) ? method : methods[0];
  const chosenTarget = targets.includes(target) ? target : "";
  const named = (names) => names.map((name) => [name, name]);
  return {
    shown: overlays.filter((overlay) => [overlay.method, "all"].includes(chosenMethod) && (!chosenTarget || overlay.class === chosenTarget)),
    choices: [
      methods.length > 1 && choice("method", [...named(methods), ["all", "all methods"]], chosenMethod, (name) => change({ method: name })),
      targets.length > 1 && choice("class", [["", "all"], ...named(targets)], chosenTarget, (name) => change({ target: name })),
    ],
  };
}

function scores(photograph) {
  const others = index.classes.length - photograph.scores.length;
  const rows = photograph.scores.map(([name, value]) => ({ name, value, class: name === photograph.truth ? "truth" : null }));
  const [first] = photograph.scores;
  const verdict = photograph.truth && (photograph.truth === first[0] ? h("p", { class: "verdict right" }, `✓ The true class is ${photograph.truth}.`)
    : h("p", { class: "verdict wrong" }, `✗ The true class is ${photograph.truth}. `, training.confusion && to(["mistakes", photograph.truth, first[0]], "Similar mistakes")));
  return h("section", { class: "scores" }, h("h2", {}, "Probabilities"), verdict, bars(rows, { text: (value) => percent(value) }),
    others > 0 && h("p", { class: "faint" }, `and ${others} more ${others === 1 ? "class" : "classes"}`));
}

// ---- the walk

async function walk(photograph) {
  const steps = layers.filter((layer) => mapFiles.has(`${photograph.key} ${layer.key} 0`));
  if (!steps.length) return missing("The walk through the network shows the maps of each layer.", "activations");
  let at = 0;
  let timer = null;
  const stage = h("div", { class: "stage" });
  const title = h("span", { class: "step-name", "aria-live": "polite" });
  const slider = h("input", { type: "range", min: 0, max: steps.length - 1, value: 0, "aria-label": "layer", input: (event) => { stop(); show(Number(event.target.value)); } });
  const playing = h("button", { type: "button", id: "play", click: () => (timer ? stop() : play()) }, "▶ play");

  async function show(step) {
    at = Math.max(0, Math.min(steps.length - 1, step));
    const layer = steps[at];
    slider.value = at;
    const maps = withSilent(await mapsOf(photograph, layer));
    if (steps[at] !== layer) return; // a later step was faster
    replaceChildren(title, `${at + 1} of ${steps.length}: `, to(["layer", layer.path], layer.path, { changes: { photo: photograph.key } }), h("span", { class: "faint" }, ` ${sizeText(layer.shape)}`, isSpatial(layer) && walkNote(layer, maps)));
    replaceChildren(stage, isSpatial(layer) ? walkTiles(layer, maps) : unitsOfWalk(layer, maps));
  }

  function play() {
    playing.textContent = "⏸ pause";
    if (at === steps.length - 1) at = -1;
    const step = () => {
      if (!stage.isConnected || at >= steps.length - 1) return stop();
      show(at + 1);
      timer = setTimeout(step, WALK_PAUSE);
      return undefined;
    };
    step();
  }

  function stop() {
    clearTimeout(timer);
    timer = null;
    playing.textContent = "▶ play";
  }

  await show(0);
  return h("section", { class: "walk" }, h("h2", {}, "Through the network", ofFirstModel()),
    h("div", { class: "controls" }, playing,
      h("button", { type: "button", "aria-label": "one layer back", click: () => { stop(); show(at - 1); } }, "←"),
      h("button", { type: "button", "aria-label": "one layer on", id: "step", click: () => { stop(); show(at + 1); } }, "→"), slider, title),
    stage);
}

function walkChannels(maps) {
  return strongest(maps).filter((channel) => !maps.silentSet.has(channel)).slice(0, WALK_CHANNELS);
}

function walkNote(layer, maps) {
  const shown = walkChannels(maps).length;
  return shown < channelsOf(layer) && `, ${shown} of ${count(channelsOf(layer), "channel")}, the strongest first`;
}

function walkTiles(layer, maps) {
  return h("div", { class: "grid" }, walkChannels(maps).map((channel) =>
    channelLink(layer, channel, [mapTile(maps, channel, scaleOf(maps, channel, here.state.scale), { side: 112 }), h("span", { class: "tile-name" }, String(channel))],
      { class: "tile", "aria-label": `channel ${channel}` })));
}

function unitsOfWalk(layer, maps) {
  const order = maps.mean.map((_, unit) => unit).sort((one, other) => maps.mean[other] - maps.mean[one]).slice(0, WALK_CHANNELS);
  return bars(order.map((unit) => ({ name: isLast(layer) ? index.classes[unit] : `unit ${unit}`, value: maps.mean[unit] })), { caption: isLast(layer) ? "the highest outputs" : "the strongest units" });
}

// ---- the figures of the views

function otherFigures(own) {
  const sections = index.views.map((view) => {
    const chosen = own.filter((artifact) => artifact.view === view.key && artifact.role !== "overlay");
    const withoutLinks = view.key === "class_activation" ? chosen.filter((artifact) => artifact.role === "figure") : chosen;
    return foldedFigures(`Pictures for slides: ${view.title}`, withoutLinks);
  }).filter(Boolean);
  return sections.length > 0 && h("section", { class: "files" }, sections);
}
