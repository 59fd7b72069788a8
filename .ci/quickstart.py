"""Write the first two `sh` blocks of a Markdown file, one command line each, to files 1 and 2."""

import re
import sys
from pathlib import Path

readme, folder = Path(sys.argv[1]), Path(sys.argv[2])
text = readme.read_text(encoding="utf-8")
blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
if len(blocks) < 2:
    sys.exit(f"{readme}: {len(blocks)} fenced sh blocks, but the quick start needs two")
folder.mkdir()
for number, block in enumerate(blocks[:2], start=1):
    if len(block.splitlines()) != 1:
        sys.exit(f"{readme}: sh block {number} is not one command line:\n{block}")
    (folder / str(number)).write_text(block, encoding="utf-8")
