// The facts that people look for first: which run is best and by how much, what blending adds, how far the goals are.
(() => {
  "use strict";

  page.fact = (label, figure, ...details) => page.element("div", {class: "card fact"},
    page.element("div", {class: "label"}, label), page.element("div", {class: "figure"}, figure),
    details.filter(Boolean).map((detail) => page.element("div", {class: "fact-detail"}, detail)));

  // The table with this row only.
  const alone = (row, profile) => page.link("runs", {runs: page.join([page.address(row)]), only: 1, profile});

  // How sure the lead of one run over another is: by the dialogues of both where the page has them, else by their intervals.
  const sureness = (first, second, profile) => {
    const a = second.dev[profile], b = first.dev[profile], {digits} = page.profile(profile);
    const place = page.element("span", {class: "faint"}, b.low === null || a.high === null ? ""
      : ["; ", b.low > a.high ? page.text("the intervals do not overlap") : page.text("the intervals overlap")]);
    if (page.hasPairs(second.name, first.name))
      page.differences(second.name, first.name).then(({[profile]: found}) => found && page.append(page.clear(place), [
        ` (${page.signed(found.low, digits)} … ${page.signed(found.high, digits)}: ${page.verdict(found.low, found.high)})`]));
    return place;
  };

  const best = (profile) => {
    const [first, second] = page.ranked(page.rows().filter((row) => row.run), profile);
    if (!first) return null;
    const found = first.dev[profile], digits = page.profile(profile).digits;
    return page.fact(page.text("Best run on dev, {profile}", {profile: page.profile(profile).short}),
      [page.score(found.score, profile), " ", page.element("a", {class: "small", href: alone(first, profile)}, page.foreign(first.name, 40))],
      second && [page.text("{difference} over {run}", {difference: page.signed(found.score - second.dev[profile].score, digits), run: page.short(second.name)}), sureness(first, second, profile)],
      found.floor !== null && page.text("{difference} over the floor", {difference: page.signed(found.score - found.floor, digits)}),
      [second && page.element("a", {href: page.link("compare", {a: second.id, b: first.id})}, page.text("what was changed from {run}", {run: page.short(second.name)})), " ",
        page.examples.has([first.name]) && page.element("a", {href: page.link("examples", {runs: page.join([first.name]), metric: profile, show: "worst"})}, page.text("its worst dialogues"))]);
  };

  const blend = (profile) => {
    const [first] = page.ranked(page.rows().filter((row) => row.submission), profile);
    if (!first) return null;
    const {gain, best_member: member, public: score} = first.submission, digits = page.profile(page.data.dev_profile).digits;
    return page.fact(page.text("Best submission on dev"),
      [page.score(first.dev[profile].score, profile), " ", page.element("a", {class: "small", href: alone(first, profile)}, page.foreign(first.name, 40))],
      profile === page.data.dev_profile && gain && gain.low !== null && member && [page.text("{difference} over its best member {run}", {difference: page.signed(gain.score, digits), run: page.short(member)}),
        page.element("span", {class: "faint"}, ` (${page.signed(gain.low, digits)} … ${page.signed(gain.high, digits)}: ${page.verdict(gain.low, gain.high)})`)],
      member && page.examples.has([member, page.textsOf(first)]) && page.element("a", {href: page.link("examples",
        {runs: page.join([member, page.textsOf(first)]), metric: profile, show: "worsened"})}, page.text("dialogues on which it loses to {run}", {run: page.short(member)})),
      score !== null && page.text("public leaderboard: {score}", {score: page.score(score, page.data.site_profile)}));
  };

  const goals = () => {
    const profile = page.data.goals_profile, [first] = page.ranked(page.rows(), profile);
    if (!page.data.goals.length || !first) return null;
    const reached = first.dev[profile].score, digits = page.profile(profile).digits;
    const next = page.data.goals.find((goal) => goal > reached);
    return page.fact(page.text("Goals, dev {profile}", {profile: page.profile(profile).short}),
      page.data.goals.map((goal) => [page.element("span", {class: goal <= reached ? "good" : "faint"}, page.number(goal), goal <= reached ? " ✓" : ""), " "]),
      page.text("best so far: {score} ({run})", {score: page.score(reached, profile), run: page.short(first.name)}),
      next !== undefined && page.text("{difference} to go to {goal}", {difference: page.number(next - reached, digits), goal: page.number(next)}));
  };

  const trusted = () => {
    const found = page.data.trust.find((one) => one.kendall_tau_b !== null) || page.data.trust[0];
    if (!found) return null;
    return page.fact(page.text("Does dev predict the leaderboard?"),
      found.kendall_tau_b === null ? page.none : page.signed(found.kendall_tau_b, 2),
      found.kendall_tau_b === null
        ? page.text("{count} with both scores so far; a rank correlation needs {needed} submissions.", {count: found.submissions.length, needed: found.needed})
        : page.text("rank correlation over {count} submissions", {count: found.submissions.length}),
      page.element("a", {href: page.link("trust")}, page.text("dev against the leaderboard")));
  };

  page.facts = (profile) => page.element("div", {class: "cards"}, [best(profile), blend(profile), goals(), trusted()]);
})();
