// What the board of pictures and its viewer do and say in one way.

import { make } from "./elements.js";

/** Return the index of the nearest place, the earlier one of two; the last when none is wanted. */
export function nearest(places, wanted) {
  if (wanted === null || wanted === undefined || places.every(Number.isNaN)) return places.length - 1;
  let best = -1;
  places.forEach((place, index) => {
    const nearer = best < 0 || Math.abs(place - wanted) < Math.abs(places[best] - wanted);
    if (!Number.isNaN(place) && nearer) best = index;
  });
  return best;
}

export const addressOf = (run, frame) => `/blobs/${run.id}/${frame.digest}`;
export const isFilm = (frame) => frame.media_type === "video/mp4" || frame.media_type === "video/webm";
export const stepWords = (step) => `step ${Number(step).toLocaleString("en-US")}`;
const sizeOf = (frame) => (frame.width ? `${frame.width} × ${frame.height}` : "");
export const captionOf = (frame) => [frame.caption, sizeOf(frame)].filter(Boolean).join(" · ");

export function markStep(element, step, other) {
  element.textContent = stepWords(step);
  element.classList.toggle("other", other);
  element.title = other ? "the nearest step that this run has" : "";
}

export function fileName(name, run, step, place, frame) {
  const end = (frame.media_type ?? "image/png").split("/")[1];
  const words = [run.name, name, `step${step}`, ...(place ? [place + 1] : [])];
  return `${words.join("-").replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 120)}.${end}`;
}

/** Say in place of what cannot be shown why not. */
export async function explain(element, what, address) {
  element.replaceChildren();
  element.classList.add("broken");
  let reason = "";
  try {
    const answer = await fetch(address);
    reason = answer.ok ? "The browser cannot read it." : await answer.text();
  } catch {
    reason = "The dashboard does not answer.";
  }
  make("span", "", `${what} cannot be shown. ${reason}`, element);
}

/** Show another picture once it is there: the old one stays until then, and a slow one never comes late. */
export async function swap(image, address, failed) {
  if (image.wanted === address) return;
  image.wanted = address;
  const next = new Image();
  next.src = address;
  try {
    await next.decode();
    if (image.wanted === address) image.src = address;
  } catch {
    if (image.wanted === address) failed();
  }
}
