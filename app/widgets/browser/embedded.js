// Another page of this server inside a page of the dashboard, down to the window's lower edge. It is loaded
// once: when the store has changed, TensorBoard is told to fetch what is new, which moves nothing.

const LEAST_HEIGHT = 480;
const LEAST_RELOAD_MS = 5000;
const RELOAD = "app-header-reload button, button.reload-button";
const SETTINGS = "_tb_global_settings";

/** Let TensorBoard fetch by itself, unless its viewer has said otherwise: else it stays as it was opened. */
function letItReload() {
  try {
    const settings = JSON.parse(localStorage.getItem(SETTINGS) ?? "{}");
    if (settings.autoReload === undefined) {
      localStorage.setItem(SETTINGS, JSON.stringify({ ...settings, autoReload: true }));
    }
  } catch {
    // A browser that keeps nothing: the reload button is still there.
  }
}

function fit(frame) {
  const top = frame.getBoundingClientRect().top + window.scrollY;
  frame.style.height = `${Math.max(LEAST_HEIGHT, window.innerHeight - top - 16)}px`;
}

/** Press TensorBoard's own reload button, now or as soon as it may be pressed again. */
function reload(state) {
  clearTimeout(state.waiting);
  const wait = Math.max(0, (state.last ?? 0) + LEAST_RELOAD_MS - performance.now());
  state.waiting = setTimeout(() => {
    state.last = performance.now();
    state.frame.contentDocument?.querySelector(RELOAD)?.click();
  }, wait);
}

export default function ({ parentElement, data }) {
  const state = (parentElement.embedded ??= {});
  if (!state.frame) {
    letItReload();
    state.frame = document.createElement("iframe");
    Object.assign(state.frame.style, { width: "100%", border: "0", display: "block", borderRadius: "0.4rem" });
    parentElement.append(state.frame);
    state.fit = () => fit(state.frame);
  }
  state.frame.title = data.title;
  if (state.address !== data.address) {
    state.address = data.address;
    state.frame.src = data.address;
  } else if (state.mark !== data.mark) {
    reload(state);
  }
  state.mark = data.mark;
  fit(state.frame);
  requestAnimationFrame(state.fit);
  window.addEventListener("resize", state.fit);
  return () => {
    clearTimeout(state.waiting);
    window.removeEventListener("resize", state.fit);
  };
}
