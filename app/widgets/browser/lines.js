// What a figure shows, as lines of numbers: for the cursor's table and for CSV.

/** Return the lines of a chart: their name, colour, x and y, and the raw line and the band behind each. */
export function linesOf(box) {
  const traces = (box._fullData ?? []).filter((trace) => trace.type === "scatter" && trace.visible === true);
  const named = traces.filter((trace) => hasLine(trace) && !isBehind(trace));
  return named.map((trace) => {
    const behind = traces.filter((other) => other !== trace && other.legendgroup === trace.legendgroup);
    const raw = behind.find((other) => hasLine(other) && isBehind(other) && !isBand(other) && other.x.length === trace.x.length);
    const band = behind.find((other) => isBand(other) && nearly(other.x.length, 2 * trace.x.length));
    return {
      name: plain(trace.name),
      colour: trace.line?.color ?? trace.marker?.color,
      x: placesOf(box, trace),
      y: trace.y,
      raw: raw?.y,
      band: band && { ...upAndDown(band), x: placesOf(box, band).slice(0, band.x.length / 2) },
      xaxis: trace.xaxis,
    };
  });
}

/** Return where among some numbers, in any order, the one nearest to x is. */
export function nearest(numbers, x) {
  let best = 0;
  for (let at = 1; at < numbers.length; at += 1) {
    if (Math.abs(numbers[at] - x) < Math.abs(numbers[best] - x)) best = at;
  }
  return best;
}

const hasLine = (trace) => trace.mode?.includes("lines") && !trace.meta?.mark;
const isBand = (trace) => trace.meta?.band || trace.fill === "toself";
const isBehind = (trace) => isBand(trace) || trace.meta?.raw || trace.showlegend === false;
const nearly = (many, expected) => many > 0 && many <= expected;

/** Return where points lie as the axis counts: of times, plotly counts the clock of the browser. */
function placesOf(box, trace) {
  const axis = box._fullLayout.xaxis;
  return axis?.type === "date" ? Array.from(trace.x, (x) => axis.d2c(x)) : trace.x;
}

/** Return the edges of a band: it is drawn along its upper edge, and back along the lower one. */
function upAndDown(band) {
  const many = band.x.length / 2;
  const y = Array.from(band.y);
  return { high: y.slice(0, many), low: y.slice(many).reverse() };
}

/** Return the text that a label of plotly's shows; logged names were escaped for it. */
function plain(label) {
  return new DOMParser().parseFromString(label ?? "", "text/html").documentElement.textContent;
}
