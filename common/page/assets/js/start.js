// Draws the frame and the view that the address names; draws again when address or language change.
(() => {
  "use strict";

  const main = document.getElementById("main");
  let shownView = page.state().view;

  const frame = () => {
    const {view} = page.state();
    document.documentElement.lang = page.language;
    document.documentElement.dataset.theme = page.theme;
    document.getElementById("skip").textContent = page.text("Skip to the content");
    const {runs, submissions, made, only} = page.data;
    page.append(page.clear(document.getElementById("about")), [
      only ? page.text("report on {run}", {run: only}) : page.text("runs: {runs}, submissions: {submissions}", {
        runs: page.number(runs.length), submissions: page.number(submissions.length)}),
      " · ", page.text("made {time}", {time: page.time(made)})]);
    const nav = page.clear(document.getElementById("views"));
    nav.setAttribute("aria-label", page.text("Views"));
    page.append(nav, page.offered().map((name) => page.element("a", {
      href: page.link(name), "aria-current": name === view ? "page" : null, "data-view": name}, page.views[name].title())));
    nav.querySelector("[aria-current]")?.scrollIntoView({block: "nearest", inline: "center"});
    page.append(page.clear(document.getElementById("switches")), [language(), theme()]);
    page.append(page.clear(document.getElementById("foot")), [page.text(
      "Scores come from results/, run folders and the ledger. Times are those of this device. Intervals are 95 % bootstrap intervals. Differences are computed before rounding."),
      page.data.commit && page.element("p", {}, page.text("Made with the code of commit {commit}.", {commit: page.data.commit.slice(0, 7)})),
      Object.keys(page.data.examples?.splits || {}).length > 0 && page.element("p", {}, page.text("This file contains dialogues and summaries of the competition: share it only where the competition's rules allow it."))]);
  };

  const language = () => {
    const other = page.language === "ko" ? "en" : "ko";
    return page.element("button", {type: "button", class: "quiet", id: "language", lang: other, onclick: () => {
      page.setLanguage(other);
      draw();
    }}, other === "ko" ? "한국어" : "English");
  };

  const theme = () => {
    const names = {auto: page.text("Theme: automatic"), light: page.text("Theme: light"), dark: page.text("Theme: dark")};
    const next = {auto: "light", light: "dark", dark: "auto"};
    return page.element("button", {type: "button", class: "quiet", id: "theme", onclick: () => {
      page.setTheme(next[page.theme]);
      draw();
    }}, names[page.theme]);
  };

  const GAPS = 5;  // more are folded: the runs come first

  const gaps = () => {
    const lines = page.data.gaps.map((gap) => page.element("li", {}, page.foreign(page.both(gap)))), more = lines.slice(GAPS);
    return lines.length > 0 && page.element("div", {class: "notice", role: "note"},
      page.element("strong", {}, page.text("Not everything could be read")),
      page.element("ul", {}, lines.slice(0, GAPS)),
      more.length > 0 && page.element("details", {}, page.element("summary", {}, page.text("Show {count} more", {count: page.number(more.length)})), page.element("ul", {}, more)));
  };

  // `focus`: id of the element that has the focus afterwards; else the one that has it now keeps it.
  const draw = (focus) => {
    const held = focus || document.activeElement?.id;
    const height = scrollY;
    const scrolled = document.querySelector("main .scroll");
    const from = scrolled ? [scrolled.scrollLeft, scrolled.scrollTop] : null;
    const {view, params} = page.state();
    frame();
    page.clear(main);
    const shown = page.views[view];
    document.title = `${shown.title()} · ${page.data.title}`;
    page.append(main, [gaps()]);
    try {
      shown.show(main, params);
    } catch (error) {  // the other views still work
      console.error(error);
      page.append(main, [page.element("p", {class: "notice", role: "alert"}, page.text("This view cannot be drawn: {reason}", {reason: page.short(error, 200)}))]);
    }
    const now = document.querySelector("main .scroll");
    if (from && now && view === shownView) [now.scrollLeft, now.scrollTop] = from;
    if (view === shownView) scrollTo({top: height, behavior: "instant"});
    if (held) document.getElementById(held)?.focus({preventScroll: true});
  };

  page.redraw = draw;
  addEventListener("hashchange", () => {
    const {view} = page.state();
    draw();
    if (view !== shownView) {
      scrollTo(0, 0);
      main.focus({preventScroll: true});
    }
    shownView = view;
  });

  // Charts have the width that the window had when they were drawn.
  let width = innerWidth, waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (innerWidth !== width && document.querySelector("main figure.chart")) draw();
      width = innerWidth;
    }, 200);
  });
  draw();
})();
