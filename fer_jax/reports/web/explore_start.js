"use strict";
// Puts the parts together once the page is there, and again whenever a newer document comes.
(ferJax => {
  const {make, state} = ferJax;
  const VIEWS = ["parallel", "curves", "surface", "roc"];
  const held = document.getElementById("run-data"), app = document.getElementById("explore-app");
  const parts = [];

  function add(view, place) {
    view.build(place);
    parts.push(view);
  }

  // Views whose data have come: some only do while a run goes on.
  function views() {
    const places = document.getElementById("explore-views");
    for (const name of VIEWS) {
      const id = `explore-${name}`;
      if (document.getElementById(id) || !ferJax[name].suits(state.run)) continue;
      const place = make("div", {id, class: "explore-view"});
      const next = VIEWS.slice(VIEWS.indexOf(name) + 1).map(other => document.getElementById(`explore-${other}`)).find(Boolean);
      places.insertBefore(place, next || null);
      add(ferJax[name], place);
    }
  }

  function notes() {
    document.getElementById("explore-notes").textContent = state.run.doc.left_out.join(" ");
  }

  function start(doc) {
    ferJax.take(doc);
    app.hidden = false;
    add(ferJax.tools, document.getElementById("explore-tools"));
    add(ferJax.table, document.getElementById("explore-table"));
    add(ferJax.detail, document.getElementById("explore-detail"));
    views();
    notes();
    ferJax.listen(what => parts.forEach(part => part.changed(what)));
    ferJax.tell("document");
    document.addEventListener("fer-jax-data", event => {
      ferJax.take(event.detail);
      views();
      notes();
      ferJax.tell("document");
    });
    const again = () => ferJax.tell("views");
    let width = app.clientWidth;
    new ResizeObserver(() => {
      if (app.clientWidth !== width) { width = app.clientWidth; again(); }
    }).observe(app);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => ferJax.tell("document"));
  }

  if (held && app) start(JSON.parse(held.textContent));
})(globalThis.ferJax);
