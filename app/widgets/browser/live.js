// Listens for changes of the store, and has the page drawn again when there are some; never in a tab that
// nobody looks at.

const LEAST_MS = 1000;
const AGAIN_MS = 3000;

/** Listen with what the page was last told: which runs it shows, and the mark it was drawn from. */
function listen(ear) {
  hush(ear);
  if (document.hidden || ear.gone) return;
  const { follow, mark, address } = ear.told;
  ear.source = new EventSource(`${address}?${new URLSearchParams({ follow, mark })}`);
  ear.source.onmessage = ({ data }) => {
    // Told once: the page answers with the mark that it is drawn from then.
    hush(ear);
    const wait = Math.max(0, (ear.last ?? 0) + LEAST_MS - performance.now());
    ear.waiting = setTimeout(() => {
      ear.last = performance.now();
      ear.tell("changed", data);
    }, wait);
  };
  ear.source.onerror = () => {
    // Browsers connect again by themselves after a loss, but not after a refusal: a proxy says so while the
    // dashboard is started again.
    if (ear.source?.readyState !== EventSource.CLOSED) return;
    hush(ear);
    ear.waiting = setTimeout(() => listen(ear), AGAIN_MS);
  };
}

function hush(ear) {
  clearTimeout(ear.waiting);
  ear.source?.close();
  ear.source = undefined;
}

export default function ({ parentElement, data, setTriggerValue }) {
  const ear = (parentElement.ear ??= {});
  ear.told = data;
  ear.tell = setTriggerValue;
  ear.gone = false;
  if (!ear.shown) {
    ear.shown = () => listen(ear);
    document.addEventListener("visibilitychange", ear.shown);
  }
  listen(ear);
  return () => {
    ear.gone = true;
    hush(ear);
    document.removeEventListener("visibilitychange", ear.shown);
    ear.shown = undefined;
  };
}
