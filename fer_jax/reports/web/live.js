"use strict";
// A page that is served: asks the server every few seconds how far the run has come, hands newer data to the page's other scripts
// as the event "fer-jax-data", and saves notes. All addresses are relative, so that the page works below any other.
(() => {
  const bar = document.getElementById("live-bar");
  if (!bar) return;
  // What sticks to the window's top below the bar has to know its height.
  new ResizeObserver(() => document.documentElement.style.setProperty("--bar", bar.offsetHeight + "px")).observe(bar);
  if (!bar.dataset.follows) return;
  const OFTEN = 3000, SELDOM = 15000;
  const words = bar.querySelector(".words"), reload = bar.querySelector(".reload");
  reload.addEventListener("click", () => location.reload());
  const say = text => { if (words.textContent !== text) words.textContent = text; };
  function clock(seconds) {
    const now = new Date(), then = seconds ? new Date(seconds * 1000) : now, time = then.toLocaleTimeString([], {hour12: false});
    return then.toDateString() === now.toDateString() ? time : `${then.toLocaleDateString()} ${time}`;
  }
  const offer = text => { reload.hidden = !text; reload.textContent = text; };

  async function ask(address) {
    const answer = await fetch(address, {cache: "no-store"});
    const document_ = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(document_.error || answer.statusText), {told: true});
    return document_;
  }

  // One run.
  let data = bar.dataset.data, notesSeen = null;
  async function followRun() {
    const state = await ask("state.json");
    if (state.data !== data) {
      const newer = await ask("data.json");
      data = state.data;
      document.dispatchEvent(new CustomEvent("fer-jax-data", {detail: newer}));
    }
    bar.className = state.state;
    say(state.words + (state.changed ? (state.state === "running" ? ", updated " : ", last change ") + clock(state.changed) : ""));
    offer(state.figures === bar.dataset.figures ? "" : "newer figures: reload");
    if (notesSeen !== null && notesSeen !== state.notes) await takeNotes();
    notesSeen = state.notes;
    return state.state === "running" ? OFTEN : SELDOM;
  }

  // A list of runs: cells get what is new, so that what was typed, sorted and chosen stays.
  async function followList() {
    const {runs} = await ask("state.json"), rows = [...document.querySelectorAll("#runs-list tbody tr")];
    let running = 0;
    for (const row of rows) {
      const now = runs[row.dataset.key];
      if (!now) continue;
      for (const cell of row.querySelectorAll("[data-cell]"))
        if (cell.textContent !== now[cell.dataset.cell]) cell.textContent = now[cell.dataset.cell];
      for (const cell of row.querySelectorAll("[data-whole]")) cell.title = now[cell.dataset.whole];
      row.querySelector(".pill").className = "pill " + now.state;
    }
    for (const one of Object.values(runs)) running += one.state === "running";
    const filter = document.querySelector("input[data-for=runs-list]");
    if (filter && filter.value) filter.dispatchEvent(new Event("input"));
    const shown = new Set(rows.map(row => row.dataset.key)), keys = Object.keys(runs);
    bar.className = running ? "running" : "";
    say(running ? `live, ${running} of ${keys.length} runs going on, asked ${clock()}` : `no run is going on, asked ${clock()}`);
    offer(keys.length === shown.size && keys.every(key => shown.has(key)) ? "" : "other runs than these: reload");
    return OFTEN;
  }

  const follow = bar.dataset.follows === "runs" ? followList : followRun;
  let gone = "", timer = 0;
  async function poll() {
    clearTimeout(timer);
    let pause = OFTEN;
    try {
      pause = await follow();
      gone = "";
    } catch (error) {
      gone = gone || clock();
      bar.className = "gone";
      say(error.told ? error.message : `server gone since ${gone}; this page goes on once it is back`);
    }
    if (!document.hidden) timer = setTimeout(poll, pause);
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  poll();

  // Choosing runs to compare.
  const compare = document.querySelector("button[form=compare]");
  if (compare) {
    const boxes = [...document.querySelectorAll("input[name=run]")];
    const count = () => {
      const chosen = boxes.filter(box => box.checked).length, most = Number(compare.dataset.most);
      compare.disabled = chosen < 2 || chosen > most;
      compare.textContent = chosen > most ? `Compare at most ${most} runs` : chosen > 1 ? `Compare ${chosen} runs` : "Compare: choose two or more";
    };
    boxes.forEach(box => box.addEventListener("change", count));
    addEventListener("pageshow", count);
    count();
  }

  // Notes.
  const form = document.getElementById("notes-form");
  const box = form && form.elements.text, save = form && form.querySelector("button"), told = form && form.querySelector("[role=status]");
  const newer = document.getElementById("notes-newer");
  let saved = box && box.value;
  const isChanged = () => box.value !== saved;
  const count = () => {
    const characters = [...box.value].length, most = Number(box.dataset.most);
    form.querySelector(".characters").textContent = `${characters.toLocaleString("en")} of ${most.toLocaleString("en")} characters`;
    return characters > most ? `Not saved: notes have at most ${most.toLocaleString("en")} characters, these ${characters.toLocaleString("en")}.` : "";
  };
  function take(document_) {
    saved = box.value = document_.text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
    form.dataset.version = document_.version;
    save.disabled = true;
    count();
  }
  async function takeNotes() {
    if (!form || isChanged()) return;  // saving will say that there are others
    const found = await ask("notes.json");
    if (!isChanged() && found.version !== form.dataset.version) take(found);
  }
  async function send() {
    const text = box.value;
    if (count()) { told.textContent = count(); return; }
    save.disabled = true;
    told.textContent = "saving";
    try {
      const answer = await fetch("notes", {
        method: "POST", headers: {"Content-Type": "application/json"},
        body: JSON.stringify({token: form.dataset.token, version: form.dataset.version, text}),
      });
      const found = await answer.json();
      newer.hidden = answer.status !== 409;
      if (answer.status === 409) {
        newer.querySelector("pre").textContent = found.text || "(nothing: the notes were emptied)";
        form.dataset.version = found.version;
      }
      told.textContent = answer.ok ? "saved " + clock() : found.error;
      if (answer.ok && box.value === text) take(found);
      else if (answer.ok) { saved = found.text; form.dataset.version = found.version; }
    } catch (error) {
      told.textContent = "Not saved: the server is gone. Your text is still here.";
    }
    save.disabled = !isChanged();
  }
  if (form) {
    box.addEventListener("input", () => { save.disabled = !isChanged(); told.textContent = isChanged() ? "not saved" : ""; count(); });
    count();
    form.addEventListener("submit", event => { event.preventDefault(); send(); });
    addEventListener("beforeunload", event => { if (isChanged()) event.preventDefault(); });
  }
})();
