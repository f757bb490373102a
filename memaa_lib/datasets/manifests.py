"""Facts about the data sets, read from ``data_manifests/*.yaml`` (Sec. 4.1, Table 2).

Everything that is a fact about a data set (where to ask for it, how its folders and files are
named, how its spreadsheet looks, which clips count, what is known to be wrong in it) stands in one
YAML file a data set, with its reason. The readers in :mod:`memaa_lib.datasets` and the writer of
the synthetic twins hold no such fact themselves. An unknown key or a wrong type in a file is an
error.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from memaa_lib._support.cache import given_path
from memaa_lib._support.errors import InputError
from memaa_lib._support.machine import ROOT
from memaa_lib.paper import CLASSES, DATASETS

MAX_BYTES = 1_000_000  # of a manifest
MAX_DEPTH = 50
MAX_SPELLINGS = 1000  # of a name in capitals and small letters
HoleKind = Literal["missing clip", "missing frames", "apex out of range", "extra clip"]


class _Facts(BaseModel):
    """A group of facts: read-only, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _compiles(value: str) -> str:
    """Refuse a pattern that is no regular expression."""
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression ({error})") from None
    return value


def _stays_inside(value: str) -> str:
    """Refuse a folder or file name that leads out of the data set's folder."""
    parts = re.split(r"[/\\]", value)
    if ".." in parts or value.startswith(("/", "\\", "~")) or re.match("[A-Za-z]:", value):
        raise ValueError(f"{value!r} leads out of the data set's folder")
    return value


Pattern = Annotated[str, BeforeValidator(_compiles)]
Inside = Annotated[str, AfterValidator(_stays_inside)]


class Access(_Facts):
    """Who owns a data set, on what terms, and where to ask for it."""

    owner: str
    licence: str
    where: str
    citation: str
    doi: str | None = None
    publishable_subjects: tuple[str, ...] = ()
    publishable_note: str


class Naming(_Facts):
    """How subjects and clips are named, on disk and in the canonical form that the index uses.

    A pattern matches a folder's (or a cell's) whole text, whatever the case; its groups, read as
    integers where they are digits, fill the formats.
    """

    subject: Pattern
    subject_id: str  # format of the canonical id
    subject_folder: Inside  # format of the name on disk
    clip: Pattern
    clip_id: str  # the same two for clips
    clip_folder: Inside
    label_infix: dict[str, str] = {}  # part of a clip's name to class, where the name states it
    label_folders: bool = False  # whether clips lie in folders ``micro/<class>``


class Variant(_Facts):
    """One released form of the frames."""

    folder: Inside
    frame: Inside
    frame_pattern: Pattern
    size: tuple[int, int]  # width, height, px
    size_is_exact: bool
    colour: bool
    camera: str  # of the renderer: a key of `CAMERAS`
    clip_folder: Inside | None = None
    subject_folder: Inside | None = None
    note: str = ""


class Coding(_Facts):
    """One edition of an annotation file."""

    files: tuple[str, ...]  # patterns of the names it goes by, the best first
    written_as: Inside  # what the twin calls it
    header: tuple[str | None, ...]  # ``None``: a column without a name
    required_columns: tuple[str, ...] = ()
    note: str = ""


class Annotation(_Facts):
    """The spreadsheet: where its header stands, its columns' names, what its cells may hold."""

    columns: dict[str, tuple[str, ...]]  # our name to the spellings of theirs
    header_cell: str  # a cell by which the header row is known
    preamble_rows: int = 0  # above the header
    sheet: str
    missing_apex: tuple[str, ...]  # what a cell without an apex holds
    codings: dict[str, Coding]
    default_coding: str
    notes: tuple[str, ...] = ()


class CompositeRule(_Facts):
    """Which annotated clips belong to the MEGC 2019 composite."""

    needs_usable_apex: bool
    excluded_by_coding: dict[str, dict[str, str]] = {}  # edition to ``subject/clip`` to the reason
    reason: str


class Counts(_Facts):
    """Clips in all, subjects, and clips of each class."""

    clips: int
    subjects: int
    negative: int
    positive: int
    surprise: int

    @model_validator(mode="after")
    def _adds_up(self) -> Counts:
        if self.negative + self.positive + self.surprise != self.clips:
            raise ValueError(
                f"negative + positive + surprise is "
                f"{self.negative + self.positive + self.surprise}, expected clips = {self.clips}"
            )
        return self


class KnownHole(_Facts):
    """Something that the released data are known to lack or to have wrong."""

    subject: str
    clip: str
    kind: HoleKind
    variants: tuple[str, ...]
    frames: int = 0  # how many are missing
    numbers: tuple[int, int] | None = None  # the first and the last of them, where known
    reason: str
    provenance: str


class ApexOverride(_Facts):
    """A replacement for a wrong apex; used only where the spreadsheet holds ``recorded``."""

    subject: str
    clip: str
    recorded: int
    apex: int
    reason: str
    provenance: str


class PinnedClip(_Facts):
    """A clip that the twin names (and times) as the release does, as something is known of it."""

    subject: str
    clip: str
    emotion: str
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    no_apex: bool = False
    emotion_by_coding: dict[str, str] = {}
    why: str


class TwinFigures(_Facts):
    """What the twin takes over from the real set: counts and distributions, never images."""

    per_subject: dict[str, tuple[int, int, int]] = {}  # clips: negative, positive, surprise
    identities: int = 0
    clips_per_identity_and_class: int = 0
    n_frames_quantiles: dict[float, float]  # this and the next two: level to value
    apex_position_quantiles: dict[float, float]  # 0 onset to 1 offset
    onset_number_quantiles: dict[float, float]
    apex_provenance: str
    emotions: dict[str, int] = {}  # of the composite's clips
    excluded_subjects: dict[str, dict[str, int]] = {}  # who has clips outside of the composite only
    pinned: tuple[PinnedClip, ...] = ()
    five_digit_recordings: tuple[str, ...] = ()
    default_variant: str


class DatasetManifest(_Facts):
    """All facts about one data set."""

    name: str
    title: str
    is_synthetic: bool = False
    access: Access
    fps: float = Field(gt=0)
    longest_clip_frames: int = Field(gt=0)
    naming: Naming
    variants: dict[str, Variant]
    # part of a path, lower case, to why it is not read
    other_releases: dict[str, str] = {}
    annotation: Annotation | None
    label_map: dict[str, tuple[str, ...]]  # class to emotions, lower case
    unlabelled_emotions: tuple[str, ...] = ()
    composite: CompositeRule
    counts: Counts
    annotated: dict[str, int] = {}  # emotion to clips, those outside of the composite included
    known_holes: tuple[KnownHole, ...] = ()
    apex_overrides: tuple[ApexOverride, ...] = ()
    twin: TwinFigures

    @model_validator(mode="after")
    def _is_consistent(self) -> DatasetManifest:
        if set(self.label_map) != set(CLASSES):
            raise ValueError(f"label_map has {sorted(self.label_map)}, expected {list(CLASSES)}")
        if self.twin.default_variant not in self.variants:
            raise ValueError(
                f"twin.default_variant {self.twin.default_variant!r} is not in variants"
            )
        if self.annotation and self.annotation.default_coding not in self.annotation.codings:
            raise ValueError("annotation.default_coding is not in annotation.codings")
        per_subject = self.twin.per_subject.values()
        if per_subject:
            totals = tuple(sum(column) for column in zip(*per_subject, strict=True))
            counts = (self.counts.negative, self.counts.positive, self.counts.surprise)
            if totals != counts or len(per_subject) != self.counts.subjects:
                raise ValueError(
                    f"twin.per_subject sums to {totals} in {len(per_subject)} subjects, expected "
                    f"{counts} in {self.counts.subjects}"
                )
        return self

    def subject_id(self, text: object) -> str | None:
        """Return the canonical subject id ("01" of CASME II: "sub01"); ``None`` if it is none."""
        return _fill(self.naming.subject, self.naming.subject_id, text)

    def clip_id(self, text: object) -> str | None:
        """Return the canonical clip id ("s1_ne_01" of SMIC: "s01_ne_01"); ``None`` if it is none."""
        return _fill(self.naming.clip, self.naming.clip_id, text)

    def label_of(self, emotion: str) -> str | None:
        """Return the class of an emotion, whatever its case; ``None`` if it has none."""
        key = emotion.strip().lower()
        return next((label for label, names in self.label_map.items() if key in names), None)


class CompositeManifest(_Facts):
    """The MEGC 2019 composite of the three sets."""

    name: Literal["composite"]
    title: str
    members: tuple[str, ...]
    rule: str
    counts: Counts
    members_counts: dict[str, tuple[int, int]]  # clips, subjects
    official_list_url: str
    official_list_sha256: str
    citation: str
    notes: tuple[str, ...] = ()


AnyManifest = TypeVar("AnyManifest", DatasetManifest, CompositeManifest)


def manifests_folder() -> Path:
    """Return the folder of the manifests: ``$MEMAA_MANIFESTS``, else the one beside the package."""
    chosen = os.environ.get("MEMAA_MANIFESTS")
    folder = given_path(chosen) if chosen else ROOT / "data_manifests"
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no folder of data manifests; install the package from its repository "
            "(pip install -e .) or set MEMAA_MANIFESTS"
        )
    return folder


def dataset_names() -> tuple[str, ...]:
    """Name every data set that has a manifest: the paper's, the further identities, and your own.

    A file ``data_manifests/mine.yaml`` makes ``"mine"`` one of them.
    """
    found = sorted(path.stem for path in manifests_folder().glob("*.yaml"))
    known = (*DATASETS, "further")
    return (*known, *(name for name in found if name not in (*known, "composite")))


def load_manifest(dataset: str) -> DatasetManifest:
    """Read the facts about one data set.

    Parameters
    ----------
    dataset
        ``"smic"``, ``"casme2"``, ``"samm"``, or ``"further"`` (synthetic identities for
        pre-training), or the name of another manifest.

    Returns
    -------
    DatasetManifest

    Raises
    ------
    InputError
        If there is no such data set, or the file has an unknown key or a wrong value.

    Examples
    --------
    >>> load_manifest("smic").counts.clips
    164
    """
    known = dataset_names()
    if dataset not in known:
        raise InputError(f"{dataset!r} is no data set; expected one of {', '.join(known)}")
    return _read_dataset(manifests_folder() / f"{dataset}.yaml")


def load_composite() -> CompositeManifest:
    """Read the facts about the composite of the three sets."""
    return read_manifest(manifests_folder() / "composite.yaml", CompositeManifest)


@functools.lru_cache(maxsize=16)
def _read_dataset(path: Path) -> DatasetManifest:
    return read_manifest(path, DatasetManifest)


def read_manifest(path: Path | str, model: type[AnyManifest]) -> AnyManifest:
    """Read and check one manifest file."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such manifest; expected a YAML file of facts")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes, expected at most {MAX_BYTES:,}")
    try:
        text = path.read_text(encoding="utf-8")
        _refuse_bombs(path, text)
        content: Any = yaml.load(text, yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not readable as YAML ({reason})") from None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(
            f"{path}: {key}: {first['msg']} ({error.error_count()} problem(s) in all); "
            "mend the file"
        ) from None


def _refuse_bombs(path: Path, text: str) -> None:
    """Refuse what makes a small YAML file large: aliases of aliases, and nesting without end."""
    depth = 0
    for token in yaml.scan(text, yaml.CSafeLoader):
        if isinstance(token, yaml.AliasToken):
            raise InputError(f"{path}: YAML aliases (*name) are not read; write the entry out")
        kind = type(token).__name__
        depth += ("Start" in kind and "Stream" not in kind and "Document" not in kind) - (
            kind in ("BlockEndToken", "FlowSequenceEndToken", "FlowMappingEndToken")
        )
        if depth > MAX_DEPTH:
            raise InputError(f"{path}: not readable as YAML (nested more than {MAX_DEPTH} deep)")


def _fill(pattern: str, template: str, text: object) -> str | None:
    """Put the groups that ``pattern`` finds in ``text`` into ``template``; ``None`` if none."""
    if isinstance(text, float) and text.is_integer():
        text = int(text)
    match = re.fullmatch(pattern, str(text).strip(), re.IGNORECASE)
    if match is None:
        return None
    groups = [int(group) if group.isdigit() else group.lower() for group in match.groups()]
    return template.format(*groups) if groups else _in_case_of(pattern, match.group())


def _in_case_of(pattern: str, text: str) -> str:
    """Return a text with the capitals that a pattern has, e.g. EP02_01F of CASME II as EP02_01f."""
    runs = re.split(r"([^\W\d_]+)", text)
    spellings = itertools.product(*((run, run.lower(), run.upper()) for run in runs[1::2]))
    for letters in itertools.islice(spellings, MAX_SPELLINGS):
        runs[1::2] = letters
        if re.fullmatch(pattern, "".join(runs)):
            return "".join(runs)
    return text
