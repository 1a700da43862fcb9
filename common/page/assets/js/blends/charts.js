// Charts of one blend: its members, the ways of blending, agreement between members, and who wins where.
(() => {
  "use strict";

  page.blends = {};

  const BLEND = "var(--ink)", OTHER = "var(--faint)";  // no colours of runs: those stand for members

  const digits = (blend) => page.profile(blend.profile).digits;

  const score = (blend, value) => page.score(value, blend.profile);

  const range = (low, high, text) => `${text(low)} … ${text(high)}`;

  // Points with intervals, one line for each name: [{name, value, low, high, colour}].
  const intervals = (rows, axis, zero) => {
    const names = rows.map((row) => row.name), {marginLeft, label} = page.leftNames(names);
    return {
      marginLeft, height: 80 + 30 * rows.length, x: {label: axis, grid: true, nice: true},
      y: {domain: names, label: null, tickSize: 0, type: "point", padding: 0.5, tickFormat: label},
      marks: [
        zero && Plot.ruleX([0], {stroke: "var(--strong-line)", strokeDasharray: "3 3"}),
        Plot.ruleY(rows, {y: "name", x1: "low", x2: "high", stroke: (row) => row.colour, strokeWidth: 2.5}),
        Plot.dot(rows, {y: "name", x: "value", r: 5, fill: (row) => row.colour, stroke: "var(--paper)"}),
        Plot.tip(rows, Plot.pointer({y: "name", x: "value", fill: "var(--paper)", title: (row) => `${page.short(row.name)}\n${row.text}`})),
      ],
    };
  };

  page.blends.members = (blend) => {
    const value = (found) => score(blend, found);
    const name = page.text("blend ({method})", {method: blend.method});
    const colours = page.runColours(blend.members.map((member) => member.name));
    const all = [{name, ...blend.blend, won: null, chosen: null, colour: BLEND}, ...blend.members.map((member) => ({...member, colour: page.colour(colours.get(member.name))}))];
    const rows = all.map((row) => ({...row, value: row.mean, text: `${value(row.mean)} (${range(row.low, row.high, value)})`}));
    return page.chart({
      title: page.text("Members and blend on dev"), about: page.text("Means over {count} dialogues with 95 % intervals.", {count: page.number(blend.dialogues)}), columns: blend.members.length > 1 ? 2 : 1,
      plot: intervals(rows, page.profile(blend.profile).short, false),
      numbers: {columns: [
        {key: "name", title: page.text("member"), first: true, cell: (row) => page.foreign(row.name, 60)},
        {key: "score", title: page.profile(blend.profile).short, number: true, cell: (row) => value(row.mean)},
        {key: "interval", title: page.text("95 % interval"), number: true, cell: (row) => range(row.low, row.high, value)},
      ], rows},
    });
  };

  page.blends.methods = (blend) => {
    const {report} = blend, signed = (value) => page.signed(value, digits(blend));
    const control = report.control && [{...report.control, method: page.text("control ({method})", {method: report.control.method}), colour: "var(--strong-line)"}];
    const rows = [...report.methods.map((row) => ({...row, colour: row.method === blend.method ? BLEND : OTHER})), ...(control || [])]
      .map((row) => ({...row, name: row.method === blend.method ? page.text("{method} (recipe)", {method: row.method}) : row.method, value: row.difference, text: `${signed(row.difference)} (${range(row.low, row.high, signed)})`}));
    return page.chart({
      title: page.text("What each way of blending gains"),
      about: page.text("Difference from {member} alone, by nested cross-validation with 95 % intervals. The control learns against references of other dialogues: what it gains is no news. Choosing each dialogue's best candidate would give {oracle}.",
        {member: report.best, oracle: signed(report.oracle - report.best_score)}),
      plot: intervals(rows, page.text("difference from the best member"), true),
      numbers: {caption: page.text("Measured at {time} with at most {count} candidates for each member", {time: page.time(report.made), count: page.number(report.candidates)}), columns: [
        {key: "method", title: page.text("method"), first: true, cell: (row) => row.method},
        {key: "score", title: page.profile(report.profile).short, number: true, cell: (row) => page.score(row.score, report.profile)},
        {key: "difference", title: page.text("difference"), number: true, cell: (row) => signed(row.difference)},
        {key: "interval", title: page.text("95 % interval"), number: true, cell: (row) => range(row.low, row.high, signed)},
        {key: "p", title: "p", number: true, cell: (row) => page.number(row.p, 4)},
        {key: "gap", title: page.text("gap closed"), number: true, cell: (row) => page.percent(row.gap_closed, 0)},
        {key: "verdict", title: page.text("verdict"), cell: (row) => page.verdict(row.low, row.high)},
      ], rows},
    });
  };

  page.blends.agreement = (blend) => {
    const names = blend.members.map((member) => member.name), [low, high] = d3.extent(blend.agreement.flat().filter((value) => value !== null));
    const cells = names.flatMap((a, i) => names.map((b, j) => ({a, b, value: blend.agreement[i][j]})));
    const share = (value) => high === low ? 0.5 : (value - low) / (high - low);
    // At most half of the accent colour, so that the numbers in the cells can be read in both themes.
    const fill = ({value}) => value === null ? "var(--ground)" : `color-mix(in oklab, var(--accent) ${Math.round(4 + 46 * share(value))}%, var(--paper))`;
    const size = names.length, {marginLeft, label} = page.leftNames(names), rotated = size > 3 || window.innerWidth < 640;
    const below = (name) => page.fitted(name, rotated ? 108 : 380 / size);
    return page.chart({
      title: page.text("Agreement between members"),
      about: page.text("Mean {profile} of the texts of two members against each other. Members that agree less have more to add to each other.", {profile: page.profile(blend.profile).short}), columns: 2,
      plot: {
        marginLeft, marginTop: 12, marginBottom: rotated ? 96 : 48, height: 120 + 44 * size, padding: 0.04,
        x: {domain: names, label: null, tickSize: 0, tickFormat: below, tickRotate: rotated ? -40 : 0}, y: {domain: names, label: null, tickSize: 0, tickFormat: label},
        marks: [
          Plot.cell(cells, {x: "b", y: "a", fill}),
          size <= 12 && Plot.text(cells, {x: "b", y: "a", text: (cell) => cell.value === null ? "" : page.number(cell.value, size > 6 ? 0 : 1), fill: "var(--ink)"}),
          Plot.tip(cells, Plot.pointer({x: "b", y: "a", fill: "var(--paper)", title: (cell) => cell.value === null ? page.short(cell.a) : `${page.short(cell.a)}\n${page.short(cell.b)}\n${score(blend, cell.value)}`})),
        ],
      },
      numbers: {columns: [
        {key: "name", title: page.text("member"), first: true, cell: (row) => page.foreign(row.name, 60)},
        ...names.map((name, index) => ({key: name, title: page.short(name, 30), number: true, cell: (row) => row.values[index] === null ? page.none : score(blend, row.values[index])})),
      ], rows: names.map((name, index) => ({name, values: blend.agreement[index]}))},
    });
  };

  // Shares of the dialogues that each member wins, for groups of dialogues: [{name, rows, won, mean, blend}].
  page.blends.wins = (blend, groups, title) => {
    const names = blend.members.map((member) => member.name), order = groups.map((group) => group.name), colours = page.runColours(names), {marginLeft, label} = page.leftNames(order);
    const parts = groups.flatMap((group) => names.map((member) => ({group: group.name, member, colour: colours.get(member), share: group.won[member], mean: group.mean[member], rows: group.rows})));
    return page.element("div", {class: "stack"}, page.chart({
      title: page.text("Best member by {kind}", {kind: title}), about: page.text("Share of the dialogues on which each member alone has the best score; members with the same score share a dialogue."),
      legend: names.map((name) => ({label: name, colour: colours.get(name)})),
      plot: {
        marginLeft, height: 80 + 32 * groups.length, x: {domain: [0, 1], label: page.text("share of the dialogues"), tickFormat: (x) => page.percent(x, 0)},
        y: {domain: order, label: null, tickSize: 0, tickFormat: label, padding: 0.2},
        marks: [
          Plot.barX(parts, {x: "share", y: "group", fill: (part) => page.colour(part.colour), insetLeft: 0.5, insetRight: 0.5}),
          Plot.tip(parts, Plot.pointer(Plot.stackX({x: "share", y: "group", fill: "var(--paper)", title: (part) =>
            `${page.short(part.group)}\n${page.short(part.member)}: ${page.percent(part.share, 0)}\n${page.profile(blend.profile).short} ${score(blend, part.mean)}`}))),
        ],
      },
    }), page.table({
      caption: page.text("Mean {profile} of each member; the best member of a line is bold", {profile: page.profile(blend.profile).short}), columns: [
        {key: "group", title, first: true, cell: (group) => page.foreign(group.name, 80)},
        {key: "rows", title: page.text("dialogues"), number: true, cell: (group) => page.number(group.rows)},
        ...names.map((name) => ({key: name, title: page.short(name, 30), number: true, cell: (group) => best(group, name, score(blend, group.mean[name]))})),
        {key: "blend", title: page.text("blend"), number: true, cell: (group) => page.element("span", {class: group.blend > Math.max(...Object.values(group.mean)) ? "good" : null}, score(blend, group.blend))},
      ], rows: groups}));
  };

  const best = (group, name, text) => group.mean[name] === Math.max(...Object.values(group.mean)) ? page.element("strong", {}, text) : text;
})();
