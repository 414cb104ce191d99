// The drawing of a graph as a file: all of it, not only what is in sight.

const DRAWN = [
  ...["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap"],
  ...["font-size", "font-weight", "opacity"],
];

/** Save the drawing as SVG. The page's style stays behind: each shape takes along what it gets from it. */
export function saveDrawing(svg, stage, size, name) {
  const copy = svg.cloneNode(false);
  const inner = stage.cloneNode(true);
  const [from, to] = [stage.querySelectorAll("*"), inner.querySelectorAll("*")];
  from.forEach((shape, place) => {
    const style = getComputedStyle(shape);
    to[place].setAttribute("style", DRAWN.map((what) => `${what}:${style.getPropertyValue(what)}`).join(";"));
    // Another machine has another font: the text is to take the same room.
    if (shape.tagName === "text") {
      to[place].setAttribute("textLength", shape.getComputedTextLength());
      to[place].setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
  });
  inner.removeAttribute("transform");
  copy.append(inner);
  const { left, top, width, height } = size;
  const background = getComputedStyle(svg.parentElement).backgroundColor;
  copy.setAttribute("viewBox", `${left} ${top} ${width} ${height}`);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.setAttribute("style", `background:${background};font-family:Arial,sans-serif`);
  const text = new XMLSerializer().serializeToString(copy);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  link.download = `${name.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 80) || "graph"}.svg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
