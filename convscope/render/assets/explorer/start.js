"use strict";
// The start page: what was found, the photographs, the training, the data set.

function startPage() {
  return [
    h("h1", {}, breakable(index.title)),
    !index.complete && h("p", { class: "notice" }, "The run has not ended, or it was stopped. Load this page again to see what was added."),
    index.findings.length > 0 && h("section", { "aria-label": "Findings" },
      h("ul", { class: "findings" }, index.findings.map((finding) => h("li", {},
        finding.route ? h("a", { href: `#/${finding.route}` }, unbroken(finding.text)) : unbroken(finding.text))))),
    photographs.length > 0 && h("section", {},
      h("h2", {}, "Photographs"),
      h("div", { class: "gallery" }, photographs.map(photographCard))),
    shownLayers.length > 0 && h("section", { class: "narrow-only" },
      h("h2", {}, "Layers"),
      h("p", {}, shownLayers.map((layer) => [to(["layer", layer.path], layer.path), " "]))),
    trainingSection(),
    datasetSection(),
    h("section", {}, h("h2", {}, "Run"),
      h("p", {}, "Command, versions, hashes and every file: ", to(["about"], "About"), ". Figures of all views: ", to(["figures"], "Figures"), "."),
      index.notes.map((note) => h("p", {}, `Note: ${note}.`)),
      h("pre", { tabindex: "0" }, index.command)),
  ];
}

function photographCard(photograph) {
  const [first] = photograph.scores;
  const wrong = first && photograph.truth && photograph.truth !== first[0];
  return to(["image", photograph.key], [
    h("img", { src: fileAddress(photograph.path), alt: photograph.name, loading: "lazy" }),
    first ? h("span", {}, `${first[0]} ${percent(first[1])}`) : h("span", {}, breakable(photograph.name)),
    photograph.truth && first && h("span", { class: wrong ? "verdict wrong" : "verdict right" }, wrong ? `✗ is ${photograph.truth}` : "✓ correct"),
  ], { class: "card", changes: { photo: photograph.key } });
}

function trainingSection() {
  const { history, metrics } = training;
  if (!history && !metrics) return null;
  const at = (name) => (history ? history.columns.indexOf(name) : -1);
  const line = (name, text) => ({ name: text, points: at(name) < 0 ? [] : history.rows.map((row) => [row[at("epoch")], row[at(name)]]).filter((point) => point.every(Number.isFinite)) });
  const chart = (title, ...lines) => {
    const known = lines.filter((one) => one.points.length > 1);
    return known.length > 0 && lineChart(title, known, { x: "epoch" });
  };
  return h("section", {}, h("h2", {}, "Training"),
    metrics && table(["split", "accuracy", "95 % interval", "loss", "images"], Object.entries(metrics).map(([split, one]) => [
      split, percent(one.accuracy), one.accuracy_95 ? one.accuracy_95.map((share) => percent(share)).join(" to ") : "–", one.loss, one.images])),
    h("div", { class: "charts" },
      chart("Loss", line("loss", "training"), line("val_loss", "validation")),
      chart("Accuracy", line("accuracy", "training"), line("val_accuracy", "validation"))));
}

function datasetSection() {
  const { data } = training;
  if (!data || !data.counts) return null;
  const splits = ["train", "validation", "test"].filter((split) => data.counts.some((row) => row[1] === split));
  const classes = [...new Set(data.counts.map((row) => row[0]))];
  if (classes.length > 60) return null;
  const of = (name, split) => (data.counts.find((row) => row[0] === name && row[1] === split) || [0, 0, 0])[2];
  return h("section", {}, h("h2", {}, `Data set ${data.name || ""}`),
    table(["class", ...splits], [...classes.map((name) => [name, ...splits.map((split) => of(name, split))]),
      ["all", ...splits.map((split) => classes.reduce((sum, name) => sum + of(name, split), 0))]], { sortable: true }));
}
