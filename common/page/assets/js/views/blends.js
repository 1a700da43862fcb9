// What blending gains: the members of each recipe, the ways of blending them, their agreement, and who wins where.
(() => {
  "use strict";

  const command = (blend) => `make blend-report blend=${blend.recipe}`;

  const facts = (blend) => {
    const digits = page.profile(blend.profile).digits, {gain, gain_low: low, gain_high: high, mean} = blend.blend;
    const best = blend.members.find((member) => member.name === blend.best), chosen = [...blend.members].sort((a, b) => b.chosen - a.chosen)[0];
    const winner = [...blend.members].sort((a, b) => b.won - a.won)[0], name = textsOf(blend);
    return page.element("div", {class: "cards"},
      page.fact(page.text("Blend on dev, method {method}", {method: blend.method}), page.score(mean, blend.profile), page.methodText(blend.method),
        [page.text("{difference} over its best member {run}", {difference: page.signed(gain, digits), run: page.short(best.name)}),
          page.element("span", {class: low > 0 ? "good" : high < 0 ? "bad" : "faint"}, ` (${page.signed(low, digits)} … ${page.signed(high, digits)}: ${page.verdict(low, high)})`)],
        page.examples.has([best.name, name]) && page.element("a", {href: page.link("examples", {runs: page.join([best.name, name]), metric: blend.profile, show: "worsened"})},
          page.text("dialogues on which it loses to {run}", {run: page.short(best.name)}))),
      page.fact(page.text("Best member"), page.score(best.mean, blend.profile), page.foreign(best.name, 60), page.text("95 % interval {low} … {high}", {low: page.score(best.low, blend.profile), high: page.score(best.high, blend.profile)})),
      page.fact(page.text("Best on the most dialogues"), page.percent(winner.won, 0), page.foreign(winner.name, 60), page.text("of {count} dialogues", {count: page.number(blend.dialogues)})),
      page.fact(page.text("Chosen most often by the blend"), page.percent(chosen.chosen, 0), page.foreign(chosen.name, 60),
        blend.recombined > 0.0005 && page.text("texts that no member wrote: {share}", {share: page.percent(blend.recombined, 0)})));
  };

  // The name under which the error browser has the blend's texts.
  const textsOf = (blend) => page.runNamed(blend.recipe) ? `${blend.recipe} (blend)` : blend.recipe;

  const members = (blend) => page.table({
    caption: page.text("Members: how often each has the best text, and how often the blend chooses its text"), columns: [
      {key: "name", title: page.text("member"), first: true, cell: (member) => page.runNamed(member.name) ? page.element("a", {href: page.link("runs", {runs: page.join([member.name]), only: 1})}, page.foreign(member.name, 60)) : page.foreign(member.name, 60)},
      {key: "score", title: page.profile(blend.profile).short, number: true, cell: (member) => page.score(member.mean, blend.profile)},
      {key: "interval", title: page.text("95 % interval"), number: true, cell: (member) => `${page.score(member.low, blend.profile)} … ${page.score(member.high, blend.profile)}`},
      {key: "won", title: page.text("is best in"), number: true, cell: (member) => page.percent(member.won, 1)},
      {key: "chosen", title: page.text("is chosen in"), number: true, cell: (member) => page.percent(member.chosen, 1)},
    ], rows: [...blend.members].sort((a, b) => b.mean - a.mean),
  });

  const methods = (blend) => {
    if (!blend.report) return page.element("div", {class: "card"}, page.element("h3", {}, page.text("What each way of blending gains")),
      page.element("p", {class: "soft"}, page.text("Not measured yet. Measure it with: {command}", {command: command(blend)})));
    return page.blends.methods(blend);
  };

  const saidByReport = (blend) => blend.report && page.element("div", {class: "card stack"}, page.element("p", {}, page.both(blend.report.advice)),
    blend.report.control_sentence.en && page.element("p", {class: "soft"}, page.both(blend.report.control_sentence)));

  // How many dialogues the shown topics leave out.
  const rest = (blend, kind) => {
    const shown = page.sum(blend.groups.filter((group) => group.kind === kind).map((group) => group.rows)), left = blend.dialogues - shown;
    return left > 0 && page.element("p", {class: "soft"}, page.text("These topics have {shown} of the {all} dialogues. The other {left} are left out: they have no topic, one with fewer than {least} dialogues, or one that is not among the {most} most frequent.",
      {shown: page.number(shown), all: page.number(blend.dialogues), left: page.number(left), least: page.number(blend.least), most: page.number(blend.most)}));
  };

  const where = (blend, params) => {
    const kinds = [["turns", page.text("number of turns")], ["topic", page.text("topic")]].filter(([kind]) => blend.groups.some((group) => group.kind === kind));
    const kind = kinds.find(([value]) => value === params.get("by")) || kinds[0];
    if (!kind) return null;
    return [page.element("div", {class: "tools"}, page.element("h3", {}, page.text("Who wins where")),
      kinds.length > 1 && page.select("by", page.text("Dialogues by"), kinds, kind[0], (by) => page.change({by}))),
    rest(blend, kind[0]), page.blends.wins(blend, blend.groups.filter((group) => group.kind === kind[0]), kind[1])];
  };

  page.addView("blends", {
    title: () => page.text("Blends"),
    shown: () => page.data.blends.some((one) => !one.problem || one.report),
    show: (root, params) => {
      const all = page.data.blends, usable = all.find((one) => !one.problem) || all[0];
      const blend = all.find((one) => one.recipe === params.get("blend")) || usable;
      root.append(page.heading(page.text("Blends"), page.text("What blending gains over the best member, and where each member is best. Dialogues are those of dev.")));
      if (!blend) {
        root.append(page.empty(page.text("No recipe yet. Write one in submissions/, then measure it with: {command}", {command: "make blend-report blend=NAME"})));
        return;
      }
      page.append(root, [
        all.length > 1 && page.element("div", {class: "tools"}, page.select("blend", page.text("Recipe"), all.map((one) => [one.recipe, page.short(one.recipe)]), blend.recipe, (recipe) => page.change({blend: recipe, by: ""}))),
        blend.problem && page.element("p", {class: "notice"}, page.text("{recipe} cannot be measured:", {recipe: page.short(blend.recipe)}), " ", page.foreign(page.both(blend.problem), 400)),
        blend.report && !blend.report.current && page.element("p", {class: "notice"}, page.text("The members' predictions have changed since the ways of blending were compared; measure again with: {command}", {command: command(blend)})),
      ]);
      if (blend.problem) return;
      const copies = Object.entries(blend.copies);
      page.append(root, [
        facts(blend),
        copies.map(([copy, original]) => page.element("p", {class: "notice"}, page.text("{copy} has the same predictions as {original}: the two count as one member.", {copy: page.short(copy), original: page.short(original)}))),
        page.element("div", {class: "pair"}, page.blends.members(blend), blend.members.length > 1 && page.blends.agreement(blend)),
        methods(blend), saidByReport(blend), members(blend), where(blend, params),
      ]);
    },
  });
})();
