// One slider for all that a page shows by step. What is drawn in the browser follows while it moves, by an
// event of the window; what the server draws follows once it rests.

const REST_MS = 250;
const PLAY_MS = 200;

class StepSlider {
  constructor(root) {
    this.places = [];
    this.box = root.appendChild(document.createElement("div"));
    this.box.className = "bar";
    this.play = this.button("▶", "Play all steps", () => (this.timer ? this.stop() : this.start()));
    this.back = this.button("‹", "Previous step", () => this.by(-1));
    this.range = this.box.appendChild(document.createElement("input"));
    this.range.type = "range";
    this.range.min = 0;
    this.range.oninput = () => this.go(Number(this.range.value));
    this.forth = this.button("›", "Next step", () => this.by(1));
    this.words = this.box.appendChild(document.createElement("output"));
    this.hear = (event) => this.goTo(event.detail.position);
    window.addEventListener("stepscope-go", this.hear);
    const host = root.host ?? root;
    const slot = host.closest(".st-key-step_slot");
    const cell = slot?.closest("[data-testid='stLayoutWrapper']") ?? host.closest("[data-testid='stElementContainer']");
    // It stays in sight while the pictures scroll under it.
    if (cell) Object.assign(cell.style, { position: "sticky", top: "3.75rem", zIndex: 20 });
  }

  button(text, title, act) {
    const made = this.box.appendChild(document.createElement("button"));
    made.type = "button";
    made.textContent = text;
    made.title = title;
    made.setAttribute("aria-label", title);
    made.onclick = act;
    return made;
  }

  show({ places, labels, at, name, event, follows }, tell) {
    [this.places, this.labels, this.event, this.follows, this.tell] = [places, labels, event, follows, tell];
    this.range.setAttribute("aria-label", name);
    this.play.hidden = !follows;
    this.box.dataset.name = name;
    this.range.max = Math.max(places.length - 1, 0);
    // The address decides, unless the viewer has moved on since it was written.
    const stands = this.timer || this.resting ? this.place : at;
    if (stands === null) this.set(follows ? places.length - 1 : 0, follows);
    else this.set(this.nearest(stands), false);
  }

  nearest(position) {
    let best = 0;
    this.places.forEach((place, index) => {
      if (Math.abs(place - position) < Math.abs(this.places[best] - position)) best = index;
    });
    return best;
  }

  /** Stand at a place; the newest one is followed as runs go on. */
  set(index, newest) {
    this.index = index;
    this.place = newest ? null : this.places[index];
    this.range.value = index;
    const label = this.labels[index] ?? "";
    this.words.textContent = newest ? `newest · ${label}` : label;
    this.range.setAttribute("aria-valuetext", this.words.textContent);
    this.back.disabled = index <= 0;
    this.forth.disabled = index >= this.places.length - 1;
    window.stepscopeSteps = { ...window.stepscopeSteps, [this.event]: this.place };
    window.dispatchEvent(new CustomEvent(this.event, { detail: { position: this.place } }));
  }

  go(index) {
    this.set(index, this.follows && index >= this.places.length - 1);
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.resting = undefined;
      if (!this.timer) this.tell("at", this.place);
    }, REST_MS);
  }

  goTo(position) {
    this.stop();
    this.go(this.nearest(position));
  }

  by(step) {
    this.stop();
    this.go(Math.min(Math.max(this.index + step, 0), this.places.length - 1));
  }

  start() {
    this.play.textContent = "❚❚";
    this.timer = setInterval(() => this.go((this.index + 1) % this.places.length), PLAY_MS);
  }

  stop() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.play.textContent = "▶";
    this.go(this.index);
  }

  close() {
    clearInterval(this.timer);
    clearTimeout(this.resting);
    window.removeEventListener("stepscope-go", this.hear);
    delete window.stepscopeSteps?.[this.event];
  }
}

export default function ({ parentElement, data, setStateValue }) {
  parentElement.slider ??= new StepSlider(parentElement);
  const slider = parentElement.slider;
  slider.show(data, setStateValue);
  return () => {
    slider.close();
    slider.box.remove();
    delete parentElement.slider;
  };
}
