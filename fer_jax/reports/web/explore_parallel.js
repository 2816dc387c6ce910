"use strict";
// Parallel coordinates: every point a line through its values; dragging along an axis keeps what lies there.
(ferJax => {
  const {make, draw, empty, state} = ferJax;
  const HEIGHT = 338, TOP = 54, BOTTOM = 18, MOST = 9, LEAST_GAP = 112, LEAST_SIDE = 64, BOLD = 5;
  let canvas, picture, holder, chooser, parts, gap = 0, left = 0, right = 0, width = 0, room = 0;

  // Points of the part in sight, the best first: others are not ranked against them.
  function points() {
    const {run} = state;
    return Array.from({length: run.points.count}, (_, point) => point).filter(point => run.part(point) === state.part);
  }

  function axes() {
    const {run} = state, own = points();
    const several = run.doc.fields.filter((field, at) => new Set(own.map(point => run.level(point, at))).size > 1);
    const swept = (several.length ? several : run.doc.fields).slice(0, MOST).map(field => field.name);
    return state.metric ? [...swept, state.metric] : swept;
  }

  function y(share) {
    return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
  }

  function lines(names) {
    const {run} = state, context = ferJax.paper(canvas, width, HEIGHT);
    const places = names.map(name => ferJax.spread(run, name)), metric = run.metric(state.metric);
    const ground = ferJax.ink("--paper"), dark = ferJax.ink("--ink"), faint = ferJax.ink("--line");
    const chosen = ferJax.chosenRows().points, kept = state.kept.points;
    const all = points().reverse();
    const isKept = point => kept[point];
    const trace = (point, colour, size, alpha) => {
      context.beginPath();
      context.strokeStyle = colour;
      context.lineWidth = size;
      context.globalAlpha = alpha;
      places.forEach((place, at) => {
        const share = place(point);
        if (!isNaN(share)) context[at ? "lineTo" : "moveTo"](left + at * gap, y(share));
      });
      context.stroke();
    };
    const count = all.filter(isKept).length, shades = new Map();
    const colour = point => {
      const value = metric ? run.mean(point, metric.name) : NaN;
      if (isNaN(value)) return ferJax.ink("--muted");
      const share = Math.round(ferJax.quality(metric, value) * 40) / 40;
      if (!shades.has(share)) shades.set(share, ferJax.readable(ferJax.shade(run.doc, share), ground, dark));
      return shades.get(share);
    };
    all.filter(point => !isKept(point)).forEach(point => trace(point, faint, .8, .7));
    const bold = new Set([...all].filter(isKept).reverse().slice(0, BOLD));
    all.filter(isKept).forEach(point => (bold.has(point)
      ? trace(point, colour(point), 2.2, 1) : trace(point, colour(point), count > 400 ? .7 : 1.1, count > 400 ? .45 : .75)));
    all.filter(point => chosen.has(point)).forEach(point => trace(point, dark, 3.2, 1));
    context.globalAlpha = 1;
  }

  // The level, or tenth of a metric, that is nearest to a share of an axis, a number of levels away.
  function step(name, share, by) {
    const stops = [...new Set(state.run.doc.fields.some(field => field.name === name)
      ? points().map(ferJax.place(state.run, name))
      : Array.from({length: 11}, (_, at) => at / 10))].sort((a, b) => a - b);
    const nearest = stops.reduce((best, one, at) => (Math.abs(one - share) < Math.abs(stops[best] - share) ? at : best), 0);
    return stops[Math.min(stops.length - 1, Math.max(0, nearest + by))];
  }

  function pressed(event, name) {
    const by = {ArrowUp: 1, ArrowDown: -1}[event.key], now = state.brushes.get(name);
    if (event.key === "Escape" || event.key === "Delete" || event.key === "Backspace") ferJax.brush(name, null);
    else if (!by) return;
    else if (!now) ferJax.brush(name, [step(name, by > 0 ? 0 : 1, 0), step(name, by > 0 ? 0 : 1, 0)].map((one, at) => one + (at ? .02 : -.02)));
    else {
      const middle = (now[0] + now[1]) / 2, [low, high] = event.shiftKey
        ? (by > 0 ? [now[0], step(name, now[1], 1) + .02] : [step(name, now[0], -1) - .02, now[1]])
        : [step(name, middle, by) - .02, step(name, middle, by) + .02];
      ferJax.brush(name, [low, high]);
    }
    event.preventDefault();
    holder.querySelector(`[data-axis="${CSS.escape(name)}"]`)?.focus();
  }

  // What a brush keeps, in the texts of the axis.
  function words(name) {
    const range = state.brushes.get(name);
    if (!range) return "all";
    const inside = ferJax.ticksOf(state.run, name).filter(([at]) => at >= range[0] && at <= range[1]).map(([, text]) => text);
    return inside.length ? (inside.length > 1 ? `${inside[0]} to ${inside.at(-1)}` : inside[0]) : "between ticks";
  }

  // Dragging along an axis; a press without a drag takes the brush away.
  function dragged(event, name) {
    // Where the picture was at the press: what the page does meanwhile must not move the brush.
    const top = picture.getBoundingClientRect().top + scrollY, share = at => 1 - (at + scrollY - top - TOP) / (HEIGHT - TOP - BOTTOM);
    const from = share(event.clientY), before = state.brushes.get(name);
    ferJax.follow(event, picture, next => {
      const to = share(next.clientY);
      if (Math.abs(to - from) < .015) return;
      ferJax.brush(name, [Math.max(-.02, Math.min(from, to)), Math.min(1.02, Math.max(from, to))]);
    }, () => {
      if (state.brushes.get(name) === before) ferJax.brush(name, null);
    });
    event.currentTarget.focus({preventScroll: true});
    event.preventDefault();
  }

  function label(name) {
    const field = state.run.doc.fields.find(one => one.name === name);
    return field ? field.axis : state.run.metric(name).label;
  }

  function broken(text, at) {
    const rows = [""];
    for (const word of text.split(" ")) {
      if (rows.at(-1) && rows.at(-1).length + word.length >= 15) rows.push("");
      rows[rows.length - 1] = `${rows.at(-1)} ${word}`.trim();
    }
    return rows.slice(0, 3).map((row, line) => draw("tspan", {x: at, y: 12 + 13 * line + (3 - Math.min(3, rows.length)) * 6}, row));
  }

  function axis(name, number, last) {
    const x = left + number * gap, range = state.brushes.get(name);
    const marks = ferJax.ticksOf(state.run, name).filter(([at]) => at >= -.01 && at <= 1.01).map(([at, text]) => draw("text", {
      // Between two axes the texts stand above the lines that meet there.
      x: number === last ? x + 8 : x - 7, y: y(at) + (number === 0 || number === last ? 4 : -5), "text-anchor": number === last ? "start" : "end", class: "tick",
    }, text));
    const shown = range && draw("rect", {
      class: "brush", x: x - 9, width: 18, y: y(Math.min(1, range[1])), height: Math.max(3, y(Math.max(0, range[0])) - y(Math.min(1, range[1]))),
    });
    const handle = draw("rect", {
      class: "handle", x: x - 20, y: TOP - 6, width: 40, height: HEIGHT - TOP - BOTTOM + 12, tabindex: 0, role: "slider", "data-axis": name,
      "aria-orientation": "vertical", "aria-label": label(name), "aria-valuemin": 0, "aria-valuemax": 1,
      "aria-valuenow": range ? ((range[0] + range[1]) / 2).toFixed(2) : .5, "aria-valuetext": words(name),
      onpointerdown: event => dragged(event, name), onkeydown: event => pressed(event, name),
    });
    return draw("g", {}, draw("line", {x1: x, x2: x, y1: y(0), y2: y(1), class: "axis"}), marks,
      draw("text", {"text-anchor": "middle", class: "name"}, broken(label(name), x)), shown, handle);
  }

  function longest(name) {
    return Math.max(0, ...ferJax.ticksOf(state.run, name).map(([, text]) => ferJax.textWidth(text)));
  }

  // What the first axis needs to its left and the last one to its right: its ticks, and half of its name.
  function margins(names) {
    const half = name => Math.max(...label(name).split(" ").map(word => 1.1 * ferJax.textWidth(word))) / 2;
    left = Math.max(LEAST_SIDE, longest(names[0]) + 16, half(names[0]) + 4);
    right = Math.max(LEAST_SIDE, longest(names.at(-1)) + 16, half(names.at(-1)) + 4);
  }

  function build(place) {
    canvas = make("canvas", {"aria-hidden": "true"});
    picture = draw("svg", {role: "group", "aria-label": "Axes of the parallel coordinates"});
    holder = make("div", {class: "explore-plot"}, canvas, picture);
    chooser = ferJax.metricChooser();
    parts = ferJax.partChooser();
    place.append(make("div", {class: "explore-head"}, make("h3", {}, "Parallel coordinates"), parts.element, chooser.element),
      make("div", {class: "explore-wide"}, holder),
      make("p", {class: "explore-how"}, "Drag along an axis to keep what lies there; press it to let go. With keys: arrows, Shift to widen, Escape."));
  }

  function changed(what) {
    if (what === "columns") return;
    chooser.update();
    parts.update();
    const names = axes();
    margins(names);
    if (ferJax.isSized(what) || !room) room = holder.parentElement.clientWidth;
    const least = Math.max(LEAST_GAP, ...names.slice(1, -1).map(name => longest(name) + 40));
    width = Math.max(room, left + right + (names.length - 1) * least);
    gap = names.length > 1 ? (width - left - right) / (names.length - 1) : 0;
    holder.style.width = width + "px";
    lines(names);
    const focused = document.activeElement?.dataset?.axis;
    picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    picture.setAttribute("width", width);
    picture.setAttribute("height", HEIGHT);
    if (what !== "chosen") empty(picture, ...names.map((name, at) => axis(name, at, names.length - 1)));
    if (focused) picture.querySelector(`[data-axis="${CSS.escape(focused)}"]`)?.focus({preventScroll: true});
  }

  ferJax.parallel = {build, changed, suits: run => run.doc.fields.some(field => field.places.length > 1)};
})(globalThis.ferJax);
