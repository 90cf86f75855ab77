"use strict";
// Show the page that the address asks for.

const PAGES = {
  layer: (path, kind, channel) => (kind === "channel" ? channelPage(path, channel) : layerPage(path)),
  image: photographPage,
  mistakes: mistakesPage,
  compare: comparePage,
  figures: figuresPage,
  list: listPage,
  about: aboutPage,
};

const updateTop = makeTop();
const updateRail = makeRail();
let route = null;
let visit = 0;

async function contentOf(name, rest) {
  if (name === undefined) return startPage();
  return Object.hasOwn(PAGES, name) ? PAGES[name](...rest) : notFound(`a part “${name}”`);
}

async function arrive() {
  here = readAddress();
  const number = ++visit;
  const [name, ...rest] = here.parts;
  const content = await contentOf(name, rest).catch((error) => {
    console.error(error);
    return [h("h1", {}, "This page cannot be shown"), h("p", { role: "alert" }, String(error.message || error))];
  });
  if (number !== visit) return; // the reader went on
  const main = document.getElementById("main");
  const [left, top] = [window.scrollX, window.scrollY];
  replaceChildren(main, content);
  document.body.dataset.page = name || "start";
  updateTop();
  updateRail();
  const heading = main.querySelector("h1");
  document.title = name && heading ? `${heading.textContent} · ${index.title}` : index.title;
  const path = here.parts.join("/");
  if (path !== route) {
    toggleRail(null, false);
    window.scrollTo(0, 0);
    if (route !== null) main.focus({ preventScroll: true });
  } else window.scrollTo(left, top);
  route = path;
  document.body.dataset.ready = String(number);
}

addEventListener("hashchange", arrive);
addEventListener("keydown", onKey);
arrive();
