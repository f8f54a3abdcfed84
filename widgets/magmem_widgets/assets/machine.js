// The machine explorer's table as elements: a treegrid of which only the lines in view exist.
// In front of this stand the modules it uses; only `render` at the end knows Jupyter.

import { answer, CLOSED, KIND, KNOWN, LEVEL, Lines, NAME, OPEN, OWN_SHARE, PART_SHARE, PRIVATE, PSS, scrollTo, SHARED, STATE } from "./machine_rows.js";

const LINE = 24;
const SHOWN = 10;
// From this level on lines are indented no further: there would be no room for names.
const DEEPEST = 10;
const HEADS = [["name", "NAME"], ["", "PART"], ["pss", "PSS"], ["private", "PRIVATE"], ["shared", "SHARED"], ["", "KNOWN"]];
let instances = 0;

function make(tag, className, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** One table in one element; `ask` sends what is done. */
export class MachineTable {
  constructor(element, ask) {
    instances += 1;
    this.id = `mt-${instances}-${Math.random().toString(36).slice(2)}`;
    this.seq = 0;
    this.ask = (message) => ask({ ...message, view: this.id, seq: this.seq });
    this.lines = new Lines();
    this.pool = [];
    this.at = -1;
    this.sheet = {};
    this.build(element);
    this.listen();
  }

  build(element) {
    this.root = make("section", "mx-explorer mt-machine", "", { "aria-label": "machine explorer" });
    // Arrows, Enter and Escape move in the table, not in the notebook.
    this.root.dataset.lmSuppressShortcuts = "true";
    this.wanted = make("input", "mt-control mt-wanted", "", {
      type: "search", placeholder: "name or koid", "aria-label": "Filter by name or koid",
    });
    this.rule = make("select", "mt-control", "", { "aria-label": "Rule" });
    this.unit = make("select", "mt-control", "", { "aria-label": "Unit of sizes" });
    this.save = make("button", "mt-control", "Export CSV", { type: "button" });
    this.count = make("span", "mt-count", "", { role: "status" });
    const controls = make("div", "mt-controls");
    const labelled = (word, control) => {
      const label = make("label", "mt-label", word);
      label.append(control);
      return label;
    };
    controls.append(this.wanted, this.count, labelled("PSS", this.rule), labelled("sizes", this.unit), this.save);
    this.crumbs = make("nav", "mt-crumbs", "", { "aria-label": "where you are" });
    this.grid = make("div", "mt-grid", "", { role: "treegrid", tabindex: "0", "aria-label": "tasks and their memory" });
    const head = make("div", "mt-row mt-head", "", { role: "row" });
    this.heads = HEADS.map(([column, word]) => {
      const cell = make("span", column && column !== "name" ? "mt-cell mt-number" : "mt-cell", column ? "" : word, { role: "columnheader" });
      if (column) {
        const button = make("button", "mt-sort", word, { type: "button", title: `Sort by ${word}` });
        button.addEventListener("click", () => this.tell({ do: "sort", column }));
        cell.append(button);
      }
      head.append(cell);
      return [column, cell];
    });
    this.body = make("div", "mt-body", "", { role: "rowgroup" });
    this.body.style.height = `${LINE * SHOWN}px`;
    this.sheetOf = make("div", "mt-sheet", "", { role: "presentation" });
    this.body.append(this.sheetOf);
    this.grid.append(head, this.body);
    this.sentence = make("p", "mx-sentence mt-sentence", "", { role: "status" });
    this.root.append(controls, this.crumbs, this.grid, this.sentence);
    element.append(this.root);
  }

  listen() {
    let waiting = 0;
    this.wanted.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.tell({ do: "set", name: "wanted", value: this.wanted.value }), 60);
    });
    this.wanted.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "ArrowDown") {
        event.preventDefault();
        this.grid.focus();
        if (this.at < 0) this.go(0);
      } else if (event.key === "Escape" && this.wanted.value) {
        this.wanted.value = "";
        this.tell({ do: "set", name: "wanted", value: "" });
      }
    });
    for (const name of ["rule", "unit"]) {
      this[name].addEventListener("change", () => this.tell({ do: "set", name, value: this[name].value }));
    }
    this.save.addEventListener("click", () => this.ask({ do: "export" }));
    this.body.addEventListener("scroll", () => this.draw());
    this.grid.addEventListener("keydown", (event) => this.key(event));
    this.sheetOf.addEventListener("click", (event) => {
      const line = event.target.closest(".mt-line");
      if (!line) return;
      const at = Number(line.dataset.at);
      const row = this.lines.get(at);
      if (!row) return;
      this.grid.focus({ preventScroll: true });
      if (event.target.closest(".mt-twist") && row[STATE]) {
        this.tell({ do: row[STATE] === OPEN ? "shut" : "open", at });
      } else this.go(at);
    });
    this.sheetOf.addEventListener("dblclick", (event) => {
      const line = event.target.closest(".mt-line");
      if (line && !event.target.closest(".mt-twist")) this.tell({ do: "drill", at: Number(line.dataset.at) });
    });
  }

  /** Send what changes the table; its answer alone may move the chosen line from now on. */
  tell(message) {
    this.seq += 1;
    this.ask({ ...message, version: this.lines.version });
  }

  key(event) {
    if (event.target !== this.grid || event.ctrlKey || event.altKey || event.metaKey) return;
    const answered = answer(event.key, this.at, this.lines.get(this.at), this.lines.total, SHOWN);
    if (!answered) return;
    event.preventDefault();
    event.stopPropagation();
    if (answered.do) this.tell({ do: answered.do, at: this.at });
    else if (answered.go !== this.at) this.go(answered.go);
  }

  /** Choose a line: at once on screen, then in Python. */
  go(at) {
    this.at = at;
    this.tell({ do: "select", at });
    this.reveal();
  }

  reveal() {
    this.body.scrollTop = scrollTo(this.at, this.body.scrollTop, LINE * SHOWN, LINE);
    this.draw();
  }

  /** Show what Python sent: all but the lines that were not asked for. */
  show(sheet) {
    if (sheet.version === undefined) return;
    const { version, total, at, asker } = sheet;
    const fresh = version !== this.lines.version;
    if (fresh) this.lines.reset(version, total);
    this.lines.put(sheet.first, sheet.rows);
    this.sheet = sheet;
    this.grid.setAttribute("aria-rowcount", total + 1);
    this.sheetOf.style.height = `${total * LINE}px`;
    this.count.textContent = `${total.toLocaleString("en")} ${total === 1 ? "line" : "lines"}`;
    if (document.activeElement !== this.wanted) this.wanted.value = sheet.wanted;
    choices(this.rule, sheet.rules, sheet.rule);
    choices(this.unit, sheet.units, sheet.unit);
    for (const [column, cell] of this.heads) {
      if (!column) continue;
      const sorted = column === sheet.column;
      cell.setAttribute("aria-sort", sorted ? (sheet.descending ? "descending" : "ascending") : "none");
    }
    const steps = sheet.crumbs.length ? sheet.crumbs : [["", "All tasks"]];
    this.crumbs.replaceChildren(...steps.map(([key, title], place) => {
      if (place === steps.length - 1) return make("b", "", title, { "aria-current": "location" });
      const step = make("button", "mt-crumb", title, { type: "button" });
      step.addEventListener("click", () => this.tell({ do: "crumb", key }));
      return step;
    }));
    // An answer to an earlier key must not move the line back from where one is by now.
    const late = asker.view === this.id && asker.seq < this.seq;
    if (!late) this.at = at;
    // Opening another line moves the chosen one; what one looks at stays where it is.
    if (!late && sheet.chosen !== this.chosen) this.reveal();
    else this.draw();
    if (!late) this.chosen = sheet.chosen;
  }

  /** Say the sentence beneath. */
  say(text, isError) {
    this.sentence.textContent = text;
    this.sentence.classList.toggle("mx-error", Boolean(isError));
  }

  /** What Python answers to this view alone: lines, or a file to save. */
  receive(message) {
    if (message.to !== this.id) return;
    if (message.rows && message.version === this.lines.version) {
      this.lines.put(message.first, message.rows);
      this.asked = "";
      this.draw();
    } else if (message.csv !== undefined) download(message.csv, message.name);
  }

  /** The elements of the lines in view: a fixed number of them, changed in place. */
  draw() {
    this.root.style.setProperty("--mt-bar", `${this.body.offsetWidth - this.body.clientWidth}px`);
    const first = Math.max(Math.floor(this.body.scrollTop / LINE), 0);
    const count = Math.min(SHOWN + 1, this.lines.total - first);
    while (this.pool.length < SHOWN + 1) this.pool.push(this.emptyLine());
    this.pool.forEach((line) => (line.hidden = true));
    for (let at = first; at < first + count; at++) this.drawLine(this.pool[at % this.pool.length], at);
    const active = this.at >= first && this.at < first + count ? `${this.id}-${this.at % this.pool.length}` : "";
    if (active) this.grid.setAttribute("aria-activedescendant", active);
    else this.grid.removeAttribute("aria-activedescendant");
    const missing = this.lines.missing(first, count);
    const asked = missing && `${this.lines.version} ${missing.first} ${missing.count}`;
    if (!missing || asked === this.asked) return;
    this.asked = asked;
    this.ask({ do: "rows", version: this.lines.version, ...missing });
  }

  emptyLine() {
    const line = make("div", "mt-row mt-line", "", { role: "row", id: `${this.id}-${this.pool.length}` });
    const cells = HEADS.map(([column]) => make("span", column && column !== "name" ? "mt-cell mt-number" : "mt-cell", "", { role: "gridcell" }));
    cells[0].append(make("span", "mt-twist"), make("span", "mt-name"));
    cells[1].classList.add("mt-bar");
    cells[1].append(make("span", "mt-own"), make("span", "mt-part"));
    line.append(...cells);
    this.sheetOf.append(line);
    return line;
  }

  drawLine(line, at) {
    const row = this.lines.get(at);
    line.hidden = false;
    line.dataset.at = at;
    line.style.transform = `translateY(${at * LINE}px)`;
    line.setAttribute("aria-rowindex", at + 2);
    line.classList.toggle("mt-at", at === this.at);
    line.setAttribute("aria-selected", String(at === this.at));
    line.className = line.className.replace(/ mt-is-\w+/, "") + (row ? ` mt-is-${row[KIND]}` : "");
    const [name, bar, pss, own, shared, known] = line.children;
    const [twist, label] = name.children;
    line.setAttribute("aria-level", row?.[LEVEL] ?? 1);
    if (row?.[STATE]) line.setAttribute("aria-expanded", String(row[STATE] === OPEN));
    else line.removeAttribute("aria-expanded");
    name.style.paddingLeft = `${4 + 14 * Math.min((row?.[LEVEL] ?? 1) - 1, DEEPEST)}px`;
    twist.textContent = row?.[STATE] ? (row[STATE] === CLOSED ? "▸" : "▾") : "";
    write(label, row?.[NAME] ?? "…");
    for (const [cell, part] of [[pss, PSS], [own, PRIVATE], [shared, SHARED], [known, KNOWN]]) write(cell, row?.[part] ?? "");
    name.title = row?.[NAME] ?? "";
    known.title = row?.[KNOWN] ?? "";
    bar.firstChild.style.width = `${row?.[OWN_SHARE] ?? 0}%`;
    bar.lastChild.style.width = `${row?.[PART_SHARE] ?? 0}%`;
    bar.title = row ? `${(row[OWN_SHARE] + row[PART_SHARE]).toFixed(1)}% of the PSS of all processes` : "";
  }

  /** Take the table out of its element. */
  destroy() {
    this.root.remove();
  }
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function choices(select, options, value) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options !== wanted) {
    select.dataset.options = wanted;
    select.replaceChildren(...options.map(([name, word]) => make("option", "", word, { value: name })));
  }
  select.value = value;
}

function download(text, name) {
  const link = make("a", "");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** The widget: shows the model's sheet and sentence, sends what is done. */
function render({ model, el }) {
  const table = new MachineTable(el, (message) => model.send(message));
  const show = () => table.show(model.get("sheet"));
  const say = () => table.say(model.get("sentence"), model.get("is_error"));
  const receive = (message) => table.receive(message);
  const heard = { "change:sheet": show, "change:sentence": say, "change:is_error": say, "msg:custom": receive };
  for (const [event, answerTo] of Object.entries(heard)) model.on(event, answerTo);
  show();
  say();
  return () => {
    for (const [event, answerTo] of Object.entries(heard)) model.off(event, answerTo);
    table.destroy();
  };
}

export default { render };
