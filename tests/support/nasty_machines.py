"""Described machines that are hard to print: wide koids, odd names, depth, states, many sharers.

Everything the goldens are too tame for, made from a seed as the JSON of
`reference/machine-format.md`.
"""

from __future__ import annotations

from random import Random
from typing import Any

__all__ = ["NAMES", "nasty_machine"]

PAGE = 4096

NAMES = [
    "",
    "-",
    "%s%n%5d",
    'quo"te',
    "back\\slash",
    "tab\there",
    "it's",
    "blank at end ",
    "  ",
    "größe→Ω",
    "\U0001f600 smile",
    "a'b' : vmo",
    "<script>alert(1)</script>",
    "x" * 31,
    "\x01bell\x07",
    "line\nbreak",
    "?",
]

THREADS = ["new", "running", "suspended", "blocked", "dying", "dead", "unknown"]
PORTS = ["none", "none", "none", "debugger", "thread", "process", "job", "system"]
TYPES = ["vmo", "job", "process", "thread", "vmar", "channel", "event", "event-pair", "port"]
TYPES += ["socket", "timer", "fifo", "log", "resource", "interrupt", "pci-device", "guest", "vcpu"]
SIZES = [0, 1, 4095, 4096, 5000, 10238976, 10240000, 1 << 20, (1 << 20) - 1, 9999 * 1024 + 1023]
SIZES += [1 << 30, 10000 * 1024 - 1, (1 << 40) + 1]


def nasty_machine(seed: int) -> dict[str, Any]:
    """One machine description."""
    return _Maker(seed).machine()


class _Maker:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 (test machines, not secrets)
        self.koid = self.random.choice([1, 1000, 99_990, 10**9, 2**53, 2**62])
        self.addr = 0xFFFFFF8001500000
        self.map_seq = list(range(1, 2000))
        self.random.shuffle(self.map_seq)
        self.vmos: list[dict[str, Any]] = []

    def new_koid(self) -> int:
        self.koid += self.random.choice([1, 1, 2, 900])
        return self.koid

    def new_addr(self) -> str:
        self.addr += 16
        return hex(self.random.choice([self.addr] * 20 + [0]))

    def name(self) -> str:
        return self.random.choice(NAMES)

    def machine(self) -> dict[str, Any]:
        random = self.random
        jobs = self.jobs()
        for _ in range(random.randint(1, 14)):
            self.vmo()
        crowded = random.random() < 0.3
        count = random.randint(66, 140) if crowded else random.randint(0, 7)
        processes = [self.process(jobs) for _ in range(count)]
        if crowded:
            popular = random.choice(self.vmos)
            for process in processes:
                for _ in range(random.randint(0, 3)):
                    root = process["aspace"]["root_vmar"]
                    children = root["children"]
                    ends = [int(c["base"], 16) + c["size"] for c in children]
                    top = max(ends, default=int(root["base"], 16))
                    children.append(self.mapping(top + PAGE, popular))
        kernel = {
            "addr": self.new_addr(),
            "name": "kernel",
            "base": "0xffffff8000000000",
            "size": 1 << 39,
            "flags": "0x1",
            "ref": random.randint(1, 99),
            "root_vmar": self.vmar(0xFFFFFF8000000000, 1 << 39, "root", 2),
        }
        order = [job["koid"] for job in jobs]
        random.shuffle(order)
        stamp = {"seconds": 1506858262, "nanoseconds": random.choice([0, 999_999, 789123456])}
        millis = stamp["nanoseconds"] // 1_000_000
        return {
            "format": "magmem-machine/1",
            "name": f"nasty-{self.koid}",
            "page_size": PAGE,
            "timestamp": stamp | {"iso": f"2017-10-01T11:44:22.{millis:03d}Z"},
            "memgraph_self_koid": random.choice([0, *(p["koid"] for p in processes)]),
            "root_job_koid": jobs[1]["koid"],
            "jobs": jobs,
            "jobs_by_importance": order,
            **self.memory(),
            "kernel_aspace": kernel,
            "vmos": self.vmos,
            "processes": processes,
        }

    def jobs(self) -> list[dict[str, Any]]:
        jobs = [{"koid": self.new_koid(), "parent_koid": None, "name": "<superroot>"}]
        jobs.append({"koid": self.new_koid(), "parent_koid": jobs[0]["koid"], "name": "root"})
        for _ in range(self.random.randint(0, 9)):
            # Mostly the newest job, so that trees get deep; now and then one beside the root.
            parent = jobs[-1] if self.random.random() < 0.6 else self.random.choice(jobs)
            jobs.append(
                {"koid": self.new_koid(), "parent_koid": parent["koid"], "name": self.name()}
            )
        return jobs

    def vmo(self) -> None:
        random = self.random
        size = random.choice(SIZES)
        paged = random.random() < 0.85
        vmo: dict[str, Any] = {
            "id": f"v{len(self.vmos)}",
            "koid": self.new_koid() if random.random() < 0.8 else 0,
            "addr": self.new_addr(),
            "kind": "paged" if paged else "physical",
            "name": self.name(),
            "size": size,
            "parent": None,
            "ref": random.randint(1, 9),
        }
        if paged:
            parents = [other for other in self.vmos if other["kind"] == "paged"]
            if parents and random.random() < 0.4:
                vmo["parent"] = random.choice(parents)["id"]
            vmo["committed"] = self.runs(-(-size // PAGE))
            vmo["pages_are_wired"] = random.random() < 0.1
        else:
            vmo["phys_base"] = hex(random.choice([0, 0xFE000000]))
        self.vmos.append(vmo)

    def runs(self, pages: int) -> list[list[int]]:
        runs, at = [], 0
        for _ in range(self.random.randint(0, 3)):
            at += self.random.randint(0, 3)
            count = self.random.choice([1, 1, 2, 9])
            if at + count > pages:
                break
            runs.append([at, count])
            at += count + 1
        return runs

    def mapping(self, base: int, vmo: dict[str, Any] | None = None) -> dict[str, Any]:
        random = self.random
        flags = random.choice([0x4, 0xC, 0x1C, 0x2C, 0x3C, 0x1D, 0x9C, 0])
        perms = "".join(p if flags & bit else "-" for p, bit in (("r", 8), ("w", 16), ("x", 32)))
        return {
            "type": "mapping",
            "addr": self.new_addr(),
            "base": hex(base),
            "size": random.choice([1, 2, 7, 512, 2500]) * PAGE,
            "perms": "---" if flags & 0x80 else perms,
            "arch_mmu_flags": hex(flags),
            "vmo": (vmo or random.choice(self.vmos))["id"],
            "vmo_offset": random.choice([0, 0, 1, 4]) * PAGE,
            "ref": random.randint(1, 4),
            "map_seq": self.map_seq.pop(),
        }

    def vmar(self, base: int, size: int, name: str, depth: int) -> dict[str, Any]:
        random = self.random
        children: list[dict[str, Any]] = []
        at = base + random.choice([0, PAGE])
        for _ in range(random.randint(0, 3)):
            if depth and random.random() < 0.6:
                children.append(self.vmar(at, 1 << (22 + 3 * depth), self.name(), depth - 1))
            else:
                children.append(self.mapping(at))
            at = int(children[-1]["base"], 16) + children[-1]["size"]
            at += random.choice([0, PAGE])
        return {
            "type": "vmar",
            "addr": self.new_addr(),
            "name": name,
            "base": hex(base),
            "size": size,
            "ref": random.randint(1, 4),
            "children": children,
        }

    def process(self, jobs: list[dict[str, Any]]) -> dict[str, Any]:
        random = self.random
        koid = self.new_koid()
        base = random.choice([0x1000000, 0xFFFFD000, 0x2000000000])
        return {
            "koid": koid,
            "job_koid": random.choice(jobs)["koid"],
            "name": self.name(),
            "state": random.choice(["running"] * 6 + ["initial", "dying", "dead"]),
            "aspace": {
                "addr": self.new_addr(),
                "name": f"proc:{koid}",
                "base": hex(base),
                "size": 0x7FFFFEFFF000,
                "flags": "0x0",
                "ref": random.randint(1, 99),
                "root_vmar": self.vmar(base, 0x7FFFFEFFF000, "root", random.choice([0, 1, 6])),
            },
            "threads": [
                {
                    "koid": self.new_koid(),
                    "name": self.name(),
                    "state": random.choice(THREADS),
                    "exception_port": random.choice(PORTS),
                }
                for _ in range(random.choice([0, 1, 1, 3]))
            ],
            "handles": [self.handle() for _ in range(random.choice([0, 1, 4]))],
        }

    def handle(self) -> dict[str, Any]:
        random = self.random
        kind = random.choice(TYPES)
        held = [vmo for vmo in self.vmos if vmo["koid"]]
        if kind == "vmo" and not held:
            kind = "port"
        return {
            "value": hex(random.randrange(1, 1 << random.choice([4, 16, 32]))),
            "type": kind,
            "koid": random.choice(held)["koid"] if kind == "vmo" else self.new_koid(),
            "rights": hex(random.choice([0, 0x40, 0x3F, 0x2F, 0xFF, 0x8000, 0x4])),
        }

    def memory(self) -> dict[str, Any]:
        """Arenas, and statistics that are their sums."""
        arenas = []
        names = ("free", "alloc", "wired", "heap", "object", "mmu")
        for number in range(self.random.randint(1, 3)):
            states = {name: self.random.choice([0, 3, 70000]) for name in names}
            arenas.append(
                {
                    "addr": self.new_addr(),
                    "page_array_addr": self.new_addr(),
                    "name": self.random.choice(["", "memory", "it's %d"]),
                    "base": hex(number << 40),
                    "size": sum(states.values()) * PAGE,
                    "priority": number,
                    "flags": hex(number),
                    "free_count": states["free"],
                    "page_states": states,
                }
            )
        total = {name: PAGE * sum(a["page_states"][name] for a in arenas) for name in names}
        kmem = {
            "total_bytes": sum(total.values()),
            "free_bytes": total["free"],
            "wired_bytes": total["wired"],
            "total_heap_bytes": total["heap"],
            "free_heap_bytes": self.random.randint(0, total["heap"]),
            "vmo_bytes": total["object"],
            "mmu_overhead_bytes": total["mmu"],
            "other_bytes": total["alloc"],
        }
        return {"kmem": kmem, "arenas": arenas}
