// Making elements. Text is set as text: a name from a capture never becomes HTML.

export function make(tag, className = "", text = "", attributes = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** A frame that flies from one rectangle to another, to show where a zoom leads. */
export function fly(stage, from, to) {
  if (!from || !to || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const frame = make("div", "mm-flight", "", { "aria-hidden": "true" });
  const at = ({ x, y, w, h }) => ({ left: `${x}px`, top: `${y}px`, width: `${w}px`, height: `${h}px` });
  stage.append(frame);
  frame.animate([at(from), at(to)], { duration: 160, easing: "ease-out" }).finished.finally(() =>
    frame.remove());
}
