// Texts as tokens of the metric, and what two texts have in common.
(() => {
  "use strict";

  const TOKEN = {marked: /\S+/g, whitespace: /\S+/g, sentences: /[^\s.]+/g, alnum: /[A-Za-z0-9]+/g};
  const LOWER = new Set(["whitespace", "alnum"]);
  const MOST_CELLS = 4e6;  // of a table of two texts' tokens; longer texts are compared without their order

  page.TAG = /#[A-Za-z]+[0-9]*#/g;

  page.plain = (text, mark) => text.replaceAll(mark, "");

  // Returns pieces {text, key}; key is null for what is no token. Together the pieces are the whole text.
  page.pieces = (text, mark, rule) => {
    const found = [];
    for (const part of rule === "marked" ? text.split(mark) : [text]) {
      let end = 0;
      for (const match of part.matchAll(TOKEN[rule])) {
        if (match.index > end) found.push({text: part.slice(end, match.index), key: null});
        found.push({text: match[0], key: LOWER.has(rule) ? match[0].toLowerCase() : match[0]});
        end = match.index + match[0].length;
      }
      if (end < part.length) found.push({text: part.slice(end), key: null});
    }
    return joined(found);
  };

  // A tag is one piece, though an analyser takes it apart: nobody reads "#Person" and "1" as two differences.
  const joined = (pieces) => {
    const whole = pieces.map((piece) => piece.text).join("");
    const tags = [...whole.matchAll(page.TAG)].map((match) => [match.index, match.index + match[0].length]);
    if (!tags.length) return pieces;
    const made = [];
    let place = 0, next = 0;
    for (const piece of pieces.flatMap(cut(tags))) {
      const end = place + piece.text.length;
      while (next < tags.length && tags[next][1] <= place) next += 1;
      const [from, to] = tags[next] || [Infinity, Infinity];
      const last = made[made.length - 1];
      if (place > from && end <= to) {
        last.text += piece.text;
        last.key = last.text;
      } else made.push({...piece});
      place = end;
    }
    return made;
  };

  // Cuts what is no token where a tag begins or ends: " #" is a space, and the start of a tag.
  const cut = (tags) => {
    const edges = tags.flat();
    let place = 0, next = 0;
    return (piece) => {
      const start = place, end = place += piece.text.length, inside = [start];
      for (; next < edges.length && edges[next] < end; next += 1) if (edges[next] > inside.at(-1)) inside.push(edges[next]);
      if (piece.key !== null) return piece;
      return inside.map((from, number) => ({text: piece.text.slice(from - start, (inside[number + 1] ?? end) - start), key: null}));
    };
  };

  // Returns [i, j] of the equal tokens of a longest common subsequence, in ascending order.
  page.common = (a, b) => {
    const x = a.flatMap((piece, place) => (piece.key === null ? [] : [place]));
    const y = b.flatMap((piece, place) => (piece.key === null ? [] : [place]));
    let start = 0, left = x.length, right = y.length;
    const same = (i, j) => a[x[i]].key === b[y[j]].key;
    while (start < left && start < right && same(start, start)) start += 1;
    while (left > start && right > start && same(left - 1, right - 1)) left -= 1, right -= 1;
    const pairs = [];
    for (let k = 0; k < start; k += 1) pairs.push([x[k], y[k]]);
    pairs.push(...middle(x, y, start, left, right, same));
    for (let k = 0; left + k < x.length; k += 1) pairs.push([x[left + k], y[right + k]]);
    return pairs;
  };

  const middle = (x, y, start, left, right, same) => {
    const rows = left - start, columns = right - start;
    if (!rows || !columns || rows * columns > MOST_CELLS) return [];
    const width = columns + 1, lengths = new Uint16Array((rows + 1) * width);
    for (let i = rows - 1; i >= 0; i -= 1)
      for (let j = columns - 1; j >= 0; j -= 1)
        lengths[i * width + j] = same(start + i, start + j)
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    const pairs = [];
    for (let i = 0, j = 0; i < rows && j < columns;) {
      if (same(start + i, start + j)) pairs.push([x[start + i++], y[start + j++]]);
      else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i += 1;
      else j += 1;
    }
    return pairs;
  };

  // Returns runs {kind, text} that turn b into a: "same", "added" (only in a) and, if wanted, "lost" (only in b).
  page.difference = (a, b, lost) => {
    const runs = [];
    const add = (kind, text) => {
      const last = runs[runs.length - 1];
      if (last && last.kind === kind) last.text += text;
      else if (text) runs.push({kind, text});
    };
    let i = 0, j = 0;
    const upTo = (toA, toB) => {
      for (; i < toA && a[i].key === null; i += 1) add("same", a[i].text);
      if (lost) {
        const words = b.slice(j, toB).filter((piece) => piece.key !== null || /\s/.test(piece.text));
        const text = words.map((piece) => piece.text).join("").trim();
        if (text) add("lost", text), add("same", " ");
      }
      for (; i < toA; i += 1) add(a[i].key === null ? "same" : "added", a[i].text);
      j = toB;
    };
    for (const [x, y] of page.common(a, b)) {
      upTo(x, y);
      add("same", a[x].text);
      i = x + 1;
      j = y + 1;
    }
    upTo(a.length, b.length);
    return page.bridged(runs);
  };

  // A space between two marked words belongs to the mark.
  page.bridged = (runs) => {
    const made = [];
    for (const [place, run] of runs.entries()) {
      const last = made[made.length - 1], next = runs[place + 1];
      if (last && next && run.kind === "same" && !run.text.trim() && last.kind === "added" && next.kind === "added")
        last.text += run.text;
      else if (last && last.kind === run.kind) last.text += run.text;
      else made.push({...run});
    }
    return made;
  };

  // Returns the F1 of the tokens of two texts as multisets, in [0, 1]: ROUGE-1.
  page.overlap = (a, b) => {
    const counts = new Map();
    let first = 0, second = 0, both = 0;
    for (const {key} of a) if (key !== null) first += 1, counts.set(key, (counts.get(key) || 0) + 1);
    for (const {key} of b) {
      if (key === null) continue;
      second += 1;
      const left = counts.get(key) || 0;
      if (left) both += 1, counts.set(key, left - 1);
    }
    return first + second ? (2 * both) / (first + second) : 0;
  };
})();
