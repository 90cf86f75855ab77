"use strict";
// Point at a cell of a map: its receptive field in the photograph, and in small convnets the sum behind it.

const STRONGEST_INPUTS = 4;

// Return the block for the chosen photograph and channel, or null where nothing is known of the cells.
async function cellBlock(layer, channel) {
  const photograph = chosenPhotograph();
  const maps = withSilent(await mapsOf(photograph, layer));
  if (!maps || !layer.windows || !levelsOf(maps, channel)) return null;
  const detail = h("div", { class: "cell-detail", "aria-live": "polite" });
  const ends = scaleOf(maps, channel, "channel");
  const canvas = h("canvas", { class: "map", "aria-hidden": "true" });
  paint(canvas, maps, channel, ends);
  const mark = h("div", { class: "mark" });
  const fieldMark = h("div", { class: "mark" });
  const [rows, columns] = layer.shape;
  const [start] = here.state.cell ? [here.state.cell.split(",").map(Number)] : [strongestCell(maps, channel)];
  let cell = [clamp(start[0], rows), clamp(start[1], columns)];
  const inputs = await cellInputs(layer, photograph);
  const show = () => {
    place(mark, [cell[0] / rows, cell[1] / columns, (cell[0] + 1) / rows, (cell[1] + 1) / columns]);
    place(fieldMark, fieldOf(layer, cell));
    replaceChildren(detail, cellDetail(layer, channel, maps, cell, inputs));
  };
  const board = h("div", {
    class: "stack board", tabindex: "0", role: "application", "aria-label": "Map: arrow keys move the cell",
    style: { "aspect-ratio": `${columns} / ${rows}` },
    click: (event) => {
      const box = board.getBoundingClientRect();
      cell = [clamp(Math.floor((event.clientY - box.top) / box.height * rows), rows), clamp(Math.floor((event.clientX - box.left) / box.width * columns), columns)];
      show();
    },
    keydown: (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      cell = [clamp(cell[0] + step[0], rows), clamp(cell[1] + step[1], columns)];
      show();
    },
  }, canvas, mark);
  show();
  return h("section", { class: "block wide" }, h("h2", {}, `Behind one cell, for ${photograph.name}`),
    h("p", { class: "faint" }, "Click a cell of the map, or move it with the arrow keys. The frame in the photograph is its receptive field: the pixels that it depends on.",
      layers.some((one) => one.kind === "Multiply") && " The gates of this network, which scale whole channels, see the whole photograph."),
    h("div", { class: "cell" },
      h("figure", {}, board, h("figcaption", {}, here.state.before && hasBefore(layer) ? "map after the activation" : "map")),
      h("figure", {}, h("div", { class: "stack board", style: { "aspect-ratio": `${columns} / ${rows}` } },
        h("img", { src: fileAddress(photograph.path), alt: photograph.name }), fieldMark), h("figcaption", {}, "receptive field")),
      detail));
}

function clamp(value, side) {
  return Math.max(0, Math.min(side - 1, Number.isFinite(value) ? value : 0));
}

function strongestCell(maps, channel) {
  const [height, width] = maps.stored;
  const levels = levelsOf(maps, channel);
  const at = levels.indexOf(Math.max(...levels.slice(0, 4096), ...chunkMaxima(levels)));
  return [Math.floor(Math.floor(at / width) * maps.shape[0] / height), Math.floor(at % width * maps.shape[1] / width)];
}

function chunkMaxima(levels) {
  const maxima = [];
  for (let at = 0; at < levels.length; at += 4096) maxima.push(Math.max(...levels.subarray(at, at + 4096)));
  return maxima;
}

function place(mark, [top, left, bottom, right]) {
  const [t, l, b, r] = [top, left, bottom, right].map((value) => 100 * Math.max(0, Math.min(1, value)));
  for (const [name, value] of Object.entries({ top: t, left: l, width: r - l, height: b - t })) mark.style.setProperty(name, `${value}%`);
}

// Return top, left, bottom and right of a receptive field as shares of the picture.
function fieldOf(layer, [row, column]) {
  const along = ([start, size, stride], at, side) => [(start + at * stride) / side, (start + at * stride + size) / side];
  const [height, width] = index.input_size;
  const [top, bottom] = along(layer.windows[0], row, height);
  const [left, right] = along(layer.windows[1], column, width);
  return [top, left, bottom, right];
}

// Return kernel and input maps of a layer, or null if they are not stored, or not at full size.
async function cellInputs(layer, photograph) {
  const file = kernelFiles.get(layer.key);
  if (!file) return null;
  const source = layerByKey.get(layer.sources[0]);
  const inputFile = inputFiles.get(photograph.key);
  const maps = source && mapFiles.has(`${photograph.key} ${source.key} 0`) ? await mapsOf(photograph, source)
    : source && source.kind === "InputLayer" && inputFile ? await loadMaps(inputFile) : null;
  if (!maps || maps.kept || maps.stored[0] !== maps.shape[0] || maps.stored[1] !== maps.shape[1]) return null;
  const kernel = await load(file.path, file.key);
  if (!kernel.weights) {
    kernel.weights = new Float32Array((await unpacked(kernel.values)).buffer);
  }
  return { maps, kernel, source };
}

function valueAt(maps, channel, row, column) {
  const [height, width] = maps.stored;
  if (row < 0 || column < 0 || row >= height || column >= width) return 0; // padding
  const level = levelsOf(maps, channel)[row * width + column];
  return maps.low[channel] + (maps.high[channel] - maps.low[channel]) * level / 255;
}

// Return for each input channel the window, the kernel, the products and their sum.
function productsOf({ maps, kernel }, channel, [row, column]) {
  const [rows, columns, inputs, outputs] = kernel.shape;
  const found = [];
  for (let input = 0; input < inputs; input++) {
    const [window, weights, products] = [[], [], []];
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const value = valueAt(maps, input, kernel.start[0] + row * kernel.strides[0] + i * kernel.dilation[0], kernel.start[1] + column * kernel.strides[1] + j * kernel.dilation[1]);
        const weight = kernel.weights[((i * columns + j) * inputs + input) * outputs + channel];
        window.push(value);
        weights.push(weight);
        products.push(value * weight);
      }
    }
    found.push({ input, window, weights, products, sum: products.reduce((total, value) => total + value, 0) });
  }
  return found;
}

function cellDetail(layer, channel, maps, cell, inputs) {
  const value = valueAt(maps, channel, Math.floor(cell[0] * maps.stored[0] / maps.shape[0]), Math.floor(cell[1] * maps.stored[1] / maps.shape[1]));
  const isWhole = maps.stored[0] === maps.shape[0] && maps.stored[1] === maps.shape[1];
  const where = h("p", {}, `Row ${cell[0]}, column ${cell[1]}: `, !isWhole && "mean of the cells around it ", h("b", {}, number(value, 4)));
  if (!inputs) return where;
  const { kernel, source } = inputs;
  const all = productsOf(inputs, channel, cell);
  const shown = [...all].sort((one, other) => Math.abs(other.sum) - Math.abs(one.sum)).slice(0, STRONGEST_INPUTS);
  const rest = all.filter((one) => !shown.includes(one)).reduce((total, one) => total + one.sum, 0);
  const total = all.reduce((sum, one) => sum + one.sum, 0) + kernel.bias[channel];
  const name = (input) => (inputs.maps.names ? inputs.maps.names[input] : channelLink(source, input, `${source.path} ${input}`));
  const columns = kernel.shape[1];
  return [where,
    h("table", { class: "products" }, h("thead", {}, h("tr", {}, ["input", "window", "× kernel", "= products", "sum"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, shown.map((one) => h("tr", {}, h("th", { scope: "row" }, name(one.input)), h("td", {}, patch(one.window, columns)), h("td", {}, patch(one.weights, columns)),
        h("td", {}, patch(one.products, columns)), h("td", { class: "number" }, signed(one.sum)))),
      all.length > shown.length && h("tr", {}, h("th", { scope: "row" }, `${all.length - shown.length} others`), h("td"), h("td"), h("td"), h("td", { class: "number" }, signed(rest))),
      h("tr", {}, h("th", { scope: "row" }, kernel.folded ? "bias, with the normalization" : "bias"), h("td"), h("td"), h("td"), h("td", { class: "number" }, signed(kernel.bias[channel]))),
      h("tr", { class: "total" }, h("th", { scope: "row" }, "before the activation"), h("td"), h("td"), h("td"), h("td", { class: "number" }, number(total, 4))),
      isWhole && h("tr", { class: "total" }, h("th", { scope: "row" }, `after ${kernel.activation}`), h("td"), h("td"), h("td"), h("td", { class: "number" }, number(value, 4))))),
    h("p", { class: "faint" }, "The maps are stored in 256 steps, so that the last digits of the sums are approximate. Blue: negative, white: zero, red: positive.")];
}

// Return numbers as a small picture with zero in the middle of the colours.
function patch(values, columns) {
  const bound = Math.max(1e-12, ...values.map(Math.abs));
  const rows = values.length / columns;
  const canvas = h("canvas", { class: "map patch", role: "img", "aria-label": values.map((value) => number(value, 2)).join(" "), title: `up to ±${number(bound)}` });
  const colors = COLORS.signed;
  const palette = new Uint8ClampedArray(256 * 4);
  for (let at = 0; at < 256; at++) palette.set([colors[3 * at], colors[3 * at + 1], colors[3 * at + 2], 255], 4 * at);
  paintLevels(canvas, values.map((value) => Math.round(127.5 * (value / bound + 1))), [rows, columns], new Uint32Array(palette.buffer));
  return canvas;
}
