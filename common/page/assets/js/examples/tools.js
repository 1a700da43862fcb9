// The choices above the examples: runs, metric, selection, and filters.
(() => {
  "use strict";

  const {examples} = page;

  const field = (label, control) => page.element("label", {}, label, control);

  // entries: [value, text]
  const select = (name, entries, chosen, onchange) => page.element("select", {name, onchange: (event) => onchange({[name]: event.target.value})},
    entries.map(([value, text]) => page.element("option", {value, selected: value === chosen}, text)));

  const input = (name, type, value, update, more = {}) => {
    let wait = 0;
    return page.element("input", {type, name, value: value ?? "", ...more, oninput: (event) => {
      clearTimeout(wait);
      wait = setTimeout(() => update({[name]: event.target.value}), type === "search" ? 150 : 50);
    }});
  };

  const SELECTIONS = {
    all: () => page.text("All"),
    worst: () => page.text("Worst {count}", {count: examples.TOP}),
    disagreed: () => page.text("Most disagreed {count}", {count: examples.TOP}),
    improved: () => page.text("Most improved {count}", {count: examples.TOP}),
    worsened: () => page.text("Largest losses {count}", {count: examples.TOP}),
  };

  // What the selection means with the runs that are shown.
  examples.meaning = ({selection, runs, by}) => {
    const whose = by || (runs.length > 1 ? page.text("the mean of the shown models") : runs[0] || "");
    return {
      all: "",
      worst: page.text("the lowest scores of {run}", {run: whose}),
      disagreed: page.text("the least alike predictions of the shown models"),
      improved: page.text("the largest gains from {from} to {to}", {from: runs[0], to: runs[1]}),
      worsened: page.text("the largest losses from {from} to {to}", {from: runs[0], to: runs[1]}),
    }[selection];
  };

  const selections = (settings, update) => page.element("fieldset", {class: "choices segments"},
    page.element("legend", {class: "hidden"}, page.text("Selection")),
    Object.keys(SELECTIONS).map((name) => page.element("label", {},
      page.element("input", {type: "radio", name: "show", value: name, checked: settings.selection === name,
        disabled: examples.SELECTIONS[name] > settings.runs.length, onchange: () => update({show: name === "all" ? "" : name, id: ""}, true)}),
      SELECTIONS[name]())));

  // The shown runs come first, in their order: "improved" goes from the first to the second.
  const models = (settings, update) => {
    const all = examples.runs(settings.split), others = all.filter((run) => !settings.runs.includes(run));
    const toggled = (run, on) => (on ? [...settings.runs, run] : settings.runs.filter((one) => one !== run));
    const change = (runs) => update({runs: page.join(runs), by: "", against: ""}, true);
    return page.element("details", {class: "models", open: settings.open || null, "data-part": "models"},
      page.element("summary", {}, page.element("span", {class: "label"}, page.text("Models")), " ",
        settings.runs.map((run) => [page.element("span", {class: "tag accent"}, examples.brief(run)), " "])),
      page.element("fieldset", {class: "choices"},
        page.element("legend", {}, page.text("Shown side by side; scores are means on {split}", {split: settings.split})),
        [...settings.runs, ...others].map((run) => page.element("label", {},
          page.element("input", {type: "checkbox", name: "run", value: run, checked: settings.runs.includes(run),
            disabled: settings.runs.length === 1 && settings.runs[0] === run,
            onchange: (event) => change(toggled(run, event.target.checked))}),
          examples.brief(run), page.element("span", {class: "faint"}, page.score(
            examples.mean(settings.split, run, settings.metric), settings.metric.profile))))),
      settings.runs.length > 1 && page.element("button", {type: "button", onclick: () => change([settings.runs[1], settings.runs[0], ...settings.runs.slice(2)])},
        page.text("Swap the first two")));
  };

  const counted = (settings) => examples.FILTERS.filter((name) => name !== "q" && settings.filters[name] !== "" && settings.filters[name] !== null).length;

  const filters = (settings, rows, update) => {
    const {filters: now, metric} = settings, whole = (changes) => update(changes, true);
    const counts = [...new Set(rows.map((row) => row.speakers.length))].sort((a, b) => a - b);
    const topics = [...new Set(rows.map((row) => row.topic).filter(Boolean))].sort((a, b) => a.localeCompare(b, page.language)).slice(0, 1000);
    const step = metric.top === 1 ? 0.01 : 1;
    const range = (label, low, high, more) => page.element("fieldset", {class: "range"}, page.element("legend", {}, label),
      input(low, "number", now[low], update, {...more, "aria-label": page.text("{what}, at least", {what: label}), placeholder: page.text("from")}),
      input(high, "number", now[high], update, {...more, "aria-label": page.text("{what}, at most", {what: label}), placeholder: page.text("to")}));
    return page.element("details", {class: "filters", "data-part": "filters", open: counted(settings) ? true : null},
      page.element("summary", {}, page.element("span", {class: "label"}, page.text("Metric and filters")), " ",
        page.element("span", {class: "tag accent"}, metric.title), " ", page.element("span", {id: "active-filters"})),
      page.element("div", {class: "tools"},
        field(page.text("Metric"), select("metric", examples.metrics().map((one) => [one.name, one.title]), metric.name, whole)),
        settings.runs.length > 1 && field(page.text("Score of"), select("by",
          [["", page.text("mean of the shown")], ...settings.runs.map((run) => [run, run])], settings.by, update)),
        range(page.text("Score ({metric})", {metric: metric.title}), "from", "to", {step, min: 0, max: metric.top}),
        range(page.text("Characters of the dialogue"), "shortest", "longest", {step: 10, min: 0}),
        field(page.text("Speakers"), select("speakers", [["", page.text("any number")], ...counts.map((count) => [String(count), String(count)])],
          now.speakers === null ? "" : String(now.speakers), update)),
        field(page.text("Tags"), select("tags", [["", page.text("with or without errors")], ["any", page.text("any error")],
          ["invented", page.text("invented tag")], ["missing", page.text("missing tag")], ["odd", page.text("tag in another form")]], now.tags, update)),
        topics.length > 0 && field(page.text("Topic"), input("topic", "search", now.topic, update, {list: "topics"})),
        topics.length > 0 && page.element("datalist", {id: "topics"}, topics.map((topic) => page.element("option", {value: topic.slice(0, 200)}))),
        examples.splits().length > 1 && field(page.text("Split"), select("split", examples.splits().map((name) => [name, name]), settings.split,
          ({split}) => whole({split, id: ""}))),
        page.element("label", {class: "check"}, page.element("input", {type: "checkbox", name: "cut", checked: Boolean(now.cut),
          onchange: (event) => update({cut: event.target.checked ? "1" : ""})}), page.text("cut off only")),
        page.element("button", {type: "button", class: "quiet", onclick: () =>
          whole(Object.fromEntries(examples.FILTERS.map((name) => [name, ""])))}, page.text("Clear filters"))));
  };

  // Says how many filters hold, also while the choices themselves stay as they are.
  examples.tellFilters = (settings) => {
    const count = counted(settings), place = document.getElementById("active-filters");
    if (place) page.append(page.clear(place), [count > 0 && page.element("span", {class: "tag warn"},
      count === 1 ? page.text("1 filter") : page.text("{count} filters", {count}))]);
  };

  // update(changes, whole): `whole` when the choices themselves look different afterwards.
  examples.tools = (settings, rows, update) => page.element("div", {class: "card example-tools"},
    models(settings, update),
    page.element("div", {class: "example-row"},
      selections(settings, update),
      input("q", "search", settings.filters.q, update, {placeholder: page.text("Search words, ids, topics"), "aria-label": page.text("Search words, ids, topics")})),
    filters(settings, rows, update));
})();
