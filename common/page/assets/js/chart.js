// Charts by Observable Plot as SVG that takes its colours from the theme, each with a table of its numbers.
(() => {
  "use strict";

  const COLOURS = 8;
  const WIDE = 1040;  // pixels from which two charts stand side by side
  page.colour = (index) => `var(--c${(index % COLOURS) + 1})`;

  page.svg = (name, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, String(value));
    return page.append(made, children);
  };

  const plain = (about) => [about].flat(Infinity).filter((part) => typeof part === "string").join("");

  // plot: options of Plot.plot. Its style elements are dropped, as the page's own styles say the same.
  page.plot = (plot, title, description, columns = 1) => {
    const main = document.getElementById("main"), style = getComputedStyle(main), room = main.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const width = Math.max(280, (columns > 1 && room >= WIDE ? (room - 24) / 2 : room) - (window.innerWidth < 640 ? 34 : 50));
    const made = Plot.plot({width, height: Math.round(Math.min(480, Math.max(280, width * (columns > 1 ? 0.6 : 0.42)))), marginLeft: 52, marginRight: 28, marginBottom: 48, ...plot, marks: plot.marks.filter(Boolean), x: {labelOffset: 42, ...plot.x},
      style: {background: "none", color: "currentColor"}, ariaLabel: title, ariaDescription: description});
    for (const style of made.querySelectorAll("style")) style.remove();
    const svg = made.tagName === "svg" ? made : made.querySelector("svg");
    svg.setAttribute("role", "img");
    // The drawing is one image with one description; a group inside it may have no name of its own.
    for (const part of svg.querySelectorAll("[aria-label], [aria-description]")) {
      if (part.hasAttribute("aria-label")) part.dataset.mark = part.getAttribute("aria-label");
      part.removeAttribute("aria-label");
      part.removeAttribute("aria-description");
    }
    return made;
  };

  // A figure: title, what it shows, the drawing, and its numbers as a table {columns, rows}.
  page.chart = ({title, about, plot, legend, numbers, columns}) =>
    page.element("figure", {class: "chart"},
      page.element("figcaption", {}, page.element("h3", {}, title), about && page.element("p", {}, about)),
      legend && page.legend(legend),
      plot && page.plot(plot, title, plain(about), columns),
      numbers && page.element("details", {}, page.element("summary", {}, page.text("Show the numbers")),
        page.table({caption: numbers.caption || title, columns: numbers.columns, rows: numbers.rows})));

  // Entries: [{label, colour: 0…}]
  page.legend = (entries) => page.element("ul", {class: "legend"}, entries.map((entry) =>
    page.element("li", {}, page.svg("svg", {width: 10, height: 10, "aria-hidden": "true"},
      entry.symbol === "diamond"
        ? page.svg("path", {d: "M5 0 10 5 5 10 0 5Z", class: `fill-${(entry.colour % COLOURS) + 1}`})
        : page.svg("circle", {cx: 5, cy: 5, r: 4.5, class: `fill-${(entry.colour % COLOURS) + 1}`})), page.foreign(entry.label, 60))));

  // Ticks of a time axis in the page's language: days, or hours where all is within two days.
  page.timeTicks = (times) => {
    const [first, last] = d3.extent(times), days = (last - first) / 86400000;
    const options = days < 2 ? {hour: "2-digit", minute: "2-digit", hour12: false} : days < 700 ? {month: "short", day: "numeric"} : {year: "numeric", month: "short"};
    const format = new Intl.DateTimeFormat(page.language, options);
    return (time) => format.format(time);
  };

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
