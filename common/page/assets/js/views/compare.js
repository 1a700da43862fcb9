// Two runs side by side: which is better, and what was changed.
(() => {
  "use strict";

  const options = (rows) => rows.map((row) => [row.id, row.name]);

  // What a run is made of, before its settings: a change here says more than one of a setting.
  const origins = (run) => ({
    [page.text("experiment")]: `${run.experiment}: ${page.both(run.title)}`, [page.text("model")]: page.both(run.model), ...run.data,
  });

  // What a run was made on; it changes the score less often.
  const conditions = (run) => ({
    [page.text("commit")]: page.commit(run), [page.text("hardware")]: page.hardware(run.hardware),
    [page.text("duration")]: page.minutes(Object.keys(run.minutes).length ? page.sum(Object.values(run.minutes)) : null),
  });

  const pairs = (left, right) => {
    const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
    return names.map((name) => ({name, a: left[name], b: right[name], changed: JSON.stringify(left[name]) !== JSON.stringify(right[name])}));
  };

  const table = (caption, rows, a, b, absent) => page.table({
    caption, columns: [
      {key: "name", title: absent ? page.text("setting") : page.text("item"), first: true, cell: (row) => absent ? page.element("code", {}, page.foreign(row.name, 80)) : page.foreign(row.name, 80)},
      {key: "a", title: `A: ${a.name}`, cell: (row) => shown(row.a, row.changed, absent, a)},
      {key: "b", title: `B: ${b.name}`, cell: (row) => shown(row.b, row.changed, absent, b)},
    ], rows,
  });

  const shown = (value, changed, absent, run) => value === undefined
    ? page.element("span", {class: "faint"}, absent ? absent(run) : page.none)
    : page.element("span", {class: changed ? "changed" : null}, page.foreign(page.value(value), 200));

  // Why a run has no value for a setting.
  const absence = (run) => run.whole ? page.text("no such setting") : page.text("as in its experiment");

  const scores = (a, b) => {
    const profiles = page.data.profiles.filter((one) => a.dev[one.name] && b.dev[one.name]);
    const place = page.element("div", {});
    const draw = (found) => page.append(page.clear(place), [page.table({
      caption: found ? page.text("B − A on dev, with a 95 % interval by a paired bootstrap over the dialogues") : page.text("B − A on dev; an interval needs the predictions of both runs on this page"),
      columns: [
        {key: "profile", title: page.text("metric"), first: true, cell: (one) => page.scaled(one)},
        {key: "difference", title: [page.text("difference"), found && page.element("span", {class: "under"}, page.text("95 % interval"))], number: true, tip: page.text("Computed before rounding"),
          cell: (one) => [difference(a, b, one), found && found[one.name] && [" ", verdict(found[one.name]), page.element("span", {class: "under"}, interval(found[one.name], one))]]},
        {key: "a", title: `A: ${a.name}`, number: true, cell: (one) => page.score(a.dev[one.name].score, one.name)},
        {key: "b", title: `B: ${b.name}`, number: true, cell: (one) => page.score(b.dev[one.name].score, one.name)},
        found && {key: "dialogues", title: page.text("dialogues won, lost, equal"), number: true, cell: (one) => found[one.name] ? [found[one.name].won, found[one.name].lost, found[one.name].same].map((n) => page.number(n)).join(" · ") : page.none},
      ].filter(Boolean), rows: profiles,
    })]);
    draw(null);
    if (page.hasPairs(a.name, b.name)) page.differences(a.name, b.name).then(draw);
    return place;
  };

  const difference = (a, b, {name, digits}) => {
    const value = b.dev[name].score - a.dev[name].score;
    return page.element("strong", {class: value > 0 ? "good" : value < 0 ? "bad" : null}, page.signed(value, digits));
  };

  const interval = ({low, high}, {digits}) => `${page.signed(low, digits)} … ${page.signed(high, digits)}`;

  const verdict = ({low, high}) => page.element("span", {class: `tag ${low > 0 ? "good" : high < 0 ? "bad" : "warn"}`}, page.verdict(low, high));

  const changed = (a, b, all) => {
    // Settings with another value first, then those that only one of the two runs has.
    const alone = (row) => Number(row.a === undefined || row.b === undefined);
    const settings = pairs(a.settings, b.settings).sort((x, y) => alone(x) - alone(y) || x.name.localeCompare(y.name)), differing = settings.filter((row) => row.changed);
    const only = differing.filter(alone).length, counts = {changed: page.number(differing.length - only), all: page.number(settings.length), only: page.number(only)};
    const differ = (found) => pairs(found(a), found(b)).filter((row) => row.changed);
    const made = differ(origins), around = differ(conditions);
    return [
      made.length > 0 && table(page.text("What the two runs are made of"), made, a, b),
      a.experiment !== b.experiment && page.element("p", {class: "notice"}, page.text("The runs come from two experiments, each with its own training code: the difference in score is not due to the settings below alone.")),
      (!a.whole || !b.whole) && page.element("p", {class: "notice"}, page.text("Of a run whose folder is not on this machine, only the settings are known that differ from its experiment.")),
      differing.length || all
        ? table(only ? page.text("Settings: {all}. With two values: {changed}. In only one of the two runs: {only}.", counts) : page.text("{changed} of {all} settings differ", counts), all ? settings : differing, a, b, absence)
        : page.element("p", {class: "card"}, page.text("All {all} settings are the same.", counts)),
      around.length > 0 && table(page.text("What else differs"), around, a, b),
    ];
  };

  page.addView("compare", {
    title: () => page.text("Compare"),
    shown: () => !page.data.only,
    show: (root, params) => {
      const rows = page.rows().filter((row) => row.run);
      root.append(page.heading(page.text("Compare two runs"), page.text("What was changed between A and B, and what it did to the score.")));
      if (rows.length < 2) {
        root.append(page.empty(page.text("A comparison needs two runs.")));
        return;
      }
      const ranked = page.ranked(rows, page.data.dev_profile), usual = [...ranked, ...rows.filter((row) => !ranked.includes(row))];
      const known = (side) => rows.find((row) => row.id === params.get(side));
      const b = known("b") || usual.find((row) => row !== known("a")), a = known("a") || usual.find((row) => row !== b);
      const unknown = [["a", a], ["b", b]].filter(([side]) => params.get(side) && !known(side));
      const all = Boolean(params.get("all"));
      page.append(root, [
        page.element("div", {class: "tools"},
          page.select("a", page.text("Run A, the starting point"), options(rows), a.id, (id) => page.change({a: id, b: b.id})),
          page.select("b", page.text("Run B, the changed one"), options(rows), b.id, (id) => page.change({b: id, a: a.id})),
          page.element("button", {type: "button", id: "swap", onclick: () => page.change({a: b.id, b: a.id})}, page.text("Swap")),
          page.element("div", {class: "end"},
            page.element("a", {class: "button", href: page.link("curves", {runs: page.join([a.id, b.id])})}, page.text("Their curves")),
            page.views.examples && page.element("a", {class: "button", href: page.link("examples", {runs: page.join([a.id, b.id])})}, page.text("Their summaries")))),
        unknown.map(([side, other]) => page.element("p", {class: "notice"}, page.foreign(
          page.text("There is no run {name} here; {other} is shown in its place.", {name: page.isolated(params.get(side)), other: page.short(other.name)}), 200))),
        a === b ? page.element("p", {class: "notice"}, page.text("A and B are the same run. Choose another one to compare it with.")) : scores(a.run, b.run),
        page.element("div", {class: "tools"}, page.element("button", {type: "button", id: "all", "aria-pressed": String(all), onclick: () => page.change({all: all ? "" : "1"})},
          all ? page.text("Show only the settings that differ") : page.text("Show all settings"))),
        changed(a.run, b.run, all),
      ]);
    },
  });
})();
