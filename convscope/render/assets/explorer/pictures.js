"use strict";
// Pictures that several pages show: tiles of channels, patterns, crops, and figures for papers.

const SIZES = { s: 64, m: 104, l: 168 };

// Return a tile with the map of a channel; `hatched` means that its map is the same everywhere.
function mapTile(maps, channel, ends, { side = SIZES.m, label = null } = {}) {
  const [height, width] = maps.stored;
  const factor = side / Math.max(height, width);
  const size = { width: `${Math.max(1, width * factor)}px`, height: `${Math.max(1, height * factor)}px` };
  const text = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }; // a link around it has a text
  if (maps.silentSet.has(channel)) return h("div", { class: "hatched", style: size, ...text });
  if (!levelsOf(maps, channel)) return h("div", { class: "nothing", style: size }, "no map stored");
  const canvas = h("canvas", { class: "map", style: size, ...text });
  paint(canvas, maps, channel, ends);
  return canvas;
}

function withSilent(maps) {
  if (maps) maps.silentSet ||= new Set(maps.silent);
  return maps;
}

// Return one tile of a sprite sheet, scaled to `side` pixels.
function spriteTile(path, at, { tile, columns }, side, label) {
  const [height, width] = Array.isArray(tile) ? tile : [tile, tile];
  const [row, column] = [Math.floor(at / columns), at % columns];
  const scale = side / Math.max(height, width);
  return h("div", {
    class: "sprite", role: "img", "aria-label": label,
    style: {
      width: `${width * scale}px`, height: `${height * scale}px`, "background-image": `url("${fileAddress(path)}")`,
      "background-size": `${columns * width * scale}px auto`,
      "background-position": `${-column * width * scale}px ${-row * height * scale}px`,
    },
  });
}

function patternTile(layer, channel, side) {
  const found = patternOf(layer, channel);
  if (!found) return null;
  const { data, path } = found.sheet;
  const label = `pattern of channel ${channel}`;
  if (data.silent.includes(channel)) return h("div", { class: "hatched", role: "img", "aria-label": label, style: { width: `${side}px`, height: `${side}px` } });
  return spriteTile(path, found.at, data, side, label);
}

// Return how the response to a pattern compares with that to photographs, as a sentence.
function patternText(layer, channel) {
  const found = patternOf(layer, channel);
  if (!found) return "";
  const { data } = found.sheet;
  if (data.silent.includes(channel)) return "Gradient ascent found no picture that this channel responds to.";
  const highest = data.highest[found.at];
  const ofPhotographs = data.of_photographs && data.of_photographs[found.at];
  const compared = ofPhotographs > 0 ? `, ${number(highest / ofPhotographs)}× the highest of ${data.photographs.toLocaleString("en")} photographs` : "";
  return `Highest response ${number(highest)} (before the activation)${compared}.`;
}

// Return a photograph with a map or a heatmap over it; both have the size of the photograph.
function overPhotograph(photograph, over, opacity) {
  over.classList.add("over");
  over.style.opacity = opacity;
  over.style.removeProperty("width");
  over.style.removeProperty("height");
  return h("div", { class: "stack", style: { "aspect-ratio": `${photograph.size[1]} / ${photograph.size[0]}` } },
    h("img", { src: fileAddress(photograph.path), alt: photograph.name }), over);
}

// ---- figures: the files that the views drew

const MANY_FIGURES = 12; // above, they are small, and a click opens one

function figureOf(artifact, all) {
  const links = all.filter((other) => other.role === "link" && other.title === artifact.title && other.photograph === artifact.photograph && other.view === artifact.view);
  const address = fileAddress(artifact.path);
  const text = `${artifact.title}: ${artifact.caption || ""}`;
  const size = artifact.size ? { width: artifact.size[1], height: artifact.size[0] } : {};
  const picture = artifact.path.endsWith(".mp4")
    ? h("video", { src: address, controls: true, playsinline: true, preload: "metadata", "aria-label": text, ...size })
    : h("a", { href: address }, h("img", { src: address, alt: text, loading: "lazy", ...size }));
  return h("figure", { class: "sheet" }, picture,
    h("figcaption", {}, h("b", {}, artifact.title), " ", links.map((link) => [fileLink(link), " "]), artifact.caption && h("span", { class: "faint" }, artifact.caption)));
}

function fileLink(artifact) {
  return h("a", { href: fileAddress(artifact.path), title: artifact.caption || null }, artifact.path.split("/").pop());
}

// Return the figures and tables of artifacts, in their order, with the links that belong to no figure.
function figures(chosen) {
  const shown = chosen.filter((artifact) => artifact.role === "figure" || artifact.role === "overlay");
  const titles = new Set(shown.map((artifact) => `${artifact.photograph} ${artifact.view} ${artifact.title}`));
  const others = chosen.filter((artifact) => artifact.role === "link" && !titles.has(`${artifact.photograph} ${artifact.view} ${artifact.title}`));
  const tables = chosen.filter((artifact) => artifact.data && artifact.data.kind === "table");
  return [
    tables.map((artifact) => [table(artifact.data.columns, artifact.data.rows, { sortable: true, caption: artifact.title }),
      h("p", {}, fileLink(artifact))]),
    others.length > 0 && h("p", { class: "links" }, others.map((artifact) => [artifact.title, " ", fileLink(artifact), " "])),
    shown.length > 0 && h("div", { class: shown.length > MANY_FIGURES ? "sheets many" : "sheets" }, shown.map((artifact) => figureOf(artifact, chosen))),
  ];
}

// Return figures behind a click, so that they load when a reader asks for them.
function foldedFigures(title, chosen) {
  if (!chosen.some((artifact) => ["figure", "overlay", "link"].includes(artifact.role))) return null;
  const body = h("div");
  return h("details", { toggle: (event) => { if (event.target.open && !body.childElementCount) append(body, figures(chosen)); } },
    h("summary", {}, title), body);
}
