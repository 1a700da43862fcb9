// All experiments and submissions in one table, below the facts that people look for first.
(() => {
  "use strict";

  const SETTINGS = 4;  // most columns for settings: the scores stay in sight, and the comparison of two runs has all of them

  const scoreCell = (found, profile) => found
    ? [page.element("span", {class: "name"}, page.score(found.score, profile)),
      found.low !== null && page.element("span", {class: "under"}, page.interval(found, profile))]
    : page.none;

  const title = (above, text) => [page.element("span", {class: "above"}, above), text];

  const columns = (rows, profile, chosen) => {
    const scores = rows.map((row) => row.dev[profile]).filter(Boolean);
    const ends = scores.flatMap((one) => [one.score, one.low, one.high, one.floor]).filter((value) => value !== null);
    const scale = [Math.min(...ends), Math.max(...ends)];
    const others = page.data.profiles.filter((one) => one.name !== profile && rows.some((row) => row.dev[one.name]));
    const some = (has) => rows.some((row) => has(row) !== null && has(row) !== undefined);
    const site = page.data.site_profile, siteName = page.profile(site).short;
    const score = (row, name = profile) => row.dev[name]?.score ?? null;
    return [
      {key: "name", title: page.text("name"), first: true, value: (row) => row.name, cell: (row) => name(row, chosen)},
      {key: "score", title: title("dev", page.profile(profile).short), number: true, value: (row) => score(row),
        cell: (row) => scoreCell(row.dev[profile], profile)},
      {key: "range", title: page.text("interval and floor"), kind: "narrow", cell: (row) => row.dev[profile] ? page.miniInterval(row.dev[profile], scale) : ""},
      {key: "over", title: page.text("over floor"), number: true, value: (row) => page.over(row.dev[profile]), cell: (row) => page.overText(row.dev[profile], profile)},
      ...page.modelColumn(chosen),
      ...settings(chosen),
      ...others.map((one) => ({key: one.name, title: title("dev", one.short), number: true, value: (row) => score(row, one.name),
        tip: page.text("Below the score: its 95 % interval, and the difference from the floor"),
        cell: (row) => [scoreCell(row.dev[one.name], one.name), row.dev[one.name] && page.element("span", {class: "under"}, page.overText(row.dev[one.name], one.name))]})),
      some((row) => row.test[site]) && {key: "test", title: title("test", siteName), number: true,
        value: (row) => row.test[site]?.score ?? null, cell: (row) => scoreCell(row.test[site], site)},
      ...[["public", page.text("public")], ["private", page.text("private")]].map(([board, text]) => some((row) => row.submission?.[board]) && {key: board, number: true,
        title: title(page.text("site"), text), value: (row) => row.submission?.[board] ?? null, cell: (row) => page.score(row.submission?.[board], site)}),
      some((row) => row.minutes) && {key: "minutes", title: page.text("duration, hardware"), value: (row) => row.minutes, cell: (row) => [
        page.minutes(row.minutes), row.run?.hardware && page.element("span", {class: "under"}, page.foreign(page.hardware(row.run.hardware), 80))]},
      some((row) => row.run?.money) && {key: "money", title: page.text("API cost"), number: true, value: (row) => row.run?.money ?? null, cell: (row) => page.money(row.run?.money)},
      {key: "time", title: page.text("time, commit"), value: (row) => row.time, kind: "nowrap", cell: (row) => [page.time(row.time),
        page.element("code", {class: "under", title: row.source.dirty ? page.text("with uncommitted changes") : null}, page.commit(row.source))]},
    ].filter(Boolean);
  };

  // The settings in which the chosen runs differ. Those come first that most of these runs have: else a row of "–" hides a real change.
  const differing = (chosen) => {
    const runs = chosen.map((id) => page.row(id).run).filter(Boolean);
    const owners = (name) => runs.filter((run) => name in run.settings).length;
    return runs.length > 1 ? page.differing(runs).sort((a, b) => owners(b) - owners(a)) : [];
  };

  // How many settings have no column, with a link to where they all are.
  const more = (chosen, profile) => {
    const count = differing(chosen).length - SETTINGS, runs = page.weakestFirst(chosen.map(page.row).filter((row) => row.run), profile);
    return count > 0 && [" · ", page.element("a", {id: "more-settings", href: page.link("compare", {a: runs[0].id, b: runs.at(-1).id})},
      page.text("and {count} more settings differ: compare {a} with {b}", {count: page.number(count), a: page.isolated(page.short(runs[0].name)), b: page.isolated(page.short(runs.at(-1).name))}))];
  };

  // A column for each of the first settings that differ; rows that are not chosen show theirs, too.
  const settings = (chosen) => {
    const names = differing(chosen);
    return names.slice(0, SETTINGS).map((setting) => ({
      key: `setting-${setting}`, title: title(page.text("setting"), page.settingName(setting, names)), tip: setting, kind: "setting",
      value: (row) => { const value = row.run?.settings[setting]; return typeof value === "number" ? value : value === undefined ? null : page.value(value); },
      cell: (row) => row.run && setting in row.run.settings ? page.foreign(page.value(row.run.settings[setting]), 40) : page.none,
    }));
  };

  const name = (row, chosen) => {
    const id = `choose-${row.kind}-${row.id}`;
    const changed = row.run ? Object.entries(row.run.changed).map(([key, value]) => page.isolated(`${key.split(".").pop()}=${page.value(page.rounded(value))}`)).join(", ") : "";
    return page.element("div", {class: "pick"},
      page.element("input", {type: "checkbox", id, checked: chosen.includes(row.id), "aria-label": page.text("select {name}", {name: page.short(row.name)}),
        onchange: (event) => choose(row, event.target.checked)}),
      page.element("div", {},
        page.element("span", {class: "name"}, page.foreign(row.name, 60)), " ", page.tags(row),
        page.element("span", {class: "under", title: row.submission && page.methodText(row.submission.method)}, page.foreign(row.about(), 120)),
        changed && page.element("span", {class: "under"}, page.foreign(changed, 120)),
        row.source.note && page.element("span", {class: "under note"}, page.foreign(row.source.note, 120))));
  };

  const choose = (row, on) => {
    const now = page.chosen(page.state().params).filter((id) => id !== row.id).map(page.row);
    page.change({runs: page.join((on ? [...now, row] : now).map(page.address))}, true);
    page.redraw(`choose-${row.kind}-${row.id}`);
  };

  const matching = (params) => {
    const wanted = (params.get("filter") || "").toLowerCase().split(/\s+/).filter(Boolean);
    const kind = params.get("kind") || "", chosen = page.chosen(params), only = params.get("only") && chosen.length;
    return page.rows().filter((row) => (!kind || row.kind === kind) && (!only || chosen.includes(row.id)) && wanted.every((word) => row.text.includes(word)));
  };

  // What can be done with the selected rows; `why` says what is left out, or why it cannot be done.
  const uses = (chosen, profile) => {
    const rows = page.weakestFirst(chosen.map(page.row), profile), none = page.text("Select rows in the table first");
    const names = (some) => some.map((row) => page.isolated(page.short(row.name))).join(", ");
    const drawn = rows.filter((row) => row.run && page.data.curves.some((curve) => curve.run === row.name)), without = rows.filter((row) => !drawn.includes(row));
    const written = rows.filter((row) => page.examples.has([page.textsOf(row)])), unwritten = rows.filter((row) => !written.includes(row));
    const blends = rows.filter((row) => !row.run);
    return {rows, offers: [
      {id: "curves", text: page.text("Curves of selected runs"), why: !rows.length ? none : without.length > 0 && page.text("no training curve of {names}", {names: names(without)}),
        go: drawn.length > 0 && (() => page.go("curves", {runs: page.join(drawn.map((row) => row.name))}))},
      {id: "examples", text: page.text("Examples of selected rows"), why: !rows.length ? none : unwritten.length > 0 && page.text("no texts of {names} on this page", {names: names(unwritten)}),
        go: written.length > 0 && (() => page.go("examples", {runs: page.join([...new Set(rows.map(page.textsOf))]), metric: profile}))},
      {id: "compare", text: page.text("Compare two runs"), why: !rows.length ? page.text("Select two runs in the table to compare them")
        : blends.length > 0 ? page.text("a submission has no settings to compare: {names}", {names: names(blends)}) : rows.length !== 2 && page.text("select exactly two runs"),
        go: rows.length === 2 && !blends.length && (() => page.go("compare", {a: rows[0].id, b: rows[1].id}))},
    ]};
  };

  const tools = (params, profile, chosen, refresh) => {
    const {rows, offers} = uses(chosen, profile);
    return [page.element("div", {class: "tools"},
      page.field(page.text("Filter"), page.element("input", {type: "search", id: "filter", value: params.get("filter") || "", placeholder: page.text("name, model, setting, commit …"),
        oninput: (event) => { page.change({filter: event.target.value}, true); refresh(); }})),
      page.select("kind", page.text("Show"), [["", page.text("runs and submissions")], ["run", page.text("runs")], ["submission", page.text("submissions")]], params.get("kind") || "",
        (kind) => page.change({kind})),
      page.select("profile", page.text("Metric"), page.metricOptions(), profile, (value) => page.change({profile: value})),
      page.element("div", {class: "end"},
        chosen.length > 0 && page.element("button", {type: "button", id: "only", class: "quiet", "aria-pressed": String(Boolean(params.get("only"))),
          onclick: () => page.change({only: params.get("only") ? "" : "1"})}, params.get("only") ? page.text("All rows") : page.text("Only selected rows")),
        chosen.length > 0 && page.element("button", {type: "button", id: "clear", class: "quiet", onclick: () => page.change({runs: "", only: ""})}, page.text("Clear")),
        offers.map(({id, text, why, go}) => page.element("button", {type: "button", id, class: id === "compare" ? "strong" : null, disabled: !go, title: why || null, onclick: go || null}, text)))),
    rows.length > 0 && offers.some((offer) => offer.why) && page.element("ul", {class: "small soft plain", id: "why-not"},
      offers.filter((offer) => offer.why).map(({text, why}) => page.element("li", {}, `${text}: `, page.foreign(why, 200))))];
  };

  const table = (params, profile, chosen) => {
    const shown = matching(params), all = page.rows();
    return page.table({
      caption: [page.text("{shown} of {all} rows", {shown: page.number(shown.length), all: page.number(all.length)}), more(chosen, profile), " · ", floors(), " · ", page.scales()],
      label: page.text("Runs and submissions"), columns: columns(all, profile, chosen), rows: shown, sort: params.get("sort") || "-score",
      onSort: (sort, id) => { page.change({sort}, true); page.redraw(id); }, key: (row) => row.id, selected: (row) => chosen.includes(row.id),
    });
  };

  // The floor of every metric; two where runs were measured on different releases of dev.
  const floors = () => {
    const known = page.data.profiles.map(({name, short}) => {
      const values = page.rows().map((row) => row.dev[name]?.floor).filter((floor) => floor !== null && floor !== undefined);
      return values.length ? `${short} ${[...new Set(values.map((floor) => page.score(floor, name)))].join(" / ")}` : "";
    }).filter(Boolean);
    return known.length ? page.text("floor, the best score without a model: {floor}", {floor: known.join(", ")}) : page.text("no floor is known");
  };

  page.addView("runs", {
    title: () => page.text("Runs"),
    shown: () => !page.data.only,
    show: (root, params) => {
      if (!page.rows().length) {
        root.append(page.empty(page.text("No run yet. Make one with: {command}", {command: "make exp=exp002 train"})));
        return;
      }
      const profile = page.data.profiles.some((one) => one.name === params.get("profile")) ? params.get("profile") : page.data.dev_profile;
      const chosen = page.chosen(params);
      const place = page.element("div", {id: "runs-table"});
      const refresh = () => page.append(page.clear(place), [table(page.state().params, profile, chosen)]);
      page.append(root, [page.heading(page.text("Runs"), page.text("Every experiment and submission. Select rows to see the settings in which they differ.")),
        page.facts(profile), page.unknownNotice(params), tools(params, profile, chosen, refresh), place]);
      refresh();
    },
  });
})();
