"use strict";
// Elements and numbers. All text goes through text nodes, so that no name can become HTML.

const SVG = "http://www.w3.org/2000/svg";

// Return an element. Functions in `given` listen to events, `style` sets properties, the rest are attributes.
function h(tag, given, ...children) {
  return fill(document.createElement(tag), given, children);
}

function svg(tag, given, ...children) {
  return fill(document.createElementNS(SVG, tag), given, children);
}

function fill(element, given, children) {
  for (const [name, value] of Object.entries(given || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false && child !== "") element.append(child);
  }
}

function replaceChildren(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

// Return a text with its percentages on one line.
function unbroken(text) {
  return text.replaceAll(" %", "\u00a0%");
}

// Return a name with places where a line may break: after "_", "/", "," and ".", but not inside a number.
function breakable(text) {
  return text.split(/(?<=[_/,])|(?<=\.)(?!\d)/).flatMap((part) => [part, h("wbr")]);
}

// ---- numbers

const MINUS = "\u2212";

function number(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-3 ? value.toExponential(digits - 1) : String(Number(value.toPrecision(digits)));
  return text.replace("-", MINUS);
}

function signed(value, digits = 3) {
  return (value > 0 ? "+" : "") + number(value, digits);
}

function percent(share, digits = 1) {
  return share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)}\u00a0%`;
}

function count(value, noun) {
  return `${value.toLocaleString("en")} ${noun}${value === 1 ? "" : "s"}`;
}

function sizeText(shape) {
  return shape.map((side) => side ?? "?").join("×");
}

// ---- small parts that several pages use

// Return a select whose change calls `choose`; `options` are pairs of value and text.
function choice(label, options, chosen, choose) {
  const select = h("select", { change: (event) => choose(event.target.value) },
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
  return h("label", { class: "choice" }, h("span", {}, label), select);
}

// Return a cell of a table that shows a text and is sorted by a number.
function valued(value, ...children) {
  return Number.isFinite(value) ? h("span", { "data-value": value }, children) : "";
}

function isValue(cell) {
  return typeof cell === "number" || (cell instanceof Node && cell.dataset.value !== undefined);
}

// Return a table whose headings sort it. Cells are texts, numbers or elements; `by` is the column that sorts it first.
function table(columns, rows, { sortable = false, caption = null, numeric = null, by = null } = {}) {
  const isNumeric = numeric || columns.map((_, at) => rows.some((row) => isValue(row[at])));
  const body = h("tbody");
  const cells = (row) => row.map((cell, at) => {
    const shown = typeof cell === "number" ? (Number.isInteger(cell) ? String(cell).replace("-", MINUS) : number(cell, 4)) : cell;
    return h(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : null, class: isNumeric[at] ? "number" : null }, shown ?? "");
  });
  const show = (sorted) => replaceChildren(body, sorted.map((row) => h("tr", {}, cells(row))));
  const headings = columns.map((name, at) => {
    if (!sortable) return h("th", { scope: "col", class: isNumeric[at] ? "number" : null }, name);
    return h("th", { scope: "col", class: isNumeric[at] ? "number" : null },
      h("button", { type: "button", click: () => sort(at) }, breakable(name)));
  });
  let order = [null, 1];
  function sort(at) {
    order = [at, order[0] === at ? -order[1] : 1];
    const value = (row) => (!(row[at] instanceof Node) ? row[at] ?? "" : isValue(row[at]) ? Number(row[at].dataset.value) : row[at].textContent);
    const compare = (one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a === "" || b === "") return (a === "") - (b === "");
      return order[1] * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
    };
    headings.forEach((heading, index) => {
      if (index === at) heading.setAttribute("aria-sort", order[1] === 1 ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    });
    show([...rows].sort(compare));
  }
  if (columns.includes(by)) sort(columns.indexOf(by));
  else show(rows);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption || columns.join(", ") },
    h("table", { class: sortable ? "data sortable" : "data" },
      h("thead", {}, h("tr", {}, headings)), body));
}

// Return bars with a name at the left and a number at the right; negative values go to the left of zero.
function bars(rows, { text = number, caption = "" } = {}) {
  const most = Math.max(...rows.map((row) => Math.abs(row.value)), 1e-12);
  const hasSign = rows.some((row) => row.value < 0);
  return h("table", { class: hasSign ? "bars signed" : "bars" }, caption && h("caption", {}, caption),
    h("tbody", {}, rows.map((row) => {
      const share = (hasSign ? 50 : 100) * Math.abs(row.value) / most;
      const left = hasSign ? (row.value < 0 ? 50 - share : 50) : 0;
      return h("tr", { class: row.class },
        h("th", { scope: "row" }, row.name),
        h("td", { class: "track" }, h("div", { class: row.value < 0 ? "bar negative" : "bar",
          style: { "margin-left": `${left}%`, width: `${share}%` } })),
        h("td", { class: "number" }, text(row.value)));
    })));
}

// Return a line chart; `lines` are {name, points: [[x, y], …]}.
function lineChart(title, lines, { x = "", width = 380, height = 200 } = {}) {
  const points = lines.flatMap((line) => line.points);
  const [left, bottom, top, right] = [44, 30, 12, 8];
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  const span = (values) => [Math.min(...values), Math.max(...values)];
  const [x0, x1] = span(xs);
  const [y0, y1] = span(ys);
  const atX = (value) => left + (width - left - right) * (x1 > x0 ? (value - x0) / (x1 - x0) : 0.5);
  const atY = (value) => height - bottom - (height - bottom - top) * (y1 > y0 ? (value - y0) / (y1 - y0) : 0.5);
  const ticks = [y0, (y0 + y1) / 2, y1];
  return h("figure", { class: "chart" },
    h("figcaption", {}, title, lines.map((line, at) => h("span", { class: `key line${at}` }, line.name))),
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${lines.map((line) => line.name).join(", ")}` },
      ticks.map((value) => [
        svg("line", { class: "grid", x1: left, x2: width - right, y1: atY(value), y2: atY(value) }),
        svg("text", { x: left - 6, y: atY(value) + 4, "text-anchor": "end" }, number(value, 2))]),
      [x0, x1].map((value, at) => svg("text", { x: atX(value), y: height - 12, "text-anchor": at ? "end" : "start" }, `${x} ${number(value)}`)),
      lines.map((line, at) => svg("polyline", { class: `line${at}`, points: line.points.map(([a, b]) => `${atX(a)},${atY(b)}`).join(" ") }))));
}
