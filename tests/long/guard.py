"""Run the book's pages on a marked set and search the mark in all that they publish: `make long CHECK=guard`.

Some clips of a twin, in the set's own layout but without the twin's signature, count as a real set. A
hidden pattern is put into their faces (watermark.py). Then a copy of the book runs its
pages on them as `memaa book` does, and the pattern is searched in every image, video and embedded image
of book/, _build/ and results/. Two controls: a page that shows such a face must be refused, and where
the subject is allowed the same search must find the pattern.

What is found goes into results/trust.json. It needs a cache with the twin and the starting weights, as
`make book` leaves it, and takes some minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from memaa_lib._support.cache import cache_root
from memaa_lib.datasets import load_index
from memaa_lib.datasets.twins.release import ensure_twin
from tests.long import trust_results, watermark

ROOT = trust_results.ROOT
DATASET = "casme2"
CLIPS_A_CLASS = 3
PAGES = [f"book/pages/{stem}" for stem in (
    "02_amplification_factor", "03_frame_removal", "04_landmark_alignment",
    "05_emotion_avatar", "06_network_and_training", "07_results",
)]  # fmt: skip
FRONT = "book/pages/00_front"
OWN = "book/pages/98_own"
OWN_PAGE = """---
jupytext:
  formats: ipynb,md:myst
  notebook_metadata_filter: memaa
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
memaa:
  sets: [casme2]
---

(page-own)=
# A page that shows what it must not

```{code-cell} ipython3
:tags: [parameters]

dataset: str = "casme2"  # which set
root: str = ""           # where it lies
```

```{code-cell} ipython3
from memaa_lib import figures
from memaa_lib.datasets import load_clip, load_index

clip = load_clip(load_index(dataset, root or None).iloc[0])
figures.faces(list(clip.frames[:2]));
```
"""


def few_clips(twin: Path) -> list[Path]:
    """Return the folders of some clips of each class, of as few subjects as can be."""
    index = load_index(DATASET, twin)
    busy = index.groupby("subject")["label"].nunique().sort_values(ascending=False, kind="stable")
    index = index.assign(rank=index["subject"].map({s: n for n, s in enumerate(busy.index)}))
    chosen = index.sort_values(["rank", "clip"], kind="stable").groupby("label").head(CLIPS_A_CLASS)
    return [Path(path) for path in chosen["path"]]


def copy_project(folder: Path, pages: list[str]) -> None:
    """Copy what a book is made of, with a table of contents of some pages."""
    for name in ("notebooks", "book", "data_manifests"):
        ignored = shutil.ignore_patterns("runs", "pages", "*.ipynb", "__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "_config.yml", folder)
    shutil.copytree(ROOT / "results", folder / "results")
    (folder / "notebooks" / "98_own.md").write_text(OWN_PAGE, "utf-8")
    toc = {"format": "jb-book", "root": pages[0], "chapters": [{"file": p} for p in pages[1:]]}
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc), "utf-8")


def build(folder: Path, release: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Build the copied book with the marked set as a real one."""
    cache = folder / "cache"
    cache.mkdir(exist_ok=True)
    for name in ("twins", "pretraining"):
        if not (cache / name).exists():
            (cache / name).symlink_to(cache_root() / name)
    environment = os.environ | {
        "MEMAA_PROJECT": str(folder),
        "MEMAA_CACHE": str(cache),
        f"MEMAA_{DATASET.upper()}_ROOT": str(release),
    }
    command = [str(Path(sys.executable).with_name("memaa")), "book", "--dataset", DATASET]
    command += ["--jobs", "1", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def strongest(folder: Path, size: tuple[int, int]) -> tuple[int, str, float]:
    """Search the pattern in all that is published; number of pictures, strongest place and value."""
    places = [folder / name for name in ("book", "_build", "results")]
    found = watermark.search(places, *size)
    name = max(found, key=lambda key: found[key]) if found else "nothing"
    return len(found), name.replace(f"{folder}/", ""), found.get(name, -1.0)


def main() -> None:
    """Run all three builds and say what was found."""
    twin = ensure_twin(DATASET)
    clips = few_clips(twin)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        release = Path(place, "release")
        watermark.mark_release(twin, release, clips)
        frame = watermark.read_image(next(iter(sorted(release.rglob("*.jpg")))))
        size = (frame.shape[0], frame.shape[1])

        book = Path(place, "pages")
        copy_project(book, [FRONT, *PAGES])
        done = build(book, release)
        print(done.stderr)
        made = sorted(path.stem for path in (book / "book" / "runs").rglob("*.ipynb"))
        pictures, where, value = strongest(book, size)
        print(f"{len(made)} pages, {pictures} pictures: strongest {value:.3f} ({where})")

        own = Path(place, "own")
        copy_project(own, [FRONT, OWN])
        refused = build(own, release)
        print(refused.stderr)
        left = strongest(own, size)

        subjects = sorted({clip.parent.name for clip in clips})
        options = [f"--allow-subject={DATASET}/{subject}" for subject in subjects]
        allowed = build(own, release, *options)
        print(allowed.stderr)
        control = strongest(own, size)
    result: dict[str, Any] = {
        "clips": len(clips),
        "pages": len(made),
        "pictures": pictures,
        "strongest": round(value, 3),
        "threshold": watermark.THRESHOLD,
        "own_page_refused": refused.returncode == 3 and "may not be published" in refused.stderr,
        "own_page_left": round(left[2], 3),
        "own_page_allowed": round(control[2], 3),
        "seconds": round(time.monotonic() - started),
    }
    print(result)
    trust_results.write("watermark", result)
    good = (
        done.returncode == 0
        and len(made) == 1 + len(PAGES)
        and value < watermark.THRESHOLD
        and result["own_page_refused"]
        and left[2] < watermark.THRESHOLD <= control[2]
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
