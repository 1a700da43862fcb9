// The error browser: what each model wrote for a dialogue, and where models fail, disagree or improve.
(() => {
  "use strict";

  const {examples} = page;
  const WIDE = "(min-width: 64rem)";
  let shown = 0;  // number of the newest drawing: an older one that is still waiting for its texts stops

  const gaps = () => {
    const kinds = {
      "no predictions": (runs) => page.text("Without predictions: {runs}", {runs}),
      unreadable: (runs) => page.text("Not readable: {runs}", {runs}),
      blend: (runs) => page.text("Blends left out: {runs}", {runs}),
      candidates: (runs) => page.text("Without candidates, as this page has no room for them: {runs}", {runs}),
      room: (runs) => page.text("Left out, as this page has no room for them: {runs}", {runs}),
    };
    const lines = Object.entries(kinds).map(([why, text]) => {
      const found = examples.index.gaps.filter((gap) => gap.why === why);
      const named = [...new Set(found.map((gap) => page.both(gap.message) || `${gap.run} (${gap.split})`))];
      return named.length > 0 && page.element("li", {}, page.foreign(text(named.join("; "))));
    });
    return lines.some(Boolean) && page.element("details", {class: "card gaps"},
      page.element("summary", {}, page.text("Models that are missing or incomplete here")), page.element("ul", {}, lines));
  };

  const show = (root, params) => {
    if (!examples.splits().some((split) => examples.runs(split).length)) {
      page.append(root, [page.heading(page.text("Examples")),
        page.empty(page.text("No run has predictions for dialogues with references yet.")), gaps()]);
      return;
    }
    const tools = page.element("div"), list = page.element("div", {class: "list"}), detail = page.element("div", {class: "one"});
    const box = page.element("div", {class: "examples"},
      page.heading(page.text("Examples"), page.text(
        "What each model wrote for a dialogue. Marks show what a summary and the reference do not share, by the tokens of the metric.")),
      gaps(), tools, page.element("div", {class: "browser"}, list, detail));
    root.append(box);
    const view = {box, tools, list, detail, found: [], current: null};
    draw(view, params, true);
    document.onkeydown = (event) => pressed(view, event);
  };

  const draw = async (view, params, whole) => {
    const mine = ++shown, settings = examples.settings(params);
    const wanted = [examples.split(settings.split), ...settings.runs.map((run) => examples.run(settings.split, run))];
    const [rows, ...runs] = await Promise.all(wanted).catch((error) => unreadable(view, error));
    if (!rows) return;
    if (mine !== shown || !view.box.isConnected) return;
    const link = (id) => page.link("examples", {...Object.fromEntries(page.state().params), id});
    const update = (changes, again) => changed(view, changes, again);
    if (whole) page.append(page.clear(view.tools), [unknown(settings), examples.tools(settings, rows, update)]);
    examples.tellFilters(settings);
    view.found = examples.chosen(rows, settings, runs);
    const row = rows.find((one) => one.id === settings.id) || (matchMedia(WIDE).matches && !settings.id && view.found[0]?.row) || null;
    view.current = row && row.id;
    view.box.classList.toggle("opened", Boolean(settings.id));
    const top = view.list.querySelector("ol")?.scrollTop || 0;
    page.append(page.clear(view.list), examples.list(view.found, rows.length, settings, runs, view.current, link, update));
    const listed = view.list.querySelector("ol");
    if (listed) uncovered(listed, top);
    page.append(page.clear(view.detail), [row
      ? examples.detail(row, settings, runs, view.found, link, update)
      : settings.id && page.element("p", {class: "card empty"}, page.text("There is no dialogue {id} here.", {id: settings.id.slice(0, 60)}))]);
    for (const anchor of view.box.querySelectorAll("a[data-id]")) anchor.addEventListener("click", (event) => follow(view, event));
    performance.clearMarks("examples shown");
    performance.mark("examples shown");  // benchmarks/page.py reads it
  };

  const unreadable = (view, error) => {
    page.append(page.clear(view.list), [page.element("p", {class: "notice"}, page.text(
      "The examples of this page cannot be read here: {reason}. Open it in a browser of 2024 or later, or write it again.", {reason: error.message}))]);
    return [];
  };

  // The list keeps its place, and moves only as far as the current line needs; the page itself does not move.
  const uncovered = (list, top) => {
    list.scrollTop = top;
    const line = list.querySelector("[aria-current]");
    if (!line) return;
    const [outer, inner] = [list.getBoundingClientRect(), line.getBoundingClientRect()];
    if (inner.top < outer.top) list.scrollTop -= outer.top - inner.top;
    else if (inner.bottom > outer.bottom) list.scrollTop += inner.bottom - outer.bottom;
  };

  const unknown = (settings) => settings.unknown.length > 0 && page.element("p", {class: "notice"},
    page.foreign(page.text("This page has no predictions of {runs}.", {runs: settings.unknown.join(", ")})));

  // A click moves inside the view: the filters, the scroll position and the focus stay where they are.
  const follow = (view, event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open(view, event.currentTarget.dataset.id);
  };

  const open = async (view, id) => {
    history.pushState(null, "", page.link("examples", {...Object.fromEntries(page.state().params), id}));
    await draw(view, page.state().params, false);
    document.getElementById("example")?.focus({preventScroll: true});
    if (!matchMedia(WIDE).matches) scrollTo(0, 0);
    else if (view.detail.getBoundingClientRect().top < 0) view.detail.scrollIntoView();
  };

  const changed = (view, changes, whole) => {
    const focused = document.activeElement?.name, open = [...view.tools.querySelectorAll("details[open]")].map((one) => one.dataset.part);
    page.change(changes, true);
    draw(view, page.state().params, whole).then(() => {
      if (!whole) return;
      for (const part of open) view.tools.querySelector(`[data-part="${part}"]`)?.setAttribute("open", "");
      const chosen = view.tools.querySelector(`[name="${focused}"]:checked`) || view.tools.querySelector(`[name="${focused}"]`);
      chosen?.focus({preventScroll: true});
    });
  };

  // J and K go to the next and the previous example, except where letters are typed.
  const pressed = (view, event) => {
    if (!view.box.isConnected || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(input|select|textarea)$/i.test(event.target.tagName) && event.target.type !== "checkbox" && event.target.type !== "radio") return;
    const step = {j: 1, k: -1, J: 1, K: -1, ㅓ: 1, ㅏ: -1}[event.key];
    if (!step) return;
    const place = view.found.findIndex((one) => one.row.id === view.current);
    const next = view.found[place < 0 ? 0 : place + step];
    if (next) open(view, next.row.id);
  };

  page.addView("examples", {title: () => page.text("Examples"), show});
})();
