// Signs of trouble that a score alone does not show: length, copying, repetition, and what was cut off.
(() => {
  "use strict";

  const measures = () => [
    {key: "characters", title: page.text("length in characters"), unit: page.text("median of the predictions"), show: (value) => page.number(value), alarm: () => false},
    {key: "copied", title: page.text("copied"), unit: page.text("share of the words that are in the dialogue"), show: (value) => page.percent(value), top: 1, alarm: (value) => value > 0.6},
    {key: "distinct", title: page.text("distinct"), unit: page.text("share of different summaries"), show: (value) => page.percent(value), top: 1, alarm: (value) => value < 0.9},
    {key: "missing", title: page.text("missing"), unit: page.text("share without a summary"), show: (value) => page.percent(value), top: 1, alarm: (value) => value > 0},
    {key: "cut", title: page.text("cut off"), unit: page.text("share of the candidates at the maximum length"), show: (value) => page.percent(value), top: 1, alarm: (value) => value > 0.01},
    {key: "shortened", title: page.text("shortened"), unit: page.text("share of the training dialogues that did not fit"), show: (value) => page.percent(value), top: 1, alarm: (value) => value > 0.05},
  ];

  const value = (row, key) => {
    const found = row.run.shares;
    return key === "missing" ? (found.rows && found.missing !== null ? found.missing / found.rows : null) : found[key];
  };

  const bar = (share, alarm, mark) => page.svg("svg", {class: "share", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true"},
    page.svg("rect", {class: "track", x: 0, y: 0, width: 100, height: 8}),
    page.svg("rect", {class: alarm ? "part alarm" : "part", x: 0, y: 0, width: Math.min(100, 100 * share), height: 8}),
    mark !== null && mark !== undefined ? page.svg("rect", {class: "mark", x: Math.min(99, 100 * mark), y: 0, width: 1, height: 8}) : null);

  const columns = (rows) => {
    const reference = page.data.reference_characters;
    return [
      {key: "name", title: page.text("run"), first: true, value: (row) => row.name, cell: (row) => [page.element("span", {class: "name"}, page.foreign(row.name, 60)), page.element("span", {class: "under"}, page.foreign(row.about(), 80))]},
      {key: "score", title: `dev ${page.profile(page.data.dev_profile).short}`, number: true, value: (row) => row.dev[page.data.dev_profile]?.score ?? null, cell: (row) => page.score(row.dev[page.data.dev_profile]?.score, page.data.dev_profile)},
      ...measures().filter((one) => rows.some((row) => value(row, one.key) !== null)).map((one) => {
        const top = one.top || Math.max(reference || 0, ...rows.map((row) => value(row, one.key) || 0)) || 1;
        return {key: one.key, title: one.title, number: true, tip: one.unit, value: (row) => value(row, one.key), cell: (row) => {
          const found = value(row, one.key);
          if (found === null) return page.none;
          const alarm = one.alarm(found);
          return [page.element("span", {class: alarm ? "alarm" : null}, one.show(found), alarm ? " !" : ""), bar(found / top, alarm, one.key === "characters" && reference ? reference / top : null)];
        }};
      }),
    ];
  };

  page.addView("shares", {
    title: () => page.text("Length and copying"),
    show: (root, params) => {
      const rows = page.rows().filter((row) => row.run && Object.values(row.run.shares).some((found) => found !== null));
      root.append(page.heading(page.text("Length, copying and cut-offs"), page.text("What a score does not show: a model that copies the dialogue, repeats itself, or stops in the middle. Values with ! deserve a look.")));
      if (!rows.length) {
        root.append(page.empty(page.text("No run here has dev predictions yet.")));
        return;
      }
      const reference = page.data.reference_characters;
      page.append(root, [
        page.table({
          caption: reference ? page.text("Dev predictions, runs: {count}. References have a median of {length} characters, which is the mark in the bars of the length.", {count: page.number(rows.length), length: page.number(reference)})
            : page.text("Dev predictions, runs: {count}", {count: page.number(rows.length)}),
          columns: columns(rows), rows, sort: params.get("sort") || "-score", onSort: (sort, id) => { page.change({sort}, true); page.redraw(id); }, key: (row) => row.id,
        }),
        page.element("dl", {class: "meanings card"}, measures().map((one) => [page.element("dt", {}, one.title), page.element("dd", {}, one.unit)])),
      ]);
    },
  });
})();
