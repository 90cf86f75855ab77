"use strict";
// The confusion matrix, and the photographs of a cell.

const LARGEST_MATRIX = 40; // classes; above, a list of the most frequent mistakes

async function mistakesPage(truth, predicted) {
  const { confusion } = training;
  if (!confusion) return [h("h1", {}, "Mistakes"), h("p", {}, "No predictions are known: the model has no training run with predictions.csv beside it.")];
  const table = index.complete ? await load("page/confused.js", "page/confused").catch(() => null) : null;
  return [
    h("h1", {}, "Mistakes", h("span", { class: "faint" }, ` of the ${confusion.split} images`)),
    h("div", { class: "mistakes" },
      h("div", {}, index.classes.length <= LARGEST_MATRIX ? matrix(confusion, truth, predicted) : longList(confusion),
        training.metrics && training.metrics[confusion.split] && accuracyLine(training.metrics[confusion.split])),
      h("section", { class: "cell-photographs" }, cellPhotographs(table, confusion, truth, predicted))),
  ];
}

function accuracyLine(metrics) {
  const interval = metrics.accuracy_95 ? ` (95 % interval: ${metrics.accuracy_95.map((share) => percent(share)).join(" to ")})` : "";
  const images = Number.isFinite(metrics.images) ? `, ${count(metrics.images, "image")}` : "";
  return h("p", {}, `Accuracy ${percent(metrics.accuracy)}${interval}${images}.`);
}

function matrix({ counts }, truth, predicted) {
  const of = new Map(counts.map(([row, column, value]) => [JSON.stringify([row, column]), value]));
  const totals = new Map(index.classes.map((name) => [name, counts.filter((row) => row[0] === name).reduce((sum, row) => sum + row[2], 0)]));
  const cell = (row, column) => {
    const value = of.get(JSON.stringify([row, column])) || 0;
    const share = value / (totals.get(row) || 1);
    const chosen = row === truth && column === predicted;
    return h("td", { class: `number${row === column ? " correct" : ""}`, style: { "--share": share.toFixed(3) } },
      value ? to(["mistakes", row, column], String(value), { title: `${value} of ${totals.get(row)} ${row}: predicted ${column}`, "aria-current": chosen ? "true" : null }) : "·");
  };
  return [h("p", { class: "faint" }, "Rows: true class; columns: predicted class. Click a number to see its photographs."),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Confusion matrix" }, h("table", { class: "matrix" },
      h("thead", {}, h("tr", {}, h("td"), index.classes.map((name) => h("th", { scope: "col" }, h("span", {}, name))))),
      h("tbody", {}, index.classes.map((row) => h("tr", {}, h("th", { scope: "row" }, row), index.classes.map((column) => cell(row, column)))))))];
}

function longList({ counts }) {
  const wrong = counts.filter(([row, column]) => row !== column).sort((one, other) => other[2] - one[2]).slice(0, 100);
  return table(["true", "predicted", "images"], wrong.map(([row, column, value]) => [row, to(["mistakes", row, column], column), value]), { sortable: true, caption: "Most frequent mistakes" });
}

function cellPhotographs(found, confusion, truth, predicted) {
  if (!found) return h("p", {}, "The photographs of the mistakes are added when the run has ended.");
  const inCell = ([, row, column]) => (truth === undefined ? row !== column : row === truth && (predicted === undefined || column === predicted));
  const shown = found.rows.filter(inCell);
  if (predicted === undefined) shown.sort((one, other) => other[3] - one[3]);
  const total = confusion.counts.filter(([row, column]) => inCell([null, row, column])).reduce((sum, row) => sum + row[2], 0);
  const limited = truth === undefined ? shown.slice(0, 48) : shown;
  const heading = truth === undefined ? "Most certain mistakes" : predicted === undefined ? `${truth}` : truth === predicted ? `${truth}, predicted correctly` : `${truth}, predicted ${predicted}`;
  const isCell = truth !== undefined && predicted !== undefined;
  const drawn = isCell ? limited.filter(([path]) => mistakeFiles.has(path)) : [];
  const others = limited.filter((row) => !drawn.includes(row));
  return [h("h2", {}, heading),
    h("p", { class: "faint" }, `${limited.length} of ${count(total, "photograph")}, ${truth !== undefined && truth === predicted ? "the least certain first" : "the most certain first"}.`,
      truth === undefined && mistakeFiles.size > 0 && " A photograph with maps of both classes leads to them."),
    drawn.map((row) => mistakeFigure(row, mistakeFiles.get(row[0]))),
    others.length > 0 && h("div", { class: "gallery small" }, others.map((row) => mistakeCard(row, found, !isCell))),
    truth !== undefined && others.length > 0 && [h("p", { class: "faint" }, `This command draws the evidence for both classes${drawn.length ? " in the photographs without maps" : " in these photographs"}:`), h("pre", { tabindex: "0" }, explainCommand(others))]];
}

// Return a mistake with the map of the predicted and of the true class; the file has all three side by side.
function mistakeFigure([path, row, column, probability, , key], artifact) {
  const name = path.split("/").pop();
  const [height, width] = artifact.size;
  const part = (at, text) => h("div", {},
    h("a", { href: fileAddress(artifact.path) }, h("img", { src: fileAddress(artifact.path), alt: `${text}: ${name}`, loading: "lazy", style: { "aspect-ratio": `${width / 3} / ${height}`, "object-position": `${50 * at}% 0` } })),
    text);
  return h("figure", { class: "mistake" },
    h("div", { class: "trio" }, part(0, "the photograph"), part(1, `predicted: ${column} ${percent(probability)}`), part(2, `true: ${row}`)),
    h("figcaption", {}, key ? to(["image", key], name, { changes: { photo: key } }) : breakable(name), h("span", { class: "faint" }, ` ${artifact.caption}`)));
}

function mistakeCard([path, row, column, probability, tile, key], found, leadsToCell) {
  const name = path.split("/").pop();
  const content = [
    tile === null ? h("div", { class: "nothing" }, "no picture") : spriteTile("page/confused.jpg", tile, found, 112, name),
    h("span", {}, row === column ? percent(probability) : `${column} ${percent(probability)}`),
    row !== column && h("span", { class: "faint" }, `is ${row}`),
  ];
  if (leadsToCell && mistakeFiles.has(path)) return to(["mistakes", row, column], content, { class: "card", title: path });
  return key ? to(["image", key], content, { class: "card", title: path, changes: { photo: key } }) : h("div", { class: "card", title: path }, content);
}

function explainCommand(rows) {
  const paths = rows.slice(0, 4).map(([path]) => hydraWord(path));
  return `${index.program} ${index.model_options} 'views=[class_activation,activations]' 'class_activation.classes=[predicted,true]' ${shellWord(`images=[${paths.join(",")}]`)}`;
}
