"use strict";
// The table of points or trials: only the rows in sight are in the page, however many there are.
(ferJax => {
  const {make, empty, state} = ferJax;
  const ROW = 30, TALLEST = 372, AROUND = 8, WIDEST = 34, SAMPLED = 3000;
  const BETTER_HIGH = /accuracy|f1|auc|majority/;
  let scroller, table, head, body, active = 0;

  function shownColumns() {
    const hidden = state.hidden[state.mode];
    return state.run[state.mode].columns.filter(column => !hidden.get(column.key));
  }

  // The width of a column in characters: its longest cell, or its heading broken into lines.
  function width(column, count) {
    const words = column.label.split(" ").map(word => word.length + 2);
    let longest = Math.max(...words, Math.ceil(column.label.length / 2) + 2);
    const step = Math.max(1, Math.floor(count / SAMPLED));
    for (let row = 0; row < count; row += step) longest = Math.max(longest, column.text(row).length);
    return Math.min(WIDEST, longest) + (column.style === "status" ? 5 : 3);
  }

  function sortBy(column) {
    const now = state.order[state.mode], isSame = now && now.key === column.key;
    const down = isSame ? !now.down : column.numeric && BETTER_HIGH.test(column.key) && !/_sd$/.test(column.key);
    ferJax.change({order: {...state.order, [state.mode]: {key: column.key, down}}});
  }

  function heading(column) {
    const order = state.order[state.mode];
    const sorted = order && order.key === column.key ? (order.down ? "descending" : "ascending") : null;
    const button = make("button", {type: "button", title: column.hint || null, onclick: () => sortBy(column)}, column.label);
    return make("th", {scope: "col", class: column.style, "aria-sort": sorted, "data-key": column.key}, button);
  }

  function cell(column, row) {
    const text = column.text(row);
    const content = column.style === "status" ? make("span", {class: `pill ${text}`}, text) : text;
    return make("td", {class: column.style, title: text.length > WIDEST ? text : null}, content);
  }

  function row(at, columns, chosen) {
    const number = state.rows[at];
    const isChosen = chosen && chosen.mode === state.mode && chosen.row === number;
    return make("tr", {
      id: `explore-row-${at}`, "aria-rowindex": at + 2, "aria-selected": isChosen ? "true" : "false",
      class: at === active ? "active" : null, "data-row": number,
    }, columns.map(column => cell(column, number)));
  }

  function spacer(rows, columns) {
    const filler = make("td", {colspan: columns});
    filler.style.height = rows * ROW + "px";
    return make("tr", {"aria-hidden": "true", class: "filler"}, filler);
  }

  // Draws the rows in sight.
  function rows() {
    const columns = shownColumns(), count = state.rows.length;
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW) - AROUND);
    const last = Math.min(count, Math.ceil((scroller.scrollTop + scroller.clientHeight) / ROW) + AROUND);
    const found = [];
    if (first > 0) found.push(spacer(first, columns.length));
    for (let at = first; at < last; at += 1) found.push(row(at, columns, state.chosen));
    if (last < count) found.push(spacer(count - last, columns.length));
    if (!count) found.push(make("tr", {}, make("td", {colspan: columns.length, class: "text none"}, "No row has all of this.")));
    empty(body, ...found);
    const isDrawn = active >= first && active < last;
    if (isDrawn) table.setAttribute("aria-activedescendant", `explore-row-${active}`);
    else table.removeAttribute("aria-activedescendant");
  }

  // Draws headings and columns, then the rows.
  function whole() {
    const content = state.run[state.mode], columns = shownColumns();
    const widths = columns.map(column => width(column, content.count));
    const group = make("colgroup", {}, widths.map(size => {
      const col = make("col");
      col.style.width = size + "ch";
      return col;
    }));
    const focused = head.contains(document.activeElement) && document.activeElement.closest("th").dataset.key;
    empty(head, make("tr", {}, columns.map(heading)));
    if (focused) head.querySelector(`[data-key="${CSS.escape(focused)}"] button`)?.focus({preventScroll: true});
    table.querySelector("colgroup").replaceWith(group);
    table.style.minWidth = widths.reduce((sum, size) => sum + size, 0) + "ch";
    table.setAttribute("aria-rowcount", state.rows.length + 1);
    table.setAttribute("aria-label", state.mode === "points" ? "Points" : "Trials");
    // The height is that of all rows whatever the filter keeps: what is below stays under the reader's pointer.
    scroller.style.height = Math.min(TALLEST, head.offsetHeight + content.count * ROW + scroller.offsetHeight - scroller.clientHeight) + "px";
    rows();
  }

  // Moves the active row into sight.
  function move(to) {
    if (!state.rows.length) return;
    active = Math.min(state.rows.length - 1, Math.max(0, to));
    const top = active * ROW, room = scroller.clientHeight - head.offsetHeight - ROW;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top > scroller.scrollTop + room) scroller.scrollTop = top - room;
    rows();
  }

  function pressed(event) {
    if (event.target.closest("button")) return;
    const page = Math.max(1, Math.floor(scroller.clientHeight / ROW) - 2);
    const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity};
    if (event.key in steps) move(active + steps[event.key]);
    else if ((event.key === "Enter" || event.key === " ") && state.rows.length) ferJax.choose(state.mode, state.rows[active]);
    else if (event.key === "Escape") ferJax.choose(state.mode, null);
    else return;
    event.preventDefault();
  }

  function clicked(event) {
    const found = event.target.closest("tr[data-row]");
    if (!found) return;
    active = Number(found.getAttribute("aria-rowindex")) - 2;
    ferJax.choose(state.mode, Number(found.dataset.row));
  }

  function build(place) {
    head = make("thead");
    body = make("tbody", {onclick: clicked});
    table = make("table", {role: "grid", tabindex: 0, "aria-multiselectable": "false", onkeydown: pressed},
      make("colgroup"), head, body);
    scroller = make("div", {class: "scroll", onscroll: rows}, table);
    place.append(scroller);
  }

  function changed(what) {
    if (what === "chosen") rows();
    else if (what !== "views") {
      active = Math.min(active, Math.max(0, state.rows.length - 1));
      if (what === "rows") { active = 0; scroller.scrollTop = 0; }
      whole();
    }
  }

  ferJax.table = {build, changed};
})(globalThis.ferJax);
