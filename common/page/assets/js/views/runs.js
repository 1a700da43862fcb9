// All experiments and submissions in one table.
(() => {
  "use strict";

  const rowOfRun = (run) => ({
    kind: "run", id: run.name, name: run.name, about: page.both(run.title), time: run.started, dev: run.dev, test: run.test,
    minutes: Object.keys(run.minutes).length ? page.sum(Object.values(run.minutes)) : null, run,
    text: [run.name, run.title.en, run.title.ko, run.model.en, run.model.ko, run.status, run.note, run.hardware, run.commit].join(" "),
  });

  const rowOfSubmission = (made) => ({
    kind: "submission", id: made.id, name: made.recipe, about: `${made.method}: ${made.members.join(", ")}`, time: made.time,
    dev: made.dev, test: made.test, minutes: null, submission: made,
    text: [made.id, made.recipe, made.method, made.members.join(" "), made.note, made.commit].join(" "),
  });

  page.rows = () => [...page.data.runs.map(rowOfRun), ...page.data.submissions.map(rowOfSubmission)];

  const columns = (rows, profile, chosen) => {
    const scores = rows.map((row) => row.dev[profile]).filter(Boolean);
    const ends = scores.flatMap((one) => [one.score, one.low, one.high, one.floor]).filter((value) => value !== null);
    const scale = [Math.min(...ends), Math.max(...ends)];
    const others = page.data.profiles.filter((one) => one.name !== profile && rows.some((row) => row.dev[one.name]));
    const some = (has) => rows.some(has);
    return [
      {key: "name", title: page.text("name"), first: true, value: (row) => row.name, cell: (row) => name(row, chosen)},
      {key: "score", title: `dev ${page.profile(profile).short}`, number: true, value: (row) => row.dev[profile]?.score ?? null,
        cell: (row) => scoreCell(row.dev[profile], profile)},
      {key: "range", title: page.text("95 % interval"), cell: (row) => row.dev[profile] ? page.miniInterval(row.dev[profile], scale) : ""},
      {key: "over", title: page.text("over floor"), number: true, value: (row) => page.over(row.dev[profile]), cell: (row) => overCell(row.dev[profile], profile)},
      ...others.map((one) => ({key: one.name, title: `dev ${one.short}`, number: true, value: (row) => row.dev[one.name]?.score ?? null,
        cell: (row) => [scoreCell(row.dev[one.name], one.name), page.element("span", {class: "under"}, overCell(row.dev[one.name], one.name))]})),
      some((row) => row.test[page.data.site_profile]) && {key: "test", title: `test ${page.profile(page.data.site_profile).short}`, number: true,
        value: (row) => row.test[page.data.site_profile]?.score ?? null, cell: (row) => page.score(row.test[page.data.site_profile]?.score, page.data.site_profile)},
      ...["public", "private"].map((board) => some((row) => row.submission?.[board] != null) && {key: board, number: true,
        title: board === "public" ? page.text("public") : page.text("private"), value: (row) => row.submission?.[board] ?? null,
        cell: (row) => page.score(row.submission?.[board], page.data.site_profile)}),
      {key: "time", title: page.text("time"), value: (row) => row.time, kind: "nowrap", cell: (row) => page.time(row.time)},
      some((row) => row.minutes !== null) && {key: "minutes", title: page.text("duration"), number: true, value: (row) => row.minutes, cell: (row) => page.minutes(row.minutes)},
      some((row) => row.run?.money != null) && {key: "money", title: page.text("cost"), number: true, value: (row) => row.run?.money ?? null, cell: (row) => page.money(row.run?.money)},
      some((row) => row.run?.hardware) && {key: "hardware", title: page.text("hardware"), value: (row) => row.run?.hardware, cell: (row) => page.foreign(row.run?.hardware || page.none)},
      {key: "commit", title: page.text("commit"), value: (row) => (row.run || row.submission).commit, cell: (row) => page.element("code", {}, page.commit(row.run || row.submission))},
    ].filter(Boolean);
  };

  const scoreCell = (found, profile) => found
    ? [page.element("span", {class: "name"}, page.score(found.score, profile)),
      found.low === null ? null : page.element("span", {class: "under"}, page.interval(found, profile))]
    : page.none;

  const overCell = (found, profile) => {
    const over = page.over(found);
    return over === null ? page.none
      : page.element("span", {class: over > 0 ? "good" : "bad"}, page.signed(over, page.profile(profile).digits));
  };

  const name = (row, chosen) => {
    const id = `choose-${row.kind}-${row.id}`;
    return page.element("div", {class: "pick"},
      page.element("input", {type: "checkbox", id, checked: chosen.includes(row.id), "aria-label": page.text("choose {name}", {name: row.name}),
        onchange: (event) => choose(row, event.target.checked)}),
      page.element("div", {},
        page.element("span", {class: "name"}, page.foreign(row.name, 60)), " ", tags(row),
        page.element("span", {class: "under"}, page.foreign(row.about, 120))));
  };

  const tags = (row) => {
    const status = row.run?.status;
    return [
      row.kind === "submission" && page.element("span", {class: "tag accent"}, page.text("submission")),
      status && !["trained", "result"].includes(status) && page.element("span", {class: `tag ${["broken", "failed"].includes(status) ? "bad" : "warn"}`}, page.status(status)),
    ];
  };

  page.status = (status) => ({
    trained: page.text("trained"), imported: page.text("imported"), stale: page.text("stale"), running: page.text("running"),
    interrupted: page.text("interrupted"), failed: page.text("failed"), archived: page.text("archived"), broken: page.text("broken"),
    result: page.text("only the result"),
  })[status] || status;

  const choose = (row, on) => {
    const now = page.list(page.state().params, "runs").filter((id) => id !== row.id);
    page.change({runs: (on ? [...now, row.id] : now).join(",")}, true);
    page.redraw();
    document.getElementById(`choose-${row.kind}-${row.id}`)?.focus();
  };

  page.addView("runs", {
    title: () => page.text("Runs"),
    show: (root, params) => {
      const rows = page.rows();
      if (!rows.length) {
        root.append(page.element("div", {class: "card empty"}, page.text("No run yet. Make one with: {command}", {command: "make exp=exp002 train"})));
        return;
      }
      const profile = params.get("profile") || page.data.dev_profile;
      const wanted = (params.get("filter") || "").toLowerCase().split(/\s+/).filter(Boolean);
      const kind = params.get("kind") || "";
      const shown = rows.filter((row) => (!kind || row.kind === kind) && wanted.every((word) => row.text.toLowerCase().includes(word)));
      const chosen = page.list(params, "runs");
      page.append(root, [
        page.table({
          caption: page.text("{shown} of {all} rows", {shown: page.number(shown.length), all: page.number(rows.length)}),
          label: page.text("Runs and submissions"), columns: columns(rows, profile, chosen), rows: shown,
          sort: params.get("sort") || "-score", onSort: (sort) => page.change({sort}), key: (row) => row.id,
          selected: (row) => chosen.includes(row.id),
        }),
      ]);
    },
  });
})();
