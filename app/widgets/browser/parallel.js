// Parallel coordinates on a canvas: some thousand lines in some milliseconds, without WebGL. Drag on an axis
// to keep what lies between, click there to let go; point at a line to read it, click it to choose the run.

const TOP = 44, BOTTOM = 30, SIDE = 70, REACH = 12, NEAR = 9, GAP = 28, SNAP = 6;
// From the worst to the best: orange over grey to blue, which no form of colour blindness mixes up.
const RAMP = [[230, 159, 0], [150, 150, 150], [0, 114, 178]];

const numbers = ({ bdata }) => new Float64Array(Uint8Array.from(atob(bdata), (c) => c.charCodeAt(0)).buffer);
const read = (value, axis) =>
  Number.isNaN(value) ? "–" : axis.words.length ? axis.words[value] : Number((axis.log ? 10 ** value : value).toPrecision(6)).toString();

function colour(rank, opacity) {
  if (Number.isNaN(rank)) return `rgba(128,128,128,${opacity * 0.5})`;
  const at = Math.min(rank * 2, 1.999), from = RAMP[Math.floor(at)], to = RAMP[Math.floor(at) + 1];
  return `rgba(${from.map((c, i) => Math.round(c + (to[i] - c) * (at % 1))).join(",")},${opacity})`;
}

class Parallel {
  constructor(root) {
    this.box = root.appendChild(document.createElement("div"));
    this.box.style.cssText = "position:relative;width:100%";
    this.canvas = this.box.appendChild(document.createElement("canvas"));
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.canvas.style.cssText = "display:block;width:100%;touch-action:pan-y;outline-offset:-2px";
    this.tip = this.box.appendChild(document.createElement("div"));
    this.tip.setAttribute("role", "status");
    this.tip.style.cssText =
      "position:absolute;pointer-events:none;display:none;padding:6px 8px;border-radius:6px;white-space:pre;z-index:5;" +
      "background:var(--st-background-color);color:var(--st-text-color);border:1px solid var(--st-border-color);" +
      "font:11px/1.5 var(--st-font);box-shadow:0 2px 8px rgba(0,0,0,.2);max-width:320px;overflow:hidden";
    this.brushes = {};
    this.pressed = [0, 0];
    this.canvas.onpointermove = (event) => this.move(event);
    this.canvas.onpointerdown = (event) => this.down(event);
    this.canvas.onpointerup = (event) => this.up(event);
    this.canvas.onpointerleave = () => this.point(null);
    this.canvas.onkeydown = (event) => this.key(event);
    this.canvas.onblur = () => this.point(null);
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.box);
  }

  show(data, tell, pick) {
    Object.assign(this, { tell, pick });
    this.axes = data.axes;
    this.values = data.values.map(numbers);
    this.ranks = numbers(data.ranks);
    this.names = data.names;
    this.ids = data.ids;
    this.chosen = data.chosen;
    this.height = data.height;
    if (!this.drag) this.brushes = { ...data.brushes };
    this.canvas.setAttribute("aria-label", data.alt);
    // The best are drawn last, on top; those without the metric first.
    const order = this.names.map((_, i) => i);
    this.order = order.sort((a, b) => (this.ranks[a] || -1) - (this.ranks[b] || -1));
    this.draw();
  }

  x(k) {
    return SIDE + (k * (this.width - 2 * SIDE)) / Math.max(this.axes.length - 1, 1);
  }

  y(k, value) {
    const { low, high, gaps } = this.axes[k];
    const floor = this.height - BOTTOM - (gaps ? GAP : 0);
    return Number.isNaN(value) ? this.height - BOTTOM : floor - ((value - low) / (high - low)) * (floor - TOP);
  }

  value(k, y) {
    const { low, high, gaps } = this.axes[k];
    const floor = this.height - BOTTOM - (gaps ? GAP : 0);
    // Near an end, the end is meant: nobody hits it to the pixel.
    if (y < TOP + SNAP) return high;
    return y > floor - SNAP ? low : low + ((floor - y) / (floor - TOP)) * (high - low);
  }

  kept(i) {
    return this.axes.every((axis, k) => {
      const ends = this.brushes[axis.name];
      return !ends || (this.values[k][i] >= ends[0] && this.values[k][i] <= ends[1]);
    });
  }

  line(pen, i) {
    pen.beginPath();
    this.axes.forEach((_, k) => pen[k ? "lineTo" : "moveTo"](this.x(k), this.y(k, this.values[k][i])));
    pen.stroke();
  }

  draw() {
    this.width = this.box.clientWidth;
    if (!this.axes || !this.width) return;
    const scale = window.devicePixelRatio || 1;
    // Setting the size empties the canvas, so both are done at once.
    this.canvas.width = this.width * scale;
    this.canvas.height = this.height * scale;
    this.canvas.style.height = `${this.height}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(this.box);
    this.text = style.getPropertyValue("--st-text-color").trim() || "#333";
    this.ground = style.getPropertyValue("--st-background-color").trim() || "#fff";
    this.font = style.getPropertyValue("--st-font").trim() || "sans-serif";
    const within = new Set(this.order.filter((i) => this.kept(i)));
    const opacity = Math.min(0.9, Math.max(0.06, 12 / (within.size + 1) ** 0.65));
    pen.lineWidth = 1;
    pen.strokeStyle = "rgba(128,128,128,0.07)";
    if (within.size < this.order.length) this.order.forEach((i) => within.has(i) || this.line(pen, i));
    pen.lineWidth = 1.3;
    for (const i of this.order) {
      if (!within.has(i)) continue;
      pen.strokeStyle = colour(this.ranks[i], opacity);
      this.line(pen, i);
    }
    this.within = within;
    this.axes.forEach((axis, k) => this.axis(pen, axis, k));
    this.picture = pen.getImageData(0, 0, this.canvas.width, this.canvas.height);
    this.highlight();
  }

  axis(pen, axis, k) {
    const x = this.x(k), gap = (this.width - 2 * SIDE) / Math.max(this.axes.length - 1, 1);
    const last = k === this.axes.length - 1;
    pen.fillStyle = this.text;
    pen.strokeStyle = this.text;
    pen.globalAlpha = last ? 0.9 : 0.45;
    pen.lineWidth = last ? 1.6 : 1;
    pen.beginPath();
    pen.moveTo(x, TOP);
    pen.lineTo(x, this.height - BOTTOM - (axis.gaps ? GAP : 0));
    pen.stroke();
    pen.globalAlpha = 1;
    pen.textAlign = "center";
    pen.font = `${last ? 700 : 600} 11.5px ${this.font}`;
    // Every second title stands higher where they would run into each other.
    const tight = gap < 110;
    this.write(pen, axis.title, x, tight && k % 2 ? 12 : 27, Math.max(60, (tight ? 2 : 1) * gap - 8));
    pen.font = `10.5px ${this.font}`;
    const right = last && this.axes.length > 1;
    pen.textAlign = right ? "left" : "right";
    const ticks = axis.ticks.map(([at, word]) => [this.y(k, at), word]);
    if (axis.gaps) ticks.push([this.height - BOTTOM, "none"]);
    for (const [y, word] of ticks) {
      pen.fillRect(right ? x : x - 3, y - 0.5, 3, 1);
      this.write(pen, word, right ? x + 6 : x - 6, y + 3.5, right || !k ? SIDE - 10 : Math.max(30, gap * 0.45));
    }
    const ends = this.brushes[axis.name];
    if (!ends) return;
    const [top, bottom] = [this.y(k, ends[1]), this.y(k, ends[0])];
    pen.fillStyle = "rgba(0,114,178,0.28)";
    pen.strokeStyle = "#0072B2";
    pen.lineWidth = 1.5;
    pen.fillRect(x - 7, top, 14, bottom - top);
    pen.strokeRect(x - 7, top, 14, bottom - top);
  }

  /** Write text, shortened to a width, with the page's ground around it so that lines do not hide it. */
  write(pen, text, x, y, most) {
    let shown = text;
    while (shown.length > 2 && pen.measureText(shown).width > most) shown = `${shown.slice(0, -2)}…`;
    pen.lineJoin = "round";
    const before = [pen.strokeStyle, pen.lineWidth];
    pen.strokeStyle = this.ground;
    pen.lineWidth = 3;
    pen.strokeText(shown, x, y);
    [pen.strokeStyle, pen.lineWidth] = before;
    pen.fillText(shown, x, y);
  }

  highlight() {
    const pen = this.canvas.getContext("2d");
    pen.putImageData(this.picture, 0, 0);
    const marked = this.ids.flatMap((id, i) => (this.chosen[id] && this.within.has(i) && i !== this.at ? [i] : []));
    pen.setLineDash([5, 3]);
    pen.lineWidth = 2;
    for (const i of marked.slice(0, 20)) {
      pen.strokeStyle = this.chosen[this.ids[i]];
      this.line(pen, i);
    }
    pen.setLineDash([]);
    if (this.at == null) return;
    pen.strokeStyle = this.ground;
    pen.lineWidth = 6;
    this.line(pen, this.at);
    pen.strokeStyle = colour(this.ranks[this.at], 1);
    pen.lineWidth = 3;
    this.line(pen, this.at);
  }

  /** Point at a run: draw it on top and tell its values. */
  point(i, x = this.width / 2, y = TOP) {
    this.at = i;
    if (this.picture) this.highlight();
    this.tip.style.display = i == null ? "none" : "block";
    if (i == null) return;
    const rows = this.axes.map((axis, k) => `${axis.title}: ${read(this.values[k][i], axis)}`);
    this.tip.textContent = [`${this.names[i]}${this.chosen[this.ids[i]] ? "  ✓ chosen" : ""}`, ...rows].join("\n");
    this.tip.style.left = `${Math.max(0, x + 14 + this.tip.offsetWidth > this.width ? x - 14 - this.tip.offsetWidth : x + 14)}px`;
    this.tip.style.top = `${Math.max(0, Math.min(y, this.height - this.tip.offsetHeight))}px`;
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  axisAt(x) {
    const k = this.axes.findIndex((_, k) => Math.abs(this.x(k) - x) < REACH);
    return k < 0 ? null : k;
  }

  nearest(x, y) {
    const k = this.axes.findIndex((_, k) => k + 1 < this.axes.length && x >= this.x(k) && x <= this.x(k + 1));
    if (k < 0) return null;
    const share = (x - this.x(k)) / (this.x(k + 1) - this.x(k));
    let best = null, reach = NEAR;
    for (const i of this.within) {
      const a = this.y(k, this.values[k][i]), b = this.y(k + 1, this.values[k + 1][i]);
      const away = Math.abs(a + (b - a) * share - y);
      if (away < reach || (away === reach && best != null)) [best, reach] = [i, away];
    }
    return best;
  }

  move(event) {
    const [x, y] = this.place(event);
    if (this.drag) {
      const { k, from } = this.drag, { name } = this.axes[k];
      const ends = [this.value(k, from), this.value(k, y)].sort((a, b) => a - b);
      this.drag.moved ||= Math.abs(y - from) > 3;
      if (this.drag.moved) this.brushes[name] = ends;
      this.draw();
      return;
    }
    const over = this.axisAt(x);
    this.canvas.style.cursor = over != null ? "ns-resize" : "default";
    const i = over != null ? null : this.nearest(x, y);
    if (i != null) this.canvas.style.cursor = "pointer";
    if (i !== this.at || i != null) this.point(i, x, y);
  }

  down(event) {
    const [x, y] = this.place(event), k = this.axisAt(x);
    this.pressed = [x, y];
    this.point(k == null ? this.nearest(x, y) : null, x, y);
    if (k == null) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = { k, from: y, moved: false };
  }

  up(event) {
    if (!this.drag) {
      const [x, y] = this.place(event);
      const still = Math.hypot(x - this.pressed[0], y - this.pressed[1]) < 4;
      if (still && this.at != null) this.pick(this.ids[this.at]);
      return;
    }
    if (!this.drag.moved) delete this.brushes[this.axes[this.drag.k].name];
    this.drag = undefined;
    this.draw();
    this.say();
  }

  say() {
    this.tell(Object.entries(this.brushes).map(([name, ends]) => [name, ...ends]));
  }

  key(event) {
    const best = this.order.filter((i) => this.within.has(i)).reverse();
    const at = best.indexOf(this.at);
    if (event.key === "ArrowDown" || event.key === "ArrowRight") this.point(best[Math.min(at + 1, best.length - 1)] ?? null);
    else if (event.key === "ArrowUp" || event.key === "ArrowLeft") this.point(best[Math.max(at - 1, 0)] ?? null);
    else if (event.key === "Enter" && this.at != null) this.pick(this.ids[this.at]);
    else if (event.key === "Escape") {
      this.brushes = {};
      this.draw();
      this.say();
    } else return;
    event.preventDefault();
  }
}

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  parentElement.parallel ??= new Parallel(parentElement);
  const one = parentElement.parallel;
  const found = JSON.parse(new TextDecoder().decode(new Uint8Array(data)));
  one.show(found, (brushes) => setStateValue("brushes", brushes), (id) => setTriggerValue("picked", id));
  return () => {
    one.watcher.disconnect();
    one.box.remove();
    delete parentElement.parallel;
  };
}
