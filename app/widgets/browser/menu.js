// The menu of a chart: by the mouse where it is over the chart, and by the keyboard.

import { linesOf } from "./lines.js";
import { savePicture, saveTable } from "./save.js";
import { resetZoom } from "./zoom.js";

function toggleFull(box) {
  if (document.fullscreenElement) document.exitFullscreen();
  else box.frame.requestFullscreen();
}

const ENTRIES = [
  ["Full screen", toggleFull, () => document.fullscreenEnabled],
  ["Reset zoom", resetZoom, (box) => Boolean(box._fullLayout.xaxis)],
  ["Save as PNG", (box) => savePicture(box, "png"), () => true],
  ["Save as SVG", (box) => savePicture(box, "svg"), () => true],
  ["Save numbers as CSV", saveTable, (box) => linesOf(box).length > 0],
];

/** Put the button of the menu on a chart. */
export function attachMenu(box) {
  const bar = document.createElement("div");
  bar.className = "stepscope-bar";
  const button = element("button", "⋮", { type: "button", "aria-haspopup": "menu", "aria-expanded": "false" });
  box.menu = button;
  button.title = "Full screen, save, reset";
  bar.appendChild(button);
  box.frame.appendChild(bar);
  button.addEventListener("click", () => (bar.querySelector("[role=menu]") ? shut(bar) : open(box, bar)));
  bar.addEventListener("keydown", (event) => move(bar, event));
  bar.addEventListener("focusout", (event) => {
    if (!bar.contains(event.relatedTarget)) shut(bar);
  });
}

function open(box, bar) {
  const menu = element("div", "", { role: "menu" });
  for (const [words, act, offered] of ENTRIES) {
    if (!offered(box)) continue;
    const entry = element("button", words, { type: "button", role: "menuitem" });
    entry.addEventListener("click", () => {
      shut(bar);
      act(box);
    });
    menu.appendChild(entry);
  }
  bar.appendChild(menu);
  bar.firstChild.setAttribute("aria-expanded", "true");
  menu.firstChild.focus();
}

function shut(bar) {
  const menu = bar.querySelector("[role=menu]");
  // To take away what has the focus would make it leave the bar, which shuts the menu.
  if (menu?.contains(document.activeElement)) bar.firstChild.focus();
  menu?.remove();
  bar.firstChild.setAttribute("aria-expanded", "false");
}

function move(bar, event) {
  const entries = [...bar.querySelectorAll("[role=menuitem]")];
  const at = entries.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape" && entries.length) {
    shut(bar);
  } else if (step && entries.length) {
    entries[(at + step + entries.length) % entries.length].focus();
  } else return;
  event.preventDefault();
  event.stopPropagation();
}

function element(kind, words, attributes) {
  const made = document.createElement(kind);
  made.textContent = words;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
