// What is drawn, as a file: a picture, or the numbers.

import { linesOf } from "./lines.js";
import { backgroundOf } from "./theme.js";

/** Save a picture of the chart as it is seen, with the names of its lines beside it. */
export async function savePicture(box, format) {
  const { width, height } = box._fullLayout;
  const layout = {
    ...box.layout,
    paper_bgcolor: backgroundOf(box),
    // A picture has no fonts of the page: they would be measured as one, and drawn as another.
    font: { ...box._fullLayout.font, family: "Arial, sans-serif" },
    margin: { ...box.layout.margin, b: 48 },
    showlegend: linesOf(box).length > 1,
    legend: { orientation: "v", x: 1.02, y: 1 },
    width: undefined,
    height: undefined,
  };
  const size = { width: Math.max(width, 960), height: Math.max(height, 420), scale: format === "svg" ? 1 : 2 };
  const url = await box.loaded.toImage({ data: box.data, layout }, { format, ...size });
  hand(url, `${fileName(box)}.${format}`);
}

/** Save the numbers that are drawn, one row for each point of a line. */
export function saveTable(box) {
  const url = URL.createObjectURL(new Blob([asTable(box)], { type: "text/csv;charset=utf-8" }));
  hand(url, `${fileName(box)}.csv`);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Return the numbers that are drawn as CSV. */
export function asTable(box) {
  const rows = [["line", box.told.cursor ?? "x", "value", "raw", "min", "max"]];
  for (const line of linesOf(box)) {
    const edges = new Map(Array.from(line.band?.x ?? [], (x, at) => [x, [line.band.low[at], line.band.high[at]]]));
    for (let at = 0; at < line.x.length; at += 1) {
      const x = line.x[at];
      // A time by the clock of the browser, as the axis shows it.
      const where = box._fullLayout.xaxis?.type === "date" ? new Date(x).toISOString().slice(0, -1) : x;
      rows.push([line.name, where, line.y[at], line.raw?.[at], ...(edges.get(x) ?? [undefined, undefined])]);
    }
  }
  return rows.map((row) => row.map(cell).join(",")).join("\r\n");
}

/** Return a cell of CSV. A name that a spreadsheet would compute is marked as text. */
function cell(value) {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function fileName(box) {
  return box.told.alt.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 80) || "chart";
}

function hand(url, name) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
