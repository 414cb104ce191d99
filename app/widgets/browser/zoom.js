// What part of a chart is looked at: kept through new data, told to the page, and taken from its address.

const PAUSE_MS = 250;
const MOST_MADE = 20;

/** Take the zoom that the page's address asks for, unless it is one that was made here. */
export function follow(box) {
  const asked = named(box.told.zoom);
  const axis = `${box.told.cursor} ${box.told.figure.layout.uirevision}`;
  if (box.axis !== undefined && box.axis !== axis) box.zoom = null; // On another axis it would show nothing.
  // What the viewer made comes back while the next one is already being made.
  if (asked !== box.asked && !box.made?.includes(asked)) box.zoom = box.told.zoom ?? null;
  box.axis = axis;
  box.asked = asked;
}

/** Return a layout with the ranges of the zoom in it. */
export function ranges(box, layout) {
  if (layout.scene) return layout;
  const [first, last, low, high] = box.zoom ?? [null, null, null, null];
  // What plotly itself remembers of a zoom would stand against a reset, and against the address.
  const uirevision = `${box.axis} ${box.zoom}`;
  const on = (axis, from, to) => (from === null ? {} : { range: onAxis(axis, [from, to]), autorange: false });
  return {
    ...layout,
    xaxis: { ...layout.xaxis, uirevision, ...on(layout.xaxis, first, last) },
    yaxis: { ...layout.yaxis, uirevision, ...on(layout.yaxis, low, high) },
  };
}

/** Show the whole again. */
export function resetZoom(box) {
  if (!box._fullLayout.xaxis) return; // A scene, or a chart without axes.
  box.zoom = null;
  tellSoon(box);
  box.render();
}

/** Keep what the viewer zooms to. */
export function listenToZoom(box) {
  box.on("plotly_relayout", (changes) => {
    const moved = (axis) => Object.keys(changes).some((name) => name.startsWith(`${axis}.range`));
    if (!moved("xaxis") && !moved("yaxis")) return;
    const { xaxis, yaxis } = box._fullLayout;
    const [first, last, low, high] = box.zoom ?? [null, null, null, null];
    box.zoom = [...(moved("xaxis") ? values(xaxis) : [first, last]), ...(moved("yaxis") ? values(yaxis) : [low, high])];
    tellSoon(box);
  });
  box.on("plotly_doubleclick", () => resetZoom(box));
}

function tellSoon(box) {
  if (!box.told.zoomable) return;
  clearTimeout(box.telling);
  box.telling = setTimeout(() => {
    box.made = [...(box.made ?? []), named(box.zoom)].slice(-MOST_MADE);
    // Not null: that is what the page has before it is told anything, and no change.
    box.tell("zoom", box.zoom ?? []);
  }, PAUSE_MS);
}

/** Return a zoom as a text, with the digits that the way to the page and back leaves. */
const named = (zoom) => JSON.stringify((zoom ?? []).map((end) => (end === null ? null : Number(end.toPrecision(9)))));

/** Return the ends of an axis as values: not as logarithms, dates in milliseconds. */
function values(axis) {
  return axis.range.map((end) => (axis.type === "log" ? 10 ** end : axis.type === "date" ? moment(end) : Number(end)));
}

/** Return the milliseconds of a time as plotly writes it: by the clock of the browser. */
function moment(text) {
  const [day, time = "00:00"] = String(text).split(" ");
  return new Date(`${day}T${time}`).getTime();
}

function onAxis(axis, ends) {
  if (axis?.type === "log") return ends.map((end) => Math.log10(Math.max(end, Number.MIN_VALUE)));
  return ends;
}
