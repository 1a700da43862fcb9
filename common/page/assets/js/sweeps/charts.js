// Charts of one sweep: the best so far, the evaluations of each trial, what matters, and the metric against each setting.
(() => {
  "use strict";

  page.sweeps = {};

  const SCORED = ["complete", "pruned"];
  const COLOUR = {complete: 0, pruned: 1, running: 2, failed: 4, waiting: 7};

  page.sweeps.scored = (sweep) => sweep.trials.filter((trial) => SCORED.includes(trial.state) && trial.value !== null);

  // The trials with a value, those that still run included.
  page.sweeps.valued = (sweep) => sweep.trials.filter((trial) => trial.value !== null);

  page.sweeps.colour = (trial) => page.colour(COLOUR[trial.state]);

  page.sweeps.stateText = (state) => ({
    complete: page.text("complete"), pruned: page.text("stopped early"), failed: page.text("failed"), running: page.text("running"), waiting: page.text("waiting"),
  })[state] || state;

  page.sweeps.legend = (sweep) => ["complete", "pruned", "running"].filter((state) => sweep.trials.some((trial) => trial.state === state && trial.value !== null))
    .map((state) => ({label: page.sweeps.stateText(state), colour: COLOUR[state], symbol: state === "pruned" ? "diamond" : undefined}));

  page.sweeps.metric = (value) => page.number(value, value === null || Math.abs(value) >= 1 ? 2 : 4);

  page.sweeps.value = (value) => typeof value === "number" ? String(Number(value.toPrecision(4))) : page.short(page.value(value), 24);

  page.sweeps.tip = (sweep, trial) => [page.text("trial {number}", {number: trial.number}), `${sweep.metric} ${page.sweeps.metric(trial.value)} (${page.sweeps.stateText(trial.state)})`,
    ...sweep.searched.map((name) => `${sweep.short[name]} ${page.sweeps.value(trial.settings[name])}`)].join("\n");

  const dots = (sweep, trials, x) => [
    Plot.dot(trials, {x, y: "value", r: 4.5, fill: page.sweeps.colour, stroke: "var(--paper)", symbol: (trial) => trial.state === "pruned" ? "diamond" : "circle"}),
    Plot.dot(trials.filter((trial) => trial.number === sweep.best), {x, y: "value", r: 8, stroke: "var(--accent)", strokeWidth: 2}),
    Plot.tip(trials, Plot.pointer({x, y: "value", fill: "var(--paper)", title: (trial) => page.sweeps.tip(sweep, trial)})),
  ];

  const better = (sweep, a, b) => sweep.goal === "maximize" ? a > b : a < b;

  // The trials at which the best value rose, in the order of their numbers.
  page.sweeps.rises = (sweep) => page.sweeps.scored(sweep).reduce((rises, trial) =>
    !rises.length || better(sweep, trial.value, rises.at(-1).value) ? [...rises, trial] : rises, []);

  page.sweeps.progress = (sweep) => {
    const trials = page.sweeps.valued(sweep), rises = page.sweeps.rises(sweep);
    const line = [...rises.map(({number, value}) => ({number, value})), {number: Math.max(...trials.map((trial) => trial.number)), value: rises.at(-1)?.value}];
    return page.chart({
      title: page.text("Best so far over the trials"), about: page.text("Each point is a trial; the line is the best value until then."), legend: page.sweeps.legend(sweep), columns: 2,
      plot: {
        x: {label: page.text("trial"), tickFormat: (x) => Number.isInteger(x) ? page.number(x) : ""}, y: {label: sweep.metric, grid: true, nice: true},
        marks: [rises.length > 0 && Plot.line(line, {x: "number", y: "value", curve: "step-after", stroke: "var(--accent)", strokeWidth: 1.75}), ...dots(sweep, trials, "number")],
      },
      numbers: {caption: page.text("The trials that were the best so far"), columns: [
        {key: "trial", title: page.text("trial"), first: true, cell: (trial) => page.number(trial.number)},
        {key: "value", title: sweep.metric, number: true, cell: (trial) => page.sweeps.metric(trial.value)},
      ], rows: rises},
    });
  };

  page.sweeps.evaluations = (sweep) => {
    const points = sweep.trials.flatMap((trial) => trial.evaluations.map((value, index) => ({trial, place: index + 1, value})));
    if (!points.some((point) => point.place > 1)) return null;
    const ends = points.filter((point) => point.trial.state === "pruned" && point.place === point.trial.evaluations.length);
    return page.chart({
      title: page.text("The metric at each evaluation"), about: page.text("One line for each trial. A cross marks where a trial was stopped early."), columns: 2,
      plot: {
        x: {label: page.text("evaluation"), tickFormat: (x) => Number.isInteger(x) ? page.number(x) : ""}, y: {label: sweep.metric, grid: true, nice: true},
        marks: [
          Plot.line(points, {x: "place", y: "value", z: (point) => point.trial.number, stroke: (point) => point.trial.number === sweep.best ? "var(--accent)" : page.sweeps.colour(point.trial),
            strokeWidth: 1.5, strokeOpacity: 0.6}),
          Plot.line(points.filter((point) => point.trial.number === sweep.best), {x: "place", y: "value", stroke: "var(--accent)", strokeWidth: 3}),
          Plot.dot(ends, {x: "place", y: "value", symbol: "times", r: 5, stroke: "var(--c2)", strokeWidth: 2}),
          Plot.tip(points, Plot.pointer({x: "place", y: "value", fill: "var(--paper)", title: (point) => `${page.text("trial {number}", {number: point.trial.number})}\n${page.text("evaluation")} ${point.place}: ${page.sweeps.metric(point.value)}`})),
        ],
      },
    });
  };

  page.sweeps.importance = (sweep) => {
    const rows = Object.entries(sweep.importance).map(([name, share]) => ({name, share, text: sweep.short[name] || name}));
    if (!rows.length) return page.element("p", {class: "card soft"}, page.text("Which settings matter is not known yet: that needs 4 scored trials with different scores, and the end of the present call."));
    const {marginLeft, label} = page.leftNames(rows.map((row) => row.text));
    return page.chart({
      title: page.text("Which settings matter"), about: page.text("Share of the variance of {metric} that a setting explains (fANOVA). With few trials it is a rough estimate.", {metric: sweep.metric}), columns: 2,
      plot: {
        marginLeft, height: 90 + 34 * rows.length, x: {domain: [0, 1], label: page.text("share of the variance"), grid: true, tickFormat: (x) => page.percent(x, 0)},
        y: {domain: rows.map((row) => row.text), label: null, tickSize: 0, tickFormat: label},
        marks: [Plot.barX(rows, {x: "share", y: "text", fill: "var(--accent)", insetTop: 4, insetBottom: 4}),
          Plot.text(rows, {x: "share", y: "text", text: (row) => page.percent(row.share, 0), dx: (6), textAnchor: "start", fill: "var(--ink)"})],
      },
      numbers: {columns: [
        {key: "setting", title: page.text("setting"), first: true, cell: (row) => page.element("code", {}, page.foreign(row.name, 80))},
        {key: "share", title: page.text("share of the variance"), number: true, cell: (row) => page.percent(row.share, 1)},
      ], rows},
    });
  };

  // Whether a setting's values span so much that a logarithmic axis shows them better.
  page.sweeps.isLog = (values) => values.every((value) => value > 0) && Math.max(...values) / Math.min(...values) >= 20;

  page.sweeps.isNumeric = (trials, name) => trials.every((trial) => typeof trial.settings[name] === "number");

  const slice = (sweep, name) => {
    const trials = page.sweeps.valued(sweep).filter((trial) => trial.settings[name] !== undefined), numeric = page.sweeps.isNumeric(trials, name);
    const drawn = numeric ? trials : trials.map((trial) => ({...trial, place: page.sweeps.value(trial.settings[name])}));
    return page.chart({
      title: sweep.short[name], columns: 2,
      plot: {
        height: 240, y: {label: sweep.metric, grid: true, nice: true},
        x: numeric ? {type: page.sweeps.isLog(trials.map((trial) => trial.settings[name])) ? "log" : "linear", label: sweep.short[name], nice: true, ticks: 5, tickFormat: (x) => page.sweeps.value(x)}
          : {type: "point", label: sweep.short[name], padding: 0.5},
        marks: dots(sweep, drawn, numeric ? (trial) => trial.settings[name] : "place"),
      },
    });
  };

  page.sweeps.slices = (sweep) => [
    page.element("div", {}, page.element("h3", {}, page.text("The metric against each setting")), page.element("p", {class: "soft small"}, page.text("A circle around a point: the best trial. Where the points rise towards the end of a range, widen it."))),
    page.element("div", {class: "pair"}, sweep.searched.map((name) => slice(sweep, name))),
  ];
})();
