// Texts in the chosen language. page.text is the only source of words; Python collects its calls into page.po.
(() => {
  "use strict";

  const kept = (key) => {
    try {
      return localStorage.getItem(`kds-${key}`);
    } catch {
      return null;
    }
  };

  page.keep = (key, value) => {
    try {
      localStorage.setItem(`kds-${key}`, value);
    } catch {
      // A browser that keeps nothing still shows everything.
    }
  };

  page.language = kept("language") || ((navigator.language || "").toLowerCase().startsWith("ko") ? "ko" : "en");
  page.theme = kept("theme") || "auto";

  const filled = (template, values) =>
    template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));

  page.text = (english, values = {}) =>
    filled((page.language === "ko" && page.korean[english]) || english, values);

  // A sentence that Python gave in both languages.
  page.both = (text) => (text ? text[page.language] || text.en : "");

  page.setLanguage = (language) => {
    page.language = language;
    page.keep("language", language);
    document.documentElement.lang = language;
  };

  page.setTheme = (theme) => {
    page.theme = theme;
    page.keep("theme", theme);
    document.documentElement.dataset.theme = theme;
  };
})();
