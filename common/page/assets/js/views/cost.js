// Score against what it cost: minutes, or money at the prices that the reader enters.
(() => {
  "use strict";

  const hardware = () => [...new Set(page.data.runs.map((run) => run.hardware).filter(Boolean))];

  // Prices stand in the address, so that a link shows the same chart to others.
  const prices = (params) => hardware().map((_, index) => {
    const price = Number.parseFloat(params.get(`price${index}`));
    return Number.isFinite(price) && price >= 0 ? price : null;
  });

  // US dollars of a run: its hours at the price of its hardware, and what an API charged; null when neither is known.
  const money = (row, known, named) => {
    const price = known[named.indexOf(row.run.hardware)];
    if (price === null || price === undefined || row.minutes === null) return row.run.money;
    return (row.minutes / 60) * price + (row.run.money || 0);
  };

  // The runs that no other beats at the same cost or less.
  const frontier = (points) => {
    let best = -Infinity;
    return [...points].sort((a, b) => a.cost - b.cost || b.score - a.score).filter((point) => point.score > best && ((best = point.score), true));
  };

  const NAMED = 12;  // points up to which all are named; above, only those on the line

  const names = (points, front) => (points.length <= NAMED ? [...points].sort((a, b) => b.score - a.score) : [...front].reverse())
    .map((point) => ({x: point.cost, y: point.score, text: page.short(point.row.name, 24)}));

  const plot = (points, front, inMoney, profile) => ({
    inset: 12, names: names(points, front), dots: points.map((point) => ({x: point.cost, y: point.score})),
    x: {type: "log", grid: true, label: inMoney ? page.text("US dollars") : page.text("minutes of training and inference"), tickFormat: (value) => page.number(value, value < 1 ? 2 : 0)},
    y: {label: `dev ${page.profile(profile).short}`, grid: true, nice: true},
    marks: [
      Plot.line(front, {x: "cost", y: "score", curve: "step-after", stroke: "var(--accent)", strokeWidth: 1.5}),
      Plot.dot(points, {x: "cost", y: "score", r: 4.5, symbol: (d) => page.shape(d.shape), fill: "var(--ink)", fillOpacity: 0.5, stroke: "var(--ink)"}),
      Plot.tip(points, Plot.pointer({x: "cost", y: "score", fill: "var(--paper)", title: (d) =>
        `${d.row.name}\n${page.score(d.score, profile)}\n${inMoney ? page.money(d.cost) : page.minutes(d.cost)}\n${page.hardware(d.row.run.hardware)}`})),
    ],
  });

  const priceFields = (params, named) => page.element("div", {class: "tools"}, named.map((name, index) =>
    page.field(page.text("US dollars for an hour of {hardware}", {hardware: page.short(page.hardware(name))}),
      page.element("input", {type: "number", id: `price${index}`, min: 0, step: "any", inputmode: "decimal", value: params.get(`price${index}`) || "",
        onchange: (event) => page.change({[`price${index}`]: event.target.value})}))));

  page.addView("cost", {
    title: () => page.text("Cost"),
    shown: () => !page.data.only,
    show: (root, params) => {
      const profile = page.data.profiles.some((one) => one.name === params.get("profile")) ? params.get("profile") : page.data.dev_profile;
      const named = hardware(), known = prices(params), inMoney = params.get("by") === "money";
      const rows = page.rows().filter((row) => row.run && row.dev[profile]);
      const points = rows.map((row) => ({row, score: row.dev[profile].score, shape: Math.max(0, named.indexOf(row.run.hardware)), cost: inMoney ? money(row, known, named) : row.minutes}))
        .filter((point) => point.cost !== null && point.cost > 0);
      page.append(root, [
        page.heading(page.text("Score against cost"), page.text("Up and to the left is better. The line joins the runs that no cheaper run beats.")),
        page.element("div", {class: "tools"},
          page.select("profile", page.text("Metric"), page.metricOptions(), profile, (value) => page.change({profile: value})),
          page.select("by", page.text("Cost"), [["", page.text("duration")], ["money", page.text("money")]], inMoney ? "money" : "", (by) => page.change({by}))),
        inMoney && page.element("div", {class: "card stack"},
          page.element("p", {class: "small soft"}, page.text("What an API charged is recorded. For the rest, enter what an hour of each machine costs you; the prices become part of the link.")),
          priceFields(params, named)),
      ]);
      if (!points.length) {
        root.append(page.empty(inMoney ? page.text("No price is known: enter one above.") : page.text("No run with a score and a duration yet.")));
        return;
      }
      const front = frontier(points), without = rows.length - points.length;
      root.append(page.chart({
        title: inMoney ? page.text("Dev score against US dollars") : page.text("Dev score against minutes"),
        about: [page.text("Each point is a run; its shape is the hardware."), without > 0 && [" ", page.text("Left out, as the cost is not known: {count}.", {count: page.number(without)})]],
        legend: named.map((label, index) => ({label: page.hardware(label), shape: page.shape(index)})), plot: plot(points, front, inMoney, profile),
        numbers: {columns: [
          {key: "name", title: page.text("run"), first: true, cell: ({row}) => page.foreign(row.name, 60)},
          {key: "score", title: page.text("score"), number: true, cell: (point) => page.score(point.score, profile)},
          {key: "cost", title: page.text("cost"), number: true, cell: (point) => inMoney ? page.money(point.cost) : page.minutes(point.cost)},
          {key: "hardware", title: page.text("hardware"), cell: ({row}) => page.foreign(page.hardware(row.run.hardware), 80)},
          {key: "front", title: page.text("no cheaper run is better"), cell: (point) => front.includes(point) ? "✓" : ""},
        ], rows: [...points].sort((a, b) => a.cost - b.cost)},
      }));
    },
  });
})();
