// A graph that a viewer moves, zooms and clicks in; what was clicked is told to Python.

import { draw, make } from "./graph_boxes.js";
import { saveDrawing } from "./graph_save.js";

const SCALES = { least: 0.15, readable: 1, most: 3 };

// Looking around: `at` is where the drawing's left upper corner lies, and how large it is drawn.

function move(view) {
  const { x, y, scale } = view.at;
  view.stage.setAttribute("transform", `translate(${x},${y}) scale(${scale})`);
}

function fit(view, least = SCALES.least) {
  const { clientWidth: width, clientHeight: height } = view.box;
  const whole = Math.min(width / view.size.width, height / view.size.height, 1.1);
  const scale = Math.max(whole, least);
  // What is taller than the window begins below the buttons.
  const spare = Math.max((height - view.size.height * scale) / 2, least === SCALES.least ? 0 : 36);
  view.at = {
    scale,
    x: (width - view.size.width * scale) / 2 - view.size.left * scale,
    y: spare - view.size.top * scale,
  };
  move(view);
}

function zoom(view, factor, x = view.box.clientWidth / 2, y = view.box.clientHeight / 2) {
  const scale = Math.min(Math.max(view.at.scale * factor, SCALES.least), SCALES.most);
  const ratio = scale / view.at.scale;
  view.at = { scale, x: x - (x - view.at.x) * ratio, y: y - (y - view.at.y) * ratio };
  move(view);
}

function pan(view, dx, dy) {
  view.at = { ...view.at, x: view.at.x + dx, y: view.at.y + dy };
  move(view);
}

/** Keep a box where it is on the screen, now that all have been placed anew. */
function hold(view, id, before) {
  const after = view.places.get(id);
  if (!before || !after) return;
  const { scale } = view.at;
  pan(view, (before.x - after.x) * scale, (before.y - before.height / 2 - after.y + after.height / 2) * scale);
}

/** Bring the head of a box into sight if it is out of it. */
function reveal(view, id) {
  const box = view.places.get(id);
  if (!box || inSight(view, box)) return;
  const [left, top] = headOf(view, box);
  pan(view, view.box.clientWidth / 2 - left, view.box.clientHeight / 3 - top);
}

function headOf(view, box) {
  const { x, y, scale } = view.at;
  return [x + box.x * scale, y + (box.y - box.height / 2) * scale];
}

function inSight(view, box) {
  const [left, top] = headOf(view, box);
  const { clientWidth: width, clientHeight: height } = view.box;
  return left > 20 && top > 10 && left < width - 20 && top < height - 40;
}

function listen(view) {
  const idOf = (event) => event.target.closest?.("[data-id]")?.dataset.id;
  let drag = null;
  view.svg.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, y: event.clientY, moved: false };
  });
  view.svg.addEventListener("pointermove", (event) => {
    if (!drag || !(event.buttons & 1)) return;
    if (!drag.moved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 4) return;
    if (!drag.moved) view.svg.setPointerCapture(event.pointerId);
    pan(view, event.clientX - drag.x, event.clientY - drag.y);
    drag = { x: event.clientX, y: event.clientY, moved: true };
  });
  view.svg.addEventListener("click", (event) => {
    const moved = drag?.moved;
    drag = null;
    const id = idOf(event);
    if (id !== undefined && !moved) activate(view, id, Boolean(event.target.closest(".sign")));
  });
  view.svg.addEventListener(
    "wheel",
    (event) => {
      const zooms = event.ctrlKey || event.metaKey;
      // At its end, the page itself is to move on.
      if (!zooms && !goesOn(view, event.deltaY)) return;
      event.preventDefault();
      const { left, top } = view.svg.getBoundingClientRect();
      if (zooms) zoom(view, Math.exp(-event.deltaY / 300), event.clientX - left, event.clientY - top);
      else pan(view, -event.deltaX, -event.deltaY);
    },
    { passive: false },
  );
  // With the keyboard, the next box may be out of sight; under a pointer, nothing moves.
  view.svg.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && reveal(view, idOf(event)));
  view.box.addEventListener("keydown", (event) => pressed(view, event, idOf(event)));
}

/** Return whether there is more of the drawing where the wheel turns to. */
function goesOn(view, down) {
  const top = view.at.y + view.size.top * view.at.scale;
  if (down < 0) return top < 0;
  return top + view.size.height * view.at.scale > view.box.clientHeight;
}

const STEPS = { ArrowUp: [0, 60], ArrowDown: [0, -60], ArrowLeft: [60, 0], ArrowRight: [-60, 0] };

function pressed(view, event, id) {
  const known = {
    Enter: () => activate(view, id, false),
    " ": () => activate(view, id, true),
    "+": () => zoom(view, 1.25),
    "-": () => zoom(view, 0.8),
    0: () => fit(view),
  };
  // On the buttons, keys press them.
  if (id === undefined && ["Enter", " "].includes(event.key)) return;
  const step = STEPS[event.key];
  const act = step ? () => pan(view, ...step) : known[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
}

/** Tell Python about a click: on the sign, or on a module that holds others, to open or close it. */
function activate(view, id, onSign) {
  const box = view.places.get(id);
  view.held = { id, box: { ...box } };
  const toggles = onSign ? box.opens : box.holds && !box.open;
  view.tell("clicked", { id: box.part, toggles: Boolean(toggles), number: Date.now() });
}

const ICONS = {
  in: "M5 10h10M10 5v10",
  out: "M5 10h10",
  whole: "M7 3H3v4M13 3h4v4M7 17H3v-4M13 17h4v-4M8 8h4v4H8z",
  save: "M10 3v9M6 9l4 4 4-4M4 16h12",
  full: "M12 3h5v5M17 3l-6 6M8 17H3v-5M3 17l6-6",
};

function button(icon, title, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.append(make("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" }, make("path", { d: ICONS[icon] })));
  element.title = title;
  element.setAttribute("aria-label", title);
  element.addEventListener("click", act);
  return element;
}

function mount(parent) {
  const box = document.createElement("div");
  box.className = "stepscope-graph";
  const svg = make("svg", { role: "group" });
  const stage = make("g", {});
  svg.append(stage);
  const view = { box, svg, stage, at: { x: 0, y: 0, scale: 1 }, places: new Map(), held: null };
  const bar = document.createElement("div");
  bar.className = "bar";
  const full = () => (document.fullscreenElement ? document.exitFullscreen() : box.requestFullscreen());
  bar.append(
    button("in", "Zoom in (+)", () => zoom(view, 1.25)),
    button("out", "Zoom out (-)", () => zoom(view, 0.8)),
    button("whole", "Show the whole (0)", () => fit(view)),
    button("save", "Save as SVG", () => saveDrawing(svg, stage, view.size, svg.getAttribute("aria-label"))),
    button("full", "Full screen", full),
  );
  box.append(svg, bar);
  parent.appendChild(box);
  listen(view);
  box.addEventListener("fullscreenchange", () => fit(view, SCALES.readable));
  box.view = view;
  return box;
}

export default function ({ parentElement, data, setTriggerValue }) {
  const bytes = new Uint8Array(data);
  const sent = new TextDecoder().decode(bytes);
  const box = parentElement.querySelector(".stepscope-graph") ?? mount(parentElement);
  const { view } = box;
  view.tell = setTriggerValue;
  if (view.sent === sent) return;
  view.sent = sent;
  const graph = JSON.parse(sent);
  const same = view.model === graph.model;
  box.style.height = `${graph.height}px`;
  view.svg.setAttribute("aria-label", graph.alt);
  const focused = view.stage.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
  Object.assign(view, draw(view.stage, graph));
  view.model = graph.model;
  if (same) hold(view, view.held?.id, view.held?.box);
  else fit(view, SCALES.readable);
  const chosen = [...view.places.values()].filter((one) => one.chosen);
  if (chosen.length && !chosen.some((one) => inSight(view, one))) reveal(view, chosen[0].id);
  view.held = null;
  if (focused !== undefined) {
    view.stage.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
}
