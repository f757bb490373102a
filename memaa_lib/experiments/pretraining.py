"""The pre-training behind ``initialisation="pretrained"`` (not the paper's).

The network first learns from avatars of synthetic people who are in no data set.

``torch`` is imported inside the functions that need it, so importing this module costs nothing.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.cache import VERSION, Arrays, cache_root, fingerprint, kept_arrays
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import all_kept_or_made, progress
from memaa_lib._support.weights import weights_file_digest, write_weights
from memaa_lib.paper import CLASSES
from memaa_lib.profiles import TrainingProfile

if TYPE_CHECKING:
    from memaa_lib.synthetic import Camera

_TRAINING = TrainingProfile(
    name="laptop pre-training",
    image_size=64,
    view=0.66,
    initialisation="scratch",
    optimizer="adamw",
    learning_rate=3e-3,
    weight_decay=0.05,
    batch_size=64,
    schedule="one-cycle",
    epochs=12,
    shift_px=2.0,
    zoom=0.06,
    contrast=0.15,
    gray_probability=0.2,
)


_HALF_WAY = 0.05  # weight of an action unit that counts half as much as the strongest possible


@dataclass(frozen=True)
class Pretraining:
    """How the starting weights of ``initialisation="pretrained"`` are made.

    The network first learns from avatars of synthetic people who occur in no data set ("further"
    identities): their class, and how strongly each action unit of the face moves, which the renderer
    knows. The second task says much more about each clip than its class does. All of this is ours,
    not the paper's.

    The clips are small, most of their frames are blends, and many expressions are far stronger than
    a micro-expression: it is the strong ones that teach where to look.

    Parameters
    ----------
    identities
        Number of further identities.
    clips_per_class
        Clips of each class for each identity.
    seconds
        Shortest and longest clip.
    key_frames
        Frames of a clip that are rendered in full, see ``memaa_lib.synthetic.render_clip``.
    strength
        Smallest and largest factor on the motion of an expression, drawn evenly on a log scale.
    difficulty
        Difficulty of the clips, 0 to 1; easier than the twins, as the aim is to learn.
    seed
        Seed of identities, clips and training.
    training
        Training settings; each clip is magnified by one of its ``train_alphas`` in turn.

    Notes
    -----
    With fewer people or epochs it would learn less. The weights of seed 0 name the class of 64 % of
    2,160 clips of the people of seeds 1 and 2. Half the people leave 53 %, and 8 epochs instead of 12
    leave 56 %.

    Examples
    --------
    >>> PRETRAINING.training.initialisation
    'scratch'
    """

    identities: int = 80
    clips_per_class: int = 6
    seconds: tuple[float, float] = (0.2, 0.48)
    key_frames: int = 8
    strength: tuple[float, float] = (0.7, 6.0)
    difficulty: float = 0.25
    seed: int = 0
    training: TrainingProfile = _TRAINING

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("identities", "clips_per_class"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"pre-training: {name} must be a whole number >= 1; got {value!r}")
        for name in ("seconds", "strength"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise InputError(f"pre-training: {name} must be 0 < low <= high; got {(low, high)}")


PRETRAINING = Pretraining()
"""What the laptop profile starts from.

:meta hide-value:
"""

PRETRAINING_224 = Pretraining(
    training=replace(
        _TRAINING,
        name="paper pre-training",
        image_size=224,
        view=1.0,
        shift_px=7.0,
        batch_size=128,
        epochs=24,
        drop_last=True,
    )
)
"""What the profile ``paper-pretrained`` starts from: the same at the paper's size, for a GPU.

:meta hide-value:
"""


def pretraining_set(
    settings: Pretraining = PRETRAINING, *, n_jobs: int = 2
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]:
    """Render clips of further identities and make their avatars.

    The landmarks are the renderer's own and the labels what the face really shows: these people
    are in no data set, so nothing of the test is known here. Finished identities are kept.

    Parameters
    ----------
    settings
        What to render.
    n_jobs
        Processes; the result does not depend on it.

    Returns
    -------
    avatars : numpy.ndarray
        ``(N, s, s, 3)`` uint8, whole faces; the part that is seen has the training image size.
    labels : numpy.ndarray
        ``(N,)`` int64 codes.
    action_units : numpy.ndarray
        ``(N, K)`` float32, how strongly the action units move at the apex, left and right
        averaged, as a mirrored avatar has the same ones.
    """
    # What a single identity depends on: neither their number nor how they are trained on.
    part = replace(
        settings,
        identities=1,
        training=TrainingProfile(
            "-",
            image_size=settings.training.image_size,
            view=settings.training.view,
            train_alphas=settings.training.train_alphas,
        ),
    )
    tasks = [(i, part) for i in range(settings.identities)]
    results = all_kept_or_made("pre-training clips", _avatars_of_identity, tasks, n_jobs)
    avatars, labels, action_units = zip(*results, strict=True)
    return np.concatenate(avatars), np.concatenate(labels), np.concatenate(action_units)


def _renderer() -> str:
    from memaa_lib.datasets.twins.release import generator_signature

    return generator_signature("further")


def _avatars_of_identity(number: int, settings: Pretraining) -> Arrays:
    """Return avatars ``(n, s, s, 3)``, labels and action units of one further identity."""
    key = fingerprint(VERSION, _renderer(), settings, number)
    path = f"pretraining/identity-{number:04d}-{key}.npz"
    return kept_arrays(path, lambda: _render_identity(number, settings))


def _render_identity(
    number: int, settings: Pretraining
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]:
    """Render all clips of one further identity and make their avatars."""
    from memaa_lib.avatar import AvatarSettings, clip_to_avatar
    from memaa_lib.clips import Clip
    from memaa_lib.magnification import Magnification
    from memaa_lib.synthetic import FaceRig, plan_clip, render_clip, sample_identity
    from memaa_lib.texture import Scoring

    generator = np.random.default_rng([settings.seed, number])
    rig = FaceRig(
        sample_identity("further", str(number), seed=settings.seed), _varied_camera(generator)
    )
    side = round(settings.training.image_size / settings.training.view)
    # The clip is less than half as large as the data sets' clips: so are the paper's lengths in px.
    chain = AvatarSettings(
        Magnification(cutoff_wavelength=9.0),
        Scoring(size=(85, 70), window=31),
        landmarks="given",
        crop="never",
        size=side,
    )
    alphas = settings.training.train_alphas
    avatars, labels, action_units = [], [], []
    for label in CLASSES:
        for repeat in range(settings.clips_per_class):
            n_frames = max(8, round(rig.camera.fps * generator.uniform(*settings.seconds)))
            plan = plan_clip(
                rig,
                label,
                n_frames=n_frames,
                apex=round(n_frames * generator.uniform(0.3, 0.65)),
                clip=f"{label}{repeat}",
                seed=settings.seed,
                difficulty=settings.difficulty,
            )
            strength = np.exp(generator.uniform(*np.log(settings.strength)))
            plan = replace(plan, expression=np.minimum(strength * plan.expression, 1.0))
            clip = render_clip(rig, plan, key_frames=settings.key_frames)
            avatars.append(
                clip_to_avatar(
                    Clip(clip.frames, rig.camera.fps, landmarks=clip.landmarks),
                    alphas[(number + repeat) % len(alphas)],
                    chain,
                )
            )
            labels.append(CLASSES.index(clip.shown_label))
            action_units.append(_both_sides(plan.expression[plan.apex]))
    return np.stack(avatars), np.array(labels, dtype=np.int64), np.stack(action_units)


def _varied_camera(generator: np.random.Generator) -> Camera:
    """Draw a small camera: gray or colour, the face larger or smaller, higher or lower."""
    from memaa_lib.synthetic import Camera

    return Camera(
        "further",
        height=112,
        width=92,
        fps=100,
        gray=bool(generator.random() < 0.35),
        noise=0.9,
        peak_px=(0.25, 1.1),
        face_fraction=generator.uniform(0.53, 0.66),
        eye_row=generator.uniform(0.365, 0.405),
    )


def _both_sides(weights: NDArray[np.floating]) -> NDArray[np.float32]:
    """Average the left and right weights of each action unit."""
    from memaa_lib.synthetic import ACTION_UNITS

    units = np.array([name.rstrip("LR") for name in ACTION_UNITS])
    return np.array([weights[units == unit].mean() for unit in np.unique(units)], np.float32)


def _side_targets(action_units: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compress strong motion, and give every action unit that moves at all the same say."""
    compressed = action_units / (np.abs(action_units) + _HALF_WAY)
    size = np.sqrt(np.square(compressed).mean(axis=0))
    return (compressed[:, size > 0] / size[size > 0]).astype(np.float32, copy=False)


def settings_for(profile: TrainingProfile) -> Pretraining:
    """Return the pre-training whose images are most like those of a profile."""
    side = profile.image_size
    both = (PRETRAINING, PRETRAINING_224)
    return min(both, key=lambda settings: abs(settings.training.image_size - side))


def weights_for(profile: TrainingProfile, *, n_jobs: int = 2, device: str = "cpu") -> Path:
    """Return the file that a profile starts from, see :func:`pretrained_weights`."""
    return pretrained_weights(settings_for(profile), n_jobs=n_jobs, device=device)


def weights_from_seed(profile: TrainingProfile, seed: int, *, n_jobs: int = 2) -> Path:
    """Return what a profile would start from had its pre-training another seed.

    Raises
    ------
    InputError
        If the profile starts from something else.
    """
    if profile.initialisation != "pretrained":
        raise InputError(
            f"profile {profile.name!r} starts from {profile.initialisation}; only a profile that "
            "starts from pre-trained weights, such as 'laptop', has starts of several seeds"
        )
    return pretrained_weights(replace(settings_for(profile), seed=seed), n_jobs=n_jobs)


def pretrained_weights(
    settings: Pretraining = PRETRAINING, *, n_jobs: int = 2, device: str = "cpu"
) -> Path:
    """Return a file with weights trained on further identities, making it if need be.

    Parameters
    ----------
    settings
        What to train on and how.
    n_jobs
        Processes that render. The training is one process with one thread.
    device
        Where it trains, ``"cpu"`` or ``"cuda"``; the weights depend on it.

    Returns
    -------
    pathlib.Path
        For ``read_weights``.
    """
    made_on = () if device == "cpu" else (device,)
    key = fingerprint(VERSION, _renderer(), settings, *made_on)
    # Not cache.kept: the name of a weights file ends in its own hash, which is known afterwards.
    folder = cache_root() / "pretraining"
    for path in sorted(folder.glob(f"resnet34-further-{key}-*.pth")):
        with contextlib.suppress(InputError):
            weights_file_digest(path)
            return path
    from memaa_lib.network import network_inputs, scratch_weights, train

    profile = settings.training
    avatars, labels, action_units = pretraining_set(settings, n_jobs=n_jobs)
    side_targets = _side_targets(action_units)
    start = scratch_weights(settings.seed, len(CLASSES) + side_targets.shape[1])
    with progress("pre-training epochs", profile.epochs) as advance:
        trained = train(
            network_inputs(avatars, profile, start),
            labels,
            profile,
            start,
            seed=settings.seed,
            device=device,
            after_epoch=lambda epoch, part: advance(),
            side_targets=side_targets,
        )
    state = dict(trained.state)
    for name in ("fc.weight", "fc.bias"):  # the outputs of action units have served
        state[name] = state[name][: len(CLASSES)].clone()
    return write_weights(state, folder, f"resnet34-further-{key}")
