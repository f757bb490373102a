"""Build the book of a licensee who has one, two or all three data sets, on photographed faces.

The trees are those of ``tests/photographs.py``: official layouts, no twin's signature. Each book is made by
`memaa book` in a copy of the project, with the licence guard on. What it says of its data is then read.

    python -m tests.long.own_data                 # one, two and three sets
    python -m tests.long.own_data casme2 samm     # these two

One page shows one of the photographs that the trees are made of. Here it shows the negative, which the guard
does not take for that face.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from memaa_book import guard
from rich.console import Console

from memaa_lib.paper import DATASET_TITLES, DATASETS
from tests.long.harness import MEMAA, ROOT
from tests.photographs import write_photographs

SAME_FACE = "01_motion_magnification.md"  # the astronaut
COPIED = ("book", "notebooks", "_config.yml", "_toc.yml")
OF_TWINS = ("00_front", "12_synthetic_twins", "15_avatar_repaired", "17_live_magnifier")
OF_THE_TWIN = re.compile(r"twin|synthetic", re.IGNORECASE)
console = Console()


def copy_project(place: Path) -> None:
    """Copy what makes a book, without what was made, and with a negative for the face of the trees."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("runs", "pages"))
        else:
            shutil.copy(source, place / name)
    page = place / "notebooks" / SAME_FACE
    shown = page.read_text("utf-8")
    page.write_text(shown.replace("figures.raised_brows(", "255 - figures.raised_brows("), "utf-8")


def build(sets: tuple[str, ...], trees: dict[str, Path]) -> list[str]:
    """Build the book of somebody who has these sets; return what is wrong with it."""
    with tempfile.TemporaryDirectory(prefix="memaa-own-") as folder:
        place = Path(folder)
        copy_project(place)
        roots = {f"MEMAA_{name.upper()}_ROOT": str(trees[name]) for name in sets}
        chosen = [word for name in sets for word in ("--dataset", name)] if len(sets) < 3 else []
        done = subprocess.run(
            [MEMAA, "book", *chosen],
            cwd=place,
            env=os.environ | roots | {"MEMAA_PROJECT": str(place)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            return [done.stderr[-2000:]]
        html = place / "_build" / "html"
        guard.check_folder(html, guard.gated_clips({name: trees[name] for name in sets}))
        return wrong_words(place / "book" / "runs", sets)


def wrong_words(runs: Path, sets: tuple[str, ...]) -> list[str]:
    """Read what each run says of its data: the box at its end names it."""
    wrong = []
    for path in sorted(runs.glob("*/*.ipynb")):
        cells, dataset = nbformat.read(path, as_version=4).cells, path.parent.name
        boxes = [
            output.data["text/html"]
            for cell in cells
            for output in cell.get("outputs", [])
            if "memaa-provenance" in output.get("data", {}).get("text/html", "")
        ]
        rows = BeautifulSoup("".join(boxes), "html.parser").select("tr")
        box = {row.th.get_text(): row.td.get_text() for row in rows}
        said = box.get("data", "")
        if any("was left out" in cell.source for cell in cells[:2]):
            if len(sets) == len(DATASETS):
                wrong.append(f"{dataset}/{path.stem}: left out though all sets are there")
        elif dataset in sets and (
            not said.startswith(DATASET_TITLES[dataset]) or OF_THE_TWIN.search(said)
        ):
            wrong.append(f"{dataset}/{path.stem}: ran on {said!r}")
        elif path.stem in OF_TWINS and not all(map(OF_THE_TWIN.search, said.split("; "))):
            wrong.append(f"{path.stem}: shows twins, and says it ran on {said!r}")
    return wrong


def main(names: tuple[str, ...]) -> int:
    """Build the books and say what is wrong."""
    books = [names] if names else [("casme2",), ("smic", "samm"), tuple(DATASETS)]
    with tempfile.TemporaryDirectory(prefix="memaa-trees-") as folder:
        trees = {name: write_photographs(name, Path(folder, name)).root for name in DATASETS}
        found = {}
        for sets in books:
            with console.status(f"memaa book, with {', '.join(sets)}"):
                found[sets] = build(sets, trees)
            console.print(f"{', '.join(sets)}: {'; '.join(found[sets]) or 'as it should be'}")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
