// Draws a plotly figure in the page itself, and updates it in place: Streamlit's own chart element is made
// anew whenever its data change, which loses the zoom and flickers.

import { attachCursor, listenToMarks, moveAgain } from "./cursor.js";
import { plotly } from "./library.js";
import { attachMenu } from "./menu.js";
import { addStyles } from "./styles.js";
import { themed, themeOf } from "./theme.js";
import { drawSoon, forget, watch } from "./turns.js";
import { follow, listenToZoom, ranges } from "./zoom.js";

/** Return what plotly is told once: a configuration that differs makes it draw from scratch. */
const configuration = ({ scene }) => ({
  displaylogo: false,
  // A body in space is turned and moved by buttons; everything else by the mouse and the menu.
  displayModeBar: Boolean(scene),
  // What the menu has is not there twice; and nothing is sent to plotly's servers.
  modeBarButtons: scene ? [["zoom3d", "pan3d", "tableRotation", "resetCameraDefault3d"]] : undefined,
  showSendToCloud: false,
  doubleClick: false,
  // The wheel scrolls the page, also over a body.
  scrollZoom: "geo+map",
});

/** Make the elements of a chart, once for each place on the page. */
function mount(parent) {
  addStyles();
  const frame = document.createElement("div");
  frame.className = "stepscope-frame";
  const box = document.createElement("div");
  box.className = "stepscope-chart";
  box.setAttribute("role", "figure");
  frame.appendChild(box);
  parent.appendChild(frame);
  box.frame = frame;
  box.render = () => render(box);
  const watcher = new ResizeObserver(() => fit(box));
  watcher.observe(box);
  frame.addEventListener("fullscreenchange", () => fit(box));
  box.dismount = () => {
    watcher.disconnect();
    forget(box);
    box.loaded?.purge(box);
    frame.remove();
  };
  watch(box);
  return box;
}

const isFull = (box) => document.fullscreenElement === box.frame;

function size(box) {
  const layout = box.told.figure.layout;
  return {
    width: box.clientWidth,
    height: isFull(box) ? box.frame.clientHeight : layout.height,
    showlegend: isFull(box) || layout.showlegend,
  };
}

/** Give the chart the size of its place, which full screen and narrow windows change. */
function fit(box) {
  if (!box.loaded || !box.clientWidth) return;
  box.loaded.relayout(box, size(box));
}

/** Draw what the page last told of the chart. */
async function render(box) {
  const Plotly = await plotly(box.told.library);
  if (!box.isConnected) return;
  const { figure, cursor } = box.told;
  const layout = { ...figure.layout, template: { layout: themed(box, figure.layout) }, ...size(box) };
  if (cursor) layout.hovermode = figure.data.some((trace) => trace.mode === "markers") ? "closest" : false;
  const first = !box.loaded;
  box.loaded = Plotly;
  box.config ??= configuration(layout);
  await Plotly.react(box, cursor ? figure.data.map(silent) : figure.data, ranges(box, layout), box.config);
  box.toggleAttribute("data-drawn", true);
  if (first) {
    listenToZoom(box);
    listenToClicks(box);
    listenToMarks(box);
  }
  if (!box.layer) {
    attachMenu(box);
    attachCursor(box);
  }
  box.menu.setAttribute("aria-label", `Menu of the chart ${box.told.alt}`);
  moveAgain(box);
}

/** Leave what lines say under the mouse to the cursor's table; marks speak for themselves. */
const silent = (trace) => (trace.mode === "markers" ? trace : { ...trace, hoverinfo: "skip", hovertemplate: null });

function listenToClicks(box) {
  box.on("plotly_click", ({ points }) => {
    if (box.told.clickable) box.tell("clicked", points[0].x);
  });
}

const same = (a, b) => a?.length === b.length && a.every((byte, at) => byte === b[at]);

export default function ({ parentElement, data, setStateValue }) {
  const box = parentElement.querySelector(".stepscope-chart") ?? mount(parentElement);
  const theme = themeOf(parentElement);
  box.tell = setStateValue;
  // A run of the page that brought nothing new costs nothing here.
  if (box.theme === theme && same(box.bytes, data)) return box.dismount;
  box.theme = theme;
  box.bytes = data;
  box.told = JSON.parse(new TextDecoder().decode(data));
  box.style.minHeight = `${box.told.figure.layout.height}px`;
  box.setAttribute("aria-label", box.told.alt);
  follow(box);
  drawSoon(box);
  return box.dismount;
}
