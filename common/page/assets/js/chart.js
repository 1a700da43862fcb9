// Charts by Observable Plot as SVG that takes its colours from the theme, each with a table of its numbers.
(() => {
  "use strict";

  const COLOURS = page.COLOURS = 8;
  const WIDE = 1040;  // pixels from which two charts stand side by side
  page.colour = (index) => `var(--c${(index % COLOURS) + 1})`;

  page.svg = (name, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, String(value));
    return page.append(made, children);
  };

  const plain = (about) => [about].flat(Infinity).filter((part) => typeof part === "string").join("");

  // Pixels that a text takes in a chart.
  const pen = document.createElement("canvas").getContext("2d");
  page.textWidth = (text) => {
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return pen.measureText(text).width;
  };

  // The beginning of a text that fits into this many pixels of a chart, whatever its script.
  page.fitted = (text, room) => {
    const letters = [...String(text)];
    if (page.textWidth(text) <= room) return String(text);
    while (letters.length > 1 && page.textWidth(`${letters.join("")}…`) > room) letters.pop();
    return `${letters.join("")}…`;
  };

  // Room on the left for names, and what is shown of a name there.
  const LEFT = 16;  // pixels between a name and the drawing, and at the edge
  page.leftNames = (names) => {
    const most = window.innerWidth < 640 ? 112 : 190, label = (name) => page.fitted(name, most);
    return {marginLeft: Math.ceil(LEFT + Math.max(...names.map((name) => page.textWidth(label(name))))), label};
  };

  // Writes names beside their points [{x, y, text}] where they cover no axis, no point and no other name; a name without such
  // a place is left out. Earlier ones have the first choice.
  const HIGH = 14, NEAR = 6;  // pixels: height of a name, and half the size of a point
  const nameAll = (svg, made, {names, dots, inset = 0}) => {
    const x = made.scale("x"), y = made.scale("y"), [left, right] = d3.extent(x.range), [top, bottom] = d3.extent(y.range);
    const at = (one) => [x.apply(one.x), y.apply(one.y)];
    const boxes = dots.map(at).map(([px, py]) => [px - NEAR, py - NEAR, px + NEAR, py + NEAR]);
    const clear = (box) => box[0] >= left - inset && box[2] <= right + inset && box[1] >= top - inset && box[3] <= bottom + inset
      && boxes.every((other) => box[2] <= other[0] || box[0] >= other[2] || box[3] <= other[1] || box[1] >= other[3]);
    for (const one of names) {
      const [px, py] = at(one), wide = page.textWidth(one.text);
      const after = px + NEAR, before = px - NEAR - wide;
      const around = (far) => [py - NEAR - HIGH - far, py + NEAR + far].flatMap((above) => [[px - wide / 2, above], [after, above], [before, above]]);
      const places = [...around(0), [after + 3, py - HIGH / 2], [before - 3, py - HIGH / 2], ...around(HIGH)].map(([from, above]) => [from, above, from + wide, above + HIGH]);
      const box = places.find(clear);
      if (!box) continue;
      boxes.push(box);
      svg.append(page.svg("text", {class: "point-name", "text-anchor": "start", x: box[0], y: box[3] - 3, fill: "var(--soft)"}, one.text));
    }
  };

  // plot: options of Plot.plot, and `names`: points that are named where there is room, with all points as `dots`.
  // Its style elements are dropped, as the page's own styles say the same.
  page.plot = (plot, title, description, columns = 1) => {
    const main = document.getElementById("main"), style = getComputedStyle(main), room = main.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const width = Math.max(280, (columns > 1 && room >= WIDE ? (room - 24) / 2 : room) - (window.innerWidth < 640 ? 34 : 50));
    const made = Plot.plot({width, height: Math.round(Math.min(480, Math.max(280, width * (columns > 1 ? 0.6 : 0.42)))), marginLeft: 52, marginRight: 28, marginBottom: 48, ...plot, marks: plot.marks.filter(Boolean), x: {labelOffset: 42, ...plot.x},
      style: {background: "none", color: "currentColor"}, ariaLabel: title, ariaDescription: description});
    for (const style of made.querySelectorAll("style")) style.remove();
    const svg = made.tagName === "svg" ? made : made.querySelector("svg");
    svg.setAttribute("role", "img");
    if (plot.names) nameAll(svg, made, plot);
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

  // Shapes of points, for kinds that have no colour: a colour stands for a run.
  page.SHAPES = ["circle", "square", "triangle", "diamond", "star", "cross", "wye"];
  page.shape = (index) => page.SHAPES[index % page.SHAPES.length];

  const symbol = (name) => d3.symbol(d3[`symbol${name[0].toUpperCase()}${name.slice(1)}`], 60)();

  // Entries: [{label, colour: 0…}], or [{label, shape: "circle"}].
  page.legend = (entries) => page.element("ul", {class: "legend"}, entries.map((entry) =>
    page.element("li", {}, page.svg("svg", {width: 10, height: 10, "aria-hidden": "true"},
      page.svg("path", {d: symbol(entry.shape || "circle"), transform: "translate(5 5)", class: entry.shape ? null : `fill-${(entry.colour % COLOURS) + 1}`, fill: entry.shape ? "var(--ink)" : null})), page.foreign(entry.label, 60))));

  // A time axis with about `count` ticks for Plot's x: no two labels are alike, whatever lies between two ticks.
  page.timeAxis = (times, count) => {
    const scale = d3.scaleTime().domain(d3.extent(times)).nice(count), ticks = scale.ticks(count), [first, last] = scale.domain();
    const step = d3.min(d3.pairs(ticks), ([a, b]) => b - a) ?? last - first, DAY = 86400000;
    const clock = {hour: "2-digit", minute: "2-digit", hour12: false}, day = {month: "short", day: "numeric"};
    const options = step < 1000 ? {...clock, second: "2-digit", fractionalSecondDigits: 3} : step < 60000 ? {...clock, second: "2-digit"}
      : step < 0.9 * DAY ? {...(last - first < DAY ? {} : day), ...clock}
      : last.getFullYear() !== first.getFullYear() ? {year: "2-digit", month: "short", ...(step < 27 * DAY ? {day: "numeric"} : {})} : day;
    const format = new Intl.DateTimeFormat(page.language, options);
    return {type: "time", domain: scale.domain(), ticks, tickFormat: (time) => format.format(time)};
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
