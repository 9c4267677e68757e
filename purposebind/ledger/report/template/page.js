// Filtering and sorting. Everything is on the page without it; the controls appear only where it runs.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const form = document.getElementById("filter");
  const table = document.getElementById("fields");
  const gravest = ["observed", "emergency", "refused", "used", "unused"];

  if (form && table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const search = document.getElementById("search");
    const order = document.getElementById("order");
    const cellsOf = new Map(rows.map((row) => [row, [...row.cells].slice(1)]));
    const groupsOf = (cell) => cell.dataset.groups.split(" ").filter(Boolean);
    const sections = all("#sites tbody[data-cell]");

    const apply = () => {
      const words = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = new Set(all("input[name=group]:checked", form).map((box) => box.value));
      const narrowed = words.length > 0 || all("input[name=group]:not(:checked)", form).length > 0;
      const matches = (cell) => {
        const text = cell.dataset.text.toLowerCase();
        return groupsOf(cell).some((group) => wanted.has(group)) && words.every((word) => text.includes(word));
      };
      const columns = new Set();
      const shown = new Set();
      let count = 0;
      for (const row of rows) {
        const hits = cellsOf.get(row).filter(matches);
        row.hidden = narrowed && hits.length === 0;
        count += row.hidden ? 0 : 1;
        for (const cell of cellsOf.get(row)) {
          const hit = hits.includes(cell);
          cell.classList.toggle("other", narrowed && !hit && groupsOf(cell).length > 0);
          cell.inert = cell.classList.contains("other");
          if (hit) {
            columns.add(cell.dataset.column);
            shown.add(cell.id.replace("cell-", ""));
          }
        }
      }
      for (const cell of all("[data-column]", table)) {
        cell.hidden = narrowed && !columns.has(cell.dataset.column);
      }
      for (const section of sections) {
        section.hidden = narrowed && !shown.has(section.dataset.cell);
      }
      document.getElementById("no-match").hidden = count > 0;
      table.closest(".scroll").hidden = count === 0;
      document.getElementById("matching").textContent = narrowed
        ? `${count} of ${rows.length} fields shown. The code further down is narrowed in the same way.`
        : `${rows.length} ${rows.length === 1 ? "field" : "fields"} shown.`;
    };

    const arrange = () => {
      const people = (row) => Math.max(0, ...cellsOf.get(row).map((cell) => Number(cell.dataset.people)));
      const grave = (row) => Math.min(...cellsOf.get(row).flatMap(groupsOf).map((group) => gravest.indexOf(group)));
      const keys = {
        name: () => 0,
        people: (row) => -people(row),
        grave: (row) => grave(row) * 1e15 - people(row),
      };
      const key = keys[order.value];
      body.append(...[...rows].sort((one, other) => key(one) - key(other)));
    };

    const clear = () => {
      form.reset();
      apply();
      arrange();
    };
    // A link into what the filter hides shows it all the same.
    const reveal = () => {
      const target = document.getElementById(location.hash.slice(1));
      if (target && target.closest("[hidden], .other")) {
        clear();
        target.scrollIntoView();
      }
    };

    search.addEventListener("input", apply);
    form.addEventListener("change", apply);
    order.addEventListener("change", arrange);
    form.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("clear").addEventListener("click", clear);
    addEventListener("hashchange", reveal);
    form.hidden = false;
    apply();
  }

  // Tables with sortable columns: their headings become buttons.
  for (const sortable of all("table[data-sortable]")) {
    const headings = [...sortable.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const numbers = heading.classList.contains("num");
        const now = heading.getAttribute("aria-sort");
        const up = now ? now === "descending" : !numbers;
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", up ? "ascending" : "descending");
        const key = (row) => row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
        const compare = (one, other) =>
          "key" in one.cells[column].dataset ? key(one) - key(other) : key(one).localeCompare(key(other), "en");
        const body = sortable.tBodies[0];
        body.append(...[...body.rows].sort((one, other) => (up ? 1 : -1) * compare(one, other)));
      });
    });
  }

  // Paper cannot be opened.
  addEventListener("beforeprint", () => all("details").forEach((part) => { part.open = true; }));
})();
