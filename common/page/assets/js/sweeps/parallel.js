// Parallel coordinates: one axis for each setting and one for the metric, one line for each trial.
(() => {
  "use strict";

  // How a setting's values stand on an axis from 0 to 1, and the values that are written beside it.
  const axisOf = (sweep, trials, name) => {
    const values = trials.map((trial) => trial.settings[name]);
    if (!page.sweeps.isNumeric(trials, name)) {
      const texts = [...new Set(values.map(page.sweeps.value))].sort(new Intl.Collator(page.language, {numeric: true}).compare);
      const at = (text) => texts.length > 1 ? texts.indexOf(text) / (texts.length - 1) : 0.5;
      return {name, label: sweep.short[name], at: (trial) => at(page.sweeps.value(trial.settings[name])), marks: texts.map((text) => [at(text), text])};
    }
    return {name, label: sweep.short[name], ...scaled(values, (trial) => trial.settings[name], page.sweeps.value)};
  };

  const scaled = (values, read, text) => {
    const [low, high] = d3.extent(values), scale = (page.sweeps.isLog(values) ? d3.scaleLog() : d3.scaleLinear()).domain([low, high]);
    if (low === high) return {at: () => 0.5, marks: [[0.5, text(low)]]};
    return {at: (trial) => scale(read(trial)), marks: [[0, text(low)], [1, text(high)]]};
  };

  // The better a trial, the more of the accent colour its line has.
  const strength = (sweep, trials) => {
    const [low, high] = d3.extent(trials, (trial) => trial.value);
    return (trial) => high === low ? 1 : sweep.goal === "maximize" ? (trial.value - low) / (high - low) : (high - trial.value) / (high - low);
  };

  page.sweeps.parallel = (sweep) => {
    const trials = page.sweeps.valued(sweep).filter((trial) => sweep.searched.every((name) => trial.settings[name] !== undefined));
    if (trials.length < 2 || !sweep.searched.length) return null;
    const axes = [...sweep.searched.map((name) => axisOf(sweep, trials, name)),
      {name: "", label: sweep.metric, ...scaled(trials.map((trial) => trial.value), (trial) => trial.value, page.sweeps.metric)}];
    const names = axes.map((axis, index) => `${index}`), share = strength(sweep, trials);
    const points = [...trials].sort((a, b) => share(a) - share(b)).flatMap((trial) => axes.map((axis, index) => ({trial, axis: names[index], at: axis.at(trial)})));
    const marks = axes.flatMap((axis, index) => axis.marks.map(([at, text]) => ({axis: names[index], at, text})));
    const colour = ({trial}) => `color-mix(in oklab, var(--accent) ${Math.round(15 + 85 * share(trial))}%, var(--strong-line))`;
    const narrow = window.innerWidth < 640;  // the names of the axes stand at an angle there
    return page.chart({
      title: page.text("All settings at once"),
      about: page.text("One line for each trial; the stronger the colour, the better the trial. Dashed: stopped early. Thick: the best one."),
      plot: {
        height: narrow ? 420 : 360, marginLeft: narrow ? 24 : 60, marginRight: 60, marginTop: narrow ? 96 : 36, marginBottom: 24, y: {axis: null, domain: [-0.06, 1.06]},
        x: {type: "point", domain: names, label: null, axis: "top", tickSize: 0, tickRotate: narrow ? -40 : 0, tickFormat: (name) => page.short(axes[Number(name)].label, narrow ? 16 : Math.max(8, Math.floor(110 / axes.length)))},
        marks: [
          Plot.ruleX(names, {stroke: "var(--strong-line)"}),
          ...[["pruned", "4 3"], ["", null]].map(([state, dash]) => Plot.line(points.filter((point) => (point.trial.state === "pruned") === (state === "pruned")),
            {x: "axis", y: "at", z: (point) => point.trial.number, stroke: colour, strokeWidth: 1.5, strokeOpacity: 0.85, strokeDasharray: dash})),
          Plot.line(points.filter((point) => point.trial.number === sweep.best), {x: "axis", y: "at", stroke: "var(--accent)", strokeWidth: 4}),
          Plot.text(marks, {x: "axis", y: "at", text: "text", dx: 6, textAnchor: "start", fill: "var(--ink)", stroke: "var(--paper)", strokeWidth: 4}),
          Plot.tip(points, Plot.pointer({x: "axis", y: "at", fill: "var(--paper)", title: ({trial}) => page.sweeps.tip(sweep, trial)})),
        ],
      },
    });
  };
})();
