// Colours and fonts of Streamlit's theme, light and dark, from the CSS variables that it gives to components.

const reader = (element) => {
  const style = getComputedStyle(element);
  return (name) => style.getPropertyValue(`--st-${name}`).trim();
};

/** Return a text that differs between themes. */
export function themeOf(element) {
  const read = reader(element);
  return `${read("background-color")} ${read("text-color")} ${read("font")}`;
}

/** Return the background of the page. */
export const backgroundOf = (element) => reader(element)("background-color");

/** Return the theme as a plotly template's layout. */
export function themed(element, layout) {
  const read = reader(element);
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
    legend: { font: { size: 11 }, orientation: "h", y: -0.12 },
    colorway: ["#0072B2"],
  };
}
