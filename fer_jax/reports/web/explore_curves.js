"use strict";
// Learning curves of all trials: those that are kept in colour, the nearest one named under the pointer.
(ferJax => {
  const {make, draw, empty, state} = ferJax;
  const HEIGHT = 260, LEFT = 46, RIGHT = 10, TOP = 10, BOTTOM = 34, FEW = 6, NEAR = 40;
  const RATE = "learning_rate"; // a decimal logarithm
  const PANELS = [["val_accuracy", "train_accuracy", "accuracy"], ["val_loss", "train_loss", "loss (nats)"], [RATE, null, "learning rate"]];
  let panels = [], parts, said, legend, hovered = null;

  // How a panel's epochs and shares become pixels.
  function layout(width) {
    const epochs = state.run.doc.curves.epochs, first = epochs[0], last = epochs.at(-1);
    const x = at => LEFT + (last > first ? (epochs[at] - first) / (last - first) : .5) * (width - LEFT - RIGHT);
    const y = share => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
    return {epochs, x, y};
  }

  // The ends of a panel, which both splits share; of a part only what its own trials have.
  function measured(panel, order) {
    const {run} = state, {scales} = run.doc.curves, known = panel.series.slice(0, 2).filter(name => scales[name]);
    let low = Infinity, high = -Infinity;
    for (const name of known) {
      const [from, to] = scales[name];
      if (run.doc.parts.length < 2) [low, high] = [Math.min(low, from), Math.max(high, to)];
      else for (const trial of order) for (const share of run.curve(trial, name) || []) {
        if (isFinite(share)) [low, high] = [Math.min(low, from + share * (to - from)), Math.max(high, from + share * (to - from))];
      }
    }
    panel.ends = high > low ? [low, high] : isFinite(low) ? [low - .01, high + .01] : [0, 1];
  }

  function rate(logarithm) { return String(Number((10 ** logarithm).toPrecision(2))); }

  // A share of one series as a share of its panel.
  function scaled(panel, series) {
    const own = state.run.doc.curves.scales[series], [low, high] = panel.ends;
    return {low, high, share: value => (own[0] + value * (own[1] - own[0]) - low) / (high - low)};
  }

  function path(context, panel, trial, series) {
    const curve = state.run.curve(trial, series);
    if (!curve) return false;
    const {x, y} = layout(panel.width), {share} = scaled(panel, series);
    let pen = false;
    context.beginPath();
    curve.forEach((value, at) => {
      if (isNaN(value)) { pen = false; return; }
      const place = y(Math.min(1.02, share(value)));
      context[pen ? "lineTo" : "moveTo"](x(at), place);
      if (!pen && curve.length === 1) context.arc(x(at), place, 2.5, 0, 2 * Math.PI);
      pen = true;
    });
    return true;
  }

  function outline(panel, trial, series) {
    const found = [];
    const write = letter => (x, y) => found.push(`${letter}${x.toFixed(1)} ${y.toFixed(1)}`);
    return path({beginPath() {}, arc() {}, lineTo: write("L"), moveTo: write("M")}, panel, trial, series) ? found.join("") : "";
  }

  // Trial -> colour of those that stand out: a colour each while they are few, else by their metric.
  function colours(trials) {
    const {run} = state, ground = ferJax.ink("--paper"), dark = ferJax.ink("--ink"), metric = run.metric(state.metric);
    const cycle = run.doc.colours.cycle.map(colour => ferJax.readable(colour, ground, dark));
    const shades = new Map();
    return trial => {
      const place = trials.indexOf(trial);
      if (trials.length <= FEW) return cycle[place % cycle.length];
      const value = metric ? run.mean(run.pointOf[trial], metric.name) : NaN;
      if (isNaN(value)) return ferJax.ink("--muted");
      const share = Math.round(ferJax.quality(metric, value) * 40) / 40;
      if (!shades.has(share)) shades.set(share, ferJax.readable(ferJax.shade(run.doc, share), ground, dark));
      return shades.get(share);
    };
  }

  // Trials of the part in sight in the order of drawing: the best points' last, on top.
  function sorted() {
    const {run} = state, all = Array.from({length: run.trials.count}, (_, trial) => trial);
    return all.filter(trial => run.part(run.pointOf[trial]) === state.part).sort((a, b) => run.pointOf[b] - run.pointOf[a]);
  }

  function canvas(panel, order, kept, colour) {
    const context = ferJax.paper(panel.canvas, panel.width, HEIGHT), faint = ferJax.ink("--line"), dark = ferJax.ink("--ink");
    const [val, train] = panel.series, chosen = ferJax.chosenRows().trials, isFew = kept.length <= FEW;
    const stroke = (trial, series, look) => {
      if (!path(context, panel, trial, series)) return;
      Object.assign(context, look);
      context.stroke();
    };
    context.lineJoin = "round";
    context.setLineDash([]);
    order.filter(trial => !state.kept.trials[trial]).forEach(trial => stroke(trial, val, {strokeStyle: faint, lineWidth: .8, globalAlpha: .8}));
    const look = {lineWidth: isFew ? 2 : 1, globalAlpha: kept.length > 400 ? .4 : kept.length > 60 ? .65 : 1};
    order.filter(trial => state.kept.trials[trial]).forEach(trial => stroke(trial, val, {strokeStyle: colour(trial), ...look}));
    order.filter(trial => chosen.has(trial)).forEach(trial => stroke(trial, val, {strokeStyle: dark, lineWidth: 3, globalAlpha: 1}));
    context.setLineDash([4, 3]);
    (isFew ? kept : []).forEach(trial => stroke(trial, train, {strokeStyle: colour(trial), lineWidth: 1.2, globalAlpha: 1}));
    order.filter(trial => chosen.has(trial)).forEach(trial => stroke(trial, train, {strokeStyle: dark, lineWidth: 1.2, globalAlpha: 1}));
  }

  function frame(panel) {
    const {epochs, y} = layout(panel.width), {low, high} = scaled(panel, panel.series[0]);
    const x = epoch => LEFT + (epochs.at(-1) > epochs[0] ? (epoch - epochs[0]) / (epochs.at(-1) - epochs[0]) : .5) * (panel.width - LEFT - RIGHT);
    const across = epochs.length > 1 ? ferJax.rounds(epochs[0], epochs.at(-1), 7, 1) : [[epochs[0], String(epochs[0])]];
    panel.picture.setAttribute("viewBox", `0 0 ${panel.width} ${HEIGHT}`);
    panel.picture.setAttribute("width", panel.width);
    panel.picture.setAttribute("height", HEIGHT);
    panel.mark = draw("g", {class: "mark"});
    empty(panel.picture,
      ...ferJax.rounds(low, high, 6).flatMap(([at, text]) => {
        const place = y((at - low) / (high - low));
        return [draw("line", {x1: LEFT, x2: panel.width - RIGHT, y1: place, y2: place, class: "grid"}),
          draw("text", {x: LEFT - 6, y: place + 4, "text-anchor": "end", class: "tick"}, panel.series[0] === RATE ? rate(at) : text)];
      }),
      ...state.run.doc.curves.phases.flatMap((end, number) => [
        draw("line", {x1: x(end + .5), x2: x(end + .5), y1: TOP, y2: HEIGHT - BOTTOM, class: "cursor"}),
        draw("text", {x: x(end + .5) + 3, y: TOP + 9, class: "tick"}, `phase ${number + 2}`),
      ]),
      ...across.map(([at, text]) => draw("text", {x: x(at), y: HEIGHT - 18, "text-anchor": "middle", class: "tick"}, text)),
      draw("text", {x: panel.width / 2, y: HEIGHT - 3, "text-anchor": "middle", class: "name"}, `epoch; ${panel.series[2]}`), panel.mark);
  }

  // The kept trial that is nearest to a place of a panel, and at which of the epochs.
  function nearest(panel, [left, top]) {
    const {epochs, x, y} = layout(panel.width), {share} = scaled(panel, panel.series[0]);
    const at = epochs.reduce((best, _, one) => (Math.abs(x(one) - left) < Math.abs(x(best) - left) ? one : best), 0);
    let found = null, least = NEAR;
    sorted().reverse().forEach(trial => {
      const curve = state.kept.trials[trial] && state.run.curve(trial, panel.series[0]);
      if (!curve || isNaN(curve[at] ?? NaN)) return;
      const away = Math.abs(y(Math.min(1, share(curve[at]))) - top);
      if (away < least) [found, least] = [trial, away];
    });
    return found === null ? null : {trial: found, at};
  }

  function valueText(trial, series, at) {
    const curve = state.run.curve(trial, series), scale = state.run.doc.curves.scales[series];
    const share = curve ? curve[at] ?? NaN : NaN;
    if (isNaN(share)) return ferJax.DASH;
    if (series === RATE) return rate(scale[0] + share * (scale[1] - scale[0]));
    return share === Infinity ? `above ${scale[1].toFixed(2)}` : (scale[0] + share * (scale[1] - scale[0])).toFixed(3);
  }

  // Names a trial at an epoch and draws its curves over the others; null for none.
  function show(found) {
    hovered = found;
    const {run} = state;
    panels.forEach(panel => {
      if (!panel.mark) return;
      const {x} = layout(panel.width);
      empty(panel.mark, ...(found ? [
        draw("line", {x1: x(found.at), x2: x(found.at), y1: TOP, y2: HEIGHT - BOTTOM, class: "cursor"}),
        draw("path", {d: outline(panel, found.trial, panel.series[0]), class: "halo"}),
        draw("path", {d: outline(panel, found.trial, panel.series[0]), class: "hovered"}),
        draw("path", {d: outline(panel, found.trial, panel.series[1]), class: "hovered train"}),
      ] : []));
    });
    if (!found) { said.textContent = "Point at a curve to name it, press it to choose it. Dashed: training."; return; }
    const {trial, at} = found, values = PANELS.flat().filter(name => run.doc.curves.scales[name])
      .map(name => `${name.replace("_", " ").replace("val", "validation").replace("train", "training")} ${valueText(trial, name, at)}`);
    said.textContent = `${run.described(run.pointOf[trial])} (trial ${run.id(trial)}), epoch ${run.doc.curves.epochs[at]}: ${values.join(", ")}`;
  }

  // With keys: other epochs to the left and right, other kept trials up and down.
  function pressed(event) {
    const {run} = state, kept = sorted().reverse().filter(trial => state.kept.trials[trial] && run.curve(trial, "val_accuracy"));
    if (!kept.length) return;
    const last = run.doc.curves.epochs.length - 1, now = hovered || {trial: kept[0], at: last};
    const place = Math.max(0, kept.indexOf(now.trial));
    const steps = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
    if (event.key in steps) {
      const [by, epochs] = hovered ? steps[event.key] : [0, 0];
      show({trial: kept[Math.min(kept.length - 1, Math.max(0, place + by))], at: Math.min(last, Math.max(0, now.at + epochs))});
    } else if (event.key === "Enter" && hovered) ferJax.choose("trials", hovered.trial);
    else if (event.key === "Escape") show(null);
    else return;
    event.preventDefault();
  }

  function build(place) {
    said = make("p", {class: "explore-said", "aria-live": "polite"});
    legend = make("p", {class: "explore-legend"});
    panels = PANELS.map(series => {
      const panel = {series, canvas: make("canvas", {"aria-hidden": "true"}), picture: null, width: 0, ends: [0, 1], mark: null};
      panel.picture = draw("svg", {
        role: "img", tabindex: 0, "aria-label": `Learning curves, ${series[2]}; arrow keys go through trials and epochs`, onkeydown: pressed,
        onpointermove: event => show(nearest(panel, ferJax.within(event, panel.picture))),
        onpointerdown: event => show(nearest(panel, ferJax.within(event, panel.picture))),
        onpointerleave: () => show(null), onclick: () => { if (hovered) ferJax.choose("trials", hovered.trial); },
      });
      panel.holder = make("div", {class: "explore-plot"}, panel.canvas, panel.picture);
      return panel;
    });
    parts = ferJax.partChooser();
    place.append(make("div", {class: "explore-head"}, make("h3", {}, "Learning curves"), parts.element), make("div", {class: "explore-two"}, panels.map(panel => panel.holder)), legend, said);
  }

  // By what curves are coloured, where any has a colour.
  function coloured(kept) {
    const {run} = state, metric = run.metric(state.metric);
    return metric && kept.some(trial => !isNaN(run.mean(run.pointOf[trial], metric.name))) ? `, coloured by the mean ${metric.label} of their point` : "";
  }

  function changed(what) {
    if (what === "columns") return;
    parts.update();
    const order = sorted(), kept = order.filter(trial => state.kept.trials[trial]).reverse(), colour = colours(kept);
    panels.forEach(panel => {
      panel.holder.hidden = !state.run.doc.curves.scales[panel.series[0]];
      if (panel.holder.hidden) return;
      if (ferJax.isSized(what) || !panel.width) panel.width = panel.holder.clientWidth;
      measured(panel, order);
      frame(panel);
      canvas(panel, order, kept, colour);
    });
    const isFew = kept.length <= FEW;
    empty(legend, ...(isFew ? kept.map(trial => {
      const swatch = make("span", {class: "swatch"});
      swatch.style.background = colour(trial);
      return make("span", {}, swatch, state.run.described(state.run.pointOf[trial]));
    }) : [`${kept.length.toLocaleString("en")} trials${coloured(kept)}.`]));
    show(null);
  }

  ferJax.curves = {build, changed, suits: run => Boolean(run.doc.curves)};
})(globalThis.ferJax);
