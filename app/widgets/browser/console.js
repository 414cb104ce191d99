// What a process printed: new lines come at the end, and the end stays in sight as long as one looks at it.

import { make } from "./elements.js";

const NEAR = 24;

/** Write a text with what is searched for marked; it is never read as markup. */
function write(parent, text, find) {
  const low = text.toLowerCase();
  let at = 0;
  for (let next = find ? low.indexOf(find) : -1; next >= 0; next = low.indexOf(find, at)) {
    parent.append(text.slice(at, next));
    make("mark", "", text.slice(next, next + find.length), parent);
    at = next + find.length;
  }
  parent.append(text.slice(at) || "\u200b");
}

function line(parent, [number, stream, text, share], find) {
  const row = make("div", `line ${stream}`, undefined, parent);
  make("span", "number", String(number), row).setAttribute("aria-hidden", "true");
  const words = make("span", "words", undefined, row);
  if (share !== null) {
    const bar = make("progress", "", undefined, words);
    [bar.max, bar.value] = [1, share];
    // The bar that was printed would only repeat this one.
    text = text.replace(/ ?(\|[^|]*\||[\u2501\u2578=>.]{5,}) ?/, " ");
  }
  write(words, text, find);
}

export default function ({ parentElement, data }) {
  const { rows, find, title } = data;
  let box = parentElement.querySelector(".console");
  if (!box) {
    box = make("div", "console", undefined, parentElement);
    Object.assign(box, { tabIndex: 0, role: "log" });
    box.followed = true;
    box.onscroll = () => (box.followed = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR);
  }
  box.setAttribute("aria-label", title);
  const follow = box.followed;
  const kept = box.scrollTop;
  box.replaceChildren();
  for (const row of rows) line(box, row, find.toLowerCase());
  box.scrollTop = follow ? box.scrollHeight : kept;
  return () => box.remove();
}
