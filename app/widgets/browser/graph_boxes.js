// The shapes of a graph: boxes, the frames around them, arrows. All text is set as text, never as HTML.

import { fonts, LINE, measure, PAD, place, widthOf } from "./graph_places.js";

const SVG = "http://www.w3.org/2000/svg";

export function make(name, attributes, ...inside) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
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

/** Draw a graph into a stage; return id -> box or frame, and the size of the whole. */
export function draw(stage, graph) {
  const font = fonts(stage.ownerSVGElement);
  graph.boxes.forEach((box) => measure(box, font));
  const size = graph.boxes.length ? place(graph) : { left: 0, top: 0, width: 1, height: 1 };
  stage.replaceChildren(
    arrowhead(),
    ...graph.frames.map((frame) => drawGround(frame, font)),
    ...graph.arrows.map((arrow) => drawArrow(arrow, arrow.points)),
    ...graph.frames.map((frame) => drawFrame(frame, font)),
    ...graph.boxes.map(drawBox),
  );
  return { places: new Map([...graph.frames, ...graph.boxes].map((one) => [one.id, one])), size };
}
