// Does dev predict the leaderboard? Both scores of each submission, their rank correlation, and the usual drop.
(() => {
  "use strict";

  const boardName = (kind) => kind === "public" ? page.text("public leaderboard") : page.text("private leaderboard");

  const pairs = (found) => {
    const compared = new Set(found.submissions);
    return page.data.submissions.filter((made) => compared.has(made.id) && made[found.site] !== null && made.dev[found.profile])
      .map((made) => ({made, dev: made.dev[found.profile].score, site: made[found.site], drop: made[found.site] - made.dev[found.profile].score}));
  };

  const verdict = (found) => {
    const {kendall_tau_b: tau, low} = found, count = found.submissions.length;
    if (count < found.needed) return [page.text("Not known yet"), page.text("{count} with both scores so far; a rank correlation needs {needed} submissions.", {count, needed: found.needed})];
    if (tau === null) return [page.text("Not known yet"), page.text("All scores of one side are the same, so there is no order to compare.")];
    if (low === null) return [page.text("Too few to say"), page.text("An interval of the correlation needs 5 submissions.")];
    if (low > 0) return [page.text("Yes"), page.text("Dev orders the submissions as the site does: the whole interval of the correlation is above 0.")];
    if (found.high < 0) return [page.text("No"), page.text("Dev orders the submissions against the site: look for an error in the scores or in the split.")];
    return [page.text("Not shown"), page.text("The interval of the correlation includes 0: small differences on dev say little about the site.")];
  };

  const facts = (found) => {
    const digits = page.profile(found.profile).digits, {difference: drop} = found, [short, long] = verdict(found);
    return page.element("div", {class: "cards"},
      page.fact(page.text("Can dev be trusted?"), short, long),
      page.fact(page.text("Rank correlation (Kendall)"), page.signed(found.kendall_tau_b, 2),
        found.low !== null && page.text("95 % interval {low} … {high}", {low: page.signed(found.low, 2), high: page.signed(found.high, 2)}),
        page.text("submissions compared: {count}; left out: {out}", {count: found.submissions.length, out: found.left_out})),
      page.fact(page.text("Usual difference, site − dev"), drop ? page.signed(drop.median, digits) : page.none,
        drop && page.text("middle half {low} … {high}", {low: page.signed(drop.q1, digits), high: page.signed(drop.q3, digits)}),
        !drop && found.submissions.length >= found.needed && page.text("the two are on different scales")));
  };

  const plot = (found, shown) => {
    const values = shown.flatMap((pair) => [pair.dev, pair.site]), reach = d3.extent(values), space = (reach[1] - reach[0] || 2) * 0.08;
    const domain = [reach[0] - space, reach[1] + space], drop = found.difference?.median;
    const diagonal = (shift) => [{x: domain[0], y: domain[0] + shift}, {x: domain[1], y: domain[1] + shift}];
    const name = page.profile(found.profile).short;
    return {
      names: named(shown, drop).map((pair) => ({x: pair.dev, y: pair.site, text: page.short(pair.made.recipe, 16)})), dots: shown.map((pair) => ({x: pair.dev, y: pair.site})),
      x: {domain, label: `dev ${name}`, grid: true}, y: {domain, label: page.text("{board} score", {board: boardName(found.site)}), grid: true},
      marks: [
        Plot.line(diagonal(0), {x: "x", y: "y", stroke: "var(--strong-line)", strokeDasharray: "3 3", clip: true}),
        drop !== undefined && Plot.line(diagonal(drop), {x: "x", y: "y", stroke: "var(--accent)", strokeWidth: 1.5, clip: true}),
        Plot.dot(shown, {x: "dev", y: "site", r: 5, fill: "var(--accent)", stroke: "var(--paper)"}),
        Plot.tip(shown, Plot.pointer({x: "dev", y: "site", fill: "var(--paper)", title: (d) => `${page.short(d.made.recipe)}\ndev ${page.score(d.dev, found.profile)}\n${boardName(found.site)} ${page.score(d.site, found.profile)}`})),
      ],
    };
  };

  const NAMED = 8;  // points from which only the unusual ones are named, so that no name covers another

  const named = (shown, drop) => shown.length <= NAMED || drop === undefined ? shown
    : [...shown].sort((a, b) => Math.abs(b.drop - drop) - Math.abs(a.drop - drop)).slice(0, 3);

  const board = (found) => {
    const shown = pairs(found), digits = page.profile(found.profile).digits;
    return page.element("section", {class: "stack", "aria-label": boardName(found.site)},
      page.element("h3", {}, page.text("dev against the {board}", {board: boardName(found.site)})),
      found.warning && page.element("p", {class: "notice"}, page.both(found.warning)),
      facts(found),
      shown.length > 0 && page.chart({
        title: page.text("Both scores of each submission"),
        about: page.text("Dashed: both scores are equal. Solid: the usual difference. What lies far from the solid line was over- or underestimated by dev."),
        plot: plot(found, shown), columns: 2,
        numbers: {columns: [
          {key: "name", title: page.text("submission"), first: true, cell: ({made}) => page.foreign(made.recipe, 60)},
          {key: "time", title: page.text("time"), cell: ({made}) => page.time(made.time)},
          {key: "dev", title: "dev", number: true, cell: (pair) => page.score(pair.dev, found.profile)},
          {key: "site", title: boardName(found.site), number: true, cell: (pair) => page.score(pair.site, found.profile)},
          {key: "drop", title: page.text("difference"), number: true, cell: (pair) => page.signed(pair.drop, digits)},
        ], rows: shown},
      }));
  };

  page.addView("trust", {
    title: () => page.text("Dev and site"),
    shown: () => !page.data.only,
    show: (root) => {
      root.append(page.heading(page.text("Can dev be trusted?"), page.text("A model is chosen on dev, but the leaderboard decides. Here you see whether both order the submissions alike.")));
      if (!page.data.trust.length) {
        root.append(page.empty(page.text("No submission has a site score yet. Enter one with: {command}", {command: "make lb id=ID public=SCORE"})));
        return;
      }
      root.append(page.element("div", {class: "pair"}, page.data.trust.map(board)));
    },
  });
})();
