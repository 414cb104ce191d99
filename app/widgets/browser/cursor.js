// One vertical line through all charts of a page that count the same on their horizontal axis, and beside the
// mouse a table of what all lines are there.

import { linesOf, nearest } from "./lines.js";
import { fill, place } from "./table.js";

const attached = new Set();

/** Let a chart show the cursor, and move it. */
export function attachCursor(box) {
  const layer = document.createElement("div");
  layer.className = "stepscope-cursor";
  layer.hidden = true;
  box.frame.appendChild(layer);
  const table = document.createElement("div");
  table.className = "stepscope-values";
  table.hidden = true;
  // Above everything, the sidebar too, and in full screen.
  table.popover = "manual";
  table.setAttribute("role", "status");
  box.frame.appendChild(table);
  Object.assign(box, { layer, table, tabIndex: 0 });
  attached.add(box);
  box.addEventListener("pointermove", (event) => soon(() => moved(box, event)));
  box.addEventListener("pointerleave", () => soon(() => hide(box)));
  box.addEventListener("blur", () => hide(box));
  box.addEventListener("keydown", (event) => stepped(box, event));
}

/** Leave the place beside the mouse to what plotly says of a mark. */
export function listenToMarks(box) {
  const marked = ({ points }) => points.some(({ data }) => data.mode === "markers");
  box.on("plotly_hover", (event) => {
    box.overMark = marked(event);
    if (box.overMark) hideTable(box);
  });
  box.on("plotly_unhover", () => {
    box.overMark = false;
  });
}

/** Put the cursor where it was, after a chart was drawn again. */
export function moveAgain(box) {
  if (box.layer && !box.layer.hidden) mark(box, box.at);
}

let pending;

/** Do something in the next frame, instead of what else was to be done in it. */
function soon(act) {
  if (pending === undefined) requestAnimationFrame(() => {
    const latest = pending;
    pending = undefined;
    latest();
  });
  pending = act;
}

function moved(box, event) {
  if (!box.told.cursor || !box._fullLayout?.xaxis) return;
  const { xaxis, yaxis } = box._fullLayout;
  const edge = box.getBoundingClientRect();
  const left = event.clientX - edge.left - xaxis._offset;
  const top = event.clientY - edge.top - yaxis._offset;
  const outside = left < 0 || left > xaxis._length || top < 0 || top > yaxis._length;
  if (outside || event.buttons) hide(box);
  else show(box, xaxis.p2c(left), event.clientX, event.clientY);
}

function show(box, x, pageX, pageY) {
  const words = box.told.cursor;
  for (const other of linked(words)) mark(other, x);
  fill(box, x, box._fullLayout.yaxis.p2c(pageY - box.getBoundingClientRect().top - box._fullLayout.yaxis._offset));
  if (!box.overMark) place(box.table, pageX, pageY);
}

function linked(words) {
  for (const box of attached) if (!box.isConnected) attached.delete(box);
  return [...attached].filter((box) => box.told.cursor === words && box._fullLayout?.xaxis);
}

/** Draw the line, and a dot on each line of the chart. */
function mark(box, x) {
  const { xaxis, yaxis } = box._fullLayout;
  const left = xaxis.c2p(x);
  box.at = x;
  box.layer.hidden = !(left >= 0 && left <= xaxis._length);
  if (box.layer.hidden) return;
  const style = { left: xaxis._offset + left, top: yaxis._offset, height: yaxis._length };
  for (const [name, value] of Object.entries(style)) box.layer.style[name] = `${value}px`;
  box.layer.replaceChildren(...dots(box, x, left));
}

function dots(box, x, left) {
  const { xaxis, yaxis } = box._fullLayout;
  return linesOf(box).flatMap((line) => {
    const at = nearest(line.x, x);
    const top = yaxis.d2p(line.y[at]);
    if (!(top >= 0 && top <= yaxis._length)) return [];
    const dot = document.createElement("i");
    Object.assign(dot.style, { left: `${xaxis.c2p(Number(line.x[at])) - left}px`, top: `${top}px`, background: line.colour });
    return [dot];
  });
}

function hideTable(box) {
  box.table.hidden = true;
  if (box.table.matches(":popover-open")) box.table.hidePopover();
}

function hide(box) {
  hideTable(box);
  for (const other of linked(box.told.cursor)) other.layer.hidden = true;
}

/** Move the cursor by the arrow keys, point by point of the longest line; Home and End go to its ends. */
function stepped(box, event) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
  if (!(event.key in steps) || event.target !== box || !box.told.cursor || !box._fullLayout?.xaxis) return;
  const longest = linesOf(box).reduce((best, line) => (line.x.length > best.length ? line.x : best), []);
  if (!longest.length) return;
  const { xaxis, yaxis } = box._fullLayout;
  const inside = Array.from(longest).filter((x) => xaxis.c2p(x) >= 0 && xaxis.c2p(x) <= xaxis._length);
  if (!inside.length) return;
  const from = box.layer.hidden ? -1 : nearest(inside, box.at);
  const x = inside[Math.min(Math.max(from + steps[event.key], 0), inside.length - 1)];
  const edge = box.getBoundingClientRect();
  show(box, x, edge.left + xaxis._offset + xaxis.c2p(x), edge.top + yaxis._offset + yaxis._length / 2);
  event.preventDefault();
}
