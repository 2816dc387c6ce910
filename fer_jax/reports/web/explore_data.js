"use strict";
// The page's document as tables: texts and numbers of cells, names of columns, curves.
(ferJax => {
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const STEPS = 64 ** 2 - 3;
  const CODE = new Map([...LETTERS].map((letter, at) => [letter, at]));
  const DASH = "–";

  function plain(name) {
    return name.toLowerCase().replace(/[^\p{L}\p{N}.]+/gu, "_").replace(/\._|_\./g, "_").replace(/^_+|_+$/g, "");
  }

  // A column with text(row), number(row) (NaN for none) and the names that a filter knows it by.
  function column(doc, entry) {
    const {values, words, decimals, signed} = entry;
    const field = entry.field === undefined ? null : doc.fields[entry.field];
    let text;
    if (field) text = row => (typeof values[row] === "number" ? field.texts[values[row]] : DASH);
    else if (words) text = row => words[values[row]];
    else if (decimals !== undefined) {
      text = row => (values[row] === null ? DASH : (signed && values[row] >= 0 ? "+" : "") + values[row].toFixed(decimals));
    } else text = row => values[row];
    const number = field && field.numbers
      ? row => (typeof values[row] === "number" ? field.numbers[values[row]] : NaN)
      : row => parseNumber(text(row).replace("−", "-").replace("∞", "Infinity"));
    const numeric = field ? Boolean(field.numbers) : entry.style === "num";
    const names = new Set([entry.key, entry.label, ...(field ? [field.word, field.label] : [])].map(plain));
    return {...entry, field, text, number, numeric, names: [...names]};
  }

  // A number however it is written (1e-3, .001, 0.001); NaN for what is none.
  function parseNumber(text) {
    return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|^[+-]?Infinity$/i.test(text) ? Number(text) : NaN;
  }

  function table(doc, content) {
    const columns = content.columns.map(entry => column(doc, entry));
    const byKey = new Map(columns.map(one => [one.key, one]));
    return {count: content.count, columns, byKey};
  }

  // Curves of one series: shares of its scale in 0..1, Infinity above it, NaN for none.
  function decoded(text) {
    const shares = new Float32Array(text.length / 2);
    for (let at = 0; at < shares.length; at += 1) {
      const code = CODE.get(text[2 * at]) * 64 + CODE.get(text[2 * at + 1]);
      shares[at] = code <= STEPS ? code / STEPS : code === STEPS + 1 ? Infinity : NaN;
    }
    return shares;
  }

  // What every view reads: the document with its tables, and how points and trials hang together.
  function opened(doc) {
    const points = table(doc, doc.points), trials = table(doc, doc.trials);
    const trialsOf = Array.from({length: points.count}, () => []);
    doc.trials.point.forEach((point, trial) => trialsOf[point].push(trial));
    const ids = trials.byKey.get("id");
    const cache = new Map();
    const curve = (trial, series) => {
      const id = ids.text(trial), key = id + series;
      if (!cache.has(key)) {
        const text = doc.curves && doc.curves.of[id] && doc.curves.of[id][series];
        cache.set(key, text ? decoded(text) : null);
      }
      return cache.get(key);
    };
    const level = (point, field) => points.byKey.get(doc.fields[field].name).values[point];
    const described = point => doc.fields.map((field, at) => `${field.label} ${field.texts[level(point, at)]}`).join(", ")
      || "the one configuration";
    const part = point => {
      const names = points.byKey.get("part");
      return names ? Math.max(0, doc.parts.indexOf(names.text(point))) : 0;
    };
    // A metric with its scale; where parts are ranked by themselves, each has a scale of its own.
    const metric = name => {
      const found = doc.metrics.find(one => one.name === name);
      return found && found.of_parts ? {...found, ...found.of_parts[ferJax.state.part]} : found;
    };
    const mean = (point, name) => (points.byKey.has(name) ? points.byKey.get(name).number(point) : NaN);
    const known = doc.metrics.filter(one => points.byKey.has(one.name)).map(one => one.name);
    return {doc, points, trials, trialsOf, pointOf: doc.trials.point, id: row => ids.text(row), curve, level, described,
      part, metric, mean, metrics: known};
  }

  // A share of a metric's scale, 0 at the worst end and 1 at the best; NaN for no value.
  function quality(metric, value) {
    const share = Math.min(1, Math.max(0, (value - metric.low) / (metric.high - metric.low)));
    return metric.better === "low" ? 1 - share : share;
  }

  function shade(doc, share) {
    const shades = doc.colours.viridis, place = Math.min(1, Math.max(0, share)) * (shades.length - 1);
    const low = Math.floor(place);
    return ferJax.mixed(shades[low], shades[Math.min(low + 1, shades.length - 1)], place - low);
  }

  Object.assign(ferJax, {opened, parseNumber, plain, quality, shade, DASH});
})(globalThis.ferJax);
