// Draws a scene (marks made in Python) as SVG, answers mouse and keyboard, says a sentence beneath.
// It knows nothing of what an explorer means; only `render` at the end knows Jupyter.

const SVG = "http://www.w3.org/2000/svg";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PATTERNS = { shared: "hatch", came: "hatch", hidden_handle: "dots", hidden_kernel: "dots", went: "dots" };
const LINE = 14;
// Each widget loads this module anew, so what numbers the views of a page must be the page's.
const COUNTER = Symbol.for("magmem.scenes");

/** A number that no other view of this page has; patterns are named after it. */
export function nextInstance(page = globalThis) {
  page[COUNTER] = (page[COUNTER] ?? 0) + 1;
  return page[COUNTER];
}

/** The mark that an arrow key leads to from `from`: the nearest whose centre lies that way. */
export function nearest(marks, from, [dx, dy]) {
  const centre = (mark) => [mark.x + mark.w / 2, mark.y + mark.h / 2];
  const [x, y] = centre(from);
  let best = null;
  let bestCost = Infinity;
  for (const mark of marks) {
    if (mark === from || !mark.act) continue;
    const [mx, my] = centre(mark);
    const along = (mx - x) * dx + (my - y) * dy;
    const across = Math.abs((mx - x) * dy) + Math.abs((my - y) * dx);
    if (along <= 0.5) continue;
    const cost = along + 3 * across;
    if (cost < bestCost) [best, bestCost] = [mark, cost];
  }
  return best;
}

/** The lines of a rectangle's text and where their baselines stand, so that they are centred in it. */
export function labelLines(mark) {
  const lines = mark.s.split("\n");
  const first = mark.y + mark.h / 2 + 4 - ((lines.length - 1) * LINE) / 2;
  return lines.map((text, at) => ({ text, x: mark.x + mark.w / 2, y: first + at * LINE }));
}

/** Where a tip stands: below its mark, else above it, else as low as the view has room. */
export function tipTop(top, bottom, high, room) {
  if (bottom + 6 + high <= room) return bottom + 6;
  if (top - 6 - high >= 0) return top - 6 - high;
  return Math.max(0, room - high);
}

/** The attributes of a mark's element, by name. */
export function attributes(mark, instance) {
  if (mark.k === "l") {
    return { class: `mx-line mx-stroke-${mark.t}`, x1: mark.x, y1: mark.y, x2: mark.x + mark.w, y2: mark.y + mark.h };
  }
  if (mark.k === "t") {
    return {
      class: `mx-text mx-ink-${mark.t}`, x: mark.x, y: mark.y, "font-size": mark.z,
      "text-anchor": mark.a, "font-weight": mark.b ? 600 : 400,
    };
  }
  const ring = mark.ring ? " mx-ring" : "";
  const acts = mark.act ? " mx-acts" : "";
  return {
    class: `mx-rect mx-fill-${mark.t}${ring}${acts}`, x: mark.x, y: mark.y, width: mark.w, height: mark.h,
    "data-pattern": `${mark.t}-${instance}`,
  };
}

/** One scene in one element. */
export class SceneView {
  constructor(element, { onAct = () => {} } = {}) {
    this.instance = nextInstance();
    this.onAct = onAct;
    this.marks = [];
    this.nodes = [];
    this.root = document.createElement("div");
    this.root.className = "mx-explorer";
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("role", "group");
    this.defs = document.createElementNS(SVG, "defs");
    this.layer = document.createElementNS(SVG, "g");
    this.svg.append(this.defs, this.layer);
    this.tip = document.createElement("div");
    this.tip.className = "mx-tip";
    this.tip.hidden = true;
    this.sentence = document.createElement("p");
    this.sentence.className = "mx-sentence";
    this.sentence.setAttribute("role", "status");
    this.words = document.createElement("details");
    this.words.className = "mx-words";
    const head = document.createElement("summary");
    head.textContent = "In words";
    this.text = document.createElement("pre");
    this.words.append(head, this.text);
    this.words.addEventListener("toggle", () => this.onAct(this.words.open ? "show words" : "hide words"));
    this.root.append(this.svg, this.tip, this.sentence, this.words);
    element.append(this.root);
    this.listen();
  }

  /** Show a scene: elements are kept and changed in place, so nothing flickers or loses focus. */
  show(scene) {
    const focused = this.marks[this.nodes.indexOf(document.activeElement)]?.act;
    this.svg.setAttribute("viewBox", `0 0 ${scene.width} ${scene.height}`);
    this.svg.setAttribute("aria-label", scene.label);
    this.svg.style.maxWidth = `${scene.width * 1.25}px`;
    scene.marks.forEach((mark, at) => this.place(mark, at));
    for (const spare of this.nodes.splice(scene.marks.length)) spare.remove();
    this.marks = scene.marks;
    const acting = this.nodes.filter((_, at) => this.marks[at].act);
    const keep = this.marks.findIndex((mark) => focused && mark.act === focused);
    acting.forEach((node, at) => node.setAttribute("tabindex", at === 0 ? 0 : -1));
    if (keep >= 0) {
      acting.forEach((node) => node.setAttribute("tabindex", -1));
      this.nodes[keep].setAttribute("tabindex", 0);
      if (document.activeElement !== this.nodes[keep]) this.nodes[keep].focus({ preventScroll: true });
    }
  }

  /** Say the sentence beneath; an error is told apart by its class and its word. */
  say(text, isError) {
    this.sentence.textContent = text;
    this.sentence.classList.toggle("mx-error", Boolean(isError));
  }

  /** The state and its numbers as text, for whoever does not see the picture; shown when opened. */
  tell(text) {
    this.text.textContent = text;
  }

  /** Take the view out of its element. */
  destroy() {
    this.root.remove();
  }

  place(mark, at) {
    const name = { r: "g", t: "text", l: "line" }[mark.k];
    let node = this.nodes[at];
    if (!node || node.localName !== name) {
      const fresh = document.createElementNS(SVG, name);
      if (name === "g") {
        fresh.append(document.createElementNS(SVG, "rect"), document.createElementNS(SVG, "rect"), document.createElementNS(SVG, "text"));
        fresh.childNodes[1].setAttribute("class", "mx-pattern");
        fresh.childNodes[2].setAttribute("class", "mx-in");
      }
      if (node) node.replaceWith(fresh);
      else this.layer.append(fresh);
      this.nodes[at] = fresh;
      node = fresh;
    }
    const wanted = attributes(mark, this.instance);
    if (mark.k !== "r") {
      set(node, wanted);
      if (mark.k === "t" && node.textContent !== mark.s) node.textContent = mark.s;
      return;
    }
    const [plain, pattern, text] = node.childNodes;
    const { "data-pattern": fill, ...shape } = wanted;
    set(plain, shape);
    const patterned = this.pattern(mark.t, fill);
    set(pattern, { x: mark.x, y: mark.y, width: patterned ? mark.w : 0, height: mark.h, fill: patterned ? `url(#${fill})` : "none" });
    const lines = labelLines(mark);
    set(text, { x: lines[0].x, y: lines[0].y, "text-anchor": "middle", class: `mx-in mx-on-${mark.t}` });
    if (lines.length === 1 && !text.firstElementChild) {
      if (text.textContent !== mark.s) text.textContent = mark.s;
    } else this.label(text, lines);
    if (mark.act) set(node, { role: "button", "aria-label": mark.tip || mark.s });
    else ["role", "aria-label", "tabindex"].forEach((gone) => node.removeAttribute(gone));
  }

  label(text, lines) {
    text.replaceChildren(...lines.map((line) => {
      const span = document.createElementNS(SVG, "tspan");
      set(span, { x: line.x, y: line.y });
      span.textContent = line.text;
      return span;
    }));
  }

  pattern(tint, id) {
    const sort = PATTERNS[tint];
    if (!sort) return false;
    if (this.defs.querySelector(`#${id}`)) return true;
    const pattern = document.createElementNS(SVG, "pattern");
    set(pattern, { id, width: 7, height: 7, patternUnits: "userSpaceOnUse" });
    const ink = document.createElementNS(SVG, sort === "hatch" ? "path" : "circle");
    if (sort === "hatch") set(ink, { d: "M-1,1 l2,-2 M0,7 l7,-7 M6,8 l2,-2", class: `mx-hatch mx-pattern-${tint}` });
    else set(ink, { cx: 3.5, cy: 3.5, r: 1.3, class: `mx-dot mx-pattern-${tint}` });
    pattern.append(ink);
    this.defs.append(pattern);
    return true;
  }

  listen() {
    const at = (event) => this.nodes.indexOf(event.target.closest("g, text, line"));
    this.layer.addEventListener("click", (event) => {
      const mark = this.marks[at(event)];
      if (mark?.act) this.act(mark);
    });
    this.layer.addEventListener("keydown", (event) => {
      const mark = this.marks[at(event)];
      if (!mark) return;
      if (event.key === "Enter" || event.key === " ") this.act(mark);
      else if (ARROWS[event.key]) this.go(nearest(this.marks, mark, ARROWS[event.key]));
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    const show = (event) => this.hint(this.marks[at(event)]);
    this.layer.addEventListener("pointerover", show);
    this.layer.addEventListener("focusin", show);
    for (const gone of ["pointerout", "focusout"]) this.layer.addEventListener(gone, () => (this.tip.hidden = true));
  }

  act(mark) {
    this.onAct(mark.act);
  }

  go(mark) {
    const node = this.nodes[this.marks.indexOf(mark)];
    if (!node) return;
    this.layer.querySelectorAll("[tabindex='0']").forEach((other) => other.setAttribute("tabindex", -1));
    node.setAttribute("tabindex", 0);
    node.focus();
  }

  hint(mark) {
    this.tip.hidden = !mark?.tip;
    if (!mark?.tip) return;
    this.tip.textContent = mark.tip;
    const box = this.svg.viewBox.baseVal;
    const scale = this.svg.clientWidth / box.width;
    const left = Math.min((mark.x + mark.w / 2) * scale, this.root.clientWidth - this.tip.offsetWidth - 4);
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${tipTop(mark.y * scale, (mark.y + mark.h) * scale, this.tip.offsetHeight, this.root.clientHeight)}px`;
  }
}

function set(node, wanted) {
  for (const [name, value] of Object.entries(wanted)) {
    const text = String(value);
    if (node.getAttribute(name) !== text) node.setAttribute(name, text);
  }
}

/** The widget: shows the model's scene and sentence, sends what is clicked. */
function render({ model, el }) {
  const view = new SceneView(el, { onAct: (act) => model.send({ act }) });
  const show = () => view.show(model.get("scene"));
  const say = () => view.say(model.get("sentence"), model.get("is_error"));
  const tell = () => view.tell(model.get("words"));
  model.on("change:words", tell);
  model.on("change:scene", show);
  model.on("change:sentence", say);
  model.on("change:is_error", say);
  show();
  say();
  return () => {
    model.off("change:words", tell);
    model.off("change:scene", show);
    model.off("change:sentence", say);
    model.off("change:is_error", say);
    view.destroy();
  };
}

export default { render };
