// Numbers, times and names as people read them.
(() => {
  "use strict";

  const formats = new Map();
  const format = (digits, signed) => {
    const key = `${page.language} ${digits} ${signed}`;
    if (!formats.has(key))
      formats.set(key, new Intl.NumberFormat(page.language, {
        minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: signed ? "exceptZero" : "auto",
      }));
    return formats.get(key);
  };

  page.none = "–";

  page.number = (value, digits = 0) =>
    value === null || value === undefined || Number.isNaN(value) ? page.none : format(digits, false).format(value);

  page.signed = (value, digits = 2) =>
    value === null || value === undefined ? page.none : format(digits, true).format(value).replace("-", "−");

  page.percent = (share, digits = 1) =>
    share === null || share === undefined ? page.none : `${page.number(100 * share, digits)} %`;

  page.profile = (name) =>
    page.data.profiles.find((one) => one.name === name) || {name, short: name, digits: 2};

  // "leaderboard (0–100)": a metric with its scale, where several are shown together.
  page.scaled = ({short, top}) => (top === undefined || top === null ? short : `${short} (0–${page.number(top)})`);

  page.scales = () => page.text("scales: {scales}", {scales: page.data.profiles.map(page.scaled).join(", ")});

  // The metrics as options of a control.
  page.metricOptions = () => page.data.profiles.map((one) => [one.name, page.scaled(one)]);

  page.score = (value, profile) => page.number(value, page.profile(profile).digits);

  page.interval = (found, profile) =>
    !found || found.low === null || found.high === null
      ? page.none
      : `${page.score(found.low, profile)} … ${page.score(found.high, profile)}`;

  page.over = (found) => (found && found.floor !== null ? found.score - found.floor : null);

  page.minutes = (minutes) => {
    if (minutes === null || minutes === undefined) return page.none;
    if (minutes < 60) return page.text("{minutes} min", {minutes: page.number(minutes, minutes < 10 ? 1 : 0)});
    const hours = minutes / 60;
    return page.text("{hours} h", {hours: page.number(hours, hours < 10 ? 1 : 0)});
  };

  page.money = (dollars) =>
    dollars === null || dollars === undefined ? page.none : `$${page.number(dollars, dollars < 1 ? 3 : 2)}`;

  // Local time, as a date with hours and minutes.
  page.time = (iso, short = false) => {
    const date = new Date(iso || NaN);
    if (Number.isNaN(date.getTime())) return page.none;
    const options = short
      ? {month: "short", day: "numeric"}
      : {year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false};
    return new Intl.DateTimeFormat(page.language, options).format(date);
  };

  // What a method of blending does; its name is the one of the recipe.
  page.methodText = (method) => ({
    vote: page.text("vote: the text that most members agree on"),
    mbr: page.text("mbr: the candidate that agrees most with all candidates"),
    mbr_searched: page.text("mbr_searched: mbr with weights that are searched on dev"),
    stack: page.text("stack: learns on dev which candidate scores best (ridge regression)"),
    stack_boosting: page.text("stack_boosting: learns on dev which candidate scores best (boosted trees)"),
    rank: page.text("rank: learns on dev how to rank the candidates"),
    committee: page.text("committee: stack, stack_boosting and rank decide together"),
    auto: page.text("auto: the method that does best in cross-validation on dev"),
  })[method];

  page.commit = (row) => (row.commit ? row.commit.slice(0, 7) + (row.dirty ? "*" : "") : page.none);

  // Hardware as Python recorded it, "x86_64, 2 cores, 1 thread" or "2 × NVIDIA A100", with its words in the page's language.
  page.hardware = (text) => String(text ?? "")
    .replace(/\b(\d+) cores\b/g, (_, count) => page.text("{count} cores", {count}))
    .replace(/\b1 thread\b/g, () => page.text("1 thread")).replace(/\b(\d+) threads\b/g, (_, count) => page.text("{count} threads", {count}));

  page.sum = (values) => values.reduce((total, value) => total + value, 0);

  // A setting's value where there is little room: at most four digits that count; the comparison of two runs has them all.
  page.rounded = (value) => (typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value);

  // A setting's value as the command line takes it.
  page.value = (value) => {
    if (value === undefined) return page.none;
    if (value === null || typeof value === "boolean") return String(value);
    if (Array.isArray(value)) return value.join(",");
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  };
})();
