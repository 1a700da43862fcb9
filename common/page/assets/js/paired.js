// The difference between two runs with its interval, by a paired bootstrap over the dialogues that both answered.
(() => {
  "use strict";

  const RESAMPLES = 10000;  // as many as make compare

  // A small generator (mulberry32), so that the same page always shows the same interval.
  const random = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };

  // Scores of the same dialogues → {score: mean of b − a, low, high, won, lost, same}.
  page.paired = (a, b) => {
    const differences = b.map((value, place) => value - a[place]), count = differences.length, next = random(1);
    if (!count) return null;
    const means = Float64Array.from({length: RESAMPLES}, () => {
      let total = 0;
      for (let drawn = 0; drawn < count; drawn++) total += differences[Math.floor(next() * count)];
      return total / count;
    }).sort();
    return {
      score: page.sum(differences) / count, low: d3.quantileSorted(means, 0.025), high: d3.quantileSorted(means, 0.975), floor: null,
      won: differences.filter((one) => one > 0).length, lost: differences.filter((one) => one < 0).length, same: differences.filter((one) => one === 0).length,
    };
  };

  // Whether the page has the scores of both runs dialogue by dialogue.
  page.hasPairs = (a, b) => {
    const known = page.data.examples?.splits?.dev?.runs;
    return Boolean(page.examples && known && known[a] && known[b]);
  };

  // Profile → difference of b from a, for every profile; a promise.
  page.differences = async (a, b) => {
    const [first, second] = await Promise.all([page.examples.run("dev", a), page.examples.run("dev", b)]);
    const found = {};
    for (const metric of page.examples.metrics().filter((one) => one.headline)) {
      const values = (run) => run.scores[metric.column].map((units) => page.examples.value(units, metric));
      found[metric.profile] = page.paired(values(first), values(second));
    }
    return found;
  };
})();
