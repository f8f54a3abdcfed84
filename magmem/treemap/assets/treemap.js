// The treemap as one view in one element: draws tiles, answers mouse and keyboard.
// It knows nothing of Jupyter or of where its data comes from.

import { fly, make } from "./dom.js";
import { nearest, plan } from "./layout.js";
import { UNITS } from "./sizes.js";
import { table } from "./table.js";
import { overview, tileElement } from "./tiles.js";
import { Tip } from "./tip.js";
import { Tree } from "./tree.js";
import { facts, freeSentence, mergedFacts, mergedSentence, others, sentence, title } from "./words.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Show a treemap.
 * @param {HTMLElement} element is filled with the view
 * @param {object} data the payload, as `readPayload` gives it
 * @param {{onSelect?: (koids: string[], label: string, path: string[][], said: string) => void,
 *     height?: string, bare?: boolean}} options `bare`: the tiles, their bar and legend alone
 * @returns {TreemapView}
 */
export function mountTreemap(element, data, options = {}) {
  return new TreemapView(element, data, options);
}

class TreemapView {
  constructor(element, data, { onSelect = () => {}, height = "", bare = false }) {
    this.onSelect = onSelect;
    this.unit = "";
    this.asTable = false;
    this.wanted = "";
    this.#build(element, height);
    this.root.classList.toggle("mm-bare", bare);
    this.#listen();
    this.resizing = new ResizeObserver(() => this.#resized());
    this.resizing.observe(this.stage);
    this.update(data);
  }

  /** Show other data; the place in the tree is kept where it still exists. */
  update(data) {
    this.selected = -1;
    const place = this.tree ? this.path.map(({ node }) => this.#address(node)) : [];
    this.tree = new Tree(data);
    this.path = [{ node: 0, items: null }];
    for (const address of place.slice(1)) {
      const here = this.path.at(-1).node;
      const node = this.tree.children(here).find((child) => this.#address(child) === address);
      if (node === undefined) break;
      if (this.tree.count[node]) this.path.push({ node, items: null });
    }
    this.marks = this.tree.search(this.wanted).marks;
    this.#foldFree();
    this.heading.textContent = data.title;
    this.notes.replaceChildren(...data.caption.map((remark) => make("li", "", remark)));
    this.#drawLegend();
    this.draw();
  }

  /** Show sizes in a unit; empty for the natural one. */
  setUnit(unit) {
    if (unit === this.unit) return;
    this.unit = this.units.value = unit;
    this.draw();
  }

  /**
   * Ring what koids lead to, or what it is drawn in; the focus stays where it is.
   * @param {string[]} koids of a task and, if wanted, of a VMO in it; none: ring nothing
   * @param {boolean} zoom go to the task it is in; if not, only as far out as it takes to see it
   */
  choose(koids, zoom = false) {
    const node = this.tree.at(koids);
    this.follows = true;
    this.selected = node;
    if (node < 0) return this.#ringSelected();
    const line = this.tree.lineage(node);
    let path = this.path;
    if (zoom) path = this.#pathTo(line.slice(0, -1).findLast((step) => this.tree.kindOf(step) !== "vmos") ?? 0);
    else while (!line.includes(path.at(-1).node)) path = path.slice(0, -1);
    const moves = path.length !== this.path.length || path.at(-1).node !== this.view.node;
    this.path = path;
    if (moves) this.draw();
    else this.#ringSelected();
  }

  /** Take the view out of its element. */
  destroy() {
    this.resizing.disconnect();
    this.root.remove();
  }

  #address(node) {
    return `${this.tree.kindOf(node)} ${this.tree.koid(node) || this.tree.label(node)}`;
  }

  #build(element, height) {
    this.root = make("section", "mm-treemap", "", { "aria-label": "treemap" });
    this.heading = make("h2", "mm-heading");
    this.crumbs = make("nav", "mm-crumbs", "", { "aria-label": "where you are" });
    this.out = make("button", "mm-button", "Out", { type: "button", title: "One level out (Escape)" });
    this.field = make("input", "mm-search", "", {
      type: "search", placeholder: "name or koid", "aria-label": "Search a name or koid",
    });
    this.count = make("span", "mm-count", "", { role: "status" });
    this.units = make("select", "mm-units", "", { "aria-label": "Unit of sizes" });
    this.units.append(make("option", "", "auto", { value: "" }));
    for (const unit of UNITS.slice(0, 5)) this.units.append(make("option", "", unit, { value: unit }));
    this.toggle = make("button", "mm-button", "Table", { type: "button", "aria-pressed": "false" });
    this.foldFree = make("button", "mm-button", "Free", {
      type: "button", title: "Draw free memory as a tile too",
    });
    this.bar = make("div", "mm-bar", "", { "aria-hidden": "true" });
    this.stage = make("div", "mm-stage", "", { role: "tree", "aria-label": "tiles of this level" });
    this.sheet = make("div", "mm-sheet");
    this.frame = make("div", "mm-frame");
    if (height) this.frame.style.height = height;
    this.frame.append(this.stage, this.sheet);
    this.words = make("p", "mm-words", "", { "aria-live": "polite" });
    this.legend = make("ul", "mm-legend", "", { "aria-label": "legend" });
    this.notes = make("ul", "mm-notes", "", { "aria-label": "notes" });
    this.tip = new Tip(this.root);
    this.ring = make("div", "mm-ring", "", { "aria-hidden": "true" });
    const controls = make("div", "mm-controls");
    controls.append(this.out, this.field, this.count, this.units, this.toggle, this.foldFree);
    this.root.append(
      this.heading, controls, this.bar, this.crumbs, this.frame, this.words, this.legend, this.notes,
    );
    this.root.append(this.tip.element);
    element.replaceChildren(this.root);
  }

  #listen() {
    this.out.addEventListener("click", () => this.zoomOut());
    this.units.addEventListener("change", () => {
      this.unit = this.units.value;
      this.draw();
    });
    this.toggle.addEventListener("click", () => {
      this.asTable = !this.asTable;
      this.toggle.setAttribute("aria-pressed", String(this.asTable));
      this.draw();
    });
    this.foldFree.addEventListener("click", () => {
      this.folded = !this.folded;
      this.draw();
    });
    this.field.addEventListener("input", () => this.search(this.field.value));
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#nextFound();
    });
    const by = (device) => (this.root.dataset.by = device);
    this.root.addEventListener("pointerdown", () => by("pointer"), true);
    this.root.addEventListener("keydown", () => by("keyboard"), true);
    this.root.addEventListener("keydown", (event) => this.#key(event));
    this.stage.addEventListener("click", (event) => {
      const at = this.#tileAt(event);
      if (at >= 0) this.open(this.tiles[at]);
    });
    this.stage.addEventListener("pointermove", (event) => this.#hover(event));
    this.stage.addEventListener("pointerleave", () => (this.tip.hide()));
    this.stage.addEventListener("focusin", (event) => {
      // After a click the pointer tells where one is; the tooltip would be in its way.
      if (this.root.dataset.by !== "pointer") this.#focused(this.#tileAt(event));
    });
    this.stage.addEventListener("focusout", () => {
      this.tip.hide();
      this.#ringSelected();
    });
  }

  #tileAt(event) {
    const tile = event.target.closest?.(".mm-tile");
    return tile ? Number(tile.dataset.at) : -1;
  }

  // ---- drawing

  get view() {
    return this.path.at(-1);
  }

  #items() {
    const items = this.view.items ?? this.tree.children(this.view.node);
    return this.folded && this.path.length === 1 ? items.filter((item) => !this.free.has(item)) : items;
  }

  /** Free memory of more than half would leave the rest too small to see: the bar shows it. */
  #foldFree() {
    const { tree } = this;
    const code = tree.tints.findIndex(({ name }) => name === "free");
    this.free = new Set(tree.children(0).filter((node) => tree.tint[node] === code));
    const free = [...this.free].reduce((sum, node) => sum + tree.area[node], 0);
    this.folded = free > tree.area[0] / 2 && free < tree.area[0];
    this.foldFree.hidden = !this.folded;
  }

  /** Draw the view; `focus` is the step of the tile to focus, if any. */
  draw(focus = null) {
    this.tip.hide();
    this.frame.classList.toggle("mm-as-table", this.asTable);
    this.foldFree.setAttribute("aria-pressed", String(!this.folded));
    this.#drawCrumbs();
    this.bar.replaceChildren(...overview(this.tree, this.view.node, this.unit, this.bar.clientWidth,
      (node) => this.#goto(this.tree.count[node] ? this.#pathTo(node) : this.path.slice(0, 1))));
    this.words.textContent = this.#viewSentence();
    if (this.asTable) {
      const items = this.view.items ?? this.tree.children(this.view.node);
      this.sheet.replaceChildren(table(this.tree, this.view.node, items, this.unit,
        (node) => this.open({ node })));
      return;
    }
    const [w, h] = [this.stage.clientWidth, this.stage.clientHeight];
    this.drawnAt = `${w} ${h}`;
    if (w < 8 || h < 8) return;
    this.tiles = plan(this.tree, this.#items(), { x: 0, y: 0, w, h });
    const { unit, wanted, marks } = this;
    const siblings = this.tiles.filter(({ depth }) => depth === 0).length;
    const state = { unit, wanted, marks, siblings, room: { w, h } };
    this.elements = this.tiles.map((tile, at) => tileElement(this.tree, tile, at, state));
    this.stage.replaceChildren(...this.elements, this.ring);
    this.#ringSelected();
    this.#current(Math.max(this.tiles.indexOf(this.#placeOf(focus)), 0), focus !== null);
  }

  #viewSentence() {
    const { tree, unit } = this;
    const { node, items } = this.view;
    if (items) return mergedSentence(tree, node, items, unit);
    const hidden = this.folded && this.path.length === 1 ? [...this.free] : [];
    return sentence(tree, node, unit) + freeSentence(tree, hidden, unit);
  }

  #resized() {
    const { clientWidth, clientHeight } = this.stage;
    if (!this.asTable && `${clientWidth} ${clientHeight}` !== this.drawnAt) this.draw();
  }

  #drawCrumbs() {
    const { tree } = this;
    const steps = this.path.map(({ node, items }, at) => {
      const text = items ? others(tree, items, this.unit) : title(tree, node);
      if (at === this.path.length - 1) return make("b", "", text, { "aria-current": "location" });
      const button = make("button", "mm-crumb", text, { type: "button" });
      button.addEventListener("click", () => this.#goto(this.path.slice(0, at + 1)));
      return button;
    });
    this.crumbs.replaceChildren(...steps);
    this.out.disabled = this.path.length === 1;
  }

  #drawLegend() {
    const inside = new Set(this.tree.madeOf(0).map(({ tint }) => tint.name).concat("other"));
    const entries = this.tree.tints.filter(({ name }) => inside.has(name));
    this.legend.replaceChildren(...entries.map((tint) => {
      const entry = make("li", "", tint.word);
      entry.prepend(make("span", `mm-swatch mm-tint-${tint.name}`));
      return entry;
    }));
    if (this.tree.marked.size) {
      const entry = make("li", "", this.tree.tints.find(({ name }) => name === "twice").word);
      entry.prepend(make("span", "mm-swatch mm-twice"));
      this.legend.append(entry);
    }
  }

  // ---- moving in the tree

  /** Open a tile: go into what has parts, select what has none. */
  open({ node, merged = null, parent = -1, element = null }) {
    if (node < 0) {
      const holder = this.#holderOf(parent);
      const path = holder === this.view.node ? this.path : this.#pathTo(holder);
      const koids = merged.flatMap((item) => this.tree.koidsOf(item));
      const said = mergedSentence(this.tree, holder, merged, this.unit);
      this.onSelect(koids, "others", this.tree.koidsTo(holder), said);
      this.#goto([...path, { node: holder, items: merged }]);
      return;
    }
    const said = sentence(this.tree, node, this.unit);
    this.onSelect(this.tree.koidsOf(node), this.tree.label(node), this.tree.koidsTo(node), said);
    this.#select(node);
    if (this.tree.count[node]) this.#goto(this.#pathTo(node));
    else if (this.tree.parent[node] === this.view.node) this.#focusNode(node);
    else this.#goto(this.#pathTo(this.tree.parent[node]), { node });
  }

  /** The steps to a node, along the way that is open now as far as it leads there. */
  #pathTo(node) {
    const line = this.tree.lineage(node);
    let kept = this.path.length;
    while (!line.includes(this.path[kept - 1].node)) kept -= 1;
    const from = line.indexOf(this.path[kept - 1].node) + 1;
    const steps = line.slice(from).map((step) => ({ node: step, items: null }));
    return [...this.path.slice(0, kept), ...steps];
  }

  /** One level out; the tile that was open has the focus. */
  zoomOut() {
    if (this.path.length > 1) this.#goto(this.path.slice(0, -1), this.view);
  }

  #goto(path, focus = null) {
    const inward = path.length > this.path.length;
    const outer = inward ? path[this.path.length] : this.path[path.length];
    const before = this.#placeOf(outer);
    this.path = path;
    this.draw(focus ?? { node: this.#items()[0] });
    if (this.asTable || !outer) return;
    const whole = { x: 0, y: 0, w: this.stage.clientWidth, h: this.stage.clientHeight };
    if (inward) fly(this.stage, before, whole);
    else fly(this.stage, whole, this.#placeOf(outer));
  }

  /** Where a step of the path is drawn in this view, if it is. */
  #placeOf(step) {
    return step && this.tiles?.find(({ node, merged, parent }) =>
      step.items
        ? merged && merged[0] === step.items[0] && this.#holderOf(parent) === step.node
        : node === step.node);
  }

  /** The node that a tile stands in, from the tile's parent in the plan. */
  #holderOf(parent) {
    return parent >= 0 ? this.tiles[parent].node : this.view.node;
  }

  #select(node) {
    this.selected = node;
    this.#ringSelected();
  }

  #ringSelected() {
    const drawn = (step) => this.tiles?.find(({ node, merged }) =>
      node >= 0 ? node === step : this.follows && merged.includes(step));
    const line = this.follows ? this.tree.lineage(this.selected).reverse() : [this.selected];
    this.#ringAt(line.filter((step) => step >= 0).map(drawn).find(Boolean));
  }

  /** The ring stands above all tiles: raising a tile itself would cover what is drawn in it. */
  #ringAt(tile) {
    this.ring.hidden = !tile;
    if (!tile) return;
    const { style } = this.elements[this.tiles.indexOf(tile)];
    for (const side of ["left", "top", "width", "height"]) this.ring.style[side] = style[side];
  }

  #focusNode(node) {
    const at = this.tiles.findIndex((tile) => tile.depth === 0 && tile.node === node);
    if (at >= 0) this.#current(at, true);
  }

  #current(at, focus = false) {
    this.elements[this.now]?.setAttribute("tabindex", "-1");
    this.now = at;
    this.elements[at]?.setAttribute("tabindex", "0");
    if (focus) this.elements[at]?.focus({ preventScroll: true });
  }

  #key(event) {
    if (event.key === "Escape" && event.target !== this.field) {
      this.zoomOut();
      event.preventDefault();
    } else if (event.key === "Escape") {
      this.field.value = "";
      this.search("");
    } else if (this.stage.contains(event.target)) {
      if (event.key === "Enter" || event.key === " ") this.open(this.tiles[this.now]);
      else if (event.key in ARROWS) this.#step(ARROWS[event.key]);
      else return;
      event.preventDefault();
    }
  }

  /** Focus the nearest tile of this level in a direction. */
  #step(direction) {
    const best = nearest(this.tiles, this.now, direction);
    if (best >= 0) this.#current(best, true);
  }

  // ---- telling

  /** Highlight what has this name or koid; the number of finds is shown. */
  search(text) {
    this.wanted = text.trim();
    const { found, marks } = this.tree.search(this.wanted);
    [this.found, this.marks, this.foundAt] = [found, marks, -1];
    this.count.textContent = this.wanted ? `${found.length} found` : "";
    this.draw();
  }

  #nextFound() {
    if (!this.found?.length) return;
    this.foundAt = (this.foundAt + 1) % this.found.length;
    const node = this.found[this.foundAt];
    const above = Math.max(this.tree.parent[node], 0);
    this.#goto(this.#pathTo(above), { node });
    this.field.focus();
  }

  #focused(at) {
    if (at < 0) return;
    const tile = this.tiles[at];
    this.#ringAt(tile);
    this.words.textContent = this.#sentence(tile);
    this.#showTip(tile, tile.x + tile.w / 2, tile.y + Math.min(tile.h, 40));
  }

  #sentence({ node, merged, parent }) {
    if (node >= 0) return sentence(this.tree, node, this.unit);
    return mergedSentence(this.tree, this.#holderOf(parent), merged, this.unit);
  }

  #hover(event) {
    const at = this.#tileAt(event);
    if (at < 0) return;
    const box = this.stage.getBoundingClientRect();
    this.#showTip(this.tiles[at], event.clientX - box.left, event.clientY - box.top);
  }

  #showTip(tile, x, y) {
    const { tree, unit } = this;
    const { node, merged, parent } = tile;
    const rows = node >= 0 ? facts(tree, node, unit)
      : mergedFacts(tree, this.#holderOf(parent), merged, unit);
    this.tip.show(node >= 0 ? title(tree, node) : others(tree, merged, unit), rows, this.stage, x, y);
  }
}
