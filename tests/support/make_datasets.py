"""Write the datasets that are scenarios, as machine descriptions (`make datasets`)."""

from __future__ import annotations

from pathlib import Path

from magmem import scenarios

FOLDER = Path(__file__).parent.parent.parent / "datasets"
MADE = {
    "guide-ps-machine": "guide_ps",
    "guide-vmaps-machine": "guide_vmaps",
    "guide-vmos-machine": "guide_vmos",
    "guide-kstats-machine": "guide_kstats",
    "guide-asd-machine": "guide_asd",
    "fresh-boot": "fresh_boot",
}
"""Dataset name to the scenario whose state it holds."""

if __name__ == "__main__":
    for name, scenario in MADE.items():
        scenarios.make(scenario).snapshot(name=name).save(FOLDER / f"{name}.json")
        print(FOLDER.name, name)
