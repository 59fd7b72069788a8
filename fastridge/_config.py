"""Report the instruction set, BLAS, threads and versions."""

import platform
from typing import Literal, TypedDict


class Simd(TypedDict):
    """The instruction set in use, and those that the machine can run."""

    picked: str
    available: list[str]


class Blas(TypedDict):
    """A loaded BLAS library."""

    library: str
    version: str | None
    architecture: str | None
    threads: int


class Config(TypedDict):
    """The report of `show_config`."""

    simd: Simd
    threads: dict[str, int]
    blas: list[Blas]
    versions: dict[str, str]


def show_config(mode: Literal["stdout", "dicts"] = "stdout") -> Config | None:
    """Print or return the chosen instruction set, BLAS, threads and versions.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, default="stdout"
        ``"dicts"`` returns the report instead of printing it.

    Returns
    -------
    dict or None
        With ``mode="dicts"`` the report, under ``"simd"``, ``"threads"``, ``"blas"`` and
        ``"versions"``; otherwise None.

    Raises
    ------
    ValueError
        If `mode` has another value.

    See Also
    --------
    numpy.show_config : What NumPy was built with.

    Examples
    --------
    >>> import fastridge
    >>> sorted(fastridge.show_config(mode="dicts"))
    ['blas', 'simd', 'threads', 'versions']
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode must be 'stdout' or 'dicts', got {mode!r}.")
    import numpy
    import scipy
    import scipy.linalg
    import sklearn
    import threadpoolctl

    from fastridge import _kernels
    from fastridge._version import __version__
    from fastridge.runtime.threads import resolve_threads

    facts: Config = {
        "simd": {"picked": _kernels.simd, "available": list(_kernels.available)},
        "threads": {"fastridge": resolve_threads(None)},
        "blas": [
            {
                "library": info["internal_api"],
                "version": info["version"],
                "architecture": info.get("architecture"),
                "threads": info["num_threads"],
            }
            for info in threadpoolctl.threadpool_info()
            if info["user_api"] == "blas"
        ],
        "versions": {
            "fastridge": __version__,
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }
    if mode == "dicts":
        return facts
    print(f"SIMD      {facts['simd']['picked']} (of {', '.join(facts['simd']['available'])})")
    print(f"threads   {facts['threads']['fastridge']}")
    for blas in facts["blas"]:
        print(
            f"BLAS      {blas['library']} {blas['version']} ({blas['architecture']}), "
            f"{blas['threads']} threads"
        )
    for name, version in facts["versions"].items():
        print(f"{name:<13} {version}")
    return None
