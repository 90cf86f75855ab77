"use strict";
// The search for layers, channels, classes and photographs, and the help for the keyboard.

const MOST_RESULTS = 12;

function entries() {
  return [
    ...shownLayers.map((layer) => ({ text: layer.path, kind: "layer", href: address(["layer", layer.path]) })),
    ...photographs.map((photograph) => ({ text: photograph.name, kind: "photograph", href: address(["image", photograph.key], { photo: photograph.key }) })),
    ...(training.confusion ? index.classes.map((name) => ({ text: name, kind: "class", href: address(["mistakes", name]) })) : []),
  ];
}

// Return the entries that contain all words; a number after a layer is a channel.
function matches(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const found = entries().filter((entry) => words.every((word) => entry.text.toLowerCase().includes(word)));
  const last = words[words.length - 1];
  if (/^\d+$/.test(last) && words.length > 1) {
    for (const layer of shownLayers) {
      const isIn = words.slice(0, -1).every((word) => layer.path.toLowerCase().includes(word));
      if (isIn && Number(last) < channelsOf(layer)) found.unshift({ text: `${layer.path} ${last}`, kind: "channel", href: address(["layer", layer.path, "channel", String(Number(last))]) });
    }
  }
  return found.slice(0, MOST_RESULTS);
}

function makeSearch() {
  const list = h("ul", { id: "results", role: "listbox", "aria-label": "Results" });
  let found = [];
  let at = -1;
  const field = h("input", {
    type: "search", id: "search", placeholder: "Search  /", role: "combobox", "aria-label": "Search layers, classes and photographs",
    "aria-controls": "results", "aria-expanded": "false", "aria-autocomplete": "list", autocomplete: "off",
    input: find,
    focus: find,
    keydown: (event) => {
      event.stopPropagation();
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (found.length) at = (at + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length;
        show();
      } else if (event.key === "Enter" && found[at]) open(found[at]);
      else if (event.key === "Escape") { close(); field.blur(); }
    },
    blur: close, // a press on a result comes before it
  });
  function show() {
    replaceChildren(list, found.map((entry, index) => h("li", { role: "option", id: `result${index}`, "aria-selected": String(index === at), mousedown: () => open(entry) },
      entry.text, h("span", { class: "faint" }, ` ${entry.kind}`))));
    field.setAttribute("aria-expanded", String(found.length > 0));
    if (at >= 0) field.setAttribute("aria-activedescendant", `result${at}`);
    else field.removeAttribute("aria-activedescendant");
  }
  function find() {
    found = matches(field.value);
    at = found.length ? 0 : -1;
    show();
  }
  function open(entry) {
    location.hash = entry.href;
    field.value = "";
    close();
    field.blur();
  }
  function close() {
    found = [];
    at = -1;
    show();
  }
  return h("div", { class: "search", role: "search" }, field, list);
}

// ---- keys

const KEYS = [
  ["/", "search layers, channels, classes, photographs"],
  ["← →", "previous and next channel, or photograph"],
  ["↑ ↓", "the layer before and after"],
  ["[ ]", "previous and next photograph"],
  ["Enter", "open the chosen channel as a page"],
  ["?", "these keys"],
  ["Esc", "close"],
];

function showHelp() {
  const dialog = document.getElementById("help");
  replaceChildren(dialog, h("h2", {}, "Keys"), h("table", {}, h("tbody", {}, KEYS.map(([key, text]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, key)), h("td", {}, text))))),
    h("button", { type: "button", click: () => dialog.close() }, "close"));
  dialog.showModal();
}

function onKey(event) {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input:not([type=range]), select, textarea, dialog")) return;
  if (key.startsWith("Arrow") && target.closest("input, video, .scroll, pre")) return; // they move or scroll these
  if (key === "/") {
    event.preventDefault();
    document.getElementById("search").focus();
  } else if (key === "?") showHelp();
  else if (key === "Escape") toggleRail(event, false);
  else if (key === "[" || key === "]") stepPhotograph(key === "]" ? 1 : -1);
  else if (key === "ArrowLeft" || key === "ArrowRight") stepSideways(event, key === "ArrowRight" ? 1 : -1);
  else if ((key === "ArrowUp" || key === "ArrowDown") && here.parts[0] === "layer") stepLayer(event, key === "ArrowDown" ? 1 : -1);
}

function stepPhotograph(by) {
  if (photographs.length < 2) return;
  const at = photographs.indexOf(chosenPhotograph());
  const next = photographs[(at + by + photographs.length) % photographs.length];
  if (here.parts[0] === "image") go(["image", next.key], { photo: next.key });
  else change({ photo: next.key, cell: "" });
}

function stepSideways(event, by) {
  const link = document.getElementById(by > 0 ? "next" : "previous");
  if (link) {
    event.preventDefault();
    location.hash = link.getAttribute("href");
  } else if (here.parts[0] === "layer" && hasPanel()) {
    event.preventDefault();
    const tiles = [...document.querySelectorAll("#grid .tile")];
    const at = tiles.findIndex((tile) => tile.getAttribute("aria-current"));
    const next = tiles[at + by];
    if (next) select(layerByPath.get(here.parts[1]), Number(next.dataset.channel));
  }
}

function stepLayer(event, by) {
  const at = shownLayers.indexOf(layerByPath.get(here.parts[1]));
  const next = shownLayers[at + by];
  if (at < 0 || !next) return;
  event.preventDefault();
  go(["layer", next.path], { filter: here.state.filter });
}
