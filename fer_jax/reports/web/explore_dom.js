"use strict";
// Elements, drawing surfaces and colours. Data come into the page as text nodes and attributes only.
globalThis.ferJax = globalThis.ferJax || {};
(ferJax => {
  const SVG = "http://www.w3.org/2000/svg";

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : String(value));
    }
    for (const child of children.flat()) {
      if (child !== null && child !== undefined) element.append(child);
    }
    return element;
  }

  // An HTML element: make("p", {class: "x", onclick: f}, "text", other).
  function make(tag, attributes, ...children) {
    return fill(document.createElement(tag), attributes, children);
  }

  // The same of SVG.
  function draw(tag, attributes, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
  }

  function empty(element, ...children) {
    element.replaceChildren(...children);
    return element;
  }

  // A colour of the page's style sheet, such as ink("--muted").
  function ink(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888888";
  }

  // A canvas of this size in CSS pixels, cleared and scaled to the screen's own pixels.
  function paper(canvas, width, height) {
    const scale = globalThis.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  function channels(hex) {
    return [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
  }

  function hex(values) {
    return "#" + values.map(value => Math.round(value).toString(16).padStart(2, "0")).join("");
  }

  function mixed(from, to, share) {
    const other = channels(to);
    return hex(channels(from).map((value, at) => value + (other[at] - value) * share));
  }

  // Relative luminance and contrast as WCAG 2 has them.
  function luminance(colour) {
    const [red, green, blue] = channels(colour).map(value => {
      const share = value / 255;
      return share <= .03928 ? share / 12.92 : ((share + .055) / 1.055) ** 2.4;
    });
    return .2126 * red + .7152 * green + .0722 * blue;
  }

  function contrast(one, other) {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + .05) / (low + .05);
  }

  // The colour, or as much nearer to the ink as makes a thin line of it readable on the page.
  function readable(colour, ground, dark) {
    for (let share = 0; share < 1; share += .1) {
      const tried = mixed(colour, dark, share);
      if (contrast(tried, ground) >= 3) return tried;
    }
    return dark;
  }

  function inkOn(colour) {
    return luminance(colour) > .18 ? "#000000" : "#ffffff";
  }

  // What a length in pixels a text has in the page's small letters.
  const ruler = document.createElement("canvas").getContext("2d");
  function textWidth(text) {
    ruler.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return ruler.measureText(text).width;
  }

  // Where a pointer is within an element, in CSS pixels.
  function within(event, element) {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  // Follows a pointer from its press to its release, also outside of the element and by touch.
  // The element has to stay in the page meanwhile.
  function follow(event, element, move, end) {
    try {
      element.setPointerCapture(event.pointerId);
    } catch {
      // A pointer that is no longer there needs no capture.
    }
    const stop = () => {
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerup", stop);
      element.removeEventListener("pointercancel", stop);
      end();
    };
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", stop);
    element.addEventListener("pointercancel", stop);
  }

  Object.assign(ferJax, {follow, make, draw, empty, ink, paper, mixed, contrast, readable, inkOn, textWidth, within});
})(globalThis.ferJax);
