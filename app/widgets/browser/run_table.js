// The table of runs: thousands of rows of which only those in sight are elements, ticks that stay with their
// run, sorting by a click on a heading, groups that open, the keyboard. Every logged string becomes text.

import { ago, duration, isRight, mean, moment, number, rowsOf, sorting } from "./run_rows.js";
import { addTableStyles } from "./run_table_styles.js";

const ROW = 32;
const AROUND = 12;
const PATIENCE_MS = 4000;
const SIGNS = { running: "▶", finished: "✔", failed: "✖", killed: "◼" };
const WIDTHS = { state: "118px", time: "112px", duration: "98px", tags: "150px" };
const WIDE_STATE = "186px";
const WITH_SPREAD = 140;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function cell(column, at) {
  const value = column.values[at];
  const box = element("div", `cell${isRight(column.kind) ? " right" : ""}`);
  box.setAttribute("role", "gridcell");
  if (column.kind === "state") return stateCell(box, value);
  if (column.kind === "tags") {
    for (const tag of value) box.appendChild(element("span", "tag", tag));
    box.title = value.join(", ");
    return box;
  }
  const written = { number, duration, time: ago }[column.kind];
  box.textContent = written ? written(value) : value;
  box.title = column.kind === "time" ? moment(value) : String(value ?? "");
  return box;
}

function stateCell(box, [state, words, share]) {
  const line = element("span", "state");
  line.appendChild(element("span", `sign-${state}`, SIGNS[state]));
  line.appendChild(element("span", "", words));
  if (share !== null) {
    const bar = element("span", "bar");
    const full = element("i");
    full.style.width = `${100 * share}%`;
    bar.appendChild(full);
    line.appendChild(bar);
  }
  box.appendChild(line);
  box.title = `${state}: ${words}`;
  return box;
}

const inOrder = (ids) => [...ids].sort().join();

class RunTable {
  constructor(parent) {
    addTableStyles();
    this.box = element("div", "stepscope-runs");
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "grid");
    this.box.setAttribute("aria-multiselectable", "true");
    this.head = element("div", "line head");
    this.head.setAttribute("role", "row");
    this.body = element("div", "body");
    this.box.append(this.head, this.body);
    this.active = 0;
    this.box.addEventListener("scroll", () => requestAnimationFrame(() => this.paint()), { passive: true });
    this.box.addEventListener("keydown", (event) => this.press(event));
    this.watcher = new ResizeObserver(() => this.paint());
    this.watcher.observe(this.box);
    // The age of a run grows while nothing else happens.
    this.clock = setInterval(() => document.hidden || this.paint(), 10_000);
    parent.appendChild(this.box);
  }

  remove() {
    this.watcher.disconnect();
    clearInterval(this.clock);
    this.box.remove();
  }

  /** Show what the page tells; what was ticked here and has not come back yet stays as it is. */
  show(told, send) {
    this.told = told;
    this.send = send;
    const waits = this.sent && Date.now() - this.sentAt < PATIENCE_MS;
    if (!waits || inOrder(told.ticked) === this.sent) {
      this.ticked = new Set(told.ticked);
      this.sent = null;
    }
    this.box.style.maxHeight = `${told.height}px`;
    this.box.setAttribute("aria-label", told.alt);
    this.arrange();
  }

  arrange() {
    this.rows = rowsOf(this.told);
    this.active = Math.min(this.active, Math.max(0, this.rows.length - 1));
    const narrow = this.box.clientWidth < 700;
    const widths = this.told.columns.map((one) => {
      const progress = one.kind === "state" && one.values.some(([state]) => state === "running");
      const least = this.told.group && one.kind === "number" ? WITH_SPREAD : 0;
      return progress ? WIDE_STATE : (WIDTHS[one.kind] ?? `${Math.max(least, one.width)}px`);
    });
    // The last one takes what is left over.
    this.layout = `${narrow ? 190 : 250}px ${widths.join(" ")} minmax(0, 1fr)`;
    this.body.style.height = `${this.rows.length * ROW}px`;
    this.box.setAttribute("aria-rowcount", String(this.rows.length + 1));
    this.paintHead();
    this.paint();
  }

  paintHead() {
    const { column, down } = sorting(this.told);
    this.head.style.gridTemplateColumns = this.layout;
    const first = element("div", "cell pinned");
    first.setAttribute("role", "columnheader");
    const every = this.tickBox("Tick all listed runs", this.told.ids.every((id) => this.ticked.has(id)));
    every.indeterminate = !every.checked && this.told.ids.some((id) => this.ticked.has(id));
    every.addEventListener("change", () => this.tick(this.told.ids, every.checked));
    first.append(every, element("span", "", this.told.group ? `${this.told.group.title} / run` : "Run"));
    const headings = this.told.columns.map((one) => {
      const box = element("div", `cell${isRight(one.kind) ? " right" : ""}`);
      box.setAttribute("role", "columnheader");
      const sorted = one === column;
      if (sorted) box.setAttribute("aria-sort", down ? "descending" : "ascending");
      const button = element("button", "sort", `${one.title}${sorted ? (down ? " ↓" : " ↑") : ""}`);
      button.title = `Sort by ${one.key}`;
      button.addEventListener("click", () => this.sortBy(one, sorted, down));
      box.appendChild(button);
      return box;
    });
    this.head.replaceChildren(first, ...headings);
  }

  paint() {
    if (!this.told || !this.box.isConnected) return;
    const top = Math.max(0, Math.floor(this.box.scrollTop / ROW) - AROUND);
    const many = Math.ceil(this.box.clientHeight / ROW) + 2 * AROUND;
    const lines = this.rows.slice(top, top + many).map((row, index) => this.line(row, top + index));
    this.body.replaceChildren(...lines);
  }

  line(row, place) {
    const line = element("div", `line${place === this.active ? " active" : ""}${row.group === undefined ? "" : " group"}`);
    line.id = `stepscope-run-row-${place}`;
    line.setAttribute("role", "row");
    line.setAttribute("aria-rowindex", String(place + 2));
    line.style.gridTemplateColumns = this.layout;
    line.style.top = `${place * ROW}px`;
    line.style.height = `${ROW}px`;
    line.addEventListener("mousedown", () => (this.active = place));
    if (row.group === undefined) this.fillRun(line, row.at, place);
    else this.fillGroup(line, row, place);
    return line;
  }

  fillRun(line, at, place) {
    const { ids, names, colours, columns } = this.told;
    const on = this.ticked.has(ids[at]);
    line.setAttribute("aria-selected", String(on));
    const first = element("div", "cell pinned");
    first.setAttribute("role", "rowheader");
    if (this.told.group) first.style.paddingLeft = "1.8rem";
    const box = this.tickBox(`Show ${names[at]} on the other pages`, on);
    box.addEventListener("click", (event) => this.clicked(event, place));
    const swatch = element("span", "swatch");
    swatch.style.background = colours[at];
    const name = element("a", "name", names[at]);
    name.href = this.address(ids[at]);
    name.title = names[at];
    name.tabIndex = -1;
    first.append(box, swatch, name);
    line.append(first, ...columns.map((column) => cell(column, at)));
  }

  fillGroup(line, { group, members, open }, place) {
    const { ids, columns, group: told } = this.told;
    line.setAttribute("aria-expanded", String(open));
    const first = element("div", "cell pinned");
    first.setAttribute("role", "rowheader");
    const box = this.tickBox(`Tick the runs of ${group}`, members.every((at) => this.ticked.has(ids[at])));
    box.indeterminate = !box.checked && members.some((at) => this.ticked.has(ids[at]));
    box.addEventListener("click", (event) => event.stopPropagation());
    box.addEventListener("change", () => this.tick(members.map((at) => ids[at]), box.checked));
    const swatch = element("span", "swatch");
    swatch.style.background = told.colours[group];
    const name = element("span", "name", group);
    name.title = group;
    first.append(element("span", "", open ? "▾" : "▸"), box, swatch, name, element("span", "faint", String(members.length)));
    line.append(first, ...columns.map((column) => this.meanCell(column, members)));
    line.addEventListener("click", () => this.toggle(group, place));
  }

  meanCell(column, members) {
    const found = column.kind === "number" ? mean(column, members) : null;
    const box = element("div", "cell right");
    if (!found) return box;
    box.append(element("span", "", number(found.mean, 4)));
    if (found.count > 1) box.append(element("span", "faint", ` ± ${number(found.spread, 2)}`));
    box.title = `mean ± standard deviation of ${found.count} runs`;
    return box;
  }

  tickBox(label, on) {
    const box = element("input");
    box.type = "checkbox";
    box.checked = on;
    box.tabIndex = -1;
    box.setAttribute("aria-label", label);
    return box;
  }

  address(id) {
    const shown = [...this.ticked].filter((one) => one !== id);
    const runs = [id, ...shown].slice(0, this.told.most).join(",");
    return `run?${new URLSearchParams({ runs, run: id })}`;
  }

  clicked(event, place) {
    const from = event.shiftKey && this.last !== undefined ? this.last : place;
    const between = this.rows.slice(Math.min(from, place), Math.max(from, place) + 1);
    const ids = between.filter((row) => row.at !== undefined).map((row) => this.told.ids[row.at]);
    this.last = place;
    this.tick(ids, event.target.checked);
  }

  tick(ids, on) {
    // The newest ticks first: an address holds only so many.
    const others = [...this.ticked].filter((one) => !ids.includes(one));
    this.ticked = new Set(on ? [...ids, ...others] : others);
    this.sent = inOrder([...this.ticked].slice(0, this.told.most));
    this.sentAt = Date.now();
    this.send("ticked", [...this.ticked]);
    this.paintHead();
    this.paint();
  }

  sortBy(column, sorted, down) {
    const first = column.kind === "number" || column.kind === "time" ? "-" : "";
    const second = first ? "" : "-";
    this.told.sort = !sorted ? first + column.key : down === Boolean(first) ? second + column.key : "";
    this.send("sort", this.told.sort);
    this.box.scrollTop = 0;
    this.arrange();
  }

  toggle(group, place) {
    const toggled = new Set(this.told.toggled);
    if (!toggled.delete(group)) toggled.add(group);
    this.told.toggled = [...toggled];
    this.send("toggled", this.told.toggled);
    this.active = place;
    this.arrange();
  }

  press(event) {
    if (event.target !== this.box && event.target.tagName !== "INPUT") return;
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const row = this.rows[this.active];
    if (event.key in moves) this.move(moves[event.key]);
    else if (!row) return;
    else if (event.key === " " && row.at !== undefined) {
      const id = this.told.ids[row.at];
      this.tick([id], !this.ticked.has(id));
    } else if (event.key === "Enter" && row.at !== undefined) window.location.href = this.address(this.told.ids[row.at]);
    else if (["Enter", " ", "ArrowRight", "ArrowLeft"].includes(event.key) && row.group !== undefined) {
      if (event.key.startsWith("Arrow") && row.open === (event.key === "ArrowRight")) return;
      this.toggle(row.group, this.active);
    } else return;
    event.preventDefault();
  }

  move(by) {
    this.active = Math.max(0, Math.min(this.rows.length - 1, this.active + by));
    const top = this.active * ROW;
    const room = this.box.clientHeight - 2 * ROW;
    this.box.scrollTop = Math.min(top, Math.max(this.box.scrollTop, top - room));
    this.box.setAttribute("aria-activedescendant", `stepscope-run-row-${this.active}`);
    this.paint();
  }
}

export default function show({ data, parentElement, setStateValue }) {
  const told = JSON.parse(typeof data === "string" ? data : new TextDecoder().decode(data));
  parentElement.runTable ??= new RunTable(parentElement);
  parentElement.runTable.show(told, setStateValue);
  return () => {
    parentElement.runTable?.remove();
    parentElement.runTable = undefined;
  };
}
