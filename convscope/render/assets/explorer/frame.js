"use strict";
// What stays while pages change: the bar at the top, and the rail with photographs and layers.

const MODES = ["auto", "light", "dark"];
let mode = "auto";
try { mode = localStorage.getItem("convscope-mode") || "auto"; } catch { /* no storage from disk */ }

function setMode(next) {
  mode = next;
  document.documentElement.dataset.mode = mode;
  try { localStorage.setItem("convscope-mode", mode); } catch { /* no storage from disk */ }
  const button = document.getElementById("mode");
  if (button) button.textContent = { auto: "◐", light: "☀", dark: "☾" }[mode];
  if (button) button.setAttribute("aria-label", `colours: ${mode}; change`);
}

function makeTop() {
  const menu = [
    ["Start", []],
    photographs.length && ["Photograph", () => ["image", chosenPhotograph().key]],
    training.confusion && ["Mistakes", ["mistakes"]],
    (index.models.length > 1 || training.sweep) && ["Compare", ["compare"]],
    ["Figures", ["figures"]],
    ["About", ["about"]],
  ].filter(Boolean);
  const links = () => menu.map(([text, parts]) => {
    const target = typeof parts === "function" ? parts() : parts;
    const current = (here.parts[0] || "") === (target[0] || "");
    return to(target, text, { "aria-current": current ? "page" : null });
  });
  const nav = h("nav", { "aria-label": "Pages" });
  append(document.getElementById("top"), [
    h("a", { class: "skip", href: "#main", click: (event) => { event.preventDefault(); document.getElementById("main").focus(); } }, "to the content"),
    h("button", { type: "button", id: "open-rail", "aria-controls": "rail", "aria-expanded": "false", click: toggleRail }, "Layers"),
    h("a", { class: "name", href: "#/" }, index.title),
    nav,
    makeSearch(),
    h("a", { id: "list-link", href: "#/list" }),
    h("button", { type: "button", id: "mode", click: () => setMode(MODES[(MODES.indexOf(mode) + 1) % MODES.length]) }),
    h("button", { type: "button", "aria-label": "keys", click: showHelp }, "?"),
  ]);
  setMode(mode);
  return () => {
    replaceChildren(nav, links());
    const list = listed();
    const link = document.getElementById("list-link");
    link.hidden = !list.length;
    link.href = address(["list"]);
    link.textContent = `List (${list.length})`;
  };
}

function toggleRail(event, open = !document.body.classList.contains("with-rail")) {
  document.body.classList.toggle("with-rail", open);
  document.getElementById("open-rail").setAttribute("aria-expanded", String(open));
}

function photographLink(photograph) {
  const parts = here.parts[0] === "image" ? ["image", photograph.key] : here.parts;
  const keep = here.parts[0] === "image" ? {} : { ...here.state, cell: "" };
  return h("a", {
    class: "thumb", href: address(parts, { ...keep, photo: photograph.key }), title: photograph.name,
    "aria-current": photograph === chosenPhotograph() ? "true" : null,
  }, h("img", { src: fileAddress(photograph.path), alt: photograph.name, loading: "lazy" }));
}

const RESOLUTIONS = Math.max(1, ...shownLayers.filter(isSpatial).map((layer) => layer.shape[0] || 1));
const WIDTHS = Math.max(1, ...shownLayers.map(channelsOf));

// Return the picture of a layer in the rail: width by channels, height by resolution, both logarithmic.
function layerBar(layer) {
  const side = isSpatial(layer) ? layer.shape[0] || 1 : 1;
  const height = 3 + 15 * Math.log2(1 + side) / Math.log2(1 + RESOLUTIONS);
  const width = 8 + 92 * Math.log2(1 + channelsOf(layer)) / Math.log2(1 + WIDTHS);
  return h("span", { class: `layer-bar ${roleOf(layer)}`, style: { height: `${height}px`, width: `${width}%` } });
}

function roleOf(layer) {
  if (layer.kind.includes("Conv")) return "convolution";
  if (layer.kind.includes("Pooling")) return "pooling";
  return layer.kind === "Dense" ? "dense" : "other";
}

function makeRail() {
  const strip = h("div", { class: "strip", role: "group", "aria-label": "Photographs" });
  const list = h("ol", { class: "layers" });
  const canvases = new Map();
  const links = new Map();
  for (const layer of shownLayers) {
    const canvas = h("canvas", { width: 1, height: 1, "aria-hidden": "true" });
    const dead = deadIn(layer).length;
    canvases.set(layer.key, canvas);
    const link = h("a", { href: "#/" },
      h("span", { class: "small-map" }, canvas),
      h("span", { class: "layer-name" }, breakable(layer.path), h("span", { class: "faint" }, ` ${sizeText(layer.shape)}`),
        dead > 0 && h("span", { class: "dead-mark", title: `${dead} ${deadWord(layer)} channels` }, ` ${dead} ${deadWord(layer)}`)),
      h("span", { class: "layer-shape" }, layerBar(layer)));
    links.set(layer, link);
    list.append(h("li", {}, link));
  }
  replaceChildren(document.getElementById("rail"),
    h("button", { type: "button", class: "close", click: (event) => toggleRail(event, false) }, "close"),
    photographs.length > 0 && h("div", { class: "photographs" }, h("h2", {}, count(photographs.length, "photograph")), strip),
    shownLayers.length > 0 && [h("h2", {}, count(shownLayers.length, "layer")), list]);
  let shown = null;
  return () => {
    const photograph = chosenPhotograph();
    replaceChildren(strip, photographs.map(photographLink));
    const current = here.parts[0] === "layer" ? layerByPath.get(here.parts[1]) : null;
    const target = here.parts[0] === "compare" && index.models.length > 1 ? "compare" : "layer";
    for (const [layer, link] of links) {
      link.href = address([target, layer.path], target === "layer" && here.parts[0] === "layer" ? { filter: here.state.filter } : {});
      if (layer === current) {
        link.setAttribute("aria-current", "page");
        keepVisible(link);
      } else link.removeAttribute("aria-current");
    }
    if (photograph && photograph !== shown) paintThumbnails(photograph);
    shown = photograph;
  };

  async function paintThumbnails(photograph) {
    const file = thumbnailFiles.get(photograph.key);
    if (!file) return;
    const thumbnails = await load(file.path, file.key);
    for (const [key, canvas] of canvases) if (thumbnails[key]) paintThumbnail(canvas, thumbnails[key]);
  }
}

// Scroll the rail, not the page, so that an element in it is visible.
function keepVisible(element) {
  const rail = document.getElementById("rail");
  const [of, inside] = [element.getBoundingClientRect(), rail.getBoundingClientRect()];
  if (of.top < inside.top + 40 || of.bottom > inside.bottom - 40) rail.scrollTop += of.top - inside.top - inside.height / 2;
}
