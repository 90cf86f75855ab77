"use strict";
// One photograph at a time; without this script all of them stand below article other.
const articles = [...document.querySelectorAll("article")];
const thumbs = [...document.querySelectorAll(".thumb")];

function show() {
  const wanted = decodeURIComponent(location.hash.slice(1));
  const chosen = articles.find((article) => wanted === article.id || wanted.startsWith(article.id + "/"));
  const current = chosen || articles.find((article) => !article.hidden) || articles[0];
  articles.forEach((article, index) => {
    article.hidden = article !== current;
    if (article === current) thumbs[index].setAttribute("aria-current", "true");
    else thumbs[index].removeAttribute("aria-current");
  });
  const target = document.getElementById(wanted);
  if (target && !articles.includes(target)) target.scrollIntoView();
}

if (articles.length) {
  articles.slice(1).forEach((article) => { article.hidden = true; });
  show();
  addEventListener("hashchange", show);
  thumbs.forEach((thumb, index) => thumb.addEventListener("click", (event) => {
    event.preventDefault();
    history.replaceState(null, "", "#" + encodeURIComponent(articles[index].id));
    show();
  }));
}

for (const figure of document.querySelectorAll(".overlay")) {
  const slider = figure.querySelector("input");
  const heat = figure.querySelector("img + img");
  if (slider && heat) slider.addEventListener("input", () => { heat.style.opacity = slider.value / 100; });
}

const dialog = document.querySelector("dialog");
for (const link of document.querySelectorAll(".zoom")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const picture = dialog.querySelector("img");
    picture.src = link.href;
    picture.alt = link.querySelector("img")?.alt || link.textContent;
    dialog.showModal();
  });
}
dialog.addEventListener("click", () => dialog.close());
