"use strict";
// The list of sections: open beside the page on a wide screen, folded above it on a narrow one; the section that is
// being read is marked.
(() => {
  const list = document.querySelector("nav details");
  if (!list) return;
  const wide = matchMedia("(min-width: 1100px)"), here = list.querySelector(".here");
  const fold = () => { list.open = wide.matches; };
  fold();
  wide.addEventListener("change", fold);
  const links = new Map([...list.querySelectorAll("a")].map(link => [decodeURIComponent(link.hash.slice(1)), link]));
  for (const link of links.values()) link.addEventListener("click", () => { if (!wide.matches) list.open = false; });
  document.addEventListener("keydown", event => {
    if (event.key === "Escape" && !wide.matches && list.open) { list.open = false; list.querySelector("summary").focus(); }
  });
  const sections = [...document.querySelectorAll("main > section")];
  let marked = null, waiting = false;
  const mark = () => {
    waiting = false;
    const line = innerHeight * .3;
    let at = sections[0];
    for (const one of sections) if (one.getClientRects().length && one.getBoundingClientRect().top <= line) at = one;
    const link = at && links.get(at.id);
    if (!link || link === marked) return;
    marked?.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    marked = link;
    here.textContent = link.textContent;
    if (wide.matches) {
      const box = list.parentElement, top = link.offsetTop;
      if (top < box.scrollTop + 30 || top > box.scrollTop + box.clientHeight - 60) box.scrollTop = top - box.clientHeight / 2;
    }
  };
  const soon = () => { if (!waiting) { waiting = true; requestAnimationFrame(mark); } };
  addEventListener("scroll", soon, {passive: true});
  addEventListener("resize", soon);
  mark();
})();
