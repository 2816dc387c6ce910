"use strict";
// Sorting: a click on a heading, a second click turns it round; what is no number comes last among numbers.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending" || (!head.hasAttribute("aria-sort") && /accuracy|majority|gain|precision|recall|F1|AUC|without copies/.test(head.textContent));
    const turned = head.getAttribute("aria-sort") === "descending" ? false : down;
    const numeric = head.classList.contains("num");
    const keyed = [...body.rows].map(row => {
      const text = row.cells[column].textContent.replace("\u2212", "-").replace("\u221e", "Infinity").replaceAll(",", "");
      return [row, numeric ? parseFloat(text) : row.cells[column].textContent];
    });
    keyed.sort(([, a], [, b]) => {
      if (!numeric) return a.localeCompare(b, undefined, {numeric: true}) * (turned ? -1 : 1);
      if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b);
      return a === b ? 0 : (a < b ? -1 : 1) * (turned ? -1 : 1);
    });
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", turned ? "descending" : "ascending");
    body.append(...keyed.map(([row]) => row));
  }));
}
// Filtering: every word typed must occur somewhere in the row.
for (const box of document.querySelectorAll("input[data-for]")) {
  const rows = [...document.getElementById(box.dataset.for).tBodies[0].rows], count = box.nextElementSibling;
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {  // read anew each time: a page that is served changes its cells
      const text = [...row.cells].map(cell => cell.textContent).join(" ").replaceAll("\u2060", "").toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = words.length ? shown + " of " + rows.length + " rows" : rows.length + " rows";
  });
}
