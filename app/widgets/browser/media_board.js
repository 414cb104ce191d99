// Pictures and films of one key, a card for each run: they follow the step slider in the browser, without a
// word to the server, so that hundreds of steps pass as quickly as they are moved over.

import { make } from "./elements.js";
import {
  addressOf,
  captionOf,
  explain,
  fileName,
  isFilm,
  markStep,
  nearest,
  stepWords,
  swap,
} from "./media_parts.js";
import { openViewer, Wipe } from "./media_viewer.js";

const MOST_FETCHED = 400;
const SMALLEST_CARD = 96;
const SMALLEST_FILM = 240;

/** Prepare what the slider may reach next, nearest first, a few at a time. */
class Fetcher {
  constructor() {
    this.seen = new Set();
  }

  fetch(addresses) {
    this.queue = addresses.filter((address) => !this.seen.has(address)).slice(0, MOST_FETCHED);
    for (let lane = this.lanes ?? 0; lane < 4; lane++) this.work();
  }

  async work() {
    this.lanes = (this.lanes ?? 0) + 1;
    while (this.queue.length) {
      const address = this.queue.shift();
      if (this.seen.has(address)) continue;
      this.seen.add(address);
      const image = new Image();
      image.src = address;
      await image.decode().catch(() => {});
    }
    this.lanes -= 1;
  }
}

class Card {
  constructor(board, run, place, headed) {
    Object.assign(this, { board, run, place });
    this.element = make("figure", "card");
    if (headed) {
      const head = make("div", "head", undefined, this.element);
      this.heading(head);
    }
    this.stage = make("div", "stage", undefined, this.element);
    const foot = make("figcaption", "foot", undefined, this.element);
    this.caption = make("span", "caption", "", foot);
    this.save = make("a", "save", "save", foot);
  }

  heading(parent) {
    const dot = make("span", "dot", "", parent);
    dot.style.background = this.run.colour;
    const name = make("span", "name", this.run.name, parent);
    name.title = this.run.name;
    this.step = make("span", "step", "", parent);
  }

  /** Show what the run has at that index of its steps. */
  show(index, other) {
    const frame = this.run.frames[index]?.[this.place];
    this.index = index;
    this.element.classList.toggle("missing", !frame);
    if (this.step) markStep(this.step, this.run.steps[index], other);
    if (!frame) return;
    this.frame = frame;
    this.what = `${this.board.data.what} of run ${this.run.name} at ${stepWords(this.run.steps[index])}`;
    this.caption.textContent = this.caption.title = captionOf(frame);
    this.save.href = addressOf(this.run, frame);
    this.save.download = fileName(this.board.data.name, this.run, this.run.steps[index], this.place, frame);
    this.save.setAttribute("aria-label", `Save ${this.what}`);
    isFilm(frame) ? this.film(frame) : this.picture(frame);
  }

  picture(frame) {
    if (!this.image?.isConnected) {
      const button = make("button", "open");
      button.type = "button";
      button.title = "Original size";
      button.onclick = () => openViewer(this.board, this);
      this.image = make("img", "", undefined, button);
      this.image.decoding = "async";
      this.stage.classList.remove("broken");
      this.stage.replaceChildren(button);
    }
    const width = this.board.fit(this.element, this.stage, this.image, frame);
    this.image.classList.toggle("tiny", Boolean(frame.width) && frame.width < width * 2);
    this.image.alt = this.what;
    swap(this.image, addressOf(this.run, frame), () => explain(this.stage, this.what, addressOf(this.run, frame)));
  }

  film(frame) {
    const address = addressOf(this.run, frame);
    if (this.player?.isConnected && this.player.wanted === address) return;
    this.player = make("video");
    Object.assign(this.player, { controls: true, loop: true, muted: true, preload: "metadata", src: address });
    this.player.wanted = address;
    this.player.setAttribute("aria-label", this.what);
    this.player.onerror = () => explain(this.stage, this.what, address);
    this.stage.classList.remove("broken");
    this.stage.replaceChildren(this.player);
    this.board.fit(this.element, this.stage, this.player, frame);
  }
}

class Board {
  constructor(root) {
    this.root = root;
    this.grid = make("div", "board", undefined, root);
    this.fetcher = new Fetcher();
    this.hear = (event) => {
      if (event.type === this.data.event) this.position = event.detail.position;
      else this.before = event.detail.position;
      this.move();
      if (this.inSight()) this.fetchAhead();
    };
  }

  show(data) {
    const form = JSON.stringify([data.size, data.wipe, data.runs.map((run) => [run.id, run.name, run.colour, run.most])]);
    this.listen([data.event, data.before_event]);
    this.data = data;
    data.runs.forEach((run, place) => {
      run.place = place;
      run.positions = run.positions.map((position) => position ?? NaN);
    });
    const known = window.stepscopeSteps ?? {};
    this.position = known[data.event] === undefined ? data.at : known[data.event];
    this.before = known[data.before_event] ?? -Infinity;
    if (form !== this.form) this.build();
    this.form = form;
    this.cards.forEach((card) => (card.run = data.runs[card.run.place]));
    this.move();
  }

  listen(events) {
    for (const event of this.events ?? []) window.removeEventListener(event, this.hear);
    for (const event of events) window.addEventListener(event, this.hear);
    this.events = events;
  }

  /** Make the cards anew: a card for each run side by side, or a row for each run that has several values. */
  build() {
    this.grid.replaceChildren();
    this.heads = [];
    this.cards = [];
    if (this.data.wipe !== "off") return this.buildWipes();
    const single = this.data.runs.every((run) => run.most <= 1);
    const row = single && make("div", "row", undefined, this.grid);
    for (const run of this.data.runs) {
      const cards = Array.from({ length: run.most }, (_, place) => new Card(this, run, place, single));
      const into = row || this.buildRow(run, cards[0]);
      into.append(...cards.map((card) => card.element));
      this.cards.push(...cards);
    }
  }

  buildRow(run, card) {
    const head = make("div", "head", undefined, this.grid);
    card.heading(head);
    return make("div", "row", undefined, this.grid);
  }

  buildWipes() {
    const row = make("div", "row", undefined, this.grid);
    const [first, ...others] = this.data.runs;
    const pairs = this.data.wipe === "runs" ? others.map((run) => [first, run]) : this.data.runs.map((run) => [run, run]);
    if (!pairs.length) make("p", "", "A wipe of runs needs two runs that logged this. Choose another one.", row);
    for (const [before, after] of pairs) {
      for (let place = 0; place < Math.min(before.most, after.most); place++) {
        const card = new Wipe(this, before, after, place);
        this.cards.push(card);
        row.append(card.element);
      }
    }
  }

  move() {
    for (const run of this.data.runs) run.at = nearest(run.positions, this.position);
    for (const card of this.cards) card.show(card.run.at, this.isOther(card.run));
  }

  isOther(run) {
    return this.position !== null && run.positions[run.at] !== this.position;
  }

  /** Give a picture its room: all cards of a board are level. */
  fit(card, stage, shown, frame) {
    const least = shown.tagName === "VIDEO" ? SMALLEST_FILM : SMALLEST_CARD;
    const size = this.data.size;
    const own = Math.min(frame.width ?? 400, this.grid.clientWidth || 9999) / (this.data.scale ?? 1);
    card.style.width = `${Math.max(size ?? own, least)}px`;
    if (size) {
      stage.style.aspectRatio = String(this.ratio());
      Object.assign(shown.style, { width: "100%", height: "100%" });
    } else {
      stage.style.aspectRatio = "";
      Object.assign(shown.style, { width: `${Math.max(own, shown.tagName === "VIDEO" ? least : 1)}px`, height: "auto" });
    }
    return size ?? own;
  }

  /** Return width over height of the room that each picture gets, that of the first one. */
  ratio() {
    const frame = this.data.runs.flatMap((run) => run.frames[0] ?? []).find((one) => one.width);
    return frame ? Math.min(Math.max(frame.width / frame.height, 0.4), 4) : 4 / 3;
  }

  inSight() {
    const place = this.grid.getBoundingClientRect();
    return place.bottom > 0 && place.top < window.innerHeight;
  }

  fetchAhead() {
    const found = [];
    for (const run of this.data.runs) {
      run.frames.forEach((values, index) => {
        for (const frame of values) if (!isFilm(frame)) found.push([Math.abs(index - run.at), addressOf(run, frame)]);
      });
    }
    this.fetcher.fetch(found.sort((a, b) => a[0] - b[0]).map((one) => one[1]));
  }

  close() {
    this.listen([]);
    this.grid.remove();
  }
}

export default function ({ parentElement, data }) {
  parentElement.board ??= new Board(parentElement);
  const board = parentElement.board;
  board.show(data);
  return () => {
    board.close();
    delete parentElement.board;
  };
}
