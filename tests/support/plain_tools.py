"""The tools written down plainly over a machine description, to compare the fast ones with.

Loops and dictionaries only; nothing of magmem but the formatting of one size. The goldens prove
these too, so that what both print on harder machines can be believed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from magmem.sizes import format_size

__all__ = ["PlainTools"]

PAGE = 4096
RIGHTS = (("r", "READ", 4), ("w", "WRITE", 8), ("x", "EXECUTE", 16), ("m", "MAP", 32))
RIGHTS += (("d", "DUPLICATE", 1), ("t", "TRANSFER", 2))
WORDS = {"suspended": "susp", "unknown": "???"}
VMO_HEAD = " koid parent #chld #map #shr    size   alloc name\n"


class PlainTools:
    """One described machine and what each tool prints for it."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.vmos = {vmo["id"]: vmo for vmo in raw["vmos"]}
        self.by_koid = {vmo["koid"]: vmo for vmo in raw["vmos"] if vmo["koid"]}
        self.processes = {process["koid"]: process for process in raw["processes"]}
        self.maps: dict[str, list[tuple[int, int]]] = {vmo: [] for vmo in self.vmos}
        self.shares: dict[str, int] = {}
        spaces = [raw["kernel_aspace"], *(p["aspace"] for p in raw["processes"])]
        self.user_maps = set()
        for number, space in enumerate(spaces):
            for _, node in walk(space["root_vmar"]):
                if node["type"] == "mapping":
                    self.maps[node["vmo"]].append((node["map_seq"], number))
                    if number:
                        self.user_maps.add(node["vmo"])

    def share_count(self, vmo: str) -> int:
        """#shr: exact to 64 address spaces, then an estimate."""
        if vmo not in self.shares:
            self.shares[vmo] = self.count_sharers(vmo)
        return self.shares[vmo]

    def count_sharers(self, vmo: str) -> int:
        """Walk the mappings of a VMO, newest first."""
        maps = sorted(self.maps[vmo], reverse=True)
        seen: set[int] = set()
        for visited, (_, space) in enumerate(maps):
            if space not in seen and len(seen) == 64:
                return 64 + (len(maps) - visited) * 64 // visited
            seen.add(space)
        return max(1, len(seen)) if len(maps) > 1 else 1

    def resident(self, node: dict[str, Any]) -> int:
        """Pages the VMO owns in the mapped range."""
        vmo = self.vmos[node["vmo"]]
        first = node["vmo_offset"] // PAGE
        last = min(first + node["size"] // PAGE, -(-vmo["size"] // PAGE))
        runs = vmo.get("committed", [])
        return sum(max(0, min(a + n, last) - max(a, first)) for a, n in runs)

    def sums(self, process: dict[str, Any]) -> tuple[int, int, int]:
        """PSS, PRIVATE, SHARED."""
        private = shared = scaled = 0
        if process["state"] == "running":
            for _, node in walk(process["aspace"]["root_vmar"]):
                if node["type"] == "mapping":
                    committed, share = self.resident(node) * PAGE, self.share_count(node["vmo"])
                    if share == 1:
                        private += committed
                    else:
                        shared += committed
                        scaled += committed // share
        return private + scaled, private, shared

    def tree(self, koid: int, depth: int = 0) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """A job, its processes with their threads, its child jobs."""
        job = next(job for job in self.raw["jobs"] if job["koid"] == koid)
        yield depth, "j", job
        for process in self.raw["processes"]:
            if process["job_koid"] == koid:
                yield depth + 1, "p", process
                for thread in process["threads"]:
                    yield depth + 2, "t", thread
        for child in self.raw["jobs"]:
            if child["parent_koid"] == koid:
                yield from self.tree(child["koid"], depth + 1)

    def job_sums(self, koid: int) -> tuple[int, int]:
        """PSS and PRIVATE of all processes below a job."""
        below = [self.sums(task) for _, kind, task in self.tree(koid) if kind == "p"]
        return sum(pss for pss, _, _ in below), sum(private for _, private, _ in below)

    def ps(self, threads: bool = False, jobs: bool = False, units: str = "") -> str:
        """``ps [-T] [-J] [--units=?]``."""
        shown = [
            row
            for row in self.tree(self.raw["root_job_koid"])
            if row[1] == "j" or (row[1] == "t" and threads) or (row[1] == "p" and not jobs)
        ]
        ids = [f"{'  ' * depth}{kind}:{task['koid']}" for depth, kind, task in shown]
        width = max(map(len, ids))

        def line(first: str, sizes: tuple[str, ...], state: str, name: str) -> str:
            fields = [first.ljust(width), *(size.rjust(7) for size in sizes)]
            if threads:
                fields.append(state.rjust(7))
            elif jobs:
                del fields[3]
            return " ".join([*fields, name]) + "\n"

        text = ""
        for first, (_, kind, task) in zip(ids, shown, strict=True):
            sizes, state = ("", "", ""), ""
            if kind == "j":
                pss, private = self.job_sums(task["koid"])
                sizes = (format_size(pss, units), format_size(private, units), "")
            elif kind == "p":
                pss, private, shared = self.sums(task)
                sizes = (format_size(pss, units), format_size(private, units))
                sizes += (format_size(shared, units),)
            else:
                waits = task["exception_port"] != "none"
                state = "excp" if waits else WORDS.get(task["state"], task["state"])
            text += line(first, sizes, state, task["name"])
        header = line("TASK", ("PSS", "PRIVATE", "SHARED"), "STATE", "NAME")
        return header + text + header

    def vmaps(self, koid: int) -> str:
        """``vmaps KOID`` of a process that runs."""
        space = self.processes[koid]["aspace"]
        nodes = [(0, "A", space)] + [
            (depth + 1, "M" if node["type"] == "mapping" else "R", node)
            for depth, node in walk(space["root_vmar"])
        ]
        deepest = max(2, *(depth for depth, _, _ in nodes))
        text = ""
        for depth, letter, node in nodes:
            if depth < 2:
                mark = f"/{letter}" + " " * (1 if deepest == 2 else deepest - 3)
            else:
                mark = " " * (depth - 2) + letter + " " * (deepest - depth)
            base = int(node["base"], 16)
            ends = [base, base + node["size"]]
            place = "-".join(
                f"{at:016x}" if at > 0xFFFFFFFF else f"________{at:08x}" for at in ends
            )
            size = format_size(node["size"])
            if letter == "M":
                vmo = self.vmos[node["vmo"]]
                resident = format_size(self.resident(node) * PAGE)
                middle = f"{node['perms']} {size:>5}:sz {resident:>4}:res {vmo['koid']:>5}:vmo"
                name = vmo["name"]
            else:
                middle, name = f"{size:>9}:sz" + " " * 19, node["name"]
            text += f"{mark} {place} {middle} '{name}'\n"
        return text

    def vmo_fields(self, vmo: dict[str, Any], unit: str = "") -> str:
        """The fields koid … name of one VMO."""
        parent = self.vmos[vmo["parent"]]["koid"] if vmo["parent"] else "-"
        children = sum(other["parent"] == vmo["id"] for other in self.raw["vmos"])
        alloc = format_size(self.committed(vmo), unit) if vmo["kind"] == "paged" else "phys"
        return (
            f"{vmo['koid']:>5} {parent:>6} {children:>5} {len(self.maps[vmo['id']]):>4} "
            f"{self.share_count(vmo['id']):>4} {format_size(vmo['size'], unit):>7} {alloc:>7} "
            f"{vmo['name'] or '-'}\n"
        )

    @staticmethod
    def committed(vmo: dict[str, Any]) -> int:
        """Bytes of the pages it owns."""
        return PAGE * sum(count for _, count in vmo.get("committed", []))

    def held(self, koid: int) -> list[dict[str, Any]]:
        """VMO handles of a process."""
        return [h for h in self.processes[koid]["handles"] if h["type"] == "vmo"]

    def mapped(self, koid: int) -> list[dict[str, Any]]:
        """VMOs of each mapping of a process."""
        root = self.processes[koid]["aspace"]["root_vmar"]
        return [self.vmos[n["vmo"]] for _, n in walk(root) if n["type"] == "mapping"]

    def vmos_of(self, koid: int) -> str:
        """``vmos KOID`` of a process that runs."""
        header = "rights " + VMO_HEAD
        rows = [
            f"{rights(handle)} {self.vmo_fields(self.by_koid[handle['koid']])}"
            for handle in self.held(koid)
        ]
        rows += [f"     - {self.vmo_fields(vmo)}" for vmo in self.mapped(koid)]
        return header + "".join(rows) + header

    def k_vmos(self, which: int | str, unit: str = "") -> str:
        """``k mx vmos``."""
        dashes = "           -      - "
        header = dashes + VMO_HEAD
        if which in ("all", "hidden"):
            title = "All" if which == "all" else '"Hidden"'
            rows = [
                dashes + self.vmo_fields(vmo, unit)
                for vmo in self.raw["vmos"]
                if which == "all" or vmo["id"] not in self.user_maps
            ]
            return f"{title} VMOs, oldest to newest:\n{header}{''.join(rows)}{header}"
        text = f"process [{which}]:\nHandles to VMOs:\n      handle rights {VMO_HEAD}"
        size = alloc = 0
        for handle in self.held(int(which)):
            vmo = self.by_koid[handle["koid"]]
            word = rights(handle) if int(handle["rights"], 16) else "-"
            text += f"  {int(handle['value'], 16):>10} {word:>6} {self.vmo_fields(vmo, unit)}"
            size, alloc = size + vmo["size"], alloc + self.committed(vmo)
        count = len(self.held(int(which)))
        text += f"  total: {count} VMOs, size {format_size(size, unit)}, "
        text += f"alloc {format_size(alloc, unit)}\nMapped VMOs:\n{header}"
        mapped = [dashes + self.vmo_fields(vmo, unit) for vmo in self.mapped(int(which))]
        return text + "".join(mapped) + header

    def asd(self, space: dict[str, Any]) -> str:
        """``k mx asd`` of one address space."""

        def place(node: dict[str, Any]) -> str:
            base = int(node["base"], 16)
            last = (base + node["size"] - 1) % (1 << 64)
            where = f"[{number(base)} {number(last)}] sz {number(node['size'])}"
            return f"{number(int(node['addr'], 16))} {where}"

        flags = number(int(space["flags"], 16))
        text = f"as {place(space)} fl {flags} ref {space['ref']} '{space['name']}'\n"
        for depth, node in walk(space["root_vmar"]):
            indent = "  " * (depth + 1)
            if node["type"] == "vmar":
                text += f"{indent}vmar {place(node)} ref {node['ref']} '{node['name']}'\n"
                continue
            vmo = self.vmos[node["vmo"]]
            addr = number(int(vmo["addr"], 16))
            text += (
                f"{indent}map {place(node)} mmufl {number(int(node['arch_mmu_flags'], 16))} "
                f"vmo {addr}/k{vmo['koid']} off {number(node['vmo_offset'])} "
                f"pages {self.resident(node)} ref {node['ref']} '{vmo['name']}'\n"
            )
            if vmo["kind"] == "paged":
                parent = self.vmos[vmo["parent"]]["koid"] if vmo["parent"] else 0
                pages = self.committed(vmo) // PAGE
                text += f"{indent}  vmo {addr}/k{vmo['koid']} size {number(vmo['size'])} "
                text += f"pages {pages} ref {vmo['ref']} parent k{parent}\n"
            else:
                base = number(int(vmo["phys_base"], 16))
                text += f"{indent}  object {addr} base {base} size {number(vmo['size'])} "
                text += f"ref {vmo['ref']}\n"
        return text

    def k_ps(self) -> str:
        """``k mx ps``."""
        text = "     id  #h:  #jb #pr #th #vo #vm #ch #ev #po #so #tm #fi [name]\n"
        top = next(job["koid"] for job in self.raw["jobs"] if job["parent_koid"] is None)
        kinds = ["job", "process", "thread", "vmo", "vmar", "channel", "event", "port"]
        kinds += ["socket", "timer", "fifo"]
        for _, kind, task in self.tree(top):
            if kind == "p":
                types = [handle["type"] for handle in task["handles"]]
                types = ["event" if name == "event-pair" else name for name in types]
                counts = " ".join(f"{types.count(name):3}" for name in kinds)
                text += f"{task['koid']:7}{len(types):4}: {counts} [{task['name']}]\n"
        return text

    def k_ht(self, koid: int) -> str:
        """``k mx ht KOID``."""
        handles = self.processes[koid]["handles"]
        rows = [f"{int(h['value'], 16):9x} {h['koid']:7} : {h['type']}\n" for h in handles]
        head = f"process [{koid}] handles :\nhandle       koid : type\n"
        return f"{head}{''.join(rows)}total: {len(handles)} handles\n"

    def memgraph(self, threads: bool = False, vmos: bool = False) -> list[dict[str, Any]]:
        """The records of ``memgraph``."""
        kmem = self.raw["kmem"]
        sizes = {
            "physmem": kmem["total_bytes"],
            "free": kmem["free_bytes"],
            "vmo": kmem["vmo_bytes"],
            "heap": kmem["total_heap_bytes"],
            "heap/allocated": kmem["total_heap_bytes"] - kmem["free_heap_bytes"],
            "heap/free": kmem["free_heap_bytes"],
            "wired": kmem["wired_bytes"],
            "mmu": kmem["mmu_overhead_bytes"],
            "other": kmem["other_bytes"],
        }
        records: list[dict[str, Any]] = []
        for name, size in sizes.items():
            parent = "kernel/heap" if "/" in name else "kernel/physmem"
            record = {"id": f"kernel/{name}", "type": "kernel"}
            record["parent"] = "" if name == "physmem" else parent
            records.append(record | {"name": name, "size_bytes": size})
        above = ["kernel/vmo"]
        for depth, kind, task in self.tree(self.raw["root_job_koid"]):
            if kind == "t" and not threads:
                continue
            record = {"id": f"{kind}/{task['koid']}", "type": kind, "koid": task["koid"]}
            record |= {"parent": above[depth], "name": task["name"]}
            above[depth + 1 :] = [record["id"]]
            if kind == "p":
                names = ("pss_bytes", "private_bytes", "shared_bytes")
                values = dict(zip(names, self.sums(task), strict=True))
                record |= {name: values[name] for name in (*names[1:], names[0])}
                if vmos and task["koid"] != self.raw["memgraph_self_koid"]:
                    record |= self.vmo_members(task)
            elif kind == "t":
                waits = task["exception_port"] != "none"
                state = task["state"].upper() if task["state"] != "unknown" else "<UNKNOWN>"
                record["state"] = "EXCEPTION" if waits else state
            records.append(record)
        return [*records, {"type": "__META", "timestamp": self.raw["timestamp"]["iso"]}]

    def vmo_members(self, process: dict[str, Any]) -> dict[str, Any]:
        """The members vmos and vmo_refs of a process record."""
        if process["state"] != "running":
            return {}
        held = self.held(process["koid"])
        mapped = self.mapped(process["koid"])
        entries = [
            {
                "koid": vmo["koid"],
                "name": vmo["name"],
                "size_bytes": vmo["size"],
                "parent_koid": self.vmos[vmo["parent"]]["koid"] if vmo["parent"] else 0,
                "num_children": sum(other["parent"] == vmo["id"] for other in self.raw["vmos"]),
                "num_mappings": len(self.maps[vmo["id"]]),
                "share_count": self.share_count(vmo["id"]),
                "committed_bytes": self.committed(vmo),
            }
            for vmo in [*(self.by_koid[handle["koid"]] for handle in held), *mapped]
        ]
        refs: list[dict[str, Any]] = [
            {
                "vmo_koid": handle["koid"],
                "via": ["HANDLE"],
                "handle_rights": [
                    name for _, name, bit in RIGHTS if int(handle["rights"], 16) & bit
                ],
            }
            for handle in held
        ]
        refs += [{"vmo_koid": vmo["koid"], "via": ["MAPPING"]} for vmo in mapped]
        return {"vmos": entries, "vmo_refs": refs} if entries else {}

    def memgraph_text(self, threads: bool = False, vmos: bool = False) -> str:
        """The records in the tool's own spacing."""
        lines = []
        for record in self.memgraph(threads, vmos):
            flat = {k: v for k, v in record.items() if k not in ("vmos", "vmo_refs")}
            line = "  " + json.dumps(flat, ensure_ascii=False).removesuffix("}")
            for member in ("vmos", "vmo_refs"):
                if member in record:
                    entries = [json.dumps(e, ensure_ascii=False) for e in record[member]]
                    inner = ",\n      ".join(entries)
                    line += f',\n   "{member}": [\n      {inner} \n   ]'
            lines.append(line + "}")
        return "[\n" + ",\n".join(lines) + "\n]\n"


def walk(vmar: dict[str, Any], depth: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every node below and including a VMAR, depth first."""
    yield depth, vmar
    for child in vmar.get("children", []):
        yield from walk(child, depth + 1)


def rights(handle: dict[str, Any]) -> str:
    """``rwxmdt`` with dashes."""
    mask = int(handle["rights"], 16)
    return "".join(letter if mask & bit else "-" for letter, _, bit in RIGHTS)


def number(value: int) -> str:
    """C's ``%#x``."""
    return hex(value) if value else "0"
