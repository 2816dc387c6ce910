"use strict";
// A metric over two fields of a grid, with a slider for each other field.
(ferJax => {
  const {make, draw, empty, state} = ferJax;
  const LEFT = 78, BOTTOM = 52, TOP = 6, RIGHT = 8, CELL = 44, PALE = .16;
  let holder, sliders, chooser, parts, none, room = 0, made = "", levels = new Map();

  function plan() {
    return state.run.doc.surfaces[state.part];
  }

  // The points of the part that lie on the sliders' levels, by [x, y].
  function cells(surface) {
    const {run} = state, found = [];
    for (let point = 0; point < run.points.count; point += 1) {
      const isHere = run.part(point) === state.part && surface.sliders.every(field => run.level(point, field) === levels.get(field));
      if (isHere) found.push({point, x: run.level(point, surface.x), y: run.level(point, surface.y)});
    }
    return found;
  }

  function best() {
    const {run} = state, metric = run.metric(state.metric), sign = metric.better === "low" ? -1 : 1;
    let found = null;
    for (let point = 0; point < run.points.count; point += 1) {
      const value = sign * run.mean(point, metric.name);
      if (run.part(point) === state.part && (found === null || value > sign * run.mean(found, metric.name)) && !isNaN(value)) found = point;
    }
    return found;
  }

  // The levels of a field that the part's points have: a part need not have all.
  function present(field) {
    const {run} = state, found = new Set();
    for (let point = 0; point < run.points.count; point += 1) if (run.part(point) === state.part) found.add(run.level(point, field));
    return [...found].sort((a, b) => a - b);
  }

  function slider(field) {
    const {run} = state, own = run.doc.fields[field], stops = present(field);
    const output = make("output", {}, own.texts[levels.get(field)]);
    const input = make("input", {
      type: "range", min: 0, max: stops.length - 1, step: 1, "aria-label": own.axis, "data-field": own.name, "aria-valuetext": own.texts[levels.get(field)],
      oninput: () => {
        levels.set(field, stops[Number(input.value)]);
        output.textContent = own.texts[levels.get(field)];
        input.setAttribute("aria-valuetext", output.textContent);
        grid();
      },
    });
    input.value = stops.indexOf(levels.get(field));
    return make("label", {}, own.label, input, output);
  }

  function controls(surface) {
    const top = state.metric ? best() : null;
    levels = new Map(surface.sliders.map(field => [field, top === null ? present(field)[0] : state.run.level(top, field)]));
    empty(sliders, ...surface.sliders.map(slider));
  }

  function cell(one, size, metric, chosen, top) {
    const {run} = state, value = run.mean(one.point, metric.name), left = LEFT + one.at[0] * size[0], high = TOP + one.at[1] * size[1];
    const isKept = state.kept.points[one.point] === 1, shade = isNaN(value) ? ferJax.ink("--soft") : ferJax.shade(run.doc, ferJax.quality(metric, value));
    const colour = isKept || isNaN(value) ? shade : ferJax.mixed(ferJax.ink("--paper"), shade, PALE);
    const words = isNaN(value) ? "no result" : value.toFixed(3);
    const box = draw("rect", {
      x: left + 1, y: high + 1, width: Math.max(1, size[0] - 2), height: Math.max(1, size[1] - 2), fill: colour, "data-point": one.point,
      class: chosen.has(one.point) ? "chosen" : one.point === top ? "best" : null,
    }, draw("title", {}, `${run.described(one.point)}: ${metric.label} ${words}`));
    const shown = size[0] >= 34 && size[1] >= 15 && draw("text", {
      x: left + size[0] / 2, y: high + size[1] / 2 + 4, "text-anchor": "middle", fill: isNaN(value) || !isKept ? ferJax.ink("--muted") : ferJax.inkOn(colour),
    }, isNaN(value) ? "–" : words.replace(/^0/, ""));
    return draw("g", {class: isKept ? "cell" : "cell pale", onclick: () => ferJax.choose("points", one.point)}, box, shown || null);
  }

  function thinned(stops, room, longest) {
    const every = Math.ceil(stops.length * longest / Math.max(1, room));
    return (_, at) => at % every === 0;
  }

  function grid() {
    const surface = plan(), {run} = state, metric = run.metric(state.metric);
    const xs = present(surface.x), ys = present(surface.y), [fieldX, fieldY] = [run.doc.fields[surface.x], run.doc.fields[surface.y]];
    const width = Math.max(260, room), height = TOP + BOTTOM + Math.min(340, Math.max(120, ys.length * CELL));
    const size = [(width - LEFT - RIGHT) / xs.length, (height - TOP - BOTTOM) / ys.length];
    const chosen = ferJax.chosenRows().points, top = best();
    const longest = 8 + 7 * Math.max(...xs.map(level => fieldX.texts[level].length));
    const drawn = cells(surface).map(one => cell({...one, at: [xs.indexOf(one.x), ys.length - 1 - ys.indexOf(one.y)]}, size, metric, chosen, top));
    const across = xs.map((level, at) => draw("text", {
      x: LEFT + (at + .5) * size[0], y: height - BOTTOM + 17, "text-anchor": "middle", class: "tick",
    }, fieldX.texts[level])).filter(thinned(xs, width - LEFT - RIGHT, longest));
    const up = ys.map((level, at) => draw("text", {
      x: LEFT - 7, y: TOP + (ys.length - at - .5) * size[1] + 4, "text-anchor": "end", class: "tick",
    }, fieldY.texts[level])).filter(thinned(ys, height - TOP - BOTTOM, 16));
    empty(holder, draw("svg", {
      viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": `${metric.label} over ${fieldX.label} and ${fieldY.label}${surface.sliders.length ? " at " + surface.sliders.map(field => `${run.doc.fields[field].label} ${run.doc.fields[field].texts[levels.get(field)]}`).join(", ") : ""}`,
    }, drawn, across, up,
    draw("text", {x: LEFT + (width - LEFT - RIGHT) / 2, y: height - 8, "text-anchor": "middle", class: "name"}, fieldX.axis),
    draw("text", {x: 14, y: (height - BOTTOM) / 2, "text-anchor": "middle", class: "name", transform: `rotate(-90 14 ${(height - BOTTOM) / 2})`}, fieldY.axis)));
  }

  function build(place) {
    chooser = ferJax.metricChooser();
    parts = ferJax.partChooser();
    holder = make("div", {class: "explore-plot"});
    sliders = make("div", {class: "explore-sliders"});
    none = make("p", {class: "explore-how"});
    place.append(make("div", {class: "explore-head"}, make("h3", {}, "Surface"), parts.element, chooser.element), sliders, holder, none);
  }

  function changed(what) {
    if (what === "columns") return;
    const surface = plan();
    chooser.update();
    parts.update();
    holder.hidden = sliders.hidden = !surface || !state.metric;
    none.textContent = surface ? "Framed: the best of all. Pale: filtered out. Press a cell to choose its point." : "The points of this part are no grid.";
    if (holder.hidden) return;
    if (ferJax.isSized(what) || !room) room = holder.clientWidth;
    const key = JSON.stringify([surface, state.part, surface.sliders.map(field => state.run.doc.fields[field].texts)]);
    if (key !== made) {
      made = key;
      controls(surface);
    }
    grid();
  }

  ferJax.surface = {build, changed, suits: run => run.doc.surfaces.some(Boolean) && run.metrics.length > 0};
})(globalThis.ferJax);
