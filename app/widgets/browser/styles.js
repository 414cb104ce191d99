// How what lies over the charts looks. Colours are those of Streamlit's theme.

const STYLES = `
/* Beside the menu, not over it. */
.stepscope-chart .modebar { right: 26px !important; }
.stepscope-chart .modebar-group { background: transparent !important; }
.stepscope-chart .modebar-btn path { fill: var(--st-gray-text-color, gray) !important; }
.stepscope-frame { position: relative; background: var(--st-background-color); }
.stepscope-frame:fullscreen { display: flex; align-items: stretch; padding: 0; }
.stepscope-frame:fullscreen .stepscope-chart { flex: 1; }
.stepscope-chart:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: -2px; }
.stepscope-bar { position: absolute; top: 0; right: 0; z-index: 5; }
.stepscope-bar > button { opacity: 0.25; width: 26px; height: 26px; border: 0; border-radius: 4px; font-size: 16px;
  line-height: 1; background: transparent; color: var(--st-text-color); cursor: pointer; }
.stepscope-frame:hover .stepscope-bar > button, .stepscope-bar:focus-within > button { opacity: 0.9; }
.stepscope-bar > button:hover, .stepscope-bar [role=menuitem]:hover, .stepscope-bar [role=menuitem]:focus {
  background: var(--st-secondary-background-color); }
.stepscope-bar button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: -1px; }
.stepscope-bar [role=menu] { position: absolute; right: 0; top: 26px; min-width: 11rem; padding: 4px; border-radius: 6px;
  border: 1px solid var(--st-border-color); background: var(--st-background-color); box-shadow: 0 4px 16px #0003; }
.stepscope-bar [role=menuitem] { display: block; width: 100%; padding: 5px 10px; border: 0; border-radius: 4px;
  text-align: left; font: 13px var(--st-font); background: transparent; color: var(--st-text-color); cursor: pointer; }
.stepscope-cursor { position: absolute; width: 0; border-left: 1px dashed var(--st-gray-text-color, gray);
  pointer-events: none; }
.stepscope-cursor > i { position: absolute; width: 7px; height: 7px; margin: -4px 0 0 -4px; border-radius: 50%;
  border: 1px solid var(--st-background-color); }
.stepscope-cursor[hidden], .stepscope-values[hidden] { display: none; }
.stepscope-values { position: fixed; inset: auto; margin: 0; max-width: 90vw; padding: 6px 8px; border-radius: 6px;
  pointer-events: none; font: 12px var(--st-font); color: var(--st-text-color); background: var(--st-background-color);
  border: 1px solid var(--st-border-color); box-shadow: 0 4px 16px #0003; font-variant-numeric: tabular-nums; }
.stepscope-values table { border-collapse: collapse; margin: 0; border: 0; }
.stepscope-values caption { caption-side: top; text-align: left; padding: 0 0 2px; opacity: 0.75; color: inherit; }
.stepscope-values td, .stepscope-values th { padding: 1px 4px; border: 0; text-align: right; font-weight: inherit;
  white-space: nowrap; }
.stepscope-values td + th { text-align: left; max-width: 24rem; overflow: hidden; text-overflow: ellipsis; }
.stepscope-values tr > th:not(td + th) { opacity: 0.6; }
.stepscope-values i { display: inline-block; width: 9px; height: 9px; border-radius: 2px; }
.stepscope-values .closest { font-weight: 600; }
.stepscope-values p { margin: 2px 4px 0; font-size: inherit; opacity: 0.75; }
`;

let added = false;

/** Add them to the page, once. */
export function addStyles() {
  if (added) return;
  added = true;
  const sheet = document.createElement("style");
  sheet.textContent = STYLES;
  document.head.appendChild(sheet);
}
