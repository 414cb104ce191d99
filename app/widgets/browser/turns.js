// Which chart is drawn when: those near the screen only, one after the other, and the browser paints between.

const NEAR = "400px";

const near = new WeakSet();
const waiting = new Set();
const watchers = new Map();
let busy = false;

/** Learn from now on whether a chart is near the screen. */
export function watch(box) {
  // The margin counts for the element that scrolls: in Streamlit's page that is not the window.
  const root = box.closest("[data-testid=stMain]");
  if (!watchers.has(root)) {
    for (const gone of watchers.keys()) if (gone && !gone.isConnected) watchers.delete(gone);
    watchers.set(root, new IntersectionObserver(look, { root, rootMargin: NEAR }));
  }
  box.watcher = watchers.get(root);
  box.watcher.observe(box);
}

/** Draw a chart when its turn comes; not before it is near the screen. */
export function drawSoon(box) {
  waiting.add(box);
  if (near.has(box)) takeTurns();
}

/** Forget a chart that is gone. */
export function forget(box) {
  waiting.delete(box);
  box.watcher.unobserve(box);
}

function look(entries) {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) near.add(target);
    else near.delete(target);
  }
  takeTurns();
}

async function takeTurns() {
  if (busy) return;
  busy = true;
  try {
    for (let box = next(); box; box = next()) {
      waiting.delete(box);
      const first = !box.loaded;
      await box.render().catch((problem) => say(box, problem));
      // New charts appear one by one; what changes in the window changes at once.
      if (first || !isSeen(next())) await painted();
    }
  } finally {
    busy = false;
  }
}

/** Return the chart that is nearest to the top of the window, but in it, before those that are only near. */
function next() {
  const away = (box) => {
    const { top } = box.getBoundingClientRect();
    return isSeen(box) ? top : innerHeight + Math.abs(top);
  };
  const places = [...waiting].filter((box) => near.has(box)).map((box) => [away(box), box]);
  return places.sort(([a], [b]) => a - b)[0]?.[1];
}

function isSeen(box) {
  const { top, bottom } = box?.getBoundingClientRect() ?? { top: Infinity, bottom: Infinity };
  return bottom >= 0 && top <= innerHeight;
}

/** Return once the browser has shown what was drawn, so that the first chart does not wait for the last. */
function painted() {
  if (document.hidden) return Promise.resolve();
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

function say(box, problem) {
  console.error(problem);
  // What plotly knows of its elements would be wrong at the next drawing.
  box.loaded?.purge(box);
  box.loaded = undefined;
  const sentence = document.createElement("p");
  sentence.textContent = `This chart cannot be drawn. ${problem.message}`;
  box.replaceChildren(sentence);
}
