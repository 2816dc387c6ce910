"use strict";
// Axes that several views share: where a value lies, and ticks that are told apart.
(ferJax => {
  const SPREAD = .04;

  // The ends of a field's axis; a single level lies in the middle.
  function ends(field) {
    const low = Math.min(...field.places), high = Math.max(...field.places);
    return high > low ? [low, high] : [low - 1, high + 1];
  }

  // Where a point lies on an axis, 0 (bottom) to 1: of a field, or of the mean of a metric.
  function place(run, axis) {
    const at = run.doc.fields.findIndex(field => field.name === axis);
    if (at >= 0) {
      const field = run.doc.fields[at], [low, high] = ends(field);
      return point => (field.places[run.level(point, at)] - low) / (high - low);
    }
    const metric = run.metric(axis);
    if (!metric) return null;
    return point => {
      const value = run.mean(point, axis);
      return isNaN(value) ? NaN : Math.min(1, Math.max(0, (value - metric.low) / (metric.high - metric.low)));
    };
  }

  // The same with points of one level a little apart, so that their lines do not hide each other.
  function spread(run, axis) {
    const field = run.doc.fields.find(one => one.name === axis), exact = place(run, axis);
    if (!field || !exact) return exact;
    const [low, high] = ends(field), sorted = [...new Set(field.places)].sort((a, b) => a - b);
    const gaps = sorted.slice(1).map((one, at) => (one - sorted[at]) / (high - low));
    const room = Math.min(SPREAD, .25 * Math.min(1, ...gaps)), last = Math.max(1, run.points.count - 1);
    return point => Math.min(1, Math.max(0, exact(point) + room * (.5 - point / last)));
  }

  // Ticks of an axis: [place 0 to 1, text].
  function ticks(run, axis) {
    const field = run.doc.fields.find(one => one.name === axis);
    const [low, high] = field ? ends(field) : [run.metric(axis).low, run.metric(axis).high];
    return (field || run.metric(axis)).ticks.map(([at, text]) => [(at - low) / (high - low), text]);
  }

  // Round numbers between two values, with their texts: ticks for what has no axis of its own.
  function rounds(low, high, most, least = 0) {
    const step = Math.max(least, [1, 2, 5, 10].map(factor => factor * 10 ** Math.floor(Math.log10((high - low) / most)))
      .find(size => (high - low) / size <= most) || high - low);
    const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
    const found = [];
    for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; at += 1) found.push([at * step, (at * step).toFixed(decimals)]);
    return found;
  }

  Object.assign(ferJax, {place, spread, ticksOf: ticks, rounds});
})(globalThis.ferJax);
