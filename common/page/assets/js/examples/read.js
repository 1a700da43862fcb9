// The dialogues, and what the runs wrote for them: read from the page's blocks and given names.
(() => {
  "use strict";

  const INVENTED = 1, MISSING = 2, ODD = 4, CUT = 8;
  const SHOWN = 2;  // runs that are shown when the address names none
  const splits = new Map(), runs = new Map();

  const examples = page.examples = {index: {splits: {}, metrics: [], gaps: [], tokens: "whitespace", ...page.data.examples}};

  examples.FLAGS = {invented: INVENTED, missing: MISSING, odd: ODD, cut: CUT};

  const NAMES = {rouge1: "R1", rouge2: "R2", rougeL: "RL"};

  // Every metric of every profile; `name` stands in the address, and the first is the one that dev is judged by.
  examples.metrics = () => {
    let column = 0;
    return examples.index.metrics.flatMap(({profile, keys, tops, digits}) => keys.map((key, place) => {
      const {short} = page.profile(profile);
      const headline = place === 0;
      return {
        name: headline ? profile : `${profile}.${key}`, profile, headline, top: tops[place], column: column++,
        short: headline ? short : NAMES[key], title: headline ? short : `${short} ${NAMES[key]}`,
        digits: digits[place],
      };
    }));
  };

  examples.metric = (name) => examples.metrics().find((one) => one.name === name) || examples.metrics()[0];

  // A block holds scores as integers, in units of the last decimal that is shown.
  examples.value = (units, metric) => units / 10 ** metric.digits;
  examples.show = (units, metric) => page.number(examples.value(units, metric), metric.digits);
  examples.share = (units, metric) => Math.min(1, examples.value(units, metric) / metric.top);

  examples.splits = () => Object.keys(examples.index.splits);

  // Names of the runs of a split, in descending order of the mean score that counts.
  examples.runs = (split) => {
    const found = examples.index.splits[split].runs, {profile} = examples.index;
    return Object.keys(found).sort((a, b) => found[b].means[profile] - found[a].means[profile]);
  };

  // Whether all of these runs and blends have texts on the first split.
  examples.has = (names) => {
    const [split] = examples.splits();
    return Boolean(split) && names.every((name) => Object.hasOwn(examples.index.splits[split].runs, name));
  };

  // The runs to begin with: the two best, the better one last, so that "improved" goes from the one to the other.
  examples.usual = (split) => examples.runs(split).slice(0, SHOWN).reverse();

  examples.mean = (split, run, metric) => examples.index.splits[split].runs[run].means[metric.profile];

  examples.split = async (name) => {
    if (!splits.has(name)) splits.set(name, page.unpack(examples.index.splits[name].block).then(rows));
    return splits.get(name);
  };

  const rows = (block) => block.ids.map((id, place) => {
    const turns = block.turns[place].map(([speaker, text]) => ({speaker, text}));
    const speakers = [...new Set(turns.map((turn) => turn.speaker).filter((one) => one))];
    const dialogue = turns.map((turn) => turn.text).join("\n");
    const references = block.references[place].map((text) => made(text, block.mark));
    return {place, id, topic: block.topics[place], turns, speakers, characters: dialogue.length, dialogue, references};
  });

  // A text, with its pieces when somebody asks for them.
  const made = (text, mark) => {
    let pieces = null;
    return {
      text: page.plain(text, mark),
      get pieces() {
        return (pieces = pieces || page.pieces(text, mark, examples.index.tokens));
      },
    };
  };

  examples.run = async (split, name) => {
    const key = `${split} ${name}`;
    if (!runs.has(key)) {
      const entry = examples.index.splits[split].runs[name];
      runs.set(key, page.unpack(entry.block).then((block) => ({
        name, blend: entry.blend, scores: block.scores, flags: block.flags,
        predictions: block.predictions.map((text) => made(text, block.mark)),
        candidates: (place) => (block.candidates[place] || []).map(([text, cut, ...scores]) => ({
          ...made(text, block.mark), text: page.plain(text, block.mark), cut: Boolean(cut), scores,
          pieces: page.pieces(text, block.mark, examples.index.tokens),
        })),
      })));
    }
    return runs.get(key);
  };

  // The reference that a text is closest to: the marks show the differences from this one.
  examples.closest = (text, references) => {
    let best = references[0], most = -1;
    for (const reference of references) {
      const found = references.length > 1 ? page.overlap(text.pieces, reference.pieces) : 1;
      if (found > most) [best, most] = [reference, found];
    }
    return best;
  };
})();
