"use strict";
// What the reader has asked for (filter, brushes, order, hidden columns, the chosen row), and the rows that follow.
(ferJax => {
  const listeners = [];
  const state = {
    run: null, mode: "points", filter: "", problems: [], brushes: new Map(), chosen: null, metric: "", part: 0,
    order: {points: null, trials: null}, hidden: {points: new Map(), trials: new Map()},
    kept: {points: null, trials: null}, rows: [],
  };

  // Points of trials (any of them), and trials of points.
  function upwards(trials) {
    return Uint8Array.from(state.run.trialsOf, own => (own.some(trial => trials[trial]) ? 1 : 0));
  }

  function downwards(points) {
    return Uint8Array.from(state.run.pointOf, point => points[point]);
  }

  // What lies within the brushes; they are of the part in sight, as their axes are.
  function brushed() {
    const {run} = state, rows = new Uint8Array(run.points.count).fill(1);
    if (state.brushes.size) rows.forEach((_, row) => { rows[row] = run.part(row) === state.part ? 1 : 0; });
    for (const [axis, [low, high]] of state.brushes) {
      const place = ferJax.place(run, axis);
      if (!place) continue;
      for (let row = 0; row < rows.length; row += 1) {
        const at = place(row);
        rows[row] &= at >= low - 1e-9 && at <= high + 1e-9 ? 1 : 0;
      }
    }
    return rows;
  }

  function ordered(table, rows, order) {
    if (!order || !table.byKey.has(order.key)) return rows;
    const column = table.byKey.get(order.key), sign = order.down ? -1 : 1;
    const byLevel = column.field && column.field.numeric;
    if (column.numeric || byLevel) {
      const keys = new Map(rows.map(row => [row, column.number(row)]));
      return [...rows].sort((a, b) => {
        const one = keys.get(a), other = keys.get(b);
        if (isNaN(one) || isNaN(other)) return isNaN(one) - isNaN(other) || a - b;
        return one === other ? a - b : (one < other ? -sign : sign);
      });
    }
    return [...rows].sort((a, b) => sign * column.text(a).localeCompare(column.text(b), undefined, {numeric: true}) || a - b);
  }

  // Works out anew which rows are kept and in what order.
  function derive() {
    const {points, trials} = state.run, brush = brushed();
    const byPoint = ferJax.keptRows(state.filter, points, trials, upwards);
    const byTrial = ferJax.keptRows(state.filter, trials, points, downwards);
    const keptPoints = byPoint.rows.map((value, row) => value & brush[row]);
    const keptTrials = byTrial.rows.map((value, row) => value & brush[state.run.pointOf[row]]);
    const isPoints = state.mode === "points";
    state.problems = (isPoints ? byPoint : byTrial).problems;
    const own = isPoints ? keptPoints : keptTrials, table = state.run[state.mode];
    state.kept = isPoints
      ? {points: keptPoints, trials: downwards(keptPoints)}
      : {points: upwards(keptTrials), trials: keptTrials};
    const rows = [];
    own.forEach((value, row) => { if (value) rows.push(row); });
    state.rows = ordered(table, rows, state.order[state.mode]);
  }

  function tell(what) {
    listeners.forEach(listener => listener(what));
  }

  // Changes some of the state; `what` says how much has to be drawn again: rows, chosen or columns.
  function change(changes, what = "rows") {
    Object.assign(state, changes);
    if (what === "rows") derive();
    tell(what);
  }

  // Whether the room of the views may have changed; to measure it takes a layout of the whole page.
  function isSized(what) {
    return what === "document" || what === "views";
  }

  // A row's own name, which a newer document has too: a trial's id, a point's values.
  function nameOf(mode, row) {
    const {run} = state;
    return mode === "trials" ? run.id(row) : `${run.part(row)} ${run.described(row)}`;
  }

  function choose(mode, row) {
    const {run} = state, isOther = row !== null && run.part(mode === "trials" ? run.pointOf[row] : row) !== state.part;
    if (isOther) state.part = run.part(mode === "trials" ? run.pointOf[row] : row);
    change({chosen: row === null ? null : {mode, name: nameOf(mode, row), row}}, "chosen");
    if (isOther) tell("views");
  }

  function brush(axis, range) {
    if (range) state.brushes.set(axis, range);
    else state.brushes.delete(axis);
    change({});
  }

  function isFiltered() {
    return Boolean(state.filter.trim()) || state.brushes.size > 0;
  }

  function reset() {
    state.brushes.clear();
    change({filter: ""});
  }

  // Takes a document, the first or a newer one; what the reader asked for stays as far as it can.
  function take(doc) {
    const first = state.run === null;
    state.run = ferJax.opened(doc);
    const {run} = state;
    if (first) {
      state.mode = run.points.count > 1 ? "points" : "trials";
      for (const mode of ["points", "trials"]) {
        run[mode].columns.forEach(column => { if (column.folded) state.hidden[mode].set(column.key, true); });
      }
    }
    if (!run.metrics.includes(state.metric)) state.metric = run.metrics.includes(doc.metric) ? doc.metric : run.metrics[0] || "";
    state.part = Math.min(state.part, Math.max(0, doc.parts.length - 1));
    if (state.chosen) {
      const {mode, name} = state.chosen, count = run[mode].count;
      const row = Array.from({length: count}, (_, at) => at).find(at => nameOf(mode, at) === name);
      state.chosen = row === undefined ? null : {mode, name, row};
    }
    derive();
  }

  // The points and trials that the chosen row is of: {points: Set, trials: Set}.
  function chosenRows() {
    const {chosen, run} = state;
    if (!chosen) return {points: new Set(), trials: new Set()};
    if (chosen.mode === "trials") return {points: new Set([run.pointOf[chosen.row]]), trials: new Set([chosen.row])};
    return {points: new Set([chosen.row]), trials: new Set(run.trialsOf[chosen.row])};
  }

  Object.assign(ferJax, {
    state, change, choose, brush, reset, take, tell, isSized, isFiltered, chosenRows, listen: listener => listeners.push(listener),
  });
})(globalThis.ferJax);
