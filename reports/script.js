"use strict";
// Sorts the tables by their headings and filters rows and charts. The page
// reads the same without it.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  if (original.length < 2) continue;
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const second = first === "descending" ? "ascending" : "descending";
      const now = was === first ? second : was === second ? null : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (now) head.setAttribute("aria-sort", now);
      const rows = now ? [...original].sort((a, b) => compare(key(a, column), key(b, column), now === "ascending" ? 1 : -1)) : original;
      body.append(...rows);
    });
  });
}

function key(row, column) {
  return row.cells[column].dataset.sort;
}

function compare(a, b, direction) {
  if (a === "" || b === "") return (a === "") - (b === ""); // absent values last
  const x = Number(a), y = Number(b);
  if (!Number.isNaN(x) && !Number.isNaN(y)) return direction * (x - y);
  return direction * a.localeCompare(b);
}

const filter = document.getElementById("filter");
if (filter) {
  filter.hidden = false;
  const apply = () => {
    const want = Object.fromEntries(new FormData(filter));
    const fits = (data) => Object.entries(want).every(([name, value]) => !value || !data[name] || data[name].split("\n").includes(value));
    let shown = 0, all = 0;
    for (const block of document.querySelectorAll("[data-block]")) {
      const rows = [...block.querySelectorAll("tbody tr")];
      for (const row of rows) {
        row.hidden = !fits(row.dataset);
        if (block.closest("#results")) { all++; shown += !row.hidden; }
      }
      const lines = [...block.querySelectorAll("svg [data-method]")]; // of a chart
      for (const line of lines) line.toggleAttribute("hidden", !fits(line.dataset));
      const parts = rows.length ? rows : lines;
      block.hidden = !fits(block.dataset) || parts.length > 0 && parts.every((part) => part.hasAttribute("hidden"));
    }
    for (const group of document.querySelectorAll("[data-charts]")) {
      group.hidden = [...group.querySelectorAll("[data-block]")].every((block) => block.hidden);
    }
    document.getElementById("shown").textContent = shown === all ? "" : `${shown} of ${all} rows shown`;
  };
  filter.addEventListener("change", apply);
  filter.addEventListener("submit", (event) => event.preventDefault());
  apply();
}
