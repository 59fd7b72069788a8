"""``python -m fastridge.cli``."""

import sys

from fastridge.cli import main

if __name__ == "__main__":
    sys.exit(main())
