"use strict";
// Feature maps on canvases. Nothing reads a canvas back.

const COLORS = Object.fromEntries(Object.entries(index.color_maps).map(([use, text]) => [use, bytesOf(text)]));
const MANY_NEGATIVE = 0.1; // below this share of the maximum, a minimum is that of swish or ELU, not of signed values

// Return the ends of the colour scale: {low, high, colors}. `range` overrides the values of the maps. `whole` is the
// range of the layer: it decides whether the colours are signed, so that all channels of a layer have the same.
function scaleOf(maps, channel, scale, range, whole = range || rangeOf(maps)) {
  let low, high;
  if (scale === "layer") [low, high] = range || rangeOf(maps);
  else [low, high] = [maps.low[channel], maps.high[channel]];
  const [lowest, highest] = whole;
  if (lowest < -MANY_NEGATIVE * highest && lowest < 0) {
    const bound = Math.max(-low, high, 0);
    return { low: -bound, high: bound, colors: "signed" };
  }
  return { low, high, colors: "maps" };
}

function rangeOf(maps) {
  maps.range ||= [Math.min(...maps.low), Math.max(...maps.high)];
  return maps.range;
}

// Return the range of several maps of a layer, of all channels or of one.
function rangeOfAll(several, channel) {
  const ranges = several.map((maps) => (channel === undefined ? rangeOf(maps) : [maps.low[channel], maps.high[channel]]));
  return [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
}

// Return the colours of the 256 stored levels of a channel on a scale, as RGBA in 32 bits each.
function paletteOf(maps, channel, ends) {
  const colors = COLORS[ends.colors];
  const [low, high] = [maps.low[channel], maps.high[channel]];
  const palette = new Uint8ClampedArray(256 * 4);
  for (let level = 0; level < 256; level++) {
    const value = low + (high - low) * level / 255;
    const share = ends.high > ends.low ? (value - ends.low) / (ends.high - ends.low) : ends.colors === "signed" ? 0.5 : 0;
    const at = 3 * Math.max(0, Math.min(255, Math.round(255 * share)));
    palette.set([colors[at], colors[at + 1], colors[at + 2], 255], 4 * level);
  }
  return new Uint32Array(palette.buffer);
}

// Return the levels of a channel of maps from `loadMaps`, or null if the run left it out.
function levelsOf(maps, channel) {
  const place = maps.kept ? maps.kept.indexOf(channel) : channel;
  if (place < 0) return null;
  const size = maps.stored[0] * maps.stored[1];
  const levels = maps.values.subarray(place * size, (place + 1) * size);
  maps.restored ||= new Set();
  if (maps.predicted && !maps.restored.has(channel)) restore(levels, maps.stored[1]);
  maps.restored.add(channel);
  return levels;
}

// Add the predictions that convscope.render.map_data subtracted, in place: the median of the value at the left,
// the value above, and their sum minus the value between them; 0 outside of the map.
function restore(levels, width) {
  for (let at = 0; at < levels.length; at++) {
    const column = at % width;
    const left = column ? levels[at - 1] : 0;
    const upper = at < width ? 0 : levels[at - width];
    const corner = column && at >= width ? levels[at - width - 1] : 0;
    const [low, high] = left < upper ? [left, upper] : [upper, left];
    levels[at] += corner >= high ? low : corner <= low ? high : left + upper - corner;
  }
}

// Paint a channel of maps from `loadMaps` into a canvas of the size of the stored map.
function paint(canvas, maps, channel, ends) {
  paintLevels(canvas, levelsOf(maps, channel), maps.stored, paletteOf(maps, channel, ends));
}

function paintLevels(canvas, levels, [height, width], palette) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let at = 0; at < levels.length; at++) pixels[at] = palette[levels[at]];
  canvas.getContext("2d").putImageData(image, 0, 0);
}

let plainPalette = null;

// Paint a thumbnail: levels from the lowest to the highest value of its map.
function paintThumbnail(canvas, thumbnail) {
  plainPalette ||= paletteOf({ low: [0], high: [1] }, 0, { low: 0, high: 1, colors: "maps" });
  paintLevels(canvas, bytesOf(thumbnail.values), thumbnail.stored, plainPalette);
}

// Return a colour bar with the values at its ends.
function colorBar(ends, texts) {
  const colors = COLORS[ends.colors];
  const stops = [0, 32, 64, 96, 128, 160, 192, 224, 255].map((at) => `rgb(${colors.slice(3 * at, 3 * at + 3).join(",")})`);
  const [low, high] = texts || [number(ends.low), number(ends.high)];
  return h("div", { class: "colorbar" }, h("span", {}, low),
    h("div", { style: { background: `linear-gradient(to right, ${stops.join(",")})` } }), h("span", {}, high));
}

// Return the colour bar for maps that have a scale each; signed colours have zero in the middle.
function colorBarOfEach(ends) {
  return colorBar(ends, ends.colors === "signed" ? [`${MINUS}highest`, "highest absolute value of each channel"] : ["lowest", "highest of each channel"]);
}

// Return the channels of maps in an order; the strongest have the highest mean of the absolute values.
function strongest(maps) {
  maps.strongest ||= maps.mean.map((_, channel) => channel).sort((one, other) => Math.abs(maps.mean[other]) - Math.abs(maps.mean[one]));
  return maps.strongest;
}
