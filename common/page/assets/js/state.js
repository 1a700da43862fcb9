// The address is the state: #/view?name=value&…. Every view can be linked to, and the back button works.
(() => {
  "use strict";

  // Views that have something to show on this page, in the order of the navigation.
  page.offered = () => page.order.filter((name) => !page.views[name].shown || page.views[name].shown());

  page.state = () => {
    const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
    const known = Object.hasOwn(page.views, path);
    return {view: known ? path : page.offered()[0], params: new URLSearchParams(known ? query || "" : "")};
  };

  page.link = (view, params = {}) => {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(params))
      if (value !== null && value !== undefined && value !== "") query.set(key, value);
    const text = query.toString();
    return `#/${view}${text ? "?" + text : ""}`;
  };

  page.go = (view, params = {}) => {
    location.hash = page.link(view, params);
  };

  // Changes parameters of the shown view. `quiet`: the view has already changed itself, and no step back is wanted.
  page.change = (changes, quiet = false) => {
    const {view, params} = page.state();
    const merged = {...Object.fromEntries(params), ...changes};
    const to = page.link(view, merged);
    if (!quiet) location.hash = to;
    else history.replaceState(null, "", to);
  };

  // A list in a parameter, whatever its entries contain.
  page.join = (entries) => entries.map(encodeURIComponent).join(",");

  const decoded = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };

  page.list = (params, name) => (params.get(name) || "").split(",").filter((one) => one).map(decoded);
})();
