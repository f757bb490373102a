"""Synthetic faces that make micro-expressions, with exact ground truth.

`sample_identity` draws a person, `FaceRig` paints the face before a `Camera`, `plan_clip` decides
what happens and `render_clip` makes the frames.

Examples
--------
>>> rig = FaceRig(sample_identity("smic", "s01"), CAMERAS["smic"])
>>> plan = plan_clip(rig, "positive", n_frames=9, apex=4, clip="s01_po_01")
>>> clip = render_clip(rig, plan)
>>> clip.frames.shape, clip.landmarks.shape, clip.emotion
((9, 178, 146, 3), (9, 68, 2), 'happiness')
"""

from memaa_lib.synthetic.camera import CAMERAS, Camera
from memaa_lib.synthetic.expressions import ACTION_UNITS
from memaa_lib.synthetic.head import Head, load_head
from memaa_lib.synthetic.identity import Identity, sample_identity
from memaa_lib.synthetic.planning import ClipPlan, plan_clip
from memaa_lib.synthetic.rendering import RenderedClip, render_clip, true_flow
from memaa_lib.synthetic.rig import FaceRig

__all__ = [
    "ACTION_UNITS",
    "CAMERAS",
    "Camera",
    "ClipPlan",
    "FaceRig",
    "Head",
    "Identity",
    "RenderedClip",
    "load_head",
    "plan_clip",
    "render_clip",
    "sample_identity",
    "true_flow",
]
