"use strict";
// Above the table: points or trials, the filter box, how many rows are left, the columns, back to all.
(ferJax => {
  const {make, empty, state} = ferJax;
  let box, count, problem, columns, modes, back;

  // A filter that keeps something: a value of the best point, and a bound below its accuracy.
  function example() {
    const {run} = state, {fields} = run.doc, at = Math.max(0, fields.findIndex(one => one.numeric));
    const level = fields.length && run.points.count ? fields[at].texts[run.level(0, at)] : "", best = run.mean(0, "val_accuracy");
    const value = /\s/.test(level) ? `"${level}"` : level, bound = Math.floor(best * 20) / 20;
    return [level ? `${fields[at].word}=${value}` : "status=done", bound > 0 ? `val_accuracy>=${bound}` : ""].filter(Boolean).join(" ");
  }

  function modeButton(mode, words) {
    return make("button", {type: "button", "data-mode": mode, onclick: () => ferJax.change({mode})}, words);
  }

  function build(place) {
    problem = document.getElementById("explore-problem");
    modes = ["points", "trials"].map(mode => modeButton(mode, mode === "points" ? "Points" : "Trials"));
    box = make("input", {
      type: "search", id: "explore-filter", "aria-label": "Filter", "aria-describedby": "explore-problem", spellcheck: "false",
      autocomplete: "off", placeholder: example(), oninput: () => ferJax.change({filter: box.value}),
      title: `Words, or field=value with = != < <= > >= ~ (contains); quotes hold words together. ${example()}`,
    });
    count = make("span", {class: "count", id: "explore-count", role: "status", "aria-live": "polite"});
    columns = make("details", {class: "explore-columns"}, make("summary", {}, "Columns"), make("div", {class: "explore-menu"}));
    back = make("button", {type: "button", id: "explore-reset", onclick: ferJax.reset}, "Show all");
    place.append(make("div", {class: "explore-switch", role: "group", "aria-label": "Rows"}, modes), box, count, columns, back);
    document.addEventListener("pointerdown", event => { if (!columns.contains(event.target)) columns.open = false; });
    columns.addEventListener("keydown", event => {
      if (event.key === "Escape") { columns.open = false; columns.querySelector("summary").focus(); }
    });
  }

  function menu() {
    const hidden = state.hidden[state.mode];
    const entries = state.run[state.mode].columns.map(column => {
      const tick = make("input", {type: "checkbox", "data-key": column.key});
      tick.checked = !hidden.get(column.key);
      tick.addEventListener("change", () => {
        hidden.set(column.key, !tick.checked);
        ferJax.tell("columns");
      });
      const words = /^(±|95 %|min to)/.test(column.label) ? `${column.label} of ${column.key.replace(/_[a-z]+$/, "")}` : column.label;
      return make("label", {}, tick, words);
    });
    empty(columns.querySelector(".explore-menu"), ...entries);
  }

  function changed(what) {
    if (what !== "rows" && what !== "document") return;
    const all = state.run[state.mode].count, left = state.rows.length;
    const word = all === 1 ? state.mode.slice(0, -1) : state.mode;
    const every = all.toLocaleString("en");
    count.textContent = left === all ? `${every} ${word}` : `${left.toLocaleString("en")} of ${every} ${word}`;
    count.style.minWidth = `${2 * every.length + word.length + 6}ch`;  // so that nothing moves when fewer are left
    if (box.value !== state.filter) box.value = state.filter;
    problem.textContent = state.problems.join("; ");
    box.setAttribute("aria-invalid", state.problems.length ? "true" : "false");
    back.disabled = !ferJax.isFiltered();
    modes.forEach(button => {
      const mode = button.dataset.mode;
      button.setAttribute("aria-pressed", mode === state.mode ? "true" : "false");
    });
    if (columns.dataset.mode !== state.mode || what === "document") {
      columns.dataset.mode = state.mode;
      menu();
    }
  }

  // A choice of the metric that views show; all of them follow it.
  function metricChooser() {
    const select = make("select", {"aria-label": "Metric", onchange: () => {
      state.brushes.delete(state.metric);
      ferJax.change({metric: select.value});
    }});
    const update = () => {
      const {run} = state;
      if (select.options.length !== run.metrics.length) {
        empty(select, ...run.metrics.map(name => make("option", {value: name}, run.metric(name).label)));
      }
      select.value = state.metric;
      select.hidden = run.metrics.length < 2;
    };
    return {element: select, update};
  }

  // A choice of the part of a run whose points are ranked by themselves.
  function partChooser() {
    const select = make("select", {"aria-label": "Part of the run", onchange: () => {
      state.brushes.delete(state.metric);  // its scale is another one there
      ferJax.change({part: select.selectedIndex});
    }});
    const update = () => {
      const {parts} = state.run.doc;
      if (select.options.length !== parts.length) empty(select, ...parts.map(name => make("option", {}, name)));
      select.selectedIndex = state.part;
      select.hidden = parts.length < 2;
    };
    return {element: select, update};
  }

  Object.assign(ferJax, {metricChooser, partChooser});
  ferJax.tools = {build, changed};
})(globalThis.ferJax);
