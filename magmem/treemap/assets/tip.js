// The tooltip: a head and rows of words, kept inside the view.

import { make } from "./dom.js";

export class Tip {
  /** @param {HTMLElement} room the view it stays within */
  constructor(room) {
    this.room = room;
    this.element = make("div", "mm-tip", "", { role: "tooltip" });
    this.hide();
  }

  hide() {
    this.element.hidden = true;
  }

  /**
   * @param {string} head
   * @param {[string, string][]} rows a word and what is said of it
   * @param {HTMLElement} stage what `x` and `y` are measured in
   */
  show(head, rows, stage, x, y) {
    const list = make("dl");
    for (const [word, value] of rows) list.append(make("dt", "", word), make("dd", "", value));
    this.element.replaceChildren(make("b", "", head), list);
    this.element.hidden = false;
    const { offsetWidth: width, offsetHeight: height, style } = this.element;
    const room = this.room.getBoundingClientRect();
    const box = stage.getBoundingClientRect();
    const left = Math.min(box.left - room.left + x + 14, room.width - width - 4);
    const below = box.top - room.top + y + 16;
    const above = below - 32 - height;
    const fits = below + height <= box.bottom - room.top + 40;
    style.left = `${Math.max(left, 4)}px`;
    style.top = `${fits || above < 0 ? below : above}px`;
  }
}
