// A small payload: physmem with free memory and one process that has three VMOs.

export const TINTS = ["private", "shared", "free", "other"].map((name) => ({ name, word: name }));
export const KINDS = ["memory", "job", "process", "vmos", "vmo", "part", "unknown"];

/** Level order: physmem; free, VMOs; p:7; heap[2], a vDSO; two heaps. */
export function payload() {
  return {
    title: "small", caption: [], over: 0,
    names: ["physmem", "free", "VMOs/processes", "sh", "heap", "<b>vdso</b>"],
    kinds: KINDS, tints: TINTS,
    count: [2, 0, 1, 2, 2, 0, 0, 0],
    kind: [0, 0, 0, 2, 3, 4, 4, 4],
    tint: [-1, 2, -1, -1, -1, 1, 0, 0],
    name: [0, 1, 2, 3, 4, 0, 0, 0],
    koid: [0, 0, 0, 7, 0, 0, 0, 0],
    vmo: [-1, -1, -1, -1, -1, 0, 1, 2],
    amount: [0, 8192, 0, 0, 0, 4096, 4096, 12288],
    divisor: [1, 1, 1, 1, 1, 3, 1, 1],
    marked: [5],
    vmos: {
      name: [5, 4, 4], koid: [20, 21, 22], size: [4096, 4096, null],
      committed: [4096, 4096, 12288], mappings: [3, 1, 1], share: [3, 1, null],
    },
  };
}
