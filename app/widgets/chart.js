// Draws a plotly figure in the page itself, and updates it in place: Streamlit's own chart element is made
// anew whenever its data change, which loses the zoom and flickers.

const BUTTONS = ["zoom2d", "pan2d", "resetScale2d", "toImage"];
const EXPAND = {
  width: 24,
  height: 24,
  path: "M4 4h6v2H6v4H4V4zm10 0h6v6h-2V6h-4V4zM4 14h2v4h4v2H4v-6zm14 0h2v6h-6v-2h4v-4z",
};

let library;

/** Load plotly.js once for the whole page. */
function plotly(url) {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      library = undefined;
      reject(new Error(`The chart library could not be loaded from ${url}. Reload the page.`));
    };
    document.head.appendChild(script);
  });
  return library;
}

/** Return the colours and the font of Streamlit's theme as a plotly template's layout. */
function themed(element, layout) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const text = read("text-color");
  const grid = read("border-color-light") || read("border-color");
  const axis = {
    gridcolor: grid,
    zerolinecolor: grid,
    linecolor: read("border-color"),
    tickfont: { size: 11 },
    title: { font: { size: 11 }, standoff: 4 },
    automargin: true,
  };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: read("font"), color: text, size: 12 },
    // Room under the axis is for its title only.
    xaxis: { ...axis, showgrid: false, showline: true, automargin: Boolean(layout.xaxis?.title?.text) },
    yaxis: axis,
    hoverlabel: { bgcolor: read("background-color"), bordercolor: grid, font: { color: text, size: 11 }, namelength: 48 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: read("gray-text-color") || text, activecolor: read("primary-color") },
    legend: { font: { size: 11 }, orientation: "h", y: -0.12 },
    colorway: ["#0072B2"],
  };
}

function fullscreenButton(box) {
  return {
    name: "fullscreen",
    title: "Full screen",
    icon: EXPAND,
    click: () => (document.fullscreenElement ? document.exitFullscreen() : box.requestFullscreen()),
  };
}

/** Make the element that holds the chart, once for each place on the page. */
function mount(parent, Plotly, name) {
  const box = document.createElement("div");
  box.className = "stepscope-chart";
  box.setAttribute("role", "figure");
  parent.appendChild(box);
  // Made once: a configuration that differs, be it by a new function, makes plotly draw from scratch, which
  // loses the zoom.
  box.config = {
    displaylogo: false,
    modeBarButtons: [[...BUTTONS, fullscreenButton(box)]],
    toImageButtonOptions: { filename: name, scale: 2 },
  };
  const fit = () => {
    if (!box.figure || !box.clientWidth) return;
    const full = document.fullscreenElement === box;
    // What lies behind an element in full screen is black.
    box.style.background = full ? getComputedStyle(box).getPropertyValue("--st-background-color") : "";
    Plotly.relayout(box, {
      width: box.clientWidth,
      height: full ? box.clientHeight : box.figure.layout.height,
      showlegend: full || box.figure.layout.showlegend,
    });
  };
  const watcher = new ResizeObserver(fit);
  watcher.observe(box);
  box.addEventListener("fullscreenchange", fit);
  box.dismount = () => {
    watcher.disconnect();
    Plotly.purge(box);
  };
  return box;
}

export default async function ({ parentElement, data }) {
  const bytes = new Uint8Array(data);
  const { figure, alt, library: url } = JSON.parse(new TextDecoder().decode(bytes));
  const Plotly = await plotly(url);
  const box = parentElement.querySelector(".stepscope-chart") ?? mount(parentElement, Plotly, alt);
  const full = document.fullscreenElement === box;
  box.figure = figure;
  box.setAttribute("aria-label", alt);
  const layout = {
    ...figure.layout,
    template: { layout: themed(parentElement, figure.layout) },
    width: box.clientWidth,
    height: full ? box.clientHeight : figure.layout.height,
    showlegend: full || figure.layout.showlegend,
  };
  await Plotly.react(box, figure.data, layout, box.config);
  return box.dismount;
}
