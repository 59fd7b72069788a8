"""Hold that each lower bound in pyproject.toml is pinned in the file of oldest versions."""

import re
import sys
import tomllib
from pathlib import Path

REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?(>=|==)([0-9.]+)")
UNTESTED = {"asv", "numpydoc", "sphinx"}  # no part of the package: benchmarks, documentation

pyproject = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
project = pyproject["project"]
bounds = [*pyproject["build-system"]["requires"], *project["dependencies"]]
for extra in project["optional-dependencies"].values():
    bounds.extend(extra)
pins = {}
for line in Path(sys.argv[2]).read_text(encoding="utf-8").splitlines():
    if pin := REQUIREMENT.fullmatch(line.strip()):
        pins[pin[1].lower()] = pin[3]


def release(version):
    """The numbers of a version, without trailing zeros."""
    return re.sub(r"(\.0)+$", "", version)


faults = []
for bound in bounds:
    match = REQUIREMENT.fullmatch(bound.replace(" ", ""))
    if match is None:
        faults.append(f"{bound!r} in {sys.argv[1]} has no lower bound")
    elif match[1].lower() not in UNTESTED and release(pins.get(match[1].lower(), "")) != release(
        match[3]
    ):
        found = pins.get(match[1].lower(), "nothing")
        faults.append(f"{bound!r} in {sys.argv[1]}, but {sys.argv[2]} pins {found}")
sys.exit("\n".join(faults))
