// The picture in its original size over the whole page, and the wipe.

import { make } from "./elements.js";
import { addressOf, captionOf, explain, fileName, markStep, nearest, stepWords, swap } from "./media_parts.js";

/** Show a card's picture over the whole page: arrow keys go to the next step and the next run. */
export function openViewer(board, card) {
  const dialog = make("dialog", "viewer", undefined, board.root);
  const bar = make("div", "tools", undefined, dialog);
  const dot = make("span", "dot", "", bar);
  const name = make("span", "name", "", bar);
  const step = make("span", "step", "", bar);
  const caption = make("span", "caption", "", bar);
  const tool = (text, title, act) => {
    const made = make("button", "tool", text, bar);
    Object.assign(made, { type: "button", title, onclick: act });
    made.setAttribute("aria-label", title);
    return made;
  };
  const back = tool("‹", "Previous step (arrow left)", () => turn(-1));
  const forth = tool("›", "Next step (arrow right)", () => turn(1));
  const size = tool("1:1", "Original size, or as large as the window (space)", () => zoom(!dialog.classList.contains("own")));
  const save = make("a", "save", "save", bar);
  tool("✕", "Close (Esc)", () => dialog.close());
  const stage = make("div", "stage", undefined, dialog);
  const image = make("img", "", undefined, stage);
  let [run, place, index] = [card.run, card.place, card.index];

  function zoom(own) {
    dialog.classList.toggle("own", own);
    fit();
  }

  function fit() {
    const frame = run.frames[index][place];
    const room = Math.min(stage.clientWidth / frame.width, stage.clientHeight / frame.height);
    const factor = dialog.classList.contains("own") ? 1 : room > 1 ? Math.max(1, Math.floor(room * 0.98)) : room;
    image.style.width = `${frame.width * factor}px`;
    image.style.imageRendering = factor >= 2 ? "pixelated" : "auto";
    size.textContent = factor === 1 ? "fit" : "1:1";
  }

  function show() {
    run = board.data.runs[run.place];
    const frame = run.frames[index]?.[place] ?? run.frames[index][0];
    place = run.frames[index].indexOf(frame);
    const what = `${board.data.what} of run ${run.name} at ${stepWords(run.steps[index])}`;
    dot.style.background = run.colour;
    name.textContent = run.name;
    step.textContent = stepWords(run.steps[index]);
    caption.textContent = caption.title = captionOf(frame);
    [save.href, save.download] = [addressOf(run, frame), fileName(board.data.name, run, run.steps[index], place, frame)];
    dialog.setAttribute("aria-label", what);
    image.alt = what;
    [back.disabled, forth.disabled] = [index <= 0, index >= run.steps.length - 1];
    swap(image, addressOf(run, frame), () => explain(stage, what, addressOf(run, frame)));
    fit();
  }

  function turn(by) {
    index = Math.min(Math.max(index + by, 0), run.steps.length - 1);
    const position = run.positions[index];
    // The page behind goes along.
    if (!Number.isNaN(position)) window.dispatchEvent(new CustomEvent("stepscope-go", { detail: { position } }));
    show();
  }

  function change(by) {
    const runs = board.data.runs;
    run = runs[(run.place + by + runs.length) % runs.length];
    index = run.at;
    show();
  }

  const keys = {
    ArrowLeft: () => turn(-1),
    ArrowRight: () => turn(1),
    ArrowUp: () => change(-1),
    ArrowDown: () => change(1),
    " ": () => zoom(!dialog.classList.contains("own")),
  };
  dialog.onkeydown = (event) => {
    // Space and arrows on a button are the viewer's, but Enter stays the button's.
    if (!keys[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  };
  dialog.onclick = (event) => {
    if (event.target === stage) dialog.close();
  };
  dialog.onclose = () => dialog.remove();
  dialog.showModal();
  show();
}

/** Two pictures on top of each other, with a divider that is dragged or moved by arrow keys. */
export class Wipe {
  constructor(board, before, after, place) {
    Object.assign(this, { board, before, run: after, place });
    this.element = make("figure", "card");
    this.left = this.side("left", before);
    this.right = this.side("right", after);
    this.stage = make("div", "stage wipe", undefined, this.element);
    const foot = make("figcaption", "foot", undefined, this.element);
    this.caption = make("span", "caption", "", foot);
    this.over = make("img", "", undefined, this.stage);
    this.under = make("img", "before", undefined, this.stage);
    this.divider = make("div", "divider", undefined, this.stage);
    this.divider.tabIndex = 0;
    this.divider.setAttribute("role", "slider");
    this.divider.setAttribute("aria-label", `Divider between ${before.name} and ${after.name}`);
    this.divider.onkeydown = (event) => this.key(event);
    this.stage.onpointerdown = (event) => this.grab(event);
    this.at(50);
  }

  /** Say on a line what lies on one side of the divider. */
  side(where, run) {
    const head = make("div", "head", undefined, this.element);
    make("span", `dot ${where}`, "", head).style.background = run.colour;
    make("span", "name", run.name, head).title = run.name;
    return make("span", "step", "", head);
  }

  at(percent) {
    this.percent = Math.min(Math.max(percent, 0), 100);
    this.stage.style.setProperty("--at", `${this.percent}%`);
    this.divider.setAttribute("aria-valuenow", Math.round(this.percent));
  }

  grab(event) {
    event.preventDefault();
    this.divider.focus();
    const follow = ({ clientX }) => {
      const room = this.stage.getBoundingClientRect();
      this.at(((clientX - room.left) / room.width) * 100);
    };
    follow(event);
    this.stage.setPointerCapture(event.pointerId);
    this.stage.onpointermove = follow;
    this.stage.onpointerup = this.stage.onpointercancel = () => (this.stage.onpointermove = null);
  }

  key(event) {
    const by = { ArrowLeft: this.percent - 2, ArrowRight: this.percent + 2, Home: 0, End: 100 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.at(by);
  }

  show(index, other) {
    const runs = this.board.data.runs;
    this.before = runs[this.before.place];
    const same = this.board.data.wipe === "steps";
    const first = same ? Math.max(nearest(this.before.positions, this.board.before), 0) : this.before.at;
    markStep(this.left, this.before.steps[first], !same && this.board.isOther(this.before));
    markStep(this.right, this.run.steps[index], other);
    const [old, now] = [this.before.frames[first]?.[this.place], this.run.frames[index]?.[this.place]];
    this.element.classList.toggle("missing", !old || !now);
    if (!old || !now) return;
    this.caption.textContent = this.caption.title = captionOf(now);
    const width = this.board.fit(this.element, this.stage, this.over, now);
    this.put(this.under, this.before, old, this.before.steps[first], width);
    this.put(this.over, this.run, now, this.run.steps[index], width);
  }

  put(image, run, frame, step, width) {
    const what = `${this.board.data.what} of run ${run.name} at ${stepWords(step)}`;
    image.alt = what;
    image.draggable = false;
    image.classList.toggle("tiny", Boolean(frame.width) && frame.width < width * 2);
    swap(image, addressOf(run, frame), () => explain(this.stage, what, addressOf(run, frame)));
  }
}
