// Training curves of chosen runs on one axis, and whether training longer still helped.
(() => {
  "use strict";

  const MOST = 8;   // lines that can be told apart
  const FIRST = 3;  // runs that are shown when the address names none

  const curveOf = new Map(page.data.curves.map((curve) => [curve.run, curve]));

  // The runs to begin with: the best on dev, since the newest may be trials of a sweep that failed.
  const first = (all) => {
    const ranked = page.ranked(page.rows().filter((row) => row.run && curveOf.has(row.id)), page.data.dev_profile).map((row) => row.id);
    return [...new Set([...ranked, ...all])].slice(0, FIRST);
  };

  const scale = () => page.scaled(page.profile(page.data.dev_profile));

  const measureText = (name) => ({
    score: `dev ${scale()}`, rouge_sum: "dev rouge_sum (0–300)", loss: page.text("training loss"), train_loss: page.text("training loss, mean of an epoch"),
    gradient_norm: page.text("norm of the gradient"), learning_rate: page.text("learning rate"), distinct: page.text("share of different summaries"),
  })[name] || name;

  const measures = (runs) => {
    const names = [...new Set(runs.flatMap((run) => Object.keys(curveOf.get(run).series)))];
    const usual = ["score", "loss", "train_loss"];
    return [...usual.filter((name) => names.includes(name)), ...names.filter((name) => !usual.includes(name)).sort()];
  };

  const lastStep = (run) => Math.max(...Object.values(curveOf.get(run).series).map((points) => points.at(-1)[0]));

  const picker = (all, chosen) => page.element("fieldset", {class: "choices many"}, page.element("legend", {}, page.text("Runs (at most {count})", {count: MOST})),
    all.map((run) => page.element("label", {}, page.element("input", {type: "checkbox", id: `curve-${run}`, checked: chosen.includes(run), disabled: !chosen.includes(run) && chosen.length >= MOST,
      onchange: (event) => {
        const now = event.target.checked ? [...chosen, run] : chosen.filter((one) => one !== run);
        page.change({runs: page.join(now) || "none"}, true);
        page.redraw(`curve-${run}`);
      }}), page.foreign(run, 60))));

  const plot = (chosen, measure, relative) => {
    const colours = page.runColours(chosen);
    const points = chosen.flatMap((run) => (curveOf.get(run).series[measure] || []).map(([step, value]) =>
      ({run, index: colours.get(run), step, value, x: relative ? step / lastStep(run) : step})));
    const tops = measure === "score" ? chosen.map((run) => points.filter((point) => point.run === run)).filter((own) => own.length).map((own) => own.reduce((a, b) => (b.value > a.value ? b : a))) : [];
    return {
      x: relative ? {label: page.text("part of the training"), tickFormat: (x) => page.percent(x, 0)} : {label: page.text("step"), tickFormat: (x) => page.number(x)},
      y: {label: measureText(measure), grid: true, nice: true, type: measure === "learning_rate" || measure === "gradient_norm" ? "linear" : undefined},
      marks: [
        Plot.line(points, {x: "x", y: "value", z: "run", stroke: (d) => page.colour(d.index), strokeWidth: 1.75}),
        points.length < 60 * chosen.length && Plot.dot(points, {x: "x", y: "value", r: 2, fill: (d) => page.colour(d.index)}),
        Plot.dot(tops, {x: "x", y: "value", r: 5, fill: (d) => page.colour(d.index), stroke: "var(--paper)"}),
        Plot.tip(points, Plot.pointer({x: "x", y: "value", fill: "var(--paper)", title: (d) => [page.short(d.run), `${page.text("step")} ${page.number(d.step)}`, page.number(d.value, 4)].join("\n")})),
      ],
    };
  };

  const EVALUATED = ["score", "rouge_sum"];  // measures of summaries, decoded for some dev dialogues

  const chart = (chosen, measure, relative) => page.chart({
    title: EVALUATED.includes(measure) ? page.text("{measure} during the training", {measure: measureText(measure)}) : measureText(measure), legend: [...page.runColours(chosen)].sort((a, b) => chosen.indexOf(a[0]) - chosen.indexOf(b[0])).map(([label, colour]) => ({label, colour})),
    about: EVALUATED.includes(measure) && page.text("Each point is an evaluation during the training: greedy decoding, often of a part of dev. The final score comes from inference with the run's own decoding settings on all of dev, so the two can order runs differently; the table has both."),
    plot: plot(chosen, measure, relative),
  });

  const ends = (run) => {
    const score = curveOf.get(run).series.score || [], loss = curveOf.get(run).series.loss || curveOf.get(run).series.train_loss || [];
    const best = score.length ? score.reduce((a, b) => (b[1] > a[1] ? b : a)) : null, row = page.runNamed(run), all = row?.shares.rows ?? null;
    const rows = curveOf.get(run).rows, sampled = rows === null || all === null ? rows : Math.min(rows, all);
    return {run, best, last: score.at(-1) || null, loss: loss.at(-1) || null, steps: lastStep(run), count: score.length, later: best ? score.filter((point) => point[0] > best[0]).length : 0,
      final: row?.dev[page.data.dev_profile] || null, all, sampled};
  };

  const CLEAR = 3;  // evaluations after the best one from which they say something: fewer may all be chance

  // What the scores during training say about training longer.
  const advice = ({best, last, steps, later}) => {
    if (!best) return page.text("no score during training");
    if (!later) return page.text("best at the end: longer training may help");
    const values = {count: page.number(later), difference: page.signed(last[1] - best[1], page.profile(page.data.dev_profile).digits), part: page.percent(1 - best[0] / steps, 0)};
    return later < CLEAR ? page.text("not clear: too few evaluations after the best ({count}), the last {difference}", values)
      : page.text("no gain in the last {part} of the training (evaluations: {count})", values);
  };

  const dialogues = (rows, all) => rows === null ? null : all === null || rows === all ? page.text("on {rows} dialogues", {rows: page.number(rows)})
    : page.text("on {rows} of {all} dialogues", {rows: page.number(rows), all: page.number(all)});

  const table = (chosen, measure) => {
    const {digits} = page.profile(page.data.dev_profile), under = (text) => text && page.element("span", {class: "under"}, text);
    return page.table({
      caption: measure === "score" ? page.text("Did longer training help? Dev {metric} during the training; the large points in the chart are the best evaluations.", {metric: scale()})
        : page.text("Did longer training help? Dev {metric} during the training, not the measure of the chart.", {metric: scale()}),
      columns: [
        {key: "run", title: page.text("run"), first: true, cell: (row) => page.foreign(row.run, 60)},
        {key: "advice", title: page.text("longer training"), cell: advice},
        {key: "best", title: page.text("best score"), number: true, cell: ({best}) => best ? page.number(best[1], digits) : page.none},
        {key: "at", title: page.text("at step"), number: true, cell: ({best, steps}) => best ? page.text("{step} of {steps}", {step: page.number(best[0]), steps: page.number(steps)}) : page.none},
        {key: "last", title: page.text("last score"), number: true, cell: ({last}) => last ? page.number(last[1], digits) : page.none},
        {key: "evaluations", title: page.text("evaluations"), number: true, cell: ({count, sampled, all}) => [page.number(count), count > 0 && under(dialogues(sampled, all))]},
        {key: "final", title: page.text("final score"), number: true, cell: ({final, all}) => final ? [page.score(final.score, page.data.dev_profile), under(dialogues(all, all))] : page.none},
        {key: "loss", title: page.text("last loss"), number: true, cell: ({loss}) => loss ? page.number(loss[1], 3) : page.none},
      ],
      rows: chosen.map(ends),
    });
  };

  page.addView("curves", {
    title: () => page.text("Curves"),
    show: (root, params) => {
      root.append(page.heading(page.text("Training curves"), page.text("What the trainings recorded, on one axis. A best point long before the end means that training longer did not help.")));
      const all = page.data.curves.map((curve) => curve.run), named = page.list(params, "runs");
      const without = named.filter((run) => !curveOf.has(run) && page.runNamed(run));
      if (!all.length) {
        root.append(page.empty(page.text("No run here has recorded a training: metrics.jsonl is missing in every run folder.")));
        return;
      }
      const chosen = (params.get("runs") ? named.filter((run) => curveOf.has(run)) : first(all)).slice(0, MOST);
      const names = measures(all), measure = names.includes(params.get("measure")) ? params.get("measure") : names[0];
      const relative = params.get("x") === "part";
      page.append(root, [
        page.element("div", {class: "card stack"}, picker(all, chosen), page.element("div", {class: "tools"},
          page.select("measure", page.text("Measure"), names.map((name) => [name, measureText(name)]), measure, (value) => page.change({measure: value})),
          page.select("axis", page.text("Horizontal axis"), [["", page.text("steps")], ["part", page.text("part of the training")]], relative ? "part" : "", (x) => page.change({x})))),
        page.unknownNotice(params),
        without.length > 0 && page.element("p", {class: "notice"}, page.text("No training is recorded for: {runs}.", {runs: without.join(", ")})),
        chosen.length > 0
          ? [!chosen.some((run) => curveOf.get(run).series[measure]) ? page.empty(page.text("None of the selected runs has recorded this measure.")) : chart(chosen, measure, relative), table(chosen, measure)]
          : page.empty(page.text("Select at least one run.")),
      ]);
    },
  });
})();
