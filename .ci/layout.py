"""Check that the layout in CONTRIBUTING.md is complete, and that the files named there exist."""

import re
import subprocess
import sys
from pathlib import Path

PATH = re.compile(r"`([\w./-]+(?:\.(?:py|pyx|pxd|h|pyi|md|toml|txt|yml)|/))`")

listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True)
files = listed.stdout.split()
folders = {f"{parent}/" for file in files for parent in Path(file).parents}
faults = []
for page in ("CONTRIBUTING.md", "docs/design.md"):
    for name in PATH.findall(Path(page).read_text(encoding="utf-8")):
        if not any(f"/{path}".endswith(f"/{name}") for path in (*files, *folders)):
            faults.append(f"{page} names {name}, which does not exist")
table = set(PATH.findall(Path("CONTRIBUTING.md").read_text(encoding="utf-8")))
for folder in sorted(folders):
    if re.fullmatch(r"fastridge/\w+/", folder) and not {folder, folder[10:]} & table:
        faults.append(f"CONTRIBUTING.md does not name the folder {folder}")
sys.exit("\n".join(faults) or 0)
