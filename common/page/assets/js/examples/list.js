// The list of examples: one line each, with a bar for the score of every shown run.
(() => {
  "use strict";

  const {examples} = page;
  const FIRST = matchMedia("(min-width: 64rem)").matches ? 100 : 20;  // lines made at once; more when somebody asks for them

  const bar = (run, one, metric) => {
    const units = run.scores[metric.column][one.row.place];
    return page.element("span", {class: "score"},
      page.svg("svg", {class: "bar-score", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true"},
        page.svg("rect", {class: "rest", x: 0, y: 0, width: 100, height: 6, rx: 3}),
        page.svg("rect", {class: "part", x: 0, y: 0, width: 100 * examples.share(units, metric), height: 6, rx: 3})),
      page.element("span", {class: "value"}, examples.show(units, metric)));
  };

  const gain = (one, metric) => one.gain === null ? null : page.element("span", {
    class: one.gain > 0 ? "good" : one.gain < 0 ? "bad" : "faint"}, page.signed(examples.value(one.gain, metric), metric.digits));

  const line = (one, settings, runs, current, link) => {
    const {row} = one;
    const flags = runs.reduce((all, run) => all | run.flags[row.place], 0);
    return page.element("li", {},
      page.element("a", {href: link(row.id), "data-id": row.id, class: "example", "aria-current": row.id === current ? "true" : null},
        page.element("span", {class: "head"},
          page.element("span", {class: "name"}, examples.brief(row.id)),
          flags & ~examples.FLAGS.cut ? page.element("span", {class: "tag warn"}, page.text("tags")) : null,
          flags & examples.FLAGS.cut ? page.element("span", {class: "tag warn"}, page.text("cut off")) : null,
          page.element("span", {class: "faint"}, page.text("{turns} turns, {speakers} speakers", {turns: row.turns.length, speakers: row.speakers.length}))),
        row.topic && page.element("span", {class: "topic"}, examples.brief(row.topic, 80)),
        page.element("span", {class: "scores"}, runs.map((run) => page.element("span", {class: "of-run"},
          page.element("span", {class: "run"}, examples.brief(run.name)), bar(run, one, settings.metric))),
          runs.length === 2 && page.element("span", {class: "of-run"}, page.element("span", {class: "run"}, page.text("difference")), gain(one, settings.metric))),
        settings.selection === "disagreed" && page.element("span", {class: "faint"},
          page.text("{share} of the words differ", {share: page.percent(one.disagreement, 0)}))));
  };

  const ORDERS = (runs) => [
    ["", page.text("as in the file")], ["score", page.text("lowest score first")], ["-score", page.text("highest score first")],
    ...(runs.length > 1 ? [["-gain", page.text("largest gain first")], ["gain", page.text("largest loss first")]] : []),
    ["length", page.text("shortest dialogue first")], ["-length", page.text("longest dialogue first")],
  ];

  // How many there are where only the first ones are listed.
  const inAll = (selection, count) => {
    const values = {count: page.number(count)};
    const text = {improved: () => page.text("dialogues with a gain: {count}", values), worsened: () => page.text("dialogues with a loss: {count}", values)}[selection];
    return text && ["; ", text()];
  };

  examples.list = (found, total, settings, runs, current, link, update) => {
    const count = page.element("p", {class: "count", "aria-live": "polite"}, page.text("{found} of {total} dialogues", {
      found: page.number(found.length), total: page.number(total)}), examples.meaning(settings) && `: ${examples.meaning(settings)}`,
      inAll(settings.selection, found.of));
    const order = settings.selection === "all" && page.element("label", {class: "order"}, page.text("Order"),
      page.element("select", {name: "sort", onchange: (event) => update({sort: event.target.value})},
        ORDERS(runs).map(([value, text]) => page.element("option", {value, selected: value === settings.sort}, text))));
    const list = page.element("ol", {class: "example-list", id: "example-list"});
    const add = (from) => {
      const place = found.findIndex((one) => one.row.id === current);
      const to = Math.max(from + FIRST, place + 1);
      page.append(list, [found.slice(from, to).map((one) => line(one, settings, runs, current, link))]);
      if (to < found.length) {
        const more = page.element("li", {class: "more"}, page.element("button", {type: "button", onclick: () => {
          more.remove();
          add(to);
        }}, page.text("Show {count} more", {count: page.number(Math.min(FIRST, found.length - to))})));
        list.append(more);
      }
    };
    add(0);
    return [page.element("div", {class: "list-head"}, count, order),
      found.length ? list : page.element("p", {class: "empty"}, page.text("No dialogue fits these filters."))];
  };
})();
