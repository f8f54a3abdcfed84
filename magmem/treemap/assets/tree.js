// The tree of a treemap as columns: nodes in level order, the children of a node side by side.
// A leaf's size is amount / divisor; every other node is the sum of its children.

const DEFLATED = /^[A-Za-z0-9+/=\s]+$/;

/** The payload of a page or widget: JSON text, or the same deflated and in base64. */
export async function readPayload(text) {
  if (!DEFLATED.test(text)) return JSON.parse(text);
  const bytes = Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

export const [FOUND, HOLDS, BELOW] = [1, 2, 4];

export class Tree {
  constructor(payload) {
    this.names = payload.names;
    this.kinds = payload.kinds;
    this.tints = payload.tints;
    this.vmos = payload.vmos;
    this.over = payload.over;
    this.count = Int32Array.from(payload.count);
    this.length = this.count.length;
    this.kind = Uint8Array.from(payload.kind);
    this.tint = Int8Array.from(payload.tint);
    this.name = Int32Array.from(payload.name);
    this.vmo = Int32Array.from(payload.vmo);
    this.koids = payload.koid;
    this.amount = payload.amount;
    this.divisor = payload.divisor;
    this.marked = new Set(payload.marked);
    this.#link();
    this.#sum();
  }

  #link() {
    this.first = new Int32Array(this.length);
    this.parent = new Int32Array(this.length).fill(-1);
    let next = 1;
    for (let node = 0; node < this.length; node++) {
      this.first[node] = next;
      this.parent.fill(node, next, next + this.count[node]);
      next += this.count[node];
    }
  }

  // Whole bytes and fractions are summed apart, so that a long sum of whole numbers stays exact.
  #sum() {
    const tints = this.tints.length;
    const whole = new Float64Array(this.length);
    const rest = new Float64Array(this.length);
    this.byTint = new Float64Array(this.length * tints);
    for (let node = this.length - 1; node >= 0; node--) {
      if (this.count[node] === 0) {
        const amount = Number(this.amount[node]);
        const divisor = Number(this.divisor[node]);
        whole[node] = Math.floor(amount / divisor);
        rest[node] = (amount % divisor) / divisor;
        if (this.tint[node] >= 0) this.byTint[node * tints + this.tint[node]] = amount / divisor;
      }
      const above = this.parent[node];
      if (above < 0) continue;
      whole[above] += whole[node];
      rest[above] += rest[node];
      for (let tint = 0; tint < tints; tint++) {
        this.byTint[above * tints + tint] += this.byTint[node * tints + tint];
      }
    }
    this.area = whole.map((bytes, node) => bytes + rest[node]);
    // A nanobyte makes up for the rounding of a sum of fractions that is whole.
    this.bytes = whole.map((bytes, node) => bytes + Math.floor(rest[node] + 1e-9));
  }

  /** Node numbers of the children, in drawing order. */
  children(node) {
    return Array.from({ length: this.count[node] }, (_, at) => this.first[node] + at);
  }

  /** The nodes from the root to a node, both included. */
  lineage(node) {
    const line = [];
    for (let at = node; at >= 0; at = this.parent[at]) line.unshift(at);
    return line;
  }

  kindOf(node) {
    return this.kinds[this.kind[node]];
  }

  nameOf(node) {
    return this.names[this.vmo[node] >= 0 && this.kindOf(node) === "vmo"
      ? this.vmos.name[this.vmo[node]]
      : this.name[node]];
  }

  label(node) {
    const name = this.nameOf(node) || "(no name)";
    return this.kindOf(node) === "vmos" ? `${name}[${this.count[node]}]` : name;
  }

  /** The koid as text; empty where there is none. */
  koid(node) {
    const koid = this.vmo[node] >= 0 && this.kindOf(node) === "vmo"
      ? this.vmos.koid[this.vmo[node]]
      : this.koids[node];
    return Number(koid) > 0 ? String(koid) : "";
  }

  /** Koids that a node stands for: its own, or those of what is in a group. */
  koidsOf(node) {
    const own = this.koid(node);
    return own ? [own] : this.children(node).map((child) => this.koid(child)).filter(Boolean);
  }

  /**
   * The node that koids lead to: a task, then a VMO in it, as far as they lead.
   * @param {string[]} koids
   * @returns {number} -1 if not even the first is there
   */
  at(koids) {
    this.tasks ??= new Map(this.koids.flatMap((koid, node) =>
      ["job", "process"].includes(this.kindOf(node)) ? [[String(koid), node]] : []).reverse());
    const task = this.tasks.get(koids[0]) ?? -1;
    if (task < 0 || koids.length < 2) return task;
    for (const pending = this.children(task); pending.length; ) {
      const node = pending.shift();
      if (this.kindOf(node) === "vmo" && this.koid(node) === koids[1]) return node;
      if (this.kindOf(node) === "vmos") pending.push(...this.children(node));
    }
    return task;
  }

  /** The way to a node from the root, as [kind, koid] of what has a koid. */
  koidsTo(node) {
    return this.lineage(node).map((step) => [this.kindOf(step), this.koid(step)])
      .filter(([, koid]) => koid);
  }

  /** The exact size: {whole, numerator, denominator} as BigInt. */
  exact(node) {
    const sums = new Map();
    const pending = [node];
    while (pending.length) {
      const at = pending.pop();
      if (this.count[at] === 0) {
        const divisor = this.divisor[at];
        sums.set(divisor, (sums.get(divisor) ?? 0n) + BigInt(this.amount[at]));
      }
      for (let child = 0; child < this.count[at]; child++) pending.push(this.first[at] + child);
    }
    let [numerator, denominator] = [0n, 1n];
    for (const [divisor, sum] of sums) {
      numerator = numerator * BigInt(divisor) + sum * denominator;
      denominator *= BigInt(divisor);
      const common = gcd(numerator, denominator);
      numerator /= common;
      denominator /= common;
    }
    return { whole: numerator / denominator, numerator: numerator % denominator, denominator };
  }

  /** The tints inside a node with their bytes, largest first. */
  madeOf(node) {
    const start = node * this.tints.length;
    return this.tints
      .map((tint, code) => ({ tint, code, bytes: this.byTint[start + code] }))
      .filter(({ bytes }) => bytes > 0)
      .sort((one, other) => other.bytes - one.bytes || one.code - other.code);
  }

  /**
   * Nodes whose name contains a text, or whose koid is that text.
   * @returns {{found: number[], marks: Uint8Array}} of every node, a sum of FOUND (it is one), HOLDS
   *     (one is in it) and BELOW (it is in one)
   */
  search(text) {
    const wanted = text.trim().toLowerCase();
    const found = [];
    const marks = new Uint8Array(this.length);
    if (!wanted) return { found, marks };
    const named = this.names.map((name) => name.toLowerCase().includes(wanted));
    const byVmo = this.vmos.name.map((name) => named[name]);
    for (let node = 0; node < this.length; node++) {
      const isVmo = this.vmo[node] >= 0 && this.kindOf(node) === "vmo";
      const hit = isVmo ? byVmo[this.vmo[node]] : named[this.name[node]];
      if (marks[this.parent[node]] & (FOUND | BELOW)) marks[node] |= BELOW;
      if (!hit && this.koid(node) !== wanted) continue;
      marks[node] |= FOUND;
      found.push(node);
    }
    for (let node = this.length - 1; node > 0; node--) {
      if (marks[node] & (FOUND | HOLDS)) marks[this.parent[node]] |= HOLDS;
    }
    return { found, marks };
  }
}

function gcd(one, other) {
  while (other) [one, other] = [other, one % other];
  return one;
}
