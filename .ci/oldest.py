"""Check that each lower bound in pyproject.toml is pinned in the file of oldest versions."""

import re
import sys
import tomllib
from pathlib import Path

REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?(>=|==)([0-9.]+)")
UNTESTED = {"bench", "docs", "torch"}  # extras that are not part of the package

pyproject = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
project = pyproject["project"]
bounds = [*pyproject["build-system"]["requires"], *project["dependencies"]]
for extra, requirements in project["optional-dependencies"].items():
    if extra not in UNTESTED:
        bounds.extend(requirements)
pins = {}
for line in Path(sys.argv[2]).read_text(encoding="utf-8").splitlines():
    if pin := REQUIREMENT.fullmatch(line.strip()):
        pins[pin[1].lower()] = pin[3]


def release(version):
    """Return the numbers of a version, without trailing zeros."""
    return re.sub(r"(\.0)+$", "", version)


faults = []
for bound in bounds:
    match = REQUIREMENT.fullmatch(bound.partition(";")[0].replace(" ", ""))
    if match is None:
        faults.append(f"{bound!r} in {sys.argv[1]} has no lower bound")
        continue
    pinned = pins.get(match[1].lower(), "nothing")
    if release(pinned) != release(match[3]):
        faults.append(f"{bound!r} in {sys.argv[1]}, but {sys.argv[2]} pins {pinned}")
sys.exit("\n".join(faults) or 0)
