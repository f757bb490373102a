"""Writing a synthetic twin: rendered faces in a data set's own layout, with the truth beside it.

A twin has the real set's subjects, clips per subject and class, frame rate, clip lengths, folders,
frame names and spreadsheet with its quirks. The people are rendered and belong to no real set. What
is known to be wrong in the real release is put in on request (``defects``).
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import json
import logging
import math
import platform
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import memaa_lib
from memaa_lib._support.cache import atomic_path, cache_root, fingerprint
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import in_parallel, progress
from memaa_lib.clips import write_image
from memaa_lib.datasets.manifests import DatasetManifest, KnownHole, load_manifest
from memaa_lib.datasets.truth import TRUTH_FOLDER, clip_truth_path, read_clip_truth, read_truth
from memaa_lib.datasets.twins.annotation import write_spreadsheets
from memaa_lib.datasets.twins.contents import (
    PlannedClip,
    choose_some,
    plan_release,
    random_generator,
)
from memaa_lib.paper import CLASSES
from memaa_lib.synthetic.head import HEAD_FILE

__all__ = ["ensure_twin", "read_clip_truth", "read_truth", "rebuild_clip", "write_twin"]

logger = logging.getLogger(__name__)

DEFAULT_DIFFICULTY = 0.5
JPEG_QUALITY = 95
_WHY_NOT_RENDERED = (
    "annotated but outside of the composite; the twin renders such clips only when asked (full)"
)


@dataclasses.dataclass(frozen=True)
class TwinSettings:
    """What a twin's bytes depend on, apart from the generator; see :func:`write_twin`."""

    dataset: str
    variant: str
    seed: int = 0
    difficulty: float = DEFAULT_DIFFICULTY
    defects: bool = False
    full: bool = False
    clips: int | None = None

    def __post_init__(self) -> None:
        """Check what was given."""
        manifest = load_manifest(self.dataset)
        if self.variant not in manifest.variants:
            raise InputError(
                f"variant {self.variant!r}: {self.dataset} has {', '.join(manifest.variants)}; "
                "choose one"
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"seed is {self.seed!r}, expected a whole number of at least 0")
        if (
            isinstance(self.difficulty, bool)
            or not isinstance(self.difficulty, (int, float))
            or not 0 <= self.difficulty <= 1
        ):
            raise InputError(f"difficulty is {self.difficulty!r}, expected a number from 0 to 1")
        if self.clips is not None and (
            isinstance(self.clips, bool) or not isinstance(self.clips, int) or self.clips < 1
        ):
            raise InputError(f"clips is {self.clips!r}, expected a whole number of at least 1")


def write_twin(
    dataset: str,
    out: Path | str | None = None,
    *,
    clips: int | None = None,
    seed: int = 0,
    difficulty: float = DEFAULT_DIFFICULTY,
    defects: bool = False,
    full: bool = False,
    variant: str | None = None,
    n_jobs: int = 2,
) -> Path:
    """Write a synthetic twin of a data set.

    Parameters
    ----------
    dataset
        ``"smic"``, ``"casme2"``, ``"samm"``, or ``"further"`` (identities that no twin has, for
        pre-training).
    out
        A new folder, or one with an unfinished twin of the same settings, which is gone on with; a
        folder in the user's cache by default.
    clips
        About how many clips, spread over subjects and classes; all by default.
    seed
        Another seed gives other people and other clips.
    difficulty
        From 0 to 1. The default, 0.5, was chosen so that simple flow features score about as on
        real sets; that is a choice, not evidence that the twin is as hard.
    defects
        Put in the known holes of the release (missing clips and frames, impossible apexes).
    full
        Render the annotated clips outside of the composite too. A clip whose emotion has no class
        shows an expression of some class.
    variant
        ``"cropped"`` or ``"raw"`` where the set has both.
    n_jobs
        Processes. The bytes do not depend on it.

    Returns
    -------
    pathlib.Path
        The twin's folder.

    Raises
    ------
    InputError
        If a value is out of range or the folder holds something else.

    Notes
    -----
    A clip is finished when its truth file is there, which is written last; a stopped run keeps
    finished clips. Two runs into one folder do each other no harm.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     twin = write_twin("further", Path(folder, "twin"), clips=1, n_jobs=1)
    ...     clip = read_truth(twin)["clips"][0]
    ...     clip["clip"], len(list((twin / clip["folder"]).iterdir()))
    ('f001_ne_01', 28)
    """
    manifest = load_manifest(dataset)
    settings = TwinSettings(
        dataset,
        variant or manifest.twin.default_variant,
        seed,
        float(difficulty) if not isinstance(difficulty, (bool, str)) else difficulty,
        defects,
        full,
        clips,
    )
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1:
        raise InputError(f"n_jobs is {n_jobs!r}, expected a whole number of processes, at least 1")
    root = _cache_path(settings) if out is None else Path(out)
    planned = _planned(settings)
    truth = _describe(settings, planned)
    _claim(root, truth)
    rendered = [clip for clip in planned if clip.key not in truth["not_rendered"]]
    _render(root, settings, rendered, n_jobs)
    units = {clip.key: _released_units(root, clip) for clip in planned}
    write_spreadsheets(root, manifest, planned, units, defects=defects)
    _write_json(root, {**truth, "complete": True})
    return root


def ensure_twin(dataset: str, n_jobs: int = 2) -> Path:
    """Return the whole twin of a data set in the user's cache; make it if it is not there or damaged.

    Parameters
    ----------
    dataset
        ``"smic"``, ``"casme2"``, ``"samm"`` or ``"further"``.
    n_jobs
        Processes to make it with.

    Returns
    -------
    pathlib.Path
        The twin's folder. Making it takes a few minutes, once.
    """
    path = twin_cache_path(dataset)
    _forget_damaged_twin(path)
    if (path / TRUTH_FOLDER / "truth.json").is_file() and read_truth(path)["complete"]:
        return path
    logger.warning("%s: making the synthetic twin in %s (once; a few minutes)", dataset, path)
    return write_twin(dataset, path, n_jobs=n_jobs)


def _forget_damaged_twin(kept: Path) -> None:
    """Remove a twin from the user's cache that nobody can tell from other files any more."""
    if not kept.is_dir():
        return
    try:
        read_truth(kept)
    except InputError:
        if not any(path.is_file() and path.name[0] != "." for path in kept.rglob("*")):
            return  # another run is just beginning it
        logger.warning("%s: its truth file is missing or damaged; the twin is made anew", kept)
        shutil.rmtree(kept, ignore_errors=True)


def twin_cache_path(dataset: str) -> Path:
    """Return where the whole twin of a data set is kept in the user's cache, made or not."""
    variant = load_manifest(dataset).twin.default_variant
    return _cache_path(TwinSettings(dataset, variant))


def generator_signature(dataset: str) -> str:
    """Return 16 hexadecimal digits that change with the renderer or the facts behind a twin.

    Comments, docstrings and layout of the source do not matter.
    """
    manifest = load_manifest(dataset)
    facts = manifest.model_dump_json(
        include={"fps", "naming", "variants", "annotation", "label_map", "composite", "annotated"}
        | {"known_holes", "apex_overrides", "twin"}
    )
    return fingerprint(_source_signature(), facts)


def rebuild_clip(twin_root: Path | str, subject: str, clip: str) -> tuple[Any, Any]:
    """Make the rig and the plan of a twin's clip again.

    Parameters
    ----------
    twin_root
        The twin's folder.
    subject, clip
        Canonical ids.

    Returns
    -------
    rig : FaceRig
    plan : ClipPlan
        For :func:`memaa_lib.synthetic.true_flow` (dense motion between two frames) and
        :func:`memaa_lib.synthetic.render_clip` (without noise, or truly magnified). Takes seconds.

    Raises
    ------
    InputError
        If the folder is no twin, another version of the generator wrote it, or it has no such clip.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     twin = write_twin("further", Path(folder, "twin"), clips=1, n_jobs=1)
    ...     rig, plan = rebuild_clip(twin, "f001", "f001_ne_01")
    >>> rig.camera.name, plan.label, plan.n_frames
    ('smic', 'negative', 28)
    """
    truth = read_truth(twin_root)
    if truth["generator"] != generator_signature(truth["dataset"]):
        raise InputError(
            f"{twin_root}: another version of the generator wrote this twin; write it again"
        )
    settings = TwinSettings(
        truth["dataset"], truth["variant"], truth["seed"], truth["difficulty"],
        truth["defects"], truth["full"], truth["clips_asked"],
    )  # fmt: skip
    for planned in _planned(settings):
        if (planned.subject, planned.clip) == (subject, clip):
            rig = _make_rig(settings, subject)
            return rig, _plan_clip(rig, settings, planned)
    raise InputError(f"{twin_root}: no clip {subject}/{clip} in this twin; see its index")


@functools.lru_cache(maxsize=1)
def _source_signature() -> str:
    """Fingerprint the code that makes a twin, without comments and docstrings, and the head's data."""
    renderer = HEAD_FILE.parent
    twins = Path(__file__).parent
    parts: list[Any] = []
    for path in sorted([*renderer.glob("*.py"), *twins.glob("*.py"), twins.parent / "truth.py"]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
                node, clean=False
            ):
                node.body = node.body[1:] or [ast.Pass()]
        parts += [path.name, ast.unparse(tree)]
    return fingerprint(*parts, HEAD_FILE.read_bytes())


def _cache_path(settings: TwinSettings) -> Path:
    """Return the folder of a twin in the user's cache; other settings, another folder."""
    key = fingerprint(settings, generator_signature(settings.dataset))
    return cache_root() / "twins" / f"{settings.dataset}-{key}"


def _planned(settings: TwinSettings) -> list[PlannedClip]:
    """Plan the annotated clips of the twin: all, or the chosen ones."""
    if settings.dataset == "further":
        return plan_release("further", settings.seed, settings.clips)
    planned = plan_release(settings.dataset, settings.seed)
    if settings.clips is None:
        return planned
    chosen = {clip.key for clip in choose_some(planned, settings.clips)}
    if settings.defects:
        chosen |= {f"{hole.subject}/{hole.clip}" for hole in _holes(settings)}
    return [clip for clip in planned if clip.key in chosen]


def _holes(settings: TwinSettings) -> list[KnownHole]:
    """List the release's known holes that the twin gets."""
    if not settings.defects:
        return []
    return [
        hole
        for hole in load_manifest(settings.dataset).known_holes
        if settings.variant in hole.variants and hole.kind != "extra clip"
    ]


def _describe(settings: TwinSettings, planned: list[PlannedClip]) -> dict[str, Any]:
    """Make what the truth file says of the twin."""
    manifest = load_manifest(settings.dataset)
    inside = [clip for clip in planned if clip.outside is None]
    return {
        "note": "synthetic twin: rendered faces of nobody; no result on it is one on the real set",
        "dataset": settings.dataset,
        "variant": settings.variant,
        "seed": settings.seed,
        "difficulty": settings.difficulty,
        "defects": settings.defects,
        "full": settings.full,
        "clips_asked": settings.clips,
        "generator": generator_signature(settings.dataset),
        "versions": {
            "memaa": memaa_lib.__version__,
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "python": platform.python_version(),
        },
        "complete": False,
        "counts": {
            "clips": len(inside),
            "subjects": len({clip.subject for clip in inside}),
            **{label: sum(clip.label == label for clip in inside) for label in CLASSES},
        },
        "annotated": len(planned),
        "known_defects": [
            {"subject": hole.subject, "clip": hole.clip, "kind": hole.kind}
            for hole in _holes(settings)
        ],
        "not_rendered": {
            clip.key: _WHY_NOT_RENDERED
            for clip in planned
            if clip.outside is not None and not settings.full
        },
        "clips": [
            {
                "subject": clip.subject,
                "clip": clip.clip,
                "label": clip.label,
                "emotion": clip.emotion,
                "onset": clip.onset,
                "apex": clip.apex,
                "offset": clip.offset,
                "digits": clip.digits,
                "folder": clip_folder(manifest, settings.variant, clip).as_posix(),
            }
            for clip in planned
        ],
    }


def clip_folder(manifest: DatasetManifest, variant: str, clip: PlannedClip) -> Path:
    """Return where a clip's frames lie in a release, relative to its root."""
    naming = manifest.naming
    number = int("".join(c for c in clip.subject if c.isdigit()))
    parts = [manifest.variants[variant].folder, naming.subject_folder.format(number)]
    if naming.label_folders:
        parts += ["micro", str(clip.label)]
    if naming.clip_folder == "{}":
        name = clip.clip
    else:
        _, *rest = clip.clip.split("_")
        fields = [int(part) if part.isdigit() else part for part in rest]
        name = naming.clip_folder.format(number, *fields)
    return Path(*parts, name)


def _claim(root: Path, truth: dict[str, Any]) -> None:
    """Make the folder this twin's, or stop: whatever else is in it is not touched."""
    if not root.exists() or (root.is_dir() and _is_free(root)):
        _write_json(root, truth)
        return
    if not (root / TRUTH_FOLDER / "truth.json").is_file():
        raise InputError(f"{root}: not empty and no synthetic twin; name a new folder")
    there = read_truth(root)
    same = ("dataset", "variant", "seed", "difficulty", "defects", "full")
    if there.get("generator") != truth["generator"]:
        raise InputError(
            f"{root}: another version of the generator began this twin; "
            "remove it or name a new folder"
        )
    for name in same:
        if there.get(name) != truth[name]:
            raise InputError(
                f"{root}: holds a twin with {name} {there.get(name)}, now {truth[name]}; "
                "name another folder"
            )
    if not {(c["subject"], c["clip"]) for c in there["clips"]} <= {
        (c["subject"], c["clip"]) for c in truth["clips"]
    }:
        raise InputError(f"{root}: holds a larger twin of the same settings; name another folder")
    if there != {**truth, "complete": True}:
        _write_json(root, truth)


def _is_free(root: Path) -> bool:
    """Whether a folder is empty, but for what another run has there that begins now or was killed then."""
    begun = root / TRUTH_FOLDER
    return all(
        entry == begun and all(file.name.startswith(".truth-") for file in entry.iterdir())
        for entry in root.iterdir()
    )


def _write_json(root: Path, truth: dict[str, Any]) -> None:
    with atomic_path(root / TRUTH_FOLDER / "truth.json") as temporary:
        temporary.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")


def _render(root: Path, settings: TwinSettings, clips: list[PlannedClip], n_jobs: int) -> None:
    """Render what is not finished, one subject a task, the longest first."""
    todo: dict[str, list[PlannedClip]] = {}
    for clip in clips:
        if not clip_truth_path(root, clip.subject, clip.clip).is_file():
            todo.setdefault(clip.subject, []).append(clip)
    tasks = sorted(todo.items(), key=lambda item: -sum(clip.n_frames for clip in item[1]))
    total = sum(len(those) for those in todo.values())
    if not total:
        return
    with progress(f"rendering {settings.dataset}", total) as advance:
        calls = ((root, settings, subject, clips) for subject, clips in tasks)
        for done in in_parallel(_render_subject, calls, min(n_jobs, len(tasks)), ordered=False):
            advance(done)


def _render_subject(
    root: Path, settings: TwinSettings, subject: str, clips: list[PlannedClip]
) -> int:
    """Render the clips of one subject; the set-up of the face is shared."""
    from memaa_lib.synthetic import render_clip

    rig = None
    for clip in clips:
        if clip_truth_path(root, clip.subject, clip.clip).is_file():
            continue  # another run was faster
        rig = rig or _make_rig(settings, subject)
        rendered = render_clip(rig, _plan_clip(rig, settings, clip))
        _write_frames(root, settings, clip, rendered.frames)
        _write_clip_truth(root, settings, clip, rendered)
    return len(clips)


def _make_rig(settings: TwinSettings, subject: str) -> Any:
    from memaa_lib.synthetic import CAMERAS, FaceRig, sample_identity

    camera = load_manifest(settings.dataset).variants[settings.variant].camera
    return FaceRig(sample_identity(settings.dataset, subject, settings.seed), CAMERAS[camera])


def _plan_clip(rig: Any, settings: TwinSettings, clip: PlannedClip) -> Any:
    from memaa_lib.synthetic import plan_clip

    return plan_clip(
        rig,
        shown_class(clip),
        n_frames=clip.n_frames,
        apex=clip.apex - clip.onset,
        clip=clip.clip,
        seed=settings.seed,
        difficulty=settings.difficulty,
    )


def shown_class(clip: PlannedClip) -> str:
    """Return the class whose expressions a clip draws from.

    That is the label; sadness and fear are negative; any other emotion without a class gets one at
    random.
    """
    if clip.label is not None:
        return clip.label
    if clip.emotion in ("sadness", "fear"):
        return "negative"
    return str(random_generator("class", clip.key).choice(CLASSES))


def frame_name(manifest: DatasetManifest, variant: str, clip: PlannedClip, number: int) -> str:
    """Return the file name of one frame of the recording as the release has it."""
    template = manifest.variants[variant].frame
    return template.format(number=number, subject=clip.subject, digits=clip.digits)


def missing_numbers(settings: TwinSettings, clip: PlannedClip) -> set[int]:
    """Return the numbers of the frames that the twin shall lack: some or all of the clip."""
    for hole in _holes(settings):
        if (hole.subject, hole.clip) != (clip.subject, clip.clip):
            continue
        if hole.kind == "missing clip":
            return set(range(clip.onset, clip.offset + 1))
        if hole.numbers is not None:
            return set(range(hole.numbers[0], hole.numbers[1] + 1))
        step = clip.n_frames / (hole.frames + 1)
        return {clip.onset + math.floor(step * (k + 1)) for k in range(hole.frames)}
    return set()


def _write_frames(
    root: Path, settings: TwinSettings, clip: PlannedClip, frames: NDArray[np.uint8]
) -> None:
    manifest = load_manifest(settings.dataset)
    missing = missing_numbers(settings, clip)
    folder = root / clip_folder(manifest, settings.variant, clip)
    for position, frame in enumerate(frames):
        number = clip.onset + position
        if number not in missing:
            name = frame_name(manifest, settings.variant, clip, number)
            write_image(folder / name, frame, quality=JPEG_QUALITY)


def _write_clip_truth(root: Path, settings: TwinSettings, clip: PlannedClip, rendered: Any) -> None:
    """Everything but the pixels; written last, so it marks the clip as finished."""
    content: dict[str, Any] = {
        "frame_numbers": np.arange(clip.onset, clip.offset + 1),
        "onset": clip.onset,
        "apex": clip.apex,
        "offset": clip.offset,
        "label": clip.label or "",
        "emotion": clip.emotion,
        "seed": settings.seed,
        "difficulty": settings.difficulty,
    }
    for field in dataclasses.fields(rendered):
        value = np.asarray(getattr(rendered, field.name))
        if field.name in ("frames", "onset", "apex", "offset") or value.dtype == object:
            continue
        if value.dtype == np.float64 and value.ndim:
            value = value.astype(np.float32)
        content["rendered_" + field.name if field.name in content else field.name] = value
    with atomic_path(clip_truth_path(root, clip.subject, clip.clip)) as temporary:
        np.savez_compressed(temporary, **content)


def _released_units(root: Path, clip: PlannedClip) -> tuple[str, ...]:
    """Read which action units move in a clip, e.g. ``AU4L``; none if it was not rendered."""
    path = clip_truth_path(root, clip.subject, clip.clip)
    if not path.is_file():
        return ()
    with np.load(path, allow_pickle=False) as archive:
        names = archive["active_units"] if "active_units" in archive.files else ()
        return tuple(str(name) for name in names)
