"use strict";
// A click on a heading sorts its table; a second click reverses the order. Empty cells are last.
for (const table of document.querySelectorAll(".sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
    const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    const value = (row) => row.cells[column].dataset.value;
    const compare = (one, other) => {
      if (value(one) === "" || value(other) === "") return (value(one) === "") - (value(other) === "");
      const difference = value(one) - value(other);
      return direction * (Number.isNaN(difference) ? value(one).localeCompare(value(other)) : difference);
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  }));
}
