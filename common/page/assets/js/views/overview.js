// One run on one page: scores, how it ran, and its settings. It is the first view of a report.
(() => {
  "use strict";

  const scores = (run) => {
    const splits = [["dev", run.dev], ["test", run.test]];
    const rows = splits.flatMap(([split, found]) => page.data.profiles.filter((one) => found[one.name]).map((profile) => ({split, profile, found: found[profile.name]})));
    const metrics = [...new Set(rows.flatMap((row) => Object.keys(row.found.metrics)))];
    return rows.length > 0 && page.table({caption: page.text("Scores in every metric"), columns: [
      {key: "metric", title: page.text("metric"), first: true, cell: ({split, profile}) => `${split} ${page.scaled(profile)}`},
      {key: "score", title: page.text("score"), number: true, cell: ({found, profile}) => page.element("strong", {}, page.score(found.score, profile.name))},
      {key: "interval", title: page.text("95 % interval"), number: true, cell: ({found, profile}) => page.interval(found, profile.name)},
      {key: "floor", title: page.text("floor"), number: true, cell: ({found, profile}) => page.score(found.floor, profile.name)},
      {key: "over", title: page.text("over floor"), number: true, cell: ({found, profile}) => page.overText(found, profile.name)},
      ...metrics.map((name) => ({key: name, title: name, number: true, cell: ({found}) => page.number(found.metrics[name], 4)})),
    ], rows});
  };

  const ran = (run) => page.element("dl", {class: "meanings card"}, [
    [page.text("experiment"), [run.experiment, ": ", page.both(run.title)]], [page.text("model"), page.both(run.model)],
    [page.text("time"), page.time(run.started)], [page.text("duration"), Object.entries(run.minutes).map(([stage, minutes]) => `${stage} ${page.minutes(minutes)}`).join(", ") || page.none],
    [page.text("hardware"), page.hardware(run.hardware) || page.none], run.money !== null && [page.text("API cost"), page.money(run.money)],
    [page.text("commit"), page.element("code", {}, page.commit(run))], run.note && [page.text("note"), run.note],
  ].filter(Boolean).map(([term, text]) => [page.element("dt", {}, term), page.element("dd", {}, typeof text === "string" ? page.foreign(text, 200) : text)]));

  const settings = (run) => {
    const rows = Object.entries(run.settings).sort(([a], [b]) => a.localeCompare(b)).map(([name, value]) => ({name, value, changed: name in run.changed}));
    return rows.length > 0 && page.table({caption: page.text("Settings; {count} of them differ from the experiment's own", {count: page.number(rows.filter((row) => row.changed).length)}), columns: [
      {key: "name", title: page.text("setting"), first: true, cell: (row) => page.element("code", {}, page.foreign(row.name, 80))},
      {key: "value", title: page.text("value"), cell: (row) => page.element("span", {class: row.changed ? "changed" : null}, page.foreign(page.value(row.value), 200))},
    ], rows: [...rows.filter((row) => row.changed), ...rows.filter((row) => !row.changed)]});
  };

  const used = () => page.data.submissions.length > 0 && page.table({caption: page.text("Submissions that contain this run"), columns: [
    {key: "name", title: page.text("submission"), first: true, cell: (made) => page.foreign(made.recipe, 60)},
    {key: "time", title: page.text("time"), cell: (made) => page.time(made.time)},
    {key: "method", title: page.text("method"), cell: (made) => page.methodText(made.method) || page.foreign(made.method, 40)},
    {key: "score", title: `dev ${page.profile(page.data.dev_profile).short}`, number: true, cell: (made) => page.score(made.dev[page.data.dev_profile]?.score, page.data.dev_profile)},
    {key: "public", title: page.text("public"), number: true, cell: (made) => page.score(made.public, page.data.site_profile)},
  ], rows: page.data.submissions});

  page.addView("overview", {
    title: () => page.text("Overview"),
    shown: () => Boolean(page.data.only),
    show: (root) => {
      const run = page.runNamed(page.data.only);
      if (!run) {
        root.append(page.empty(page.text("This page is not a report on one run.")));
        return;
      }
      page.append(root, [
        page.element("div", {}, page.element("h2", {}, page.foreign(run.name, 80), " ", page.tags({kind: "run", run: {...run, reasons: []}})), page.element("p", {class: "intro"}, page.both(run.title))),
        run.reasons.length > 0 && page.element("div", {class: "notice"}, page.element("ul", {}, run.reasons.map((reason) => page.element("li", {}, page.foreign(page.both(reason), 200))))),
        scores(run) || page.empty(page.text("This run has no score on dev yet.")),
        ran(run), used(), settings(run),
      ]);
    },
  });
})();
