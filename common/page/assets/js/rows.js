// Runs and submissions as rows of one kind, and the settings in which runs differ.
(() => {
  "use strict";

  const REASONS = 3;  // shown of why a run is stale or failed; its report has more

  const rowOfRun = (run) => ({
    kind: "run", id: run.name, name: run.name, about: () => page.both(run.title), time: run.started, dev: run.dev, test: run.test,
    minutes: Object.keys(run.minutes).length ? page.sum(Object.values(run.minutes)) : null, run, source: run,
    text: [run.name, run.title.en, run.title.ko, run.model.en, run.model.ko, run.status, run.note, run.hardware, run.commit,
      Object.entries(run.changed).map(([name, value]) => `${name}=${page.value(value)}`).join(" ")].join(" ").toLowerCase(),
  });

  const rowOfSubmission = (made) => ({
    kind: "submission", id: made.id, name: made.recipe, about: () => `${page.isolated(made.method)}: ${made.members.map(page.isolated).join(", ")}`, time: made.time,
    dev: made.dev, test: made.test, minutes: null, submission: made, source: made,
    text: [made.id, made.recipe, made.method, made.members.join(" "), made.note, made.commit].join(" ").toLowerCase(),
  });

  const rows = [...page.data.runs.map(rowOfRun), ...page.data.submissions.map(rowOfSubmission)];
  const byId = new Map(rows.map((row) => [row.id, row]));

  const named = d3.rollup(rows, (same) => same.length, (row) => row.name);

  page.rows = () => rows;
  page.row = (id) => byId.get(id);

  // What an address calls a row: its name, or its id where the name is that of several rows.
  page.address = (row) => (named.get(row.name) === 1 ? row.name : row.id);

  const found = (name) => byId.get(name) || (named.get(name) === 1 && rows.find((row) => row.name === name)) || null;
  page.runNamed = (name) => page.data.runs.find((run) => run.name === name);

  // In descending order of the score.
  page.ranked = (candidates, profile) =>
    candidates.filter((row) => row.dev[profile]).sort((a, b) => b.dev[profile].score - a.dev[profile].score);

  // Ids of the rows that the address names, and the names that no row has.
  page.chosen = (params) => [...new Set(page.list(params, "runs").map(found).filter(Boolean).map((row) => row.id))];
  page.unknown = (params) => page.list(params, "runs").filter((name) => !found(name));
  page.unknownNotice = (params) => {
    const names = page.unknown(params).map(page.isolated).join(", ");
    return names !== "" && page.element("p", {class: "notice"}, page.foreign(page.text("No run or submission of this page has the name {names}.", {names}), 200));
  };

  // From the lowest score to the highest, rows without a score first: what is compared starts from the weaker one.
  page.weakestFirst = (candidates, profile) => {
    const ranked = page.ranked(candidates, profile);
    return [...candidates.filter((row) => !ranked.includes(row)), ...ranked.reverse()];
  };

  // The name under which the error browser has the texts of a row; a blend may have the name of a run.
  page.textsOf = (row) => (row.submission && page.runNamed(row.name) ? `${row.name} (blend)` : row.name);

  // Places of colours: the same for a run in every chart, and another one for each of the best eight. Of chosen names that would
  // have the same colour, later ones take free colours.
  let places = null;
  page.runColours = (names) => {
    places = places || new Map([...new Set([...page.ranked(rows.filter((row) => row.run), page.data.dev_profile), ...rows.filter((row) => row.run)].map((row) => row.name)
      .concat(page.data.blends.flatMap((blend) => (blend.members || []).map((member) => member.name))))].map((name, place) => [name, place]));
    const taken = new Set(), found = new Map();
    for (const name of [...names].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0))) {
      const own = (places.get(name) ?? 0) % page.COLOURS, free = d3.range(page.COLOURS).find((one) => !taken.has(one));
      found.set(name, taken.has(own) && free !== undefined ? free : own);
      taken.add(found.get(name));
    }
    return found;
  };

  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

  // Names of the settings that are not the same in all of these runs, sorted.
  page.differing = (runs) => {
    const names = [...new Set(runs.flatMap((run) => Object.keys(run.settings)))].sort();
    return names.filter((name) => runs.some((run) => !same(run.settings[name], runs[0].settings[name])));
  };

  // A column for the model where the chosen runs have different ones, which no setting says.
  page.modelColumn = (chosen) => {
    const models = chosen.map((id) => byId.get(id).run).filter(Boolean).map((run) => page.both(run.model));
    return new Set(models).size < 2 ? [] : [{key: "model", title: page.text("model"), value: (row) => row.run ? page.both(row.run.model) : null,
      cell: (row) => row.run ? page.foreign(page.both(row.run.model), 60) : page.none}];
  };

  // A setting's name, shortened to its last part where that names no other setting of these.
  page.settingName = (name, names) => {
    const last = name.split(".").pop();
    return names.filter((other) => other.split(".").pop() === last).length > 1 ? name : last;
  };

  page.statusText = (status) => ({
    trained: page.text("trained"), imported: page.text("imported"), stale: page.text("stale"), running: page.text("running"),
    interrupted: page.text("interrupted"), failed: page.text("failed"), archived: page.text("archived"), broken: page.text("broken"),
    result: page.text("only the result"),
  })[status] || status;

  // A tag that opens to say why, for a finger and the keyboard as for a mouse.
  const explained = (kind, text, reasons) => reasons.length > 0
    ? page.element("details", {class: "why"}, page.element("summary", {class: `tag ${kind}`}, text),
      page.element("ul", {class: "under"}, reasons.slice(0, REASONS).map((reason) => page.element("li", {}, page.foreign(page.both(reason), 120)))))
    : page.element("span", {class: `tag ${kind}`}, text);

  // Small words beside a name: what kind of row it is, and what is wrong with it.
  page.tags = (row) => {
    const tag = (kind, text) => page.element("span", {class: `tag ${kind}`}, text);
    const status = row.run?.status, made = row.submission;
    return [
      made && tag("accent", page.text("submission")),
      made?.pick && tag("good", page.text("final pick")),
      made?.registered && tag("", page.text("made elsewhere")),
      made?.stale && tag("warn", page.text("stale members")),
      status && !["trained", "result"].includes(status) && explained(["broken", "failed"].includes(status) ? "bad" : "warn", page.statusText(status), row.run.reasons),
    ];
  };

  page.overText = (found, profile) => {
    const over = page.over(found);
    return over === null ? page.none
      : page.element("span", {class: over > 0 ? "good" : "bad"}, page.signed(over, page.profile(profile).digits));
  };

  // A difference with its interval, and in words what the interval says.
  page.verdict = (low, high) =>
    low > 0 ? page.text("better") : high < 0 ? page.text("worse") : low === 0 && high === 0 ? page.text("no difference") : page.text("may be chance");
})();
