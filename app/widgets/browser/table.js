// The table beside the cursor: every line of the chart with its value there, the nearest to the mouse in bold.

import { linesOf, nearest } from "./lines.js";

const MOST_ROWS = 16;
const GAP = 16;

/** Write what the lines of a chart are at x. */
export function fill(box, x, height) {
  const rows = linesOf(box).filter((line) => line.x.length).map((line) => rowOf(line, x));
  const closest = rows.reduce((best, row) => (distance(row, height) < distance(best, height) ? row : best), rows[0]);
  const shown = [...rows].sort((a, b) => distance(a, height) - distance(b, height)).slice(0, MOST_ROWS);
  shown.sort((a, b) => (Number.isNaN(b.value) ? -1 : Number.isNaN(a.value) ? 1 : b.value - a.value));
  // Where the cursor is, is said by the line that has a value nearest to it: others say where theirs are.
  const here = rows.length ? rows[nearest(rows.map((row) => row.x), x)].x : x;
  const head = document.createElement("caption");
  head.textContent = `${box.told.cursor} ${words(box, here)}`;
  const table = document.createElement("table");
  table.append(head, ...titles(shown), ...shown.map((row) => drawn(box, row, row === closest, here)));
  box.table.replaceChildren(table);
  if (rows.length > shown.length) {
    const more = document.createElement("p");
    more.textContent = `and ${rows.length - shown.length} more lines, farther from the mouse`;
    box.table.append(more);
  }
}

/** Put the table beside the mouse, inside the window. */
export function place(table, x, y) {
  table.hidden = false;
  if (!table.matches(":popover-open")) table.showPopover();
  const { width, height } = table.getBoundingClientRect();
  const left = x + GAP + width < innerWidth ? x + GAP : x - GAP - width;
  table.style.left = `${Math.max(left, 4)}px`;
  table.style.top = `${Math.max(Math.min(y - height / 2, innerHeight - height - 4), 4)}px`;
}

const distance = (row, height) => (Number.isFinite(row.value) ? Math.abs(row.value - height) : Infinity);

function rowOf(line, x) {
  const at = nearest(line.x, x);
  const there = Number(line.x[at]);
  const row = { name: line.name, colour: line.colour, x: there, value: Number(line.y[at]), raw: line.raw?.[at] };
  if (line.band?.x.length) {
    const edge = nearest(line.band.x, there);
    if (Number(line.band.x[edge]) === there) row.band = [line.band.low[edge], line.band.high[edge]];
  }
  return row;
}

function titles(rows) {
  if (!rows.some((row) => row.raw !== undefined || row.band)) return [];
  const line = document.createElement("tr");
  const raw = rows.some((row) => row.raw !== undefined);
  const names = ["", "", raw ? "smoothed" : "value", raw ? "raw" : "", rows.some((row) => row.band) ? "min to max" : ""];
  line.append(...names.map((name) => cell("th", name)));
  return [line];
}

function drawn(box, row, bold, x) {
  const line = document.createElement("tr");
  const swatch = cell("td", "");
  const colour = document.createElement("i");
  colour.style.background = row.colour;
  swatch.append(colour);
  const elsewhere = row.x === x ? "" : ` at ${words(box, row.x)}`;
  const band = row.band ? `${short(row.band[0])} … ${short(row.band[1])}` : "";
  line.append(swatch, cell("th", `${row.name}${elsewhere}`), cell("td", short(row.value)));
  line.append(cell("td", row.raw === undefined ? "" : short(row.raw)), cell("td", band));
  line.classList.toggle("closest", bold);
  return line;
}

function cell(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

/** Return a value of the horizontal axis as the axis writes it. */
function words(box, x) {
  if (box._fullLayout.xaxis.type === "date") return new Date(x).toISOString().replace("T", " ").slice(0, 19);
  return Number(x).toLocaleString("en", { maximumSignificantDigits: 12 });
}

/** Return a number with the digits that a chart can show. */
function short(value) {
  const number = Number(value);
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "NaN" : number > 0 ? "∞" : "-∞";
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return number.toExponential(3);
  return number.toLocaleString("en", { maximumSignificantDigits: 5 });
}
