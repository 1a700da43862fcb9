// One example: its dialogue, its references, what the models wrote, and how each metric judges that.
(() => {
  "use strict";

  const {examples} = page;

  const heading = (row, place, found, link) => {
    const step = (to, text, key, id) => {
      const target = found[to];
      const inside = [text, " ", page.element("kbd", {"aria-hidden": "true"}, key)];
      return target
        ? page.element("a", {class: "step", id, href: link(target.row.id), "data-id": target.row.id, "aria-keyshortcuts": key}, inside)
        : page.element("span", {class: "step off", id}, inside);
    };
    return page.element("div", {class: "detail-head"},
      page.element("div", {},
        page.element("a", {class: "back", href: link("")}, page.text("Back to the list")),
        page.element("h3", {id: "example", tabindex: "-1"}, page.foreign(row.id, 60)),
        page.element("p", {class: "soft small"}, row.topic && [page.foreign(row.topic, 120), " · "],
          page.text("{turns} turns, {speakers} speakers, {characters} characters", {
            turns: row.turns.length, speakers: row.speakers.length, characters: page.number(row.characters)}))),
      page.element("div", {class: "steps"},
        place >= 0 && page.element("span", {class: "faint small"}, page.text("{place} of {count}", {place: place + 1, count: found.length})),
        step(place - 1, page.text("Previous"), "K", "previous"), step(place + 1, page.text("Next"), "J", "next")));
  };

  const choices = (settings, update) => page.element("div", {class: "tools marks"},
    settings.runs.length > 0 && page.element("label", {}, page.text("Compare with"),
      page.element("select", {name: "against", onchange: (event) => update({against: event.target.value})},
        [["", page.text("the closest reference")], ...settings.runs.map((run) => [run, run])].map(([value, text]) =>
          page.element("option", {value, selected: value === settings.against}, text)))),
    page.element("label", {}, page.text("Differences"),
      page.element("select", {name: "marks", onchange: (event) => update({marks: event.target.value})},
        [["", page.text("extra words")], ["edits", page.text("extra and missing words")], ["none", page.text("not marked")]].map(([value, text]) =>
          page.element("option", {value, selected: value === (settings.marks === "words" ? "" : settings.marks)}, text)))),
    settings.marks !== "none" && page.element("p", {class: "key small soft"}, page.element("ins", {}, examples.sides(settings).added), " ",
      settings.marks === "edits" && page.element("del", {}, examples.sides(settings).lost)));

  const references = (row, settings) => page.element("section", {class: "references"},
    page.element("h4", {}, row.references.length > 1 ? page.text("{count} references", {count: row.references.length}) : page.text("Reference")),
    row.references.map((reference) => page.element("p", {class: "text"}, examples.marked(reference, null, row, settings))));

  const candidate = (one, row, run, settings, other, best) => page.element("li", {class: best ? "best" : null},
    examples.marked(one, other(one), row, settings),
    page.element("span", {class: "small faint"}, " ", examples.index.metrics.map(({profile}, place) => {
      const metric = examples.metric(profile);
      return [place > 0 && " · ", metric.short, " ", examples.show(one.scores[place], metric)];
    }), one.cut && [" · ", page.text("cut off")], best && [" · ", page.element("span", {class: "good"}, page.text("the best candidate"))]));

  const candidates = (run, row, settings, other) => {
    const all = run.candidates(row.place);
    if (!all.length) return null;
    const headline = examples.index.metrics.findIndex(({profile}) => profile === settings.metric.profile);
    const metric = examples.metric(settings.metric.profile);
    const top = Math.max(...all.map((one) => one.scores[headline]));
    const better = top > run.scores[metric.column][row.place];
    const details = page.element("details", {class: "candidates"}, page.element("summary", {},
      page.text("{count} other candidates; the best scores {score}", {count: all.length, score: examples.show(top, metric)})));
    // They are made when they are opened: most never are.
    details.addEventListener("toggle", () => {
      if (details.querySelector("ol") || !details.open) return;
      details.append(page.element("ol", {}, all.map((one) => candidate(one, row, run, settings, other, better && one.scores[headline] === top))));
    });
    return details;
  };

  const summary = (run, row, settings, runs) => {
    const against = runs.find((one) => one.name === settings.against);
    const text = run.predictions[row.place];
    const other = (own) => against ? against.predictions[row.place] : examples.closest(own, row.references);
    const {metric} = settings, units = run.scores[metric.column][row.place], first = runs[0];
    const gain = units - first.scores[metric.column][row.place];
    return page.element("section", {class: "model", "data-run": run.name},
      page.element("header", {},
        page.element("h4", {}, page.foreign(run.name, 60), run.blend && [" ", page.element("span", {class: "tag"}, page.text("blend"))]),
        page.element("p", {class: "figure"}, page.element("span", {class: "hidden"}, metric.title, " "), examples.show(units, metric),
          run !== first && [" ", page.element("span", {class: `small ${gain > 0 ? "good" : gain < 0 ? "bad" : "faint"}`},
            page.signed(examples.value(gain, metric), metric.digits))])),
      examples.faults(run, row).map((fault) => page.element("p", {class: "fault"}, page.element("span", {class: "tag bad"}, fault))),
      page.element("p", {class: "text"}, examples.marked(text, against === run ? null : other(text), row, settings)),
      candidates(run, row, settings, other));
  };

  const scores = (row, runs) => {
    const metrics = examples.metrics();
    const best = metrics.map(({column}) => Math.max(...runs.map((run) => run.scores[column][row.place])));
    const groups = examples.index.metrics.map(({profile, keys}) => [page.profile(profile).short, keys.length]);
    return page.element("details", {class: "all-scores", open: true}, page.element("summary", {}, page.text("Scores in every metric")),
      page.showsMore(page.element("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": page.text("Scores in every metric")},
        page.element("table", {},
          page.element("thead", {},
            page.element("tr", {}, page.element("td"), groups.map(([name, count]) => page.element("th", {scope: "colgroup", colspan: count, class: "group"}, name))),
            page.element("tr", {}, page.element("th", {scope: "col"}, page.text("model")),
              metrics.map((metric) => page.element("th", {scope: "col", class: metric.headline ? "number start" : "number"}, metric.headline ? page.text("score") : metric.short)))),
          page.element("tbody", {}, runs.map((run) => page.element("tr", {},
            page.element("th", {scope: "row"}, page.foreign(run.name, 40)),
            metrics.map((metric, place) => {
              const units = run.scores[metric.column][row.place], top = runs.length > 1 && units === best[place];
              return page.element("td", {class: metric.headline ? "number start" : "number"},
                top ? page.element("strong", {}, examples.show(units, metric)) : examples.show(units, metric));
            }))))))));
  };

  examples.detail = (row, settings, runs, found, link, update) => {
    const place = found.findIndex((one) => one.row.id === row.id);
    return page.element("article", {class: "detail", "aria-labelledby": "example"},
      heading(row, place, found, link),
      page.element("div", {class: runs.length > 2 ? "detail-body many" : "detail-body"},
        page.element("section", {class: "card said-before", tabindex: "0", "aria-label": page.text("Dialogue")},
          page.element("h4", {}, page.text("Dialogue")), examples.dialogue(row)),
        page.element("div", {class: "written"},
          page.element("div", {class: "card"}, references(row, settings)), choices(settings, update)),
        page.element("div", {class: "side-by-side"}, runs.map((run) => summary(run, row, settings, runs)))),
      page.element("div", {class: "card"}, scores(row, runs)));
  };
})();
