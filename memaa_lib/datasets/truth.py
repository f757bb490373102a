"""Where a twin keeps its ground truth, beside the release and outside of the set's own layout.

``_memaa_truth/truth.json`` says what the twin is (data set, seed, difficulty, versions, clips); its
presence is what makes a folder a twin. ``_memaa_truth/<subject>/<clip>.npz`` holds the truth of one
clip.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError

TRUTH_FOLDER = "_memaa_truth"
LEVELS_ABOVE = 4  # a user may point at twin/SMIC_all_cropped/HS
LEVELS_TO_ROOT = 10  # a clip lies at most this deep in a twin


def find_truth_folder(path: Path | str, levels: int = LEVELS_ABOVE) -> Path | None:
    """Return the truth folder of the twin that ``path`` is or lies in; ``None`` if it is no twin."""
    path = Path(path).absolute()
    for folder in (path, *path.parents[:levels]):
        if (folder / TRUTH_FOLDER / "truth.json").is_file():
            return folder / TRUTH_FOLDER
    return None


def read_truth(twin_root: Path | str) -> dict[str, Any]:
    """Read what a twin says about itself, from its folder or one inside it.

    The keys are ``dataset, variant, seed, difficulty, defects, full, clips_asked, generator,
    versions, complete, counts, annotated, known_defects, not_rendered, clips``; each entry of
    ``clips`` has ``subject, clip, label, emotion, onset, apex, offset`` (frame numbers), ``folder``
    (relative to the root) and ``digits``.
    """
    folder = find_truth_folder(twin_root)
    if folder is None:
        raise InputError(
            f"{twin_root}: no synthetic twin; expected a folder that memaa data twin wrote"
        )
    try:
        content = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(
            f"{folder / 'truth.json'}: damaged ({error}); write the twin again"
        ) from None
    if not isinstance(content, dict) or "dataset" not in content or "clips" not in content:
        raise InputError(f"{folder / 'truth.json'}: not a twin's truth file; write the twin again")
    return content


def clip_truth_path(twin_root: Path | str, subject: str, clip: str) -> Path:
    """Return where the truth of one clip (canonical ids) is kept below the twin's folder."""
    return Path(twin_root) / TRUTH_FOLDER / subject / f"{clip}.npz"


def read_clip_truth(twin_root: Path | str, subject: str, clip: str) -> dict[str, NDArray[Any]]:
    """Read the ground truth of one clip (canonical ids) of a twin, from its folder or one inside it.

    ``frame_numbers (T,)`` int64; ``landmarks (T, 68, 2)`` float32 px; ``action_unit_weights (T,
    K)`` float32 for the names ``action_units (K,)``; ``peak_px`` the greatest motion of the face
    against the onset, px; ``label``, ``emotion``; ``onset, apex, offset`` in frame numbers; and
    whatever else the renderer states about the clip.
    """
    folder = find_truth_folder(twin_root)
    if folder is None:
        raise InputError(
            f"{twin_root}: no synthetic twin; expected a folder that memaa data twin wrote"
        )
    path = clip_truth_path(folder.parent, subject, clip)
    if not path.is_file():
        raise InputError(f"{path}: no ground truth; the clip was not rendered in this twin")
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
