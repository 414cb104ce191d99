// How the table of runs looks; colours are the page's own, so that dark and light follow by themselves.

const STYLES = `
.stepscope-runs, .stepscope-runs * { box-sizing: border-box; }
.stepscope-runs { overflow: auto; border: 1px solid var(--st-border-color); border-radius: 0.4rem; outline: none;
  font-size: 0.84rem; color: var(--st-text-color); background: var(--st-background-color); position: relative; }
.stepscope-runs:focus-visible { border-color: var(--st-primary-color); }
.stepscope-runs .line { display: grid; align-items: center; height: 32px; min-width: max-content;
  border-bottom: 1px solid var(--st-border-color); }
.stepscope-runs .head { position: sticky; top: 0; z-index: 3; font-weight: 600; }
.stepscope-runs .head, .stepscope-runs .head .pinned { background: var(--st-secondary-background-color); }
.stepscope-runs .body { position: relative; min-width: max-content; }
.stepscope-runs .body .line { position: absolute; left: 0; right: 0; background: var(--st-background-color); }
.stepscope-runs .cell { padding: 0 0.6rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  line-height: 31px; height: 31px; }
.stepscope-runs .right { text-align: right; font-variant-numeric: tabular-nums; }
.stepscope-runs .pinned { position: sticky; left: 0; z-index: 2; background: inherit; display: flex;
  align-items: center; gap: 0.5rem; border-right: 1px solid var(--st-border-color); }
.stepscope-runs .body .line:hover, .stepscope-runs .body .line.active {
  background: color-mix(in srgb, var(--st-primary-color) 10%, var(--st-background-color)); }
.stepscope-runs:focus-visible .body .line.active { box-shadow: inset 2px 0 var(--st-primary-color); }
.stepscope-runs .group { background: var(--st-secondary-background-color); font-weight: 600; cursor: pointer; }
.stepscope-runs .swatch { flex: none; width: 13px; height: 13px; border-radius: 3px; }
.stepscope-runs .name { overflow: hidden; text-overflow: ellipsis; color: inherit; text-decoration: none; }
.stepscope-runs a.name:hover { text-decoration: underline; }
.stepscope-runs .faint { opacity: 0.65; font-weight: 400; }
.stepscope-runs button.sort { all: unset; cursor: pointer; display: block; width: 100%; overflow: hidden;
  text-overflow: ellipsis; }
.stepscope-runs button.sort:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: -2px; }
.stepscope-runs input { flex: none; width: 16px; height: 16px; margin: 0; accent-color: var(--st-primary-color); }
.stepscope-runs .tag { padding: 0.1rem 0.45rem; margin-right: 0.25rem; border-radius: 1rem; font-size: 0.76rem;
  background: color-mix(in srgb, var(--st-text-color) 10%, transparent); }
.stepscope-runs .state { display: inline-flex; align-items: center; gap: 0.4rem; }
.stepscope-runs .bar { width: 44px; height: 5px; border-radius: 3px; overflow: hidden;
  background: color-mix(in srgb, var(--st-text-color) 15%, transparent); }
.stepscope-runs .bar > i { display: block; height: 100%; background: var(--st-primary-color); }
.stepscope-runs .sign-running { color: #2f9e44; } .stepscope-runs .sign-failed { color: #e03131; }
.stepscope-runs .sign-killed { color: #e8590c; } .stepscope-runs .sign-finished { opacity: 0.6; }
`;

export function addTableStyles() {
  if (document.getElementById("stepscope-runs-style")) return;
  const style = document.createElement("style");
  style.id = "stepscope-runs-style";
  style.textContent = STYLES;
  document.head.appendChild(style);
}
