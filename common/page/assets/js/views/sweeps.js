// Searches for the best settings of an experiment: how far they are, which settings matter, and how much the best trial flatters itself.
(() => {
  "use strict";

  const count = (sweep, ...states) => sweep.trials.filter((trial) => states.includes(trial.state)).length;

  const bestOf = (sweep) => sweep.trials.find((trial) => trial.number === sweep.best);

  const facts = (sweep) => {
    const best = bestOf(sweep), digits = page.profile(page.data.dev_profile).digits, found = sweep.flattery;
    const scored = count(sweep, "complete", "pruned"), running = count(sweep, "running"), failed = count(sweep, "failed");
    return page.element("div", {class: "cards"},
      page.fact(page.text("Scored trials"), sweep.count ? page.text("{scored} of {count}", {scored: page.number(scored), count: page.number(sweep.count)}) : page.number(scored),
        page.text("{pruned} stopped early, {running} running, {failed} failed", {pruned: page.number(count(sweep, "pruned")), running: page.number(running), failed: page.number(failed)}),
        running > 0 && page.text("written at {time}; write the page again to see more", {time: page.time(sweep.made)})),
      best && page.fact(page.text("Best {metric} during training", {metric: sweep.metric}), page.sweeps.metric(best.value), [page.text("trial {number}", {number: best.number}), ": ", runLink(best)],
        best.score !== null && page.text("on all of dev: {score}", {score: page.number(best.score, digits)}),
        best.interval && page.text("95 % interval {low} … {high}", {low: page.number(best.interval[0], digits), high: page.number(best.interval[1], digits)})),
      page.fact(page.text("How much the best flatters itself"), found ? page.signed(found.difference, digits) : page.text("Not known yet"),
        found && page.text("95 % interval {low} … {high}", {low: page.signed(found.low, digits), high: page.signed(found.high, digits)}),
        found ? page.text("The best of {count} trials was chosen by {seen} dev rows. On these it leads {others} other trials by so much more than on the {unseen} dev rows that no trial was scored on: trust its score on the unseen rows.",
          {count: page.number(scored), seen: page.number(found.seen_rows), others: page.number(found.others), unseen: page.number(found.unseen_rows)})
          : page.text("Measure it with: {command}", {command: `make exp=${sweep.experiment} sweep-report`})));
  };

  const runLink = (trial) => page.runNamed(trial.run) ? page.element("a", {href: page.link("runs", {runs: page.join([trial.run]), only: 1})}, page.foreign(trial.run, 60)) : page.foreign(trial.run, 60);

  const winner = (sweep) => {
    const best = bestOf(sweep);
    if (!best || !sweep.recipe) return null;
    const rows = Object.entries(sweep.recipe).map(([name, before]) => ({name, before, now: best.settings[name]}));
    if (!rows.length) return page.element("p", {class: "card"}, page.text("The best trial has the settings of the recipe."));
    return [page.table({
      caption: page.text("What the best trial changes in the recipe of {experiment}", {experiment: sweep.experiment}), columns: [
        {key: "setting", title: page.text("setting"), first: true, cell: (row) => page.element("code", {}, page.foreign(row.name, 80))},
        {key: "before", title: page.text("recipe"), cell: (row) => page.foreign(page.sweeps.value(row.before), 60)},
        {key: "now", title: page.text("trial {number}", {number: best.number}), cell: (row) => page.element("span", {class: "changed"}, page.foreign(page.sweeps.value(row.now), 60))},
      ], rows}),
    best.state === "complete" && page.element("p", {class: "small soft"}, page.text("Make it an experiment with: {command}", {command: `make new exp=expNNN from-trial=${best.run}`}))];
  };

  const table = (sweep, params) => {
    const decoded = sweep.trials.some((trial) => trial.score !== null), digits = page.profile(page.data.dev_profile).digits;
    const number = (key, title, read, text) => ({key, title, number: true, value: read, cell: (trial) => text(read(trial))});
    const score = (value) => page.number(value, digits);
    const hosts = new Set(sweep.trials.map((trial) => trial.host).filter(Boolean)).size > 1;
    return page.table({
      caption: page.text("{count} trials; the best one is highlighted", {count: page.number(sweep.trials.length)}), sort: params.get("sort") || (sweep.goal === "maximize" ? "-value" : "value"),
      onSort: (sort, id) => { page.change({sort}, true); page.redraw(id); }, key: (trial) => trial.number, selected: (trial) => trial.number === sweep.best, rows: sweep.trials,
      columns: [
        {key: "trial", title: page.text("trial"), first: true, value: (trial) => trial.number, cell: (trial) => [page.element("span", {class: "name"}, page.number(trial.number)), page.element("span", {class: "under"}, runLink(trial))]},
        {key: "state", title: page.text("state"), kind: "nowrap", value: (trial) => trial.state, cell: (trial) => state(trial)},
        number("value", sweep.metric, (trial) => trial.value, page.sweeps.metric),
        decoded && number("score", page.text("all of dev"), (trial) => trial.score, score),
        decoded && {key: "interval", title: page.text("95 % interval"), kind: "nowrap", cell: ({interval}) => interval ? `${score(interval[0])} … ${score(interval[1])}` : page.none},
        decoded && number("seen", page.text("seen rows"), (trial) => trial.seen, score),
        decoded && number("unseen", page.text("unseen rows"), (trial) => trial.unseen, score),
        number("minutes", page.text("duration"), (trial) => trial.minutes, page.minutes),
        ...sweep.searched.map((name) => ({key: name, title: sweep.short[name], tip: name, number: page.sweeps.isNumeric(sweep.trials, name), value: (trial) => trial.settings[name],
          cell: (trial) => trial.settings[name] === undefined ? page.none : page.foreign(page.sweeps.value(trial.settings[name]), 40)})),
        hosts && {key: "host", title: page.text("machine"), value: (trial) => trial.host, cell: (trial) => page.foreign(trial.host, 40)},
      ].filter(Boolean),
    });
  };

  const state = (trial) => [
    page.element("span", {class: `tag ${{failed: "bad", pruned: "warn", running: "accent", complete: "good"}[trial.state] || ""}`, title: trial.reason ? page.short(trial.reason, 300) : null}, page.sweeps.stateText(trial.state)),
    trial.pruned_at !== null && page.element("span", {class: "under"}, page.text("after evaluation {number}", {number: page.number(trial.pruned_at)})),
    trial.reason && page.element("span", {class: "under"}, page.foreign(trial.reason, 80)),
  ];

  page.addView("sweeps", {
    title: () => page.text("Sweeps"),
    shown: () => page.data.sweeps.length > 0,
    show: (root, params) => {
      const all = page.data.sweeps, sweep = all.find((one) => one.folder === params.get("sweep")) || all[0];
      root.append(page.heading(page.text("Sweeps"), page.text("Searches for the best settings of an experiment by trials, while they run and after.")));
      if (!sweep) {
        root.append(page.empty(page.text("No sweep yet. Begin one with: {command}", {command: "make exp=exp002 sweep count=20"})));
        return;
      }
      page.append(root, [
        all.length > 1 && page.element("div", {class: "tools"}, page.select("sweep", page.text("Sweep"), all.map((one) => [one.folder, page.short(one.folder)]), sweep.folder, (folder) => page.change({sweep: folder, sort: ""}))),
        sweep.mixed && page.element("p", {class: "notice"}, page.both(sweep.mixed)),
        page.element("h3", {}, page.foreign(sweep.folder, 60), page.element("span", {class: "soft small"}, " ", sweep.method, ", ", sweep.goal === "maximize" ? page.text("highest {metric}", {metric: sweep.metric}) : page.text("lowest {metric}", {metric: sweep.metric}))),
        facts(sweep), winner(sweep),
      ]);
      if (page.sweeps.valued(sweep).length) page.append(root, [
        page.element("div", {class: "pair"}, page.sweeps.progress(sweep), page.sweeps.evaluations(sweep), page.sweeps.importance(sweep)),
        page.sweeps.parallel(sweep), page.sweeps.slices(sweep)]);
      else root.append(page.empty(page.text("No trial has been evaluated yet.")));
      if (sweep.trials.length) root.append(table(sweep, params));
    },
  });
})();
