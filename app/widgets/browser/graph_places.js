// Where the boxes and frames of a graph lie. `layout` is dagre, in the version that the netron package ships.

import { layout } from "./dagre.js";

export const LINE = 15;
export const PAD = 10;
const ink = document.createElement("canvas").getContext("2d");

export function widthOf(text, font) {
  ink.font = font;
  return ink.measureText(text).width;
}

export function fonts(element) {
  const family = getComputedStyle(element).fontFamily || "sans-serif";
  return { title: `600 12px ${family}`, line: `11px ${family}` };
}

/** Give a box the size of its text. */
export function measure(box, font) {
  const sign = box.opens ? 22 : 0;
  const lines = box.lines.map((line) => widthOf(line, font.line));
  box.width = Math.ceil(Math.max(56, widthOf(box.title, font.title) + sign, ...lines)) + 2 * PAD;
  box.height = LINE * (box.lines.length + 1) + PAD;
}

/** Place boxes and frames; return the size of the whole. */
export function place(graph) {
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

