"""``python -m fastridge``: the command line."""

import sys

from fastridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
