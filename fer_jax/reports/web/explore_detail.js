"use strict";
// The chosen row: its command, its curves, what its networks mix up, and its config.
(ferJax => {
  const {make, draw, empty, state} = ferJax;
  const WIDTH = 300, HEIGHT = 150, LEFT = 38, BOTTOM = 18, TOP = 8;
  const LOOKS = {val: null, train: "4 3"};
  let panel;

  // The command that trains a trial, or all trials of a point, again; "" where the run was not begun by one.
  function command(mode, row) {
    const {run} = state, parts = run.doc.commands;
    if (!parts) return "";
    const point = mode === "trials" ? run.pointOf[row] : row, trials = run.trialsOf[point];
    const flags = run.doc.fields.map((field, at) => {
      const typed = field.typed[run.level(point, at)];
      return typed ? `--config.${field.name}=${typed}` : "";
    });
    const first = mode === "trials" ? row : trials[0], seeds = parts.seeds[parts.seed_of ? parts.seed_of[first] : 0] || "";
    const isSeveral = mode === "points" && trials.length > 1;
    const base = isSeveral ? parts.base.split(" ").filter(word => !word.startsWith("--config.sweep.repeats=")).join(" ") : parts.base;
    const repeats = isSeveral ? `--config.sweep.repeats=${trials.length}` : "";
    return [base, ...flags, seeds, repeats, parts.workdir + run.id(first)].filter(Boolean).join(" ");
  }

  // Puts a text where one can paste it; also in a page that was opened as a file.
  async function copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const box = make("textarea", {readonly: true, class: "explore-copy", "aria-hidden": "true"});
      box.value = text;
      document.body.append(box);
      box.select();
      const done = document.execCommand("copy");
      box.remove();
      return done;
    }
  }

  function commandPart(mode, row) {
    const text = command(mode, row), isSeveral = mode === "points" && state.run.trialsOf[row].length > 1;
    if (!text) return make("p", {class: "explore-how"}, "The run was begun from Python: load_run(…).trial(id).config is the config that trains this again.");
    // A line breaks between flags, not after their hyphens.
    const words = text.split(" ").flatMap((word, at) => [at ? " " : "", make("span", {}, word)]);
    const code = make("code", {class: "explore-command"}, words), said = make("span", {class: "count", role: "status"});
    const button = make("button", {type: "button", id: "explore-copy", onclick: async () => {
      const isDone = await copied(text);
      if (!isDone) getSelection().selectAllChildren(code);
      said.textContent = isDone ? "Copied." : "Press Ctrl+C to copy.";
    }}, "Copy the command");
    const early = (mode === "trials" ? [row] : state.run.trialsOf[row]).some(trial => state.run.trials.byKey.get("status").text(trial) === "pruned");
    return make("div", {}, make("div", {class: "explore-head"}, make("h4", {}, isSeveral ? "Train all of them again" : "Train it again"), button, said), code,
      early ? make("p", {class: "explore-how"}, "The search stopped this training early; the command trains to the last epoch.") : null);
  }

  function line(curve, share, length) {
    let pen = false;
    return [...curve].map((value, at) => {
      if (isNaN(value)) { pen = false; return ""; }
      const x = LEFT + (length > 1 ? at / (length - 1) : .5) * (WIDTH - LEFT - 6), y = TOP + (1 - Math.min(1, share(value))) * (HEIGHT - TOP - BOTTOM);
      const text = `${pen ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = true;
      return text + (curve.length === 1 ? "h2" : "");
    }).join("");
  }

  // Validation and training curves of some trials, one kind of metric.
  function curves(trials, kind) {
    const {run} = state, {scales, epochs} = run.doc.curves, ground = ferJax.ink("--paper"), dark = ferJax.ink("--ink");
    const values = [];
    const each = act => trials.forEach((trial, number) => Object.keys(LOOKS).forEach(split => {
      const series = `${split}_${kind}`, curve = scales[series] && run.curve(trial, series);
      if (curve) act(curve, value => scales[series][0] + value * (scales[series][1] - scales[series][0]), split, number);
    }));
    each((curve, real) => curve.forEach(value => { if (isFinite(value)) values.push(real(value)); }));
    if (!values.length) return null;
    let low = Math.min(...values), high = Math.max(...values);
    if (high - low < .02) [low, high] = [(low + high) / 2 - .01, (low + high) / 2 + .01];
    const drawn = [];
    each((curve, real, split, number) => drawn.push(draw("path", {
      d: line(curve, value => (real(value) - low) / (high - low), epochs.length), fill: "none", "stroke-dasharray": LOOKS[split],
      stroke: ferJax.readable(run.doc.colours.cycle[number % run.doc.colours.cycle.length], ground, dark), "stroke-width": split === "val" ? 2 : 1.2,
    })));
    const ticks = ferJax.rounds(low, high, 4).map(([at, text]) => draw("text", {
      x: LEFT - 5, y: TOP + (1 - (at - low) / (high - low)) * (HEIGHT - TOP - BOTTOM) + 4, "text-anchor": "end", class: "tick",
    }, text));
    return draw("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${kind} by epoch`}, ticks, drawn,
      draw("text", {x: (WIDTH + LEFT) / 2, y: HEIGHT - 3, "text-anchor": "middle", class: "tick"}, `${kind}, epochs ${epochs[0]} to ${epochs.at(-1)}`));
  }

  function curvesPart(trials) {
    if (!state.run.doc.curves) return null;
    const found = ["accuracy", "loss"].map(kind => curves(trials, kind)).filter(Boolean);
    return make("div", {}, make("h4", {}, "Learning curves"), found.length ? found : make("p", {class: "explore-how"}, "No curves in this page."),
      found.length ? make("p", {class: "explore-how"}, "Dashed: training, as it runs.") : null);
  }

  // Confusion matrices of trials, summed as far as they are of the same classes.
  function confusion(trials) {
    const {of, classes} = state.run.doc.confusion, known = trials.map(trial => of[state.run.id(trial)]).filter(Boolean);
    if (!known.length) return null;
    const same = known.filter(([number]) => number === known[0][0]), names = classes[known[0][0]];
    const counts = same[0][1].map((_, cell) => same.reduce((sum, [, own]) => sum + own[cell], 0));
    return {names, counts, trials: same.length};
  }

  function confusionPart(trials) {
    const found = confusion(trials);
    if (!found) return make("div", {}, make("h4", {}, "Confusion matrix"), make("p", {class: "explore-how"}, "No answers in this page."));
    const {names, counts} = found, ground = ferJax.ink("--paper"), full = ferJax.ink("--accent");
    const rows = names.map((name, row) => {
      const own = counts.slice(row * names.length, (row + 1) * names.length), sum = own.reduce((a, b) => a + b, 0) || 1;
      return make("tr", {}, make("th", {scope: "row"}, name), own.map((count, at) => {
        const colour = ferJax.mixed(ground, full, .9 * count / sum), cell = make("td", {class: at === row ? "right" : null}, String(count));
        cell.style.background = colour;
        cell.style.color = ferJax.inkOn(colour);
        cell.title = `${name} answered as ${names[at]}: ${count} of ${sum}`;
        return cell;
      }));
    });
    const short = name => (name.length > 9 ? name.slice(0, 8) + "…" : name);
    return make("div", {}, make("h4", {}, "Confusion matrix"), make("div", {class: "scroll"}, make("table", {class: "explore-matrix"},
      make("thead", {}, make("tr", {}, make("th", {}, "true \\ answer"), names.map(name => make("th", {scope: "col", title: name}, short(name))))),
      make("tbody", {}, rows))),
    make("p", {class: "explore-how"}, `Validation pictures${found.trials > 1 ? `, summed over ${found.trials} trials` : ""}; darker: a larger share of the row.`));
  }

  function configPart(point) {
    const {doc} = state.run, fields = new Map(doc.fields.map((field, at) => [field.name, field.texts[state.run.level(point, at)]]));
    const entry = ([name, value]) => make("tr", {}, make("th", {scope: "row"}, name), make("td", {}, value));
    const own = [...fields], set = doc.config.filter(([name, , differs]) => differs && !fields.has(name));
    const rest = doc.config.filter(([name, , differs]) => !differs && !fields.has(name));
    return make("div", {class: "explore-config"}, make("h4", {}, "Config"),
      make("table", {}, make("tbody", {}, own.map(entry), set.map(entry))),
      make("details", {}, make("summary", {}, `${rest.length} fields at their defaults`), make("table", {}, make("tbody", {}, rest.map(entry)))));
  }

  // The cells of the row, as a list.
  function facts(mode, row) {
    const own = state.run[mode].columns.filter(column => !column.field && !["id", "status", "rank"].includes(column.key) && column.text(row).trim() && column.text(row) !== ferJax.DASH);
    return make("p", {class: "explore-facts"}, own.flatMap((column, at) => [at ? " · " : "", make("span", {}, `${column.label} `), make("b", {}, column.text(row))]));
  }

  function title(mode, row) {
    const {run} = state;
    if (mode === "points") {
      const rank = run.points.byKey.get("rank");
      return [`${rank && rank.text(row) !== ferJax.DASH ? `Point ${rank.text(row)}: ` : "Point: "}${run.described(row)}`];
    }
    const status = run.trials.byKey.get("status").text(row);
    return [`Trial ${run.id(row)}: ${run.described(run.pointOf[row])} `, make("span", {class: `pill ${status}`}, status)];
  }

  function changed(what) {
    if (what !== "chosen" && what !== "document") return;
    const {chosen, run} = state;
    panel.hidden = !chosen;
    if (!chosen) { empty(panel); return; }
    const {mode, row} = chosen, point = mode === "trials" ? run.pointOf[row] : row;
    const trials = mode === "trials" ? [row] : run.trialsOf[row];
    const close = make("button", {type: "button", "aria-label": "Close", onclick: () => ferJax.choose(mode, null)}, "Close");
    empty(panel, make("div", {class: "explore-head"}, make("h3", {}, title(mode, row)), close), facts(mode, row), commandPart(mode, row),
      make("div", {class: "explore-three"}, [curvesPart(trials), confusionPart(trials), configPart(point)].filter(Boolean)));
  }

  ferJax.detail = {build: place => { panel = place; }, changed, command};
})(globalThis.ferJax);
