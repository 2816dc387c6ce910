"use strict";
// ROC and precision-recall curves of the best point, which zoom: by dragging, the wheel, buttons and keys.
(ferJax => {
  const {make, draw, empty, state} = ferJax;
  const LEFT = 62, RIGHT = 14, TOP = 8, BOTTOM = 40, UNIT = 10000, WHOLE = [0, 1, 0, 1], LEAST = .004;
  const DASHES = [null, "6 3", "2 3"];
  let holder, picture, kind, toggles, parts, about, view = [...WHOLE], off = new Set();

  function size() {
    const width = Math.max(240, holder.clientWidth);
    return [width, Math.min(width, 400)];
  }

  function scales() {
    const [width, height] = size(), [x0, x1, y0, y1] = view;
    return {
      x: value => LEFT + (value - x0) / (x1 - x0) * (width - LEFT - RIGHT),
      y: value => TOP + (y1 - value) / (y1 - y0) * (height - TOP - BOTTOM),
      back: ([left, top]) => [x0 + (left - LEFT) / (width - LEFT - RIGHT) * (x1 - x0), y1 - (top - TOP) / (height - TOP - BOTTOM) * (y1 - y0)],
    };
  }

  // Zooms around a place so that both sides become `factor` as long, within 0 to 1.
  function zoom(factor, [x, y]) {
    const side = (low, high, at) => {
      const length = Math.min(1, Math.max(LEAST, (high - low) * factor)), start = at - (at - low) / (high - low) * length;
      const first = Math.min(1 - length, Math.max(0, start));
      return [first, first + length];
    };
    view = [...side(view[0], view[1], x), ...side(view[2], view[3], y)];
    plot();
  }

  function middle() {
    return [(view[0] + view[1]) / 2, (view[2] + view[3]) / 2];
  }

  function shift(right, up) {
    const along = (low, high, by) => {
      const first = Math.min(1 - (high - low), Math.max(0, low + by * (high - low)));
      return [first, first + high - low];
    };
    view = [...along(view[0], view[1], right), ...along(view[2], view[3], up)];
    plot();
  }

  function whole() {
    view = [...WHOLE];
    plot();
  }

  // The colour and dashes of a class: there are fewer colours than a data set may have classes.
  function look(at) {
    const {cycle} = state.run.doc.colours;
    return {
      stroke: ferJax.readable(cycle[at % cycle.length], ferJax.ink("--paper"), ferJax.ink("--ink")),
      "stroke-dasharray": DASHES[Math.floor(at / cycle.length) % DASHES.length], "stroke-width": 1.8,
    };
  }

  function curves() {
    const found = state.run.doc.roc[state.part], {x, y} = scales();
    return found.classes.map((one, at) => {
      if (off.has(one.name)) return null;
      const values = one[kind.value], points = [];
      for (let pair = 0; pair < values.length; pair += 2) points.push(`${x(values[pair] / UNIT).toFixed(1)},${y(values[pair + 1] / UNIT).toFixed(1)}`);
      return draw("polyline", {
        points: points.join(" "), fill: "none", ...look(at), "clip-path": "url(#explore-roc-clip)", "data-class": one.name,
      });
    });
  }

  function plot() {
    const [width, height] = size(), {x, y} = scales(), isRoc = kind.value === "roc";
    const ticks = [
      ...ferJax.rounds(view[0], view[1], 6).flatMap(([at, text]) => [
        draw("line", {x1: x(at), x2: x(at), y1: TOP, y2: height - BOTTOM, class: "grid"}),
        draw("text", {x: x(at), y: height - BOTTOM + 16, "text-anchor": "middle", class: "tick"}, text)]),
      ...ferJax.rounds(view[2], view[3], 6).flatMap(([at, text]) => [
        draw("line", {x1: LEFT, x2: width - RIGHT, y1: y(at), y2: y(at), class: "grid"}),
        draw("text", {x: LEFT - 6, y: y(at) + 4, "text-anchor": "end", class: "tick"}, text)]),
    ];
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("width", width);
    picture.setAttribute("height", height);
    picture.dataset.view = view.map(value => value.toFixed(4)).join(" ");
    empty(picture,
      draw("clipPath", {id: "explore-roc-clip"}, draw("rect", {x: LEFT, y: TOP, width: width - LEFT - RIGHT, height: height - TOP - BOTTOM})),
      ...ticks, ...(isRoc ? [draw("line", {x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: "chance", "clip-path": "url(#explore-roc-clip)"})] : []),
      ...curves().filter(Boolean),
      draw("text", {x: (width + LEFT) / 2, y: height - 5, "text-anchor": "middle", class: "name"}, isRoc ? "false positive rate" : "recall"),
      draw("text", {
        x: 16, y: (height - BOTTOM) / 2, "text-anchor": "middle", class: "name", transform: `rotate(-90 16 ${(height - BOTTOM) / 2})`,
      }, isRoc ? "true positive rate" : "precision"));
  }

  function dragged(event) {
    if (event.button > 0) return;
    const from = ferJax.within(event, picture), box = draw("rect", {class: "brush"});
    picture.append(box);
    let to = from;
    ferJax.follow(event, picture, next => {
      to = ferJax.within(next, picture);
      const [left, top] = [0, 1].map(at => Math.min(from[at], to[at])), [wide, high] = [0, 1].map(at => Math.abs(from[at] - to[at]));
      Object.entries({x: left, y: top, width: wide, height: high}).forEach(([name, value]) => box.setAttribute(name, value));
    }, () => {
      box.remove();
      if (Math.abs(to[0] - from[0]) < 6 || Math.abs(to[1] - from[1]) < 6) return;
      const {back} = scales(), ends = [back(from), back(to)], cut = value => Math.min(1, Math.max(0, value));
      const [x0, x1] = ends.map(end => cut(end[0])).sort((a, b) => a - b), [y0, y1] = ends.map(end => cut(end[1])).sort((a, b) => a - b);
      view = [x0, Math.max(x1, x0 + LEAST), y0, Math.max(y1, y0 + LEAST)];
      plot();
    });
    picture.focus({preventScroll: true});
    event.preventDefault();
  }

  // The wheel scrolls the page unless the plot has been chosen, or Ctrl is held as for a page's own zoom.
  function wheeled(event) {
    if (!event.ctrlKey && document.activeElement !== picture) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : .8, scales().back(ferJax.within(event, picture)));
  }

  function pressed(event) {
    const moves = {ArrowLeft: [-.1, 0], ArrowRight: [.1, 0], ArrowUp: [0, .1], ArrowDown: [0, -.1]};
    if (event.key === "+" || event.key === "=") zoom(.7, middle());
    else if (event.key === "-") zoom(1 / .7, middle());
    else if (event.key === "0" || event.key === "Escape") whole();
    else if (event.key in moves) shift(...moves[event.key]);
    else return;
    event.preventDefault();
  }

  function classes() {
    const found = state.run.doc.roc[state.part];
    empty(toggles, ...found.classes.map((one, at) => {
      const tick = make("input", {type: "checkbox"});
      const swatch = draw("svg", {width: 22, height: 8, "aria-hidden": "true"}, draw("line", {x1: 0, x2: 22, y1: 4, y2: 4, ...look(at)}));
      tick.checked = !off.has(one.name);
      tick.addEventListener("change", () => {
        if (tick.checked) off.delete(one.name); else off.add(one.name);
        plot();
      });
      return make("label", {}, tick, swatch, `${one.name} ${(kind.value === "roc" ? one.area : one.precision).toFixed(3)}`);
    }));
  }

  function build(place) {
    parts = ferJax.partChooser();
    kind = make("select", {"aria-label": "Kind of curve", onchange: () => { classes(); whole(); }},
      make("option", {value: "roc"}, "ROC, area under it"), make("option", {value: "recall"}, "precision-recall, average"));
    picture = draw("svg", {
      tabindex: 0, role: "img", "aria-label": "ROC curves of the best point; plus and minus zoom, arrows move, 0 shows all",
      onpointerdown: dragged, onkeydown: pressed, ondblclick: whole, class: "zoom",
    });
    picture.addEventListener("wheel", wheeled, {passive: false});
    holder = make("div", {class: "explore-plot"}, picture);
    toggles = make("div", {class: "explore-legend", role: "group", "aria-label": "Classes"});
    about = make("p", {class: "explore-how"});
    const button = (words, label, act) => make("button", {type: "button", "aria-label": label, onclick: act}, words);
    place.append(make("div", {class: "explore-head"}, make("h3", {}, "ROC"), parts.element, kind,
      button("+", "Zoom in", () => zoom(.7, middle())), button("−", "Zoom out", () => zoom(1 / .7, middle())), button("Reset", "Show the whole curve", whole)),
    holder, toggles, about);
  }

  function changed(what) {
    if (what !== "document" && what !== "views") return;
    parts.update();
    const found = state.run.doc.roc[state.part];
    holder.hidden = toggles.hidden = !found;
    about.textContent = found ? `${found.about} Drag over the plot, or press it and turn the wheel, to zoom.` : "Nothing is stored of what the networks of this part answer.";
    if (!found) return;
    classes();
    plot();
  }

  ferJax.roc = {build, changed, suits: run => run.doc.roc.some(Boolean)};
})(globalThis.ferJax);
