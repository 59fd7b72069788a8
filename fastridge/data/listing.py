"""Which files of a folder hold rows."""

import os
from collections.abc import Sequence


def files_in(folder: str, endings: Sequence[str]) -> list[str]:
    """The files in a folder and those below it that have one of the endings, in order.

    What begins with a dot or an underscore is left alone, as writers of tables mean it to be.
    """
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        found += [
            os.path.join(where, name)
            for name in names
            if name.lower().endswith(tuple(endings)) and not name.startswith((".", "_"))
        ]
    return sorted(found)
