"""Pictures whose motion is known, for experiments that need a truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.ndimage
from numpy.typing import ArrayLike, NDArray

from memaa_lib._support.errors import InputError
from memaa_lib.clips import Clip

ACTOR = ("further", "demonstration 8")  # a rendered person who is in no twin


class KnownFace:
    """A rendered person who looks surprised for a moment, by as many pixels as told.

    The brows rise, the eyes widen and the lips part, and all comes back. The person is in no twin.

    Parameters
    ----------
    camera
        Key of ``memaa_lib.synthetic.CAMERAS``: frame rate, size of the face, noise.
    seconds
        From onset to offset.

    Examples
    --------
    >>> face = KnownFace("smic", seconds=0.05)
    >>> face.film(px=0.5).frames.shape
    (6, 178, 146, 3)
    """

    def __init__(self, camera: str = "casme2", *, seconds: float = 0.2) -> None:
        """Build the face, which takes seconds."""
        from memaa_lib.synthetic import CAMERAS, FaceRig, plan_clip, sample_identity

        self.rig = FaceRig(sample_identity(*ACTOR), CAMERAS[camera])
        count = round(seconds * self.rig.camera.fps) + 1
        plan = plan_clip(
            self.rig, "surprise", n_frames=count, apex=count // 2, clip="alpha", difficulty=0.0
        )
        self.pose, self.drift = plan.pose[0], plan.pose - plan.pose[0]
        rest = 0 * plan.expression
        way = self.rig.landmarks(rest, plan.pose) - self.rig.landmarks(rest[:1], plan.pose[:1])
        self.drift /= np.linalg.norm(way, axis=2).mean(axis=1).max()  # now by 1 px
        # nothing moves but the expression
        gaze, light = plan.gaze[:1].repeat(count, axis=0), np.ones(count)
        still = replace(plan, gaze=gaze, flicker=light)
        self.plan = replace(still, idle=0 * plan.idle, blink=0 * plan.blink)

    def film(self, px: float, *, noise: bool = False, drift_px: float = 0.0) -> Clip:
        """Film a movement with a peak of ``px``; with ``(1 + alpha) * px`` it is truly magnified.

        Parameters
        ----------
        px
            How far the point that moves most has moved at the apex, px.
        noise
            Whether the camera's noise is added.
        drift_px
            How far the head drifts meanwhile: the mean over the landmarks, at its largest, px. It takes
            the same way in every film.

        Returns
        -------
        Clip
            The window that holds the head, with the exact landmarks.
        """
        from memaa_lib.synthetic import render_clip

        plan = replace(self.plan, pose=self.pose + drift_px * self.drift)
        shot = render_clip(self.rig, plan, noise=noise, motion_gain=px / plan.peak_px)
        top, left, height, width = self.rig.camera.head_window
        window = shot.frames[:, top : top + height, left : left + width]
        landmarks = shot.landmarks - [left, top]
        return Clip(window, shot.fps, apex=plan.apex, landmarks=landmarks)


def raised_brows(px: ArrayLike) -> NDArray[np.uint8]:
    """Return a photograph whose brows rise by as much as told: scikit-image's astronaut (NASA).

    Parameters
    ----------
    px
        ``(T,)``, how far both brows have risen, px; the eyes below them move a little with them.

    Returns
    -------
    ndarray
        ``uint8`` ``(T, 192, 192, 3)``, moved by :func:`move`.

    Examples
    --------
    >>> still, raised = raised_brows([0.0, 2.0])
    >>> int(np.abs(still.astype(int) - raised).max()) > 50
    True
    """
    import skimage.data

    photograph = skimage.data.astronaut()[30:222, 130:322]
    row, column = np.indices(photograph.shape[:2])
    brows = sum(np.exp(-((column - x) ** 2 + (row - 61) ** 2) / (2 * 12**2)) for x in (70, 122))
    up = np.stack([0 * brows, -brows], axis=2)
    return np.stack([move(photograph, shift * up) for shift in np.atleast_1d(px)])


def move(image: NDArray[np.uint8], shift_px: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Move an image by a known, also sub-pixel, shift: the truth of experiments on a photograph.

    Parameters
    ----------
    image
        ``uint8`` ``(H, W, 3)`` or ``(H, W)``.
    shift_px
        ``(H, W, 2)``, right and down, px: where the content that is seen at a pixel came from, seen
        from there. Or ``(2,)`` for the whole image.

    Returns
    -------
    ndarray
        ``uint8``, like ``image``. Cubic splines; OpenCV's ``remap`` would round to 1/32 px.

    Raises
    ------
    InputError
        If the shift has another size than the image.

    Examples
    --------
    >>> ramp = np.tile(np.arange(0, 200, 10, dtype=np.uint8), (5, 1))
    >>> move(ramp, np.array([0.5, 0.0]))[2, 9:12]
    array([ 85,  95, 105], dtype=uint8)
    """
    shift = np.asarray(shift_px, np.float64)
    if shift.shape not in ((2,), (*image.shape[:2], 2)):
        raise InputError(
            f"shift_px has shape {shift.shape}, expected (2,) or {image.shape[:2]} + (2,)"
        )
    rows, columns = np.indices(image.shape[:2], dtype=np.float64)
    places = [rows - shift[..., 1], columns - shift[..., 0]]
    channels = image.reshape(*image.shape[:2], -1)
    moved = [
        scipy.ndimage.map_coordinates(channel.astype(np.float64), places, order=3, mode="mirror")
        for channel in np.moveaxis(channels, 2, 0)
    ]
    stacked = np.stack(moved, axis=2).reshape(image.shape)
    return np.clip(np.round(stacked), 0, 255).astype(np.uint8)


def grating(
    shift_px: NDArray[np.floating], wavelength_px: float, *, size: int = 192, contrast: float = 30
) -> NDArray[np.uint8]:
    """Return a clip of stripes that move as told.

    The stripes lean by one wavelength over the height of the frame, so that rounding to whole gray
    levels differs from row to row and averages out.

    Parameters
    ----------
    shift_px
        ``(T,)``, to the right, px.
    wavelength_px
        From stripe to stripe, px.
    size
        Height and width of the frames, px.
    contrast
        Amplitude, gray levels around 128.

    Returns
    -------
    ndarray
        ``uint8`` ``(T, size, size)``.

    Examples
    --------
    >>> grating(np.array([0.0, 4.0]), 16.0, size=64)[:, 0, 0]
    array([158, 128], dtype=uint8)
    """
    rows, columns = np.indices((size, size))
    shift = np.asarray(shift_px, np.float64)[:, None, None]
    wave = np.cos(2 * np.pi * ((columns - shift) / wavelength_px - rows / size))
    return np.round(128 + contrast * wave).astype(np.uint8)


def grating_shift(frames: NDArray[np.uint8], wavelength_px: float) -> NDArray[np.float64]:
    """Measure by how much the stripes of :func:`grating` have moved since the first frame.

    Parameters
    ----------
    frames
        ``uint8`` ``(T, H, W)``.
    wavelength_px
        From stripe to stripe, px.

    Returns
    -------
    ndarray
        ``float64`` ``(T,)``, px, from the phase of the stripes in the middle of the frames.

    Examples
    --------
    >>> grating_shift(grating(np.array([0.0, 0.3, -0.3]), 20.0), 20.0).round(2) + 0.0
    array([ 0. ,  0.3, -0.3])
    """
    height, width = frames.shape[1:]
    used = max(int(width / 2 // wavelength_px), 1) * wavelength_px
    columns = np.arange(round((width - used) / 2), round((width + used) / 2))
    wave = np.exp(-2j * np.pi * columns / wavelength_px)
    middle = frames[:, height // 4 : height - height // 4][:, :, columns].astype(np.float64)
    component = (middle - middle.mean(axis=2, keepdims=True)) @ wave
    phase = np.angle((component * component[0].conj()).sum(axis=1))
    return np.asarray(-np.unwrap(phase) * wavelength_px / (2 * np.pi))
