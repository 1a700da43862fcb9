// Charts by Observable Plot as SVG that takes its colours from the theme, each with a table of its numbers.
(() => {
  "use strict";

  const COLOURS = 8;
  page.colour = (index) => `var(--c${(index % COLOURS) + 1})`;

  page.svg = (name, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, String(value));
    return page.append(made, children);
  };

  // plot: options of Plot.plot. Its style elements are dropped, as the page's own styles say the same.
  page.plot = (plot, title, description) => {
    const width = Math.min(1120, Math.max(320, document.getElementById("main").clientWidth - (window.innerWidth < 640 ? 66 : 98)));
    const made = Plot.plot({width, height: Math.round(Math.min(460, Math.max(280, width * 0.42))), marginLeft: 52, marginRight: 24, ...plot,
      style: {background: "none", color: "currentColor"}, ariaLabel: title, ariaDescription: description});
    for (const style of made.querySelectorAll("style")) style.remove();
    const svg = made.tagName === "svg" ? made : made.querySelector("svg");
    svg.setAttribute("role", "img");
    return made;
  };

  // A figure: title, what it shows, the drawing, and its numbers as a table {columns, rows}.
  page.chart = ({title, about, plot, legend, numbers}) =>
    page.element("figure", {class: "chart"},
      page.element("figcaption", {}, page.element("h3", {}, title), about && page.element("p", {}, about)),
      legend && page.legend(legend),
      plot && page.plot(plot, title, about),
      numbers && page.element("details", {}, page.element("summary", {}, page.text("Show the numbers")),
        page.table({caption: title, columns: numbers.columns, rows: numbers.rows})));

  // Entries: [{label, colour: 0…}]
  page.legend = (entries) => page.element("ul", {class: "legend"}, entries.map((entry) =>
    page.element("li", {}, page.svg("svg", {width: 10, height: 10, "aria-hidden": "true"},
      page.svg("circle", {cx: 5, cy: 5, r: 5, class: `fill-${(entry.colour % COLOURS) + 1}`})), page.foreign(entry.label, 60))));

  // A small drawing of a score with its interval and floor on a scale that all rows share.
  page.miniInterval = (found, [low, high]) => {
    const width = 128, height = 18, at = (value) => 4 + ((value - low) / (high - low || 1)) * (width - 8);
    const middle = height / 2;
    return page.svg("svg", {class: "mini", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true"},
      found.floor === null ? null : page.svg("line", {class: "floor", x1: at(found.floor), x2: at(found.floor), y1: 0, y2: height}),
      found.low === null ? null : page.svg("line", {class: "range", x1: at(found.low), x2: at(found.high), y1: middle, y2: middle}),
      page.svg("circle", {class: "dot", cx: at(found.score), cy: middle, r: 3.5}));
  };
})();
