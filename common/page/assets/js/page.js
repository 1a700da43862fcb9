// The one object that all scripts share, and the only way in which they make elements: from text, never from HTML.
const page = {views: {}, order: []};

(() => {
  "use strict";

  page.data = JSON.parse(document.getElementById("data").textContent);
  page.korean = JSON.parse(document.getElementById("korean").textContent);

  // page.element("td", {class: "number", onclick: f, aria-sort: "none"}, "text", child, …) → element.
  // Attributes with the value null, undefined or false are left out; functions become listeners.
  page.element = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (typeof value === "function") made.addEventListener(key.replace(/^on/, ""), value);
      else if (key === "value" || key === "checked" || key === "selected") made[key] = value;
      else made.setAttribute(key, value === true ? "" : String(value));
    }
    page.append(made, children);
    return made;
  };

  page.append = (parent, children) => {
    for (const child of [children].flat(Infinity)) {
      if (child === null || child === undefined || child === false) continue;  // 0 is a number to show
      parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
    return parent;
  };

  page.clear = (parent) => {
    parent.replaceChildren();
    return parent;
  };

  // The beginning of a text of others, for sentences.
  page.short = (text, most = 60) => (String(text).length > most ? `${String(text).slice(0, most - 1)}…` : String(text));

  // Text of others: its direction cannot spread to its surroundings, and a long one is folded.
  const LONG = 400;
  page.foreign = (text, most = LONG) => {
    const whole = String(text ?? "");
    if (whole.length <= most) return page.element("bdi", {}, whole);
    const shown = page.element("bdi", {}, whole.slice(0, most) + " … ");
    const more = page.element("button", {type: "button", class: "link", onclick: () => {
      shown.textContent = whole;
      more.remove();
    }}, page.text("show all {count} characters", {count: page.number(whole.length)}));
    return page.element("span", {}, shown, more);
  };

  // A text of others inside one of ours: its direction ends with it.
  const DIRECTED = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]/;
  page.isolated = (text) => (DIRECTED.test(text) ? `\u2068${text}\u2069` : String(text));

  page.heading = (title, intro) => page.element("div", {}, page.element("h2", {}, title), intro && page.element("p", {class: "intro"}, intro));

  page.empty = (text) => page.element("div", {class: "card empty"}, page.element("p", {}, text));

  // A labelled control.
  page.field = (label, control) => page.element("label", {}, page.element("span", {}, label), control);

  // Options: [[value, text], …]. The control has this id, so that it keeps the focus when the view is drawn again.
  page.select = (id, label, options, chosen, onChange) => page.field(label,
    page.element("select", {id, onchange: (event) => onChange(event.target.value)},
      options.map(([value, text]) => page.element("option", {value, selected: value === chosen}, text))));

  // Adds a view: {title: () => text, show(root, params)}; `shown` says whether there is anything to show.
  page.addView = (name, view) => {
    page.views[name] = view;
    page.order.push(name);
  };
})();
