// The scores over time, the best so far, and the goals.
(() => {
  "use strict";

  const points = (profile) => page.rows().filter((row) => row.dev[profile] && row.time && !Number.isNaN(Date.parse(row.time)))
    .map((row) => ({row, time: new Date(row.time), score: row.dev[profile].score})).sort((a, b) => a.time - b.time);

  // The points at which the best score so far rose.
  const records = (found) => {
    let best = -Infinity;
    return found.filter((point) => point.score > best && ((best = point.score), true));
  };

  const plot = (found, records, profile, goals) => {
    const ends = d3.extent(found, (point) => point.time);
    // The line goes on a little, as the best score still stands.
    const last = new Date(+ends[1] + Math.max(60000, (ends[1] - ends[0]) * 0.04));
    const line = [...records, {time: last, score: records.at(-1).score}];
    const floor = found.map((point) => point.row.dev[profile].floor).find((value) => value !== null);
    return {
      x: {...page.timeAxis([...ends, last], window.innerWidth < 640 ? 3 : 8), label: null}, y: {label: `dev ${page.profile(profile).short}`, grid: true, nice: true},
      marks: [
        floor !== undefined && Plot.ruleY([floor], {stroke: "var(--strong-line)", strokeDasharray: "3 3"}),
        floor !== undefined && Plot.text([floor], {y: (d) => d, frameAnchor: "left", textAnchor: "start", dy: -7, text: () => page.text("floor"), fill: "var(--faint)"}),
        Plot.ruleY(goals, {stroke: "var(--good)", strokeOpacity: 0.6}),
        Plot.text(goals, {y: (d) => d, frameAnchor: "left", textAnchor: "start", dy: -7, text: (goal) => page.text("goal {goal}", {goal: page.number(goal)}), fill: "var(--good)"}),
        Plot.line(line, {x: "time", y: "score", curve: "step-after", stroke: "var(--accent)", strokeWidth: 2}),
        Plot.dot(found, {x: "time", y: "score", r: 4, fill: "var(--ink)", stroke: "var(--paper)",
          symbol: (d) => d.row.kind === "run" ? "circle" : "diamond"}),
        Plot.tip(found, Plot.pointer({x: "time", y: "score", fill: "var(--paper)", title: (d) => `${page.short(d.row.name)}\n${page.score(d.score, profile)}\n${page.time(d.row.time)}`})),
      ],
    };
  };

  const sentence = (records, profile, goals) => {
    const best = records.at(-1), next = goals.find((goal) => goal > best.score);
    return [page.text("Best so far: {score} by {run}, {time}.", {score: page.score(best.score, profile), run: page.short(best.row.name), time: page.time(best.row.time)}), " ",
      next === undefined ? goals.length > 0 && page.text("Every goal is reached.") : page.text("{difference} to go to the next goal, {goal}.", {
        difference: page.number(next - best.score, page.profile(profile).digits), goal: page.number(next)})];
  };

  page.addView("progress", {
    title: () => page.text("Progress"),
    shown: () => !page.data.only,
    show: (root, params) => {
      const usual = page.data.goals.length && points(page.data.goals_profile).length ? page.data.goals_profile : page.data.dev_profile;
      const profile = page.data.profiles.some((one) => one.name === params.get("profile")) ? params.get("profile") : usual;
      const found = points(profile), goals = profile === page.data.goals_profile ? page.data.goals : [];
      root.append(page.heading(page.text("Progress"), page.text("Every scored run and submission by the time it was made; the line is the best so far.")));
      if (!found.length) {
        root.append(page.empty(page.text("No run with a score on dev yet.")));
        return;
      }
      const rises = records(found);
      page.append(root, [
        page.element("div", {class: "tools"}, page.select("profile", page.text("Metric"), page.metricOptions(), profile, (value) => page.change({profile: value}))),
        page.chart({
          title: page.text("Dev {profile} over time", {profile: page.profile(profile).short}), about: sentence(rises, profile, goals),
          legend: [{label: page.text("runs"), shape: "circle"}, {label: page.text("submissions"), shape: "diamond"}], plot: plot(found, rises, profile, goals),
          numbers: {columns: [
            {key: "time", title: page.text("time"), cell: ({row}) => page.time(row.time)},
            {key: "name", title: page.text("name"), first: true, cell: ({row}) => page.foreign(row.name, 60)},
            {key: "score", title: page.text("score"), number: true, cell: (point) => page.score(point.score, profile)},
            {key: "reached", title: page.text("goals reached for the first time"), cell: (point) => goals.filter((goal) => rises.find((rise) => rise.score >= goal) === point).join(", ")},
          ], rows: rises, caption: page.text("The runs and submissions that were the best so far")},
        }),
      ]);
    },
  });
})();
