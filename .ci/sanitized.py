"""Check that every compiled kernel of the installed package is built with both sanitizers."""

import importlib.machinery
import sys
import sysconfig
from pathlib import Path

kernels = Path(sysconfig.get_path("platlib"), "fastridge", "_kernels")
suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
extensions = sorted(kernels.rglob(f"*{suffix}"))
if not extensions:
    sys.exit(f"no compiled kernels in {kernels}")
for extension in extensions:
    symbols = extension.read_bytes()
    if b"__asan_report_" not in symbols or b"__ubsan_handle_" not in symbols:
        sys.exit(f"{extension} is built without AddressSanitizer or UBSan")
print(f"{len(extensions)} kernel modules are built with AddressSanitizer and UBSan")
