// How a dialogue and a summary look: speakers with a colour and their name, differences with a mark that is no colour alone.
(() => {
  "use strict";

  const {examples} = page;
  const COLOURS = 7;

  // A name where no button can stand, as in a link: a long one is cut, and its title has the rest.
  examples.brief = (text, most = 40) => text.length <= most
    ? page.element("bdi", {}, text)
    : page.element("bdi", {title: text.slice(0, 1000)}, `${text.slice(0, most)}…`);

  // The class of a speaker's colour: by its place in the dialogue, "masked" for tags that are no speaker.
  examples.speakerClass = (tag, row) => {
    const place = row.speakers.indexOf(tag);
    if (place >= 0) return `tag-text speaker-${(place % COLOURS) + 1}`;
    return row.dialogue.includes(tag) ? "tag-text" : "tag-text stranger";
  };

  // Text with its tags set apart.
  examples.tagged = (text, row) => {
    const made = [];
    let end = 0;
    for (const match of text.matchAll(page.TAG)) {
      if (match.index > end) made.push(text.slice(end, match.index));
      made.push(page.element("span", {class: examples.speakerClass(match[0], row)}, match[0]));
      end = match.index + match[0].length;
    }
    made.push(text.slice(end));
    return made;
  };

  const LONG = 2000;

  // A text too long to be read is folded; its rest is made when somebody asks for it.
  const folded = (text, render) => {
    if (text.length <= LONG) return render(text);
    const box = page.element("span", {}, render(text.slice(0, LONG)), " … ");
    const more = page.element("button", {type: "button", class: "link", onclick: () => page.append(page.clear(box), [render(text)])},
      page.text("show all {count} characters", {count: page.number(text.length)}));
    box.append(more);
    return box;
  };

  examples.dialogue = (row) => page.element("ol", {class: "turns"}, row.turns.map((turn) => {
    const place = row.speakers.indexOf(turn.speaker);
    return page.element("li", {class: place < 0 ? "turn" : `turn speaker-${(place % COLOURS) + 1}`},
      page.element("span", {class: "speaker"}, examples.brief(turn.speaker ? turn.speaker.replaceAll("#", "") : "–")),
      page.element("bdi", {class: "said", dir: "auto"}, folded(turn.text, (text) => examples.tagged(text, row))));
  }));

  const tag = {added: "ins", lost: "del"};

  // What the two marks mean.
  examples.sides = ({against}) => against
    ? {added: page.text("not in {run}", {run: against}), lost: page.text("only in {run}", {run: against})}
    : {added: page.text("not in the reference"), lost: page.text("only in the reference")};

  // A summary with its differences from another text; without one, as it is.
  examples.marked = (text, other, row, settings) => {
    if (!other || settings.marks === "none" || text.text.length > 4 * LONG || other.text.length > 4 * LONG)
      return page.element("bdi", {class: "summary", dir: "auto"}, folded(text.text || page.text("(empty)"), (part) => examples.tagged(part, row)));
    const names = examples.sides(settings);
    return page.element("bdi", {class: "summary", dir: "auto"}, page.difference(text.pieces, other.pieces, settings.marks === "edits").map((run) =>
      run.kind === "same"
        ? examples.tagged(run.text, row)
        : page.element(tag[run.kind], {"data-said": `[${names[run.kind]}] `, title: names[run.kind]}, examples.tagged(run.text, row))));
  };

  // What is wrong with a prediction, as words.
  examples.faults = (run, row) => {
    const flags = run.flags[row.place], {FLAGS} = examples;
    const own = run.predictions[row.place].text.match(page.TAG) || [];
    const strangers = [...new Set(own)].filter((one) => !row.dialogue.includes(one) && !row.speakers.includes(one));
    const wanted = row.references.map((one) => new Set(one.text.match(page.TAG) || []));
    const missing = [...(wanted[0] || [])].filter((one) => wanted.every((set) => set.has(one)) && !own.includes(one));
    return [
      flags & FLAGS.invented && page.text("invented: {tags}", {tags: strangers.join(" ")}),
      flags & FLAGS.missing && page.text("missing: {tags}", {tags: missing.join(" ")}),
      flags & FLAGS.odd && page.text("tag in another form"),
      flags & FLAGS.cut && page.text("cut off"),
    ].filter(Boolean);
  };
})();
