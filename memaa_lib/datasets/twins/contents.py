"""What a twin holds, before anything is rendered: subjects, clips, emotions, timing, names.

Subjects and their clips per class are the real set's (see the manifests). Clip names are made up in
the set's style, except those that something is known of. Lengths, apex positions and frame numbers
follow the real set's quantiles. The plan depends on the data set and the seed only, so a small
twin's clips are those of the whole one.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from memaa_lib._support.errors import InputError
from memaa_lib.datasets.manifests import DatasetManifest, PinnedClip, load_manifest
from memaa_lib.paper import CLASSES

# Additive recurrence of Roberts (R3): evenly spread in three dimensions; going on only adds points.
_R3 = 1.0 / 1.2207440846057596
_STEPS = (_R3, _R3**2, _R3**3)
_MAX_NUMBER = {4: 9999, 5: 99999}  # frame numbers by their digits


@dataclass(frozen=True)
class PlannedClip:
    """One annotated clip of a twin."""

    subject: str
    clip: str
    label: str | None  # class in the composite; None if the emotion has none
    emotion: str  # as annotated, lower case
    onset: int  # frame numbers of the recording; the apex is the true one
    apex: int
    offset: int
    written_apex: int | None  # what the spreadsheet holds; None where it has no number
    digits: int = 0  # to which the recording's frame numbers are padded, where that varies
    outside: str | None = None  # why the composite leaves the clip out; None if it does not
    emotion_by_coding: tuple[tuple[str, str], ...] = ()  # where an edition says otherwise

    @property
    def n_frames(self) -> int:
        """Number of frames from onset to offset."""
        return self.offset - self.onset + 1

    @property
    def key(self) -> str:
        """``subject/clip``."""
        return f"{self.subject}/{self.clip}"


@dataclass(frozen=True)
class _Slot:
    """A clip that is to be named and timed."""

    subject: str
    emotion: str
    pinned: PinnedClip | None = None


def random_generator(*parts: object) -> np.random.Generator:
    """Return a random generator that depends on the parts only, on every machine."""
    digest = hashlib.sha256("\0".join(str(part) for part in parts).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def plan_release(dataset: str, seed: int = 0, clips: int | None = None) -> list[PlannedClip]:
    """Plan the clips of a twin, in the order of subject and clip.

    All annotated clips are there, those outside of the composite included. ``clips`` counts for
    ``"further"`` only: how many in all.
    """
    manifest = load_manifest(dataset)
    rng = random_generator("release", dataset, seed)
    per_subject = manifest.twin.per_subject or _further_subjects(manifest, clips)
    inside = _slots_inside(manifest, per_subject, rng)
    outside = _slots_outside(manifest, list(per_subject), rng)
    names = _Names(manifest, [*inside, *outside], rng)
    planned = [
        _time(manifest, slot, names.name(slot), position)
        for position, slot in enumerate([*inside, *outside])
    ]
    return sorted(planned, key=lambda clip: (clip.subject, clip.clip))


def choose_some(planned: list[PlannedClip], clips: int) -> list[PlannedClip]:
    """Choose some of the composite's clips, spread over classes and subjects; all if there are fewer.

    They keep the order of ``planned``. Asking for more adds clips and takes none away.
    """
    if isinstance(clips, bool) or not isinstance(clips, int) or clips < 1:
        raise InputError(f"clips is {clips!r}, expected a whole number of at least 1")
    left = [clip for clip in planned if clip.outside is None]
    chosen: set[str] = set()
    taken: Counter[str] = Counter()
    turn = 0
    while left and len(chosen) < clips:
        candidates = [clip for clip in left if clip.label == CLASSES[turn % len(CLASSES)]]
        turn += 1
        if candidates:
            best = min(candidates, key=lambda clip: taken[clip.subject])  # the first of equals
            taken[best.subject] += 1
            chosen.add(best.key)
            left.remove(best)
    return [clip for clip in planned if clip.key in chosen]


def _further_subjects(
    manifest: DatasetManifest, clips: int | None
) -> dict[str, tuple[int, int, int]]:
    """Identities with the classes in turn, so that the classes are balanced."""
    each = manifest.twin.clips_per_identity_and_class * len(CLASSES)
    total = manifest.twin.identities * each if clips is None else clips
    subjects: dict[str, tuple[int, int, int]] = {}
    for first in range(0, total, each):
        here = min(each, total - first)
        name = manifest.naming.subject_id.format(first // each + 1)
        negative, positive, surprise = (math.ceil((here - k) / 3) for k in range(3))
        subjects[name] = (negative, positive, surprise)
    return subjects


def _slots_inside(
    manifest: DatasetManifest,
    per_subject: dict[str, tuple[int, int, int]],
    rng: np.random.Generator,
) -> list[_Slot]:
    """Draw the emotions of the composite's clips so that the set's totals come out."""
    pinned = [p for p in manifest.twin.pinned if _outside(manifest, p.emotion, p) is None]
    emotions = _emotion_pools(manifest, pinned, rng)
    slots = []
    for subject, counts in per_subject.items():
        for label, count in zip(CLASSES, counts, strict=True):
            here = [
                p for p in pinned if p.subject == subject and manifest.label_of(p.emotion) == label
            ]
            slots += [_Slot(subject, p.emotion, p) for p in here]
            slots += [
                _Slot(subject, emotions[label].pop() if emotions else label)
                for _ in range(count - len(here))
            ]
    return slots


def _emotion_pools(
    manifest: DatasetManifest, pinned: list[PinnedClip], rng: np.random.Generator
) -> dict[str, list[str]]:
    """Class -> its emotions in random order, as often as the set has them; empty if it has none."""
    if not manifest.twin.emotions:
        return {}
    left = Counter(manifest.twin.emotions)
    left.subtract(p.emotion for p in pinned)
    pools: dict[str, list[str]] = {label: [] for label in CLASSES}
    for emotion, count in left.items():
        pools[manifest.label_of(emotion) or ""] += [emotion] * count
    return {label: [str(e) for e in rng.permutation(pool)] for label, pool in pools.items()}


def _slots_outside(
    manifest: DatasetManifest, subjects: list[str], rng: np.random.Generator
) -> list[_Slot]:
    """Annotated clips that the composite leaves out: known ones, then as many as the set has."""
    pinned = [p for p in manifest.twin.pinned if _outside(manifest, p.emotion, p) is not None]
    slots = [_Slot(p.subject, p.emotion, p) for p in pinned]
    for subject, counts in manifest.twin.excluded_subjects.items():
        slots += [_Slot(subject, emotion) for emotion, n in counts.items() for _ in range(n)]
    have = Counter(slot.emotion for slot in slots) + Counter(manifest.twin.emotions)
    if manifest.twin.emotions:
        for emotion, total in manifest.annotated.items():
            drawn = rng.choice(len(subjects), size=max(total - have[emotion], 0))
            slots += [_Slot(subjects[int(i)], emotion) for i in drawn]
    return slots


def _outside(manifest: DatasetManifest, emotion: str, pinned: PinnedClip | None) -> str | None:
    """Why the composite leaves a clip out."""
    if manifest.label_of(emotion) is None:
        return f"emotion {emotion!r} has no class in the composite"
    if manifest.composite.needs_usable_apex and pinned is not None:
        if pinned.no_apex:
            return "no apex is annotated"
        if pinned.apex is not None and pinned.apex == pinned.onset:
            return "the apex is not after the onset"
    return None


class _Names:
    """Clip names in the set's style, unique within a subject."""

    def __init__(
        self, manifest: DatasetManifest, slots: list[_Slot], rng: np.random.Generator
    ) -> None:
        self._manifest = manifest
        self._rng = rng
        self._used = {(s.subject, s.pinned.clip) for s in slots if s.pinned is not None}
        self._numbers: Counter[tuple[str, str]] = Counter()

    def name(self, slot: _Slot) -> str:
        """Return the canonical name of the next clip."""
        if slot.pinned is not None:
            return slot.pinned.clip
        while True:
            name = self._draw(slot)
            if (slot.subject, name) not in self._used:
                self._used.add((slot.subject, name))
                return name

    def _draw(self, slot: _Slot) -> str:
        naming = self._manifest.naming
        number = int("".join(c for c in slot.subject if c.isdigit()))
        if naming.label_infix:
            label = self._manifest.label_of(slot.emotion)
            infix = next(i for i, name in naming.label_infix.items() if name == label)
            self._numbers[slot.subject, infix] += 1
            return naming.clip_id.format(number, infix, self._numbers[slot.subject, infix])
        if naming.clip_id == "{}":
            ending = "f" if self._rng.random() < 0.45 else ""
            return f"EP{self._rng.integers(1, 20):02d}_{self._rng.integers(1, 12):02d}{ending}"
        inducement = int(self._rng.integers(1, 8))
        return naming.clip_id.format(number, inducement, int(self._rng.integers(1, 14)))


def _time(manifest: DatasetManifest, slot: _Slot, name: str, position: int) -> PlannedClip:
    """Onset, apex and offset of one clip."""
    figures, pinned = manifest.twin, slot.pinned
    digits = 0
    if figures.five_digit_recordings:
        digits = 5 if name.rsplit("_", 1)[0] in figures.five_digit_recordings else 4
    length, apex_position, start = (
        _quantile(quantiles, (0.5 + step * (position + 1)) % 1.0)
        for quantiles, step in zip(
            (
                figures.n_frames_quantiles,
                figures.apex_position_quantiles,
                figures.onset_number_quantiles,
            ),
            _STEPS,
            strict=True,
        )
    )
    n_frames = round(length)
    onset = round(start)
    if digits:
        onset = min(onset, _MAX_NUMBER[digits] - n_frames)
    if pinned is not None and pinned.onset is not None and pinned.offset is not None:
        onset, n_frames = pinned.onset, pinned.offset - pinned.onset + 1
    # the renderer's apex lies inside the clip, where the face can move there and back
    apex = onset + min(max(round(apex_position * (n_frames - 1)), 2), n_frames - 3)
    written: int | None = apex
    if pinned is not None and pinned.apex is not None:
        written = pinned.apex
        apex = max(pinned.apex, onset + 1)
    if pinned is not None and pinned.no_apex:
        written = None
    return PlannedClip(
        subject=slot.subject,
        clip=name,
        label=manifest.label_of(slot.emotion),
        emotion=slot.emotion,
        onset=onset,
        apex=apex,
        offset=onset + n_frames - 1,
        written_apex=written,
        digits=digits,
        outside=_outside(manifest, slot.emotion, pinned),
        emotion_by_coding=tuple(pinned.emotion_by_coding.items()) if pinned else (),
    )


def _quantile(quantiles: dict[float, float], u: float) -> float:
    """Invert the distribution function, straight lines between the quantiles."""
    levels = sorted(quantiles)
    return float(np.interp(u, levels, [quantiles[level] for level in levels]))
