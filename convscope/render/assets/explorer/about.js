"use strict";
// About the run: facts, versions, every file; the figures of all views; the list of channels.

function aboutPage() {
  const byView = new Map();
  for (const artifact of artifacts) byView.set(artifact.view, [...(byView.get(artifact.view) || []), artifact]);
  return [
    h("h1", {}, "About"),
    h("section", {}, h("h2", {}, "Model"), facts(index.facts)),
    h("section", {}, h("h2", {}, "Command"), h("pre", { tabindex: "0" }, index.command), facts(Object.entries(index.versions))),
    h("section", {}, h("h2", {}, "Files"),
      h("p", {}, "Files with provenance: ", h("a", { href: "manifest.json" }, "manifest.json"), ". Settings: ", h("a", { href: "config.yaml" }, "config.yaml"), "."),
      [...byView].map(([view, of]) => folded(`${titleOf(view)}: ${count(of.length, "file")}`, () => h("ul", { class: "file-list" }, of.map((artifact) =>
        h("li", {}, h("a", { href: fileAddress(artifact.path) }, artifact.path), artifact.caption && h("span", { class: "faint" }, ` ${artifact.caption}`))))))),
  ];
}

function facts(pairs) {
  return h("table", { class: "facts" }, h("tbody", {}, pairs.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name),
    h("td", {}, value.length > 400 ? folded(`${value.slice(0, 100)} …`, () => value) : value)))));
}

function folded(title, make) {
  const body = h("div");
  return h("details", { toggle: (event) => { if (event.target.open && !body.childNodes.length) append(body, [make()]); } }, h("summary", {}, title), body);
}

function titleOf(key) {
  const view = index.views.find((one) => one.key === key);
  return view ? view.title : key;
}

function figuresPage(key) {
  const shownOf = (view) => artifacts.filter((artifact) => artifact.view === view.key && artifact.role !== "data");
  const drawn = index.views.filter((view) => shownOf(view).length);
  const view = drawn.find((one) => one.key === key);
  const menu = h("nav", { class: "views", "aria-label": "Views" }, drawn.map((one) => to(["figures", one.key], one.title, { "aria-current": one === view ? "page" : null })));
  if (!view) {
    return [h("h1", {}, "Figures"), h("p", {}, "The pictures and tables of each view, for slides and papers."),
      drawn.map((one) => h("section", {}, h("h2", {}, to(["figures", one.key], one.title), h("span", { class: "faint" }, ` ${count(shownOf(one).length, "file")}`)), one.intro && h("p", { class: "intro" }, one.intro)))];
  }
  const of = artifacts.filter((artifact) => artifact.view === view.key);
  const photograph = chosenPhotograph();
  const own = of.filter((artifact) => !artifact.photograph);
  const ofPhotograph = photograph ? of.filter((artifact) => artifact.photograph === photograph.key) : [];
  return [h("h1", {}, view.title), menu, view.intro && h("p", { class: "intro" }, view.intro), figures(own),
    ofPhotograph.length > 0 && [h("h2", {}, photograph.name), figures(ofPhotograph)]];
}

function listPage() {
  const channels = listed();
  const missing = here.state.list.split(",").filter(Boolean).length - channels.length;
  const photograph = chosenPhotograph();
  const tiles = h("div", { class: "listed" }, channels.map(([layer, channel]) => listTile(layer, channel, photograph)));
  return [h("h1", {}, "List of channels"),
    channels.length ? h("p", {}, "The address of this page contains the list. ", h("button", { type: "button", id: "export", click: () => exportList(channels) }, "export as JSON"), " ",
      h("button", { type: "button", click: () => change({ list: "" }) }, "empty the list")) : !missing && h("p", {}, "The list is empty. The button “add to the list” of a channel adds it."),
    missing > 0 && h("p", { id: "missing" }, `${count(missing, "channel")} of the address ${missing === 1 ? "is" : "are"} not on this page.`),
    channels.length > 0 && photograph && h("p", { class: "faint" }, "Maps of ", to(["image", photograph.key], photograph.name), ", patterns where they were drawn."),
    tiles];
}

function listTile(layer, channel, photograph) {
  const picture = h("span", {}, patternTile(layer, channel, SIZES.m));
  mapsOf(photograph, layer).then(withSilent).then((maps) => {
    if (maps) picture.prepend(isSpatial(layer) ? mapTile(maps, channel, scaleOf(maps, channel, here.state.scale)) : listBox(number(maps.mean[channel])));
    else if (!picture.childElementCount) picture.append(listBox("no map"));
  });
  const without = here.state.list.split(",").filter((one) => one !== `${layer.key}:${channel}`).join(",");
  const name = `${layer.path} ${unitName(layer, channel)}`;
  return h("figure", {}, channelLink(layer, channel, picture, { class: "tile", "aria-label": name }),
    h("figcaption", {}, breakable(layer.path), h("b", {}, ` ${unitName(layer, channel)}`), " ",
      h("button", { type: "button", "aria-label": `remove ${name}`, title: "remove", click: () => change({ list: without }) }, "×")));
}

function listBox(text) {
  return h("div", { class: "nothing", style: { width: `${SIZES.m}px`, height: `${SIZES.m}px` } }, text);
}

function exportList(channels) {
  const content = { model: index.title, command: index.command, channels: channels.map(([layer, channel]) => ({ layer: layer.path, channel })) };
  const file = URL.createObjectURL(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }));
  h("a", { href: file, download: "channels.json" }).click();
  setTimeout(() => URL.revokeObjectURL(file), 1000);
}

function notFound(what) {
  return [h("h1", {}, "Not on this page"), h("p", {}, `The page does not have ${what}. `, to([], "Start"))];
}
