// Draws the boxes of a graph, lays them out with `layout` (dagre, from the netron package: its file stands
// before this one), and tells Python what was clicked. All text is set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";
const LINE = 15;
const PAD = 10;
const SCALES = { least: 0.15, readable: 1, most: 3 };
const ink = document.createElement("canvas").getContext("2d");

function make(name, attributes, ...inside) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

function widthOf(text, font) {
  ink.font = font;
  return ink.measureText(text).width;
}

function fonts(element) {
  const family = getComputedStyle(element).fontFamily || "sans-serif";
  return { title: `600 12px ${family}`, line: `11px ${family}` };
}

/** Give every box the size of its text. */
function measure(box, font) {
  const sign = box.opens ? 22 : 0;
  const lines = box.lines.map((line) => widthOf(line, font.line));
  box.width = Math.ceil(Math.max(56, widthOf(box.title, font.title) + sign, ...lines)) + 2 * PAD;
  box.height = LINE * (box.lines.length + 1) + PAD;
}

/** Place boxes and frames; return the size of the whole. */
function place(graph) {
  const frames = new Set(graph.frames.map((frame) => frame.id));
  const nodes = [...graph.frames, ...graph.boxes].map((one) => ({
    v: one.id,
    width: one.width ?? 0,
    height: one.height ?? 0,
    parent: frames.has(one.parent) ? one.parent : undefined,
  }));
  const edges = graph.arrows.map(([v, w]) => ({ v, w }));
  if (graph.tree) outline(nodes, edges);
  else layout(nodes, edges, { nodesep: 24, edgesep: 12, ranksep: 32, rankdir: "TB" }, {});
  const at = new Map(nodes.map((node) => [node.v, node]));
  for (const one of [...graph.frames, ...graph.boxes]) Object.assign(one, pick(at.get(one.id)));
  graph.arrows.forEach((arrow, index) => (arrow.points = edges[index].points));
  return bounds(graph, nodes);
}

/** Place modules below each other, further to the right the deeper they are, as a list of files. */
function outline(nodes, edges) {
  const above = new Map(edges.map(({ v, w }) => [w, v]));
  const at = new Map();
  let y = 0;
  for (const node of nodes) {
    const parent = at.get(above.get(node.v));
    const left = parent ? parent.x - parent.width / 2 + 36 : 0;
    Object.assign(node, { x: left + node.width / 2, y: y + node.height / 2 });
    at.set(node.v, node);
    y += node.height + 10;
  }
  for (const edge of edges) {
    const [from, to] = [at.get(edge.v), at.get(edge.w)];
    const x = from.x - from.width / 2 + 14;
    const turn = { x, y: to.y };
    edge.points = [{ x, y: from.y + from.height / 2 }, turn, turn, { x: to.x - to.width / 2, y: to.y }];
  }
}

const pick = ({ x, y, width, height }) => ({ x, y, width, height });

function bounds(graph, nodes) {
  const points = graph.arrows.flatMap((arrow) => arrow.points ?? []);
  const xs = [...nodes.flatMap((n) => [n.x - n.width / 2, n.x + n.width / 2]), ...points.map((p) => p.x)];
  const ys = [...nodes.flatMap((n) => [n.y - n.height / 2, n.y + n.height / 2]), ...points.map((p) => p.y)];
  const [left, top] = [Math.min(...xs) - 16, Math.min(...ys) - 22];
  return { left, top, width: Math.max(...xs) + 16 - left, height: Math.max(...ys) + 16 - top };
}

/** Return a smooth path through the points of an arrow. */
function curve(points) {
  const [first, ...rest] = points;
  let path = `M${first.x},${first.y}`;
  for (let i = 0; i < rest.length - 1; i += 1) {
    const [here, next] = [rest[i], rest[i + 1]];
    const end = i === rest.length - 2 ? next : { x: (here.x + next.x) / 2, y: (here.y + next.y) / 2 };
    path += `Q${here.x},${here.y} ${end.x},${end.y}`;
  }
  return rest.length === 1 ? `${path}L${rest[0].x},${rest[0].y}` : path;
}

function drawArrow([, , what], points) {
  const arrow = make("path", { class: "arrow", d: curve(points), "marker-end": "url(#stepscope-arrowhead)" });
  if (what) arrow.append(make("title", {}, what));
  return arrow;
}

function drawSign(box, x, y) {
  const sign = box.open ? "M4 9h10" : "M4 9h10M9 4v10";
  return make(
    "g",
    { class: "sign", transform: `translate(${x},${y})` },
    make("title", {}, box.open ? "Close" : "Open"),
    make("rect", { width: 18, height: 18, rx: 4 }),
    make("path", { d: sign }),
  );
}

function described(box) {
  const words = [box.title, ...box.lines];
  if (box.mark) words.push(box.mark);
  if (box.opens) words.push(box.open ? "open" : "closed");
  return words.join(", ");
}

function shell(box, kind) {
  const state = [kind, box.found && "found", box.differs && "differs", box.chosen && "chosen"].filter(Boolean);
  return make("g", {
    class: state.join(" "),
    transform: `translate(${box.x - box.width / 2},${box.y - box.height / 2})`,
    tabindex: 0,
    role: "button",
    "aria-label": described(box),
    "aria-pressed": String(Boolean(box.chosen)),
    ...(box.opens ? { "aria-expanded": String(Boolean(box.open)) } : {}),
    "data-id": box.id,
  });
}

function drawBox(box) {
  const group = shell(box, box.opens ? "box module" : "box");
  group.append(
    make("title", {}, box.full),
    make("rect", { class: "body", width: box.width, height: box.height, rx: 6 }),
    make("path", { class: "stripe", d: `M2 8v${box.height - 16}`, style: `stroke:${box.colour}` }),
    make("text", { class: "title", x: PAD, y: LINE + 1 }, box.title),
    ...box.lines.map((line, index) => make("text", { x: PAD, y: LINE * (index + 2) }, line)),
  );
  if (box.mark) group.append(make("text", { class: "mark", x: box.width, y: -4, "text-anchor": "end" }, box.mark));
  if (box.opens) group.append(drawSign(box, box.width - 22, 4));
  return group;
}

function neededBy(frame, font) {
  return widthOf(frame.title, `600 ${font.line}`) + 52;
}

/** What is within a frame; arrows cross it, and are crossed by the frame's name. */
function drawGround(frame, font) {
  frame.width = Math.max(frame.width, neededBy(frame, font));
  const at = { x: frame.x - frame.width / 2, y: frame.y - frame.height / 2 };
  return make("rect", { class: "ground", ...at, width: frame.width, height: frame.height, rx: 8 });
}

function drawFrame(frame, font) {
  const needed = neededBy(frame, font);
  const group = shell(frame, "frame");
  group.append(
    make("rect", { class: "body", width: frame.width, height: frame.height, rx: 8, style: `--tint:${frame.colour}` }),
    make("rect", { class: "legend", x: 8, y: -8, width: needed - 16, height: 16, rx: 5 }),
    make("text", { x: 34, y: 4 }, frame.title),
    drawSign(frame, 11, -9),
    make("title", {}, frame.full),
  );
  return group;
}

function arrowhead() {
  const mark = { id: "stepscope-arrowhead", viewBox: "0 0 10 10", refX: 9, refY: 5, orient: "auto-start-reverse" };
  const head = make("marker", { ...mark, markerWidth: 7, markerHeight: 7 }, make("path", { d: "M0 1L9 5L0 9z" }));
  return make("defs", {}, head);
}

function draw(view, graph) {
  const font = fonts(view.box);
  graph.boxes.forEach((box) => measure(box, font));
  view.size = graph.boxes.length ? place(graph) : { left: 0, top: 0, width: 1, height: 1 };
  view.stage.replaceChildren(
    arrowhead(),
    ...graph.frames.map((frame) => drawGround(frame, font)),
    ...graph.arrows.map((arrow) => drawArrow(arrow, arrow.points)),
    ...graph.frames.map((frame) => drawFrame(frame, font)),
    ...graph.boxes.map(drawBox),
  );
  view.places = new Map([...graph.frames, ...graph.boxes].map((one) => [one.id, one]));
}

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
  if (!before || !after) return false;
  const { scale } = view.at;
  pan(view, (before.x - after.x) * scale, (before.y - before.height / 2 - after.y + after.height / 2) * scale);
  return true;
}

/** Bring the head of a box into sight if it is out of it. */
function reveal(view, id) {
  const box = view.places.get(id);
  if (!box) return;
  const { x, y, scale } = view.at;
  const [left, top] = [x + box.x * scale, y + (box.y - box.height / 2) * scale];
  const { clientWidth: width, clientHeight: height } = view.box;
  const inside = left > 20 && top > 10 && left < width - 20 && top < height - 40;
  if (!inside) pan(view, width / 2 - left, height / 3 - top);
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
      event.preventDefault();
      const { left, top } = view.svg.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) {
        zoom(view, Math.exp(-event.deltaY / 300), event.clientX - left, event.clientY - top);
      } else pan(view, -event.deltaX, -event.deltaY);
    },
    { passive: false },
  );
  // With the keyboard, the next box may be out of sight; under a pointer, nothing moves.
  view.svg.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && reveal(view, idOf(event)));
  view.box.addEventListener("keydown", (event) => pressed(view, event, idOf(event)));
}

const STEPS = { ArrowUp: [0, 60], ArrowDown: [0, -60], ArrowLeft: [60, 0], ArrowRight: [-60, 0] };

function pressed(view, event, id) {
  const known = {
    Enter: () => id !== undefined && activate(view, id, false),
    " ": () => id !== undefined && activate(view, id, true),
    "+": () => zoom(view, 1.25),
    "-": () => zoom(view, 0.8),
    0: () => fit(view),
  };
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
  view.focus = id;
  const toggles = onSign ? box.opens : box.holds && !box.open;
  view.tell("clicked", { id, toggles: Boolean(toggles), number: Date.now() });
}

const ICONS = {
  in: "M5 10h10M10 5v10",
  out: "M5 10h10",
  whole: "M7 3H3v4M13 3h4v4M7 17H3v-4M13 17h4v-4M8 8h4v4H8z",
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
  draw(view, graph);
  view.model = graph.model;
  if (!same || !hold(view, view.held?.id, view.held?.box)) {
    if (!same) fit(view, SCALES.readable);
  }
  if (graph.chosen) reveal(view, graph.chosen);
  view.held = null;
  if (view.focus !== undefined) view.stage.querySelector(`[data-id="${CSS.escape(view.focus)}"]`)?.focus({ preventScroll: true });
}
