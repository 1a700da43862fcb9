// A sortable table. Columns: {key, title, number, value(row) → what is sorted, cell(row) → what is shown, tip, first}.
(() => {
  "use strict";

  const TALL = 24;  // rows from which the table scrolls inside its own box, so that its header stays
  const STEP = 60;  // rows that are made at once; the next ones follow when they come near

  // Empty values come last, in either direction.
  page.sorted = (rows, columns, sort) => {
    const descending = sort.startsWith("-");
    const column = columns.find((one) => one.key === sort.replace(/^-/, ""));
    if (!column) return rows;
    const collator = new Intl.Collator(page.language, {numeric: true});
    const keyed = rows.map((row) => [column.value(row), row]);
    const missing = (value) => value === null || value === undefined || value === "" || Number.isNaN(value);
    const compare = ([a], [b]) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b);
      const order = typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b));
      return descending ? -order : order;
    };
    return keyed.sort(compare).map(([, row]) => row);
  };

  // A text column keeps the room of a few words, however many columns there are.
  // options: {caption, label, columns, rows, sort, onSort(sort, id of the button), key(row), selected(row)}
  page.table = (options) => {
    const body = page.element("tbody");
    const heads = options.columns.map((column) => head(column, options));
    const table = page.element("table", {},
      page.element("caption", {}, page.element("span", {}, options.caption)),
      page.element("thead", {}, page.element("tr", {}, heads)), body);
    const box = page.element("div", {
      class: options.rows.length > TALL ? "scroll tall" : "scroll", tabindex: "0", role: "region", "aria-label": options.label || (typeof options.caption === "string" ? options.caption : null),
    }, table);
    page.showsMore(box);
    fill(box, body, page.sorted(options.rows, options.columns, options.sort || ""), options);
    return box;
  };

  // Marks a box while columns of its table are hidden beyond its right edge.
  page.showsMore = (box) => {
    const mark = () => box.toggleAttribute("data-more", box.scrollWidth - box.clientWidth - box.scrollLeft > 1);
    const watch = new ResizeObserver(mark);
    for (const part of [box, ...box.children]) watch.observe(part);
    box.addEventListener("scroll", mark, {passive: true});
    return box;
  };

  const line = (row, options) => page.element("tr", {
    "data-row": options.key ? options.key(row) : null, "data-selected": options.selected ? String(options.selected(row)) : null,
  }, options.columns.map((column) => cell(column, row)));

  // Makes the first rows now and the others as the reader scrolls to them; all of them before the page is printed.
  const fill = (box, body, rows, options) => {
    let made = 0;
    const more = (count) => {
      body.append(...rows.slice(made, made + count).map((row) => line(row, options)));
      made = Math.min(rows.length, made + count);
    };
    more(STEP);
    if (made === rows.length) return;
    body.parentElement.setAttribute("aria-rowcount", rows.length + 1);
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      more(STEP);
      if (made < rows.length) watch.observe(body.lastElementChild);
    }, {root: box, rootMargin: "600px"});
    watch.observe(body.lastElementChild);
    addEventListener("beforeprint", () => more(rows.length), {once: true});
  };

  const kind = (column) => [column.number && "number", column.first && "first", column.kind].filter(Boolean).join(" ") || null;

  const head = (column, options) => {
    const sorted = (options.sort || "").replace(/^-/, "") === column.key;
    const down = sorted && options.sort.startsWith("-");
    const attributes = {scope: "col", class: kind(column), title: column.tip, "data-column": column.key};
    if (!options.onSort || !column.value) return page.element("th", attributes, column.title);
    // The first click on numbers shows the largest first.
    const next = sorted ? (down ? column.key : `-${column.key}`) : column.number ? `-${column.key}` : column.key;
    return page.element("th", {...attributes, "aria-sort": sorted ? (down ? "descending" : "ascending") : "none"},
      page.element("button", {type: "button", id: `sort-${column.key}`, onclick: () => options.onSort(next, `sort-${column.key}`)}, column.title,
        page.element("span", {class: "arrow", "aria-hidden": "true"}, sorted ? (down ? " ↓" : " ↑") : "")));
  };

  const cell = (column, row) =>
    column.first
      ? page.element("th", {scope: "row", class: kind(column)}, column.cell(row))
      : page.element("td", {class: kind(column)}, column.cell(row));
})();
