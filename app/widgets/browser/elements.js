// How scripts make elements of a page.

/** Make an element; text is never read as markup. */
export function make(tag, className, text, parent) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  parent?.appendChild(made);
  return made;
}
