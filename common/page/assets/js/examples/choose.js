// Which examples are shown, and in which order: what the address says, applied to the rows.
(() => {
  "use strict";

  const {examples} = page;
  const TOP = 20;
  const NUMBERS = ["from", "to", "shortest", "longest", "speakers"];

  examples.TOP = TOP;
  examples.FILTERS = ["q", "topic", "tags", "cut", ...NUMBERS];
  // Selections that need two runs are offered only with two.
  examples.SELECTIONS = {all: 1, worst: 1, disagreed: 2, improved: 2, worsened: 2};

  // Returns everything that the address says, with what is usual where it says nothing or something unknown.
  examples.settings = (params) => {
    const known = examples.splits(), split = known.includes(params.get("split")) ? params.get("split") : known[0];
    const there = new Set(examples.runs(split));
    const named = [...new Set(page.list(params, "runs"))].filter((run) => there.has(run));
    const runs = named.length ? named : examples.usual(split);
    const selection = params.get("show") in examples.SELECTIONS ? params.get("show") : "all";
    const by = runs.includes(params.get("by")) ? params.get("by") : "";
    const filters = Object.fromEntries(examples.FILTERS.map((name) => [name, params.get(name) || ""]));
    for (const name of NUMBERS) filters[name] = filters[name].trim() === "" || Number.isNaN(Number(filters[name])) ? null : Number(filters[name]);
    return {
      split, runs, by, filters, metric: examples.metric(params.get("metric")),
      selection: examples.SELECTIONS[selection] > runs.length ? "all" : selection,
      sort: params.get("sort") || "", id: params.get("id"), marks: ["edits", "none"].includes(params.get("marks")) ? params.get("marks") : "words",
      against: runs.includes(params.get("against")) ? params.get("against") : "",
      unknown: page.list(params, "runs").filter((run) => !there.has(run)),
    };
  };

  const mean = (values) => values.reduce((total, value) => total + value, 0) / (values.length || 1);

  // Score of a row, in units: that of one run, or the mean of the shown runs.
  examples.judged = (row, settings, runs) => {
    const chosen = settings.by ? runs.filter((run) => run.name === settings.by) : runs;
    return mean(chosen.map((run) => run.scores[settings.metric.column][row.place]));
  };

  // How far the second run is above the first, in units.
  examples.gain = (row, settings, runs) =>
    runs.length < 2 ? null : runs[1].scores[settings.metric.column][row.place] - runs[0].scores[settings.metric.column][row.place];

  // 1 minus the mean ROUGE-1 between the predictions of every two shown runs, in [0, 1].
  examples.disagreement = (row, runs) => {
    const found = [];
    for (const [place, one] of runs.entries())
      for (const other of runs.slice(place + 1))
        found.push(page.overlap(one.predictions[row.place].pieces, other.predictions[row.place].pieces));
    return found.length ? 1 - mean(found) : null;
  };

  const holds = (row, settings, runs) => {
    const {q, topic, tags, cut, from, to, shortest, longest, speakers} = settings.filters;
    if (speakers !== null && row.speakers.length !== speakers) return false;
    if (shortest !== null && row.characters < shortest) return false;
    if (longest !== null && row.characters > longest) return false;
    if (topic && !row.topic.toLowerCase().includes(topic.toLowerCase())) return false;
    const flags = runs.reduce((all, run) => all | run.flags[row.place], 0);
    const {FLAGS} = examples, wrong = FLAGS.invented | FLAGS.missing | FLAGS.odd;
    if (tags && !(flags & (tags === "any" ? wrong : FLAGS[tags] || 0))) return false;
    if (cut && !(flags & FLAGS.cut)) return false;
    const value = examples.value(examples.judged(row, settings, runs), settings.metric);
    if (from !== null && value < from) return false;
    if (to !== null && value > to) return false;
    return !q || searched(row, runs).includes(q.normalize("NFC").toLowerCase());
  };

  const searched = (row, runs) =>
    [row.id, row.topic, row.dialogue, ...row.references.map((one) => one.text), ...runs.map((run) => run.predictions[row.place].text)]
      .join("\n").normalize("NFC").toLowerCase();

  // Returns {row, score, gain, disagreement} of the examples to list, in their order.
  examples.chosen = (rows, settings, runs) => {
    const kept = rows.filter((row) => holds(row, settings, runs)).map((row) => ({
      row, score: examples.judged(row, settings, runs), gain: examples.gain(row, settings, runs),
    }));
    const order = {
      worst: (a, b) => a.score - b.score,
      improved: (a, b) => b.gain - a.gain,
      worsened: (a, b) => a.gain - b.gain,
      disagreed: (a, b) => b.disagreement - a.disagreement,
    }[settings.selection];
    if (settings.selection === "disagreed") for (const one of kept) one.disagreement = examples.disagreement(one.row, runs);
    if (order) {
      const useful = {improved: (one) => one.gain > 0, worsened: (one) => one.gain < 0}[settings.selection] || (() => true);
      const all = kept.filter(useful).sort(order);
      return Object.assign(all.slice(0, TOP), {of: all.length});  // as many as there are
    }
    return sorted(kept, settings, runs);
  };

  const sorted = (kept, settings, runs) => {
    const name = settings.sort.replace(/^-/, ""), sign = settings.sort.startsWith("-") ? -1 : 1;
    const run = runs.find((one) => one.name === name);
    const value = run
      ? (one) => run.scores[settings.metric.column][one.row.place]
      : {score: (one) => one.score, gain: (one) => one.gain, length: (one) => one.row.characters, turns: (one) => one.row.turns.length}[name];
    return value ? kept.sort((a, b) => sign * (value(a) - value(b))) : sign < 0 ? kept.reverse() : kept;
  };
})();
