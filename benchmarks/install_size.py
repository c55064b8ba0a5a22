"""What ``pip install .`` puts on the disk, package by package.

    python benchmarks/install_size.py [--least 5]

Of the packages that are installed here, those that sparsefit needs and those that they need in
turn, largest first, and apart from them torch and what it alone brings.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

TOY: list[str] = []


def main(argv: Sequence[str] | None = None) -> None:
    """Print the sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--least", type=float, default=5, help="megabytes of what is named")
    least = parser.parse_args(argv).least
    own = sizes("sparsefit", without=("torch",))
    with_torch = sizes("torch", without=tuple(own))
    for title, found in (("without torch", own), ("torch and what it brings", with_torch)):
        print(f"{title}: {sum(found.values()):.0f} MB")
        for name, size in sorted(found.items(), key=lambda item: -item[1]):
            if size >= least:
                print(f"  {name:<20} {size:6.0f}")


def sizes(root: str, without: tuple[str, ...]) -> dict[str, float]:
    """Return the megabytes of a package and all that it needs, by name."""
    found: dict[str, float] = {}
    waiting = [root]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found or name in without:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # needed elsewhere, as on another system
            continue
        files = [Path(str(package.locate_file(file))) for file in package.files or ()]
        found[name] = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
        needs = [need for need in package.requires or () if "extra ==" not in need]
        waiting += [re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0] for need in needs]
    return found


if __name__ == "__main__":
    main()
