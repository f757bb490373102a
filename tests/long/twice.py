"""Build the book twice, each time from nothing, and compare every byte.

Each build is a new clone of the last commit with an environment and an empty cache of its own, so
twins, avatars, weights and folds are all made twice. Takes about 40 minutes and 20 GB.

    python -m tests.long.twice
    python -m tests.long.twice --built CLONE CLONE      # compare two that are there already

What is compared: every file of the built HTML, and the weights that pre-training ended with (from
the folders `cache` in the clones).
"""

from __future__ import annotations

import argparse
import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.long import trust_results

ROOT = trust_results.ROOT
console = Console()


def build(clone: Path) -> None:
    """Clone the last commit and build its book, with a cache in the clone."""
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    environment = {**os.environ, "MEMAA_CACHE": str(clone / "cache")}
    with (clone / "build.log").open("w") as log, console.status(f"make book in {clone}"):
        done = subprocess.run(
            ["make", "book"], cwd=clone, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    if done.returncode:
        sys.exit(f"make book failed in {clone}; see {log.name}")


def compared_files(clone: Path) -> set[Path]:
    """Names, relative to the clone, of what has to be equal."""
    html = (clone / "_build" / "html").rglob("*")
    weights = (clone / "cache" / "pretraining").glob("*.pth")
    return {path.relative_to(clone) for path in (*html, *weights) if path.is_file()}


def compare(first: Path, second: Path) -> dict[str, object]:
    """Count the files of both clones and name those that are not the same."""
    names = [compared_files(clone) for clone in (first, second)]
    if not all(any(name.suffix == ".pth" for name in some) for some in names):
        sys.exit("no pages or no weights; expected two clones in which `make book` has ended well")
    both = sorted(names[0] & names[1])
    differ = [name for name in both if not filecmp.cmp(first / name, second / name, shallow=False)]
    only_one = sorted(names[0] ^ names[1])
    return {
        "files": len(names[0] | names[1]),
        "weights": sum(name.suffix == ".pth" for name in both),
        "differ": [str(name) for name in differ],
        "only in one": [str(name) for name in only_one],
    }


def main() -> None:
    """Build, compare, write the result into results/trust.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--built", nargs=2, type=Path, metavar="CLONE")
    built = parser.parse_args().built
    if built:
        found = compare(*built)
    else:
        with tempfile.TemporaryDirectory(prefix="memaa-twice-") as folder:
            clones = [Path(folder, name) for name in ("first", "second")]
            for clone in clones:
                build(clone)
            found = compare(*clones)
    trust_results.write("two_builds", found)
    for name, value in found.items():
        console.print(f"{name}: {value}", soft_wrap=True)
    console.print(f"written to {trust_results.FILE}", soft_wrap=True)
    sys.exit(1 if found["differ"] or found["only in one"] else 0)


if __name__ == "__main__":
    main()
