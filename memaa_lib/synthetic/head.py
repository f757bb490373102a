"""The head mesh: a coarse cage with linear shape targets, smoothed by one subdivision step.

Lengths are in decimetres; x to the subject's left, y up, z towards the camera. Everything is linear
in the target weights: identity, expression and subdivision are sums and one sparse matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from memaa_lib.synthetic.raster import triangles_of

Indices = NDArray[np.int64]

BODY, LEFT_EYE, RIGHT_EYE = 0, 1, 2
HEAD_FILE = Path(__file__).parent / "head.npz"

AGES = ("young", "old")
SEXES = ("female", "male")
ANCESTRIES = ("african", "asian", "caucasian")
_MUSCLES = ("minmuscle", "averagemuscle", "maxmuscle")
_WEIGHTS = ("minweight", "averageweight", "maxweight")

# Where scalp hair begins on the average head: for each height y the z behind which hair grows.
_HAIRLINE = np.array(
    [
        (6.90, 0.30),
        (7.15, 0.46),
        (7.30, 0.60),
        (7.50, 0.70),
        (7.70, 0.84),
        (7.90, 1.02),
        (8.02, 1.22),
        (8.12, 1.75),
        (8.60, 3.00),
    ]
)
_NO_HAIR_BELOW_Y = 6.9

# Soft regions of the average head: centres on the subject's left half and radius, in dm.
_REGIONS: dict[str, tuple[tuple[tuple[float, float, float], ...], float]] = {
    "cheek": (((0.44, 6.98, 1.30),), 0.17),
    "nose": (((0.0, 6.98, 1.58),), 0.11),
    "nose_wing": (((0.16, 6.90, 1.42),), 0.07),
    "eye_socket": (((0.29, 7.30, 1.33),), 0.15),
    "under_eye": (((0.27, 7.16, 1.33),), 0.08),
    "chin": (((0.0, 6.33, 1.48),), 0.13),
    "forehead": (((0.0, 7.78, 1.36),), 0.26),
    "moustache": (((0.0, 6.76, 1.50), (0.12, 6.74, 1.45)), 0.075),
    "goatee": (((0.0, 6.42, 1.45), (0.18, 6.42, 1.36)), 0.12),
    "jaw": (((0.42, 6.55, 1.05), (0.52, 6.75, 0.80), (0.32, 6.42, 1.2)), 0.13),
    "nostril": (((0.072, 6.882, 1.455),), 0.030),
    "ear": (((0.77, 7.15, 0.45),), 0.16),
}


@dataclass(frozen=True, eq=False)
class Head:
    """The head that all identities are made from."""

    vertices: NDArray[np.float32]  # (V, 3) of the control cage
    faces: NDArray[np.int64]  # (F, 4) its quads
    # (F,) `BODY`, `LEFT_EYE`, `RIGHT_EYE` or a part that is not shown
    face_groups: NDArray[np.uint8]
    # shape target to vertices, shifts (n, 3)
    targets: dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]]
    subdivision: sp.csr_matrix  # (W, V): control cage to subdivided vertices
    neighbours: sp.csr_matrix  # (V, V): average of a vertex with those of the quads around it
    quads: NDArray[np.int64]  # (Q, 4) of the subdivided mesh
    quad_groups: NDArray[np.uint8]  # (Q,)
    quad_uv: NDArray[np.float32]  # (Q, 4, 2) texture coordinates
    # (1024, 512) right half of the UV square: lips, eyelids, ears, inside_mouth
    masks: dict[str, NDArray[np.uint8]]

    def shifts(self, weights: dict[str, float]) -> NDArray[np.float32]:
        """Sum of targets times weights: shift of every control vertex (V, 3) in dm."""
        total = np.zeros_like(self.vertices)
        for name, weight in weights.items():
            if weight:
                index, shift = self.targets[name]
                total[index] += np.float32(weight) * shift
        return total

    def shape(self, weights: dict[str, float]) -> NDArray[np.float32]:
        """Control vertices (V, 3) of a head with these target weights."""
        return self.vertices + self.shifts(weights)

    def eye_vertices(self, group: int) -> NDArray[np.int64]:
        """Numbers of the control vertices of one eyeball."""
        return np.unique(self.faces[self.face_groups == group])


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Where things are on the average head, for every subdivided vertex."""

    cage: NDArray[np.float32]  # (V, 3) control vertices of the average head
    vertices: NDArray[np.float32]  # (W, 3) its subdivided vertices
    skin: NDArray[np.int64]  # (n,) subdivided vertices that belong to the skin
    regions: dict[str, NDArray[np.float32]]  # (W,) weights from 0 to 1
    hair_depth: NDArray[np.float32]  # (W,) dm inside the hair-bearing scalp; negative outside
    jaw_drop: NDArray[np.float32]  # (W,) dm by which opening the jaw lowers the vertex
    triangles: NDArray[np.int64]  # the subdivided mesh without hidden parts
    triangle_groups: NDArray[np.uint8]
    triangle_uv: NDArray[np.float32]

    def nearest(
        self, points: NDArray[np.floating], count: int, smallest_z: float = -9.0
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Nearest skin vertices to points on the average head, with inverse-distance weights.

        The points are (n, 2) x and y, or (n, 3) x, y and z, in dm; vertices further back than
        `smallest_z` are left out. Vertex numbers are (n, count), and weights (n, count) that sum to
        1.
        """
        candidates = self.skin[self.vertices[self.skin, 2] > smallest_z]
        gaps = self.vertices[candidates, : points.shape[1]][None] - points[:, None]
        distance = (gaps**2).sum(2)
        order = np.argsort(distance, axis=1, kind="stable")[:, :count]
        weights = 1 / (np.take_along_axis(distance, order, 1) + 1e-4)
        return candidates[order], weights / weights.sum(1, keepdims=True)


@lru_cache(maxsize=1)
def load_head() -> Head:
    """Load the head that comes with the package."""
    with np.load(HEAD_FILE, allow_pickle=False) as data:
        archive = {name: data[name] for name in data.files}
    faces = archive["faces"].astype(np.int64)
    start = archive["t_ptr"]
    index = archive["t_idx"].astype(np.int64)
    shift = archive["t_val"].astype(np.float32) * np.float32(archive["t_scale"])
    targets = {
        str(name): (index[start[i] : start[i + 1]], shift[start[i] : start[i + 1]])
        for i, name in enumerate(archive["t_names"])
    }
    subdivision, quads = subdivide(len(archive["verts"]), faces)
    return Head(
        vertices=archive["verts"],
        faces=faces,
        face_groups=archive["face_group"],
        targets=targets,
        subdivision=subdivision,
        neighbours=_neighbours(len(archive["verts"]), faces),
        quads=quads,
        quad_groups=np.repeat(archive["face_group"], 4),
        quad_uv=_subdivide_uv(archive["uv"]),
        masks={n.removeprefix("mask_"): archive[n] for n in archive if n.startswith("mask_")},
    )


@lru_cache(maxsize=1)
def load_anatomy() -> Anatomy:
    """Lay the regions out on the average head."""
    head = load_head()
    cage = head.shape(macro_weights(0.1, 0.5, dict.fromkeys(ANCESTRIES, 1 / 3)))
    vertices = head.subdivision @ cage
    regions = {name: _region(vertices, *region) for name, region in _REGIONS.items()}
    hairline = np.interp(vertices[:, 1], _HAIRLINE[:, 0], _HAIRLINE[:, 1], left=-9)
    grows = vertices[:, 1] > _NO_HAIR_BELOW_Y
    shown = np.tile(head.quad_groups <= RIGHT_EYE, 2)
    uv = np.concatenate([head.quad_uv[:, [0, 1, 2]], head.quad_uv[:, [0, 2, 3]]])
    return Anatomy(
        cage=cage,
        vertices=vertices,
        skin=np.unique(head.quads[head.quad_groups == BODY]),
        regions=regions,
        hair_depth=np.where(grows, hairline - vertices[:, 2], -1).astype(np.float32),
        jaw_drop=-(head.subdivision @ head.shifts({"au/jawOpen": 1.0}))[:, 1],
        triangles=triangles_of(head.quads)[shown],
        triangle_groups=np.tile(head.quad_groups, 2)[shown],
        triangle_uv=uv[shown],
    )


def macro_weights(
    age: float,
    maleness: float,
    ancestry: dict[str, float],
    muscle: float = 0.5,
    weight: float = 0.5,
) -> dict[str, float]:
    """Target weights for age, sex, ancestry and build.

    `age` goes from 0 (about 25 years) to 1 (about 70 years), `maleness` from 0 female to 1 male,
    `muscle` and `weight` from 0 to 1; `ancestry` is a share of each of `ANCESTRIES`, summing to 1.
    """
    targets = load_head().targets
    result: dict[str, float] = {}
    for age_name, age_share in zip(AGES, (1 - age, age), strict=True):
        for sex_name, sex_share in zip(SEXES, (1 - maleness, maleness), strict=True):
            share = age_share * sex_share
            for name in ANCESTRIES:
                result[f"race/{name}-{sex_name}-{age_name}"] = share * ancestry.get(name, 0.0)
            for muscle_name, muscle_share in zip(_MUSCLES, _three_shares(muscle), strict=True):
                for weight_name, weight_share in zip(_WEIGHTS, _three_shares(weight), strict=True):
                    name = f"univ/{sex_name}-{age_name}-{muscle_name}-{weight_name}"
                    if name in targets:
                        result[name] = share * muscle_share * weight_share
    return result


def subdivide(n_vertices: int, faces: NDArray[np.int64]) -> tuple[sp.csr_matrix, NDArray[np.int64]]:
    """One Catmull-Clark step (Catmull and Clark 1978) of a mesh of quads (F, 4), as a matrix.

    Sparse (W, V) from old to new vertices, and the new quads (4 F, 4). The new vertices are the
    moved old ones, then one for each edge, then one for each face. Open borders are kept as smooth
    curves.
    """
    n_faces = len(faces)
    ends = np.sort(np.stack([faces, np.roll(faces, -1, 1)], -1).reshape(-1, 2), 1)
    key, edge_of_side, sides = np.unique(
        ends[:, 0] * n_vertices + ends[:, 1], return_inverse=True, return_counts=True
    )
    n_edges = len(key)
    edges = np.stack([key // n_vertices, key % n_vertices], 1)
    inner_edge = sides == 2
    face_of_side = np.repeat(np.arange(n_faces), 4)

    def sparse(
        values: float, rows: Indices, columns: Indices, shape: tuple[int, int]
    ) -> sp.csr_matrix:
        return sp.csr_matrix((np.broadcast_to(values, len(rows)), (rows, columns)), shape)

    face_points = sparse(0.25, face_of_side, faces.ravel(), (n_faces, n_vertices))
    edge_rows = np.repeat(np.arange(n_edges), 2)
    middles = sparse(0.5, edge_rows, edges.ravel(), (n_edges, n_vertices))
    faces_of_edge = sparse(0.5, edge_of_side, face_of_side, (n_edges, n_faces))
    own = sp.diags(np.where(inner_edge, 0.5, 1.0))
    from_faces = sp.diags(np.where(inner_edge, 0.5, 0.0))
    # an edge's new vertex: its middle, averaged with the faces beside it unless it is a border
    edge_points = own @ middles + from_faces @ faces_of_edge @ face_points

    edges_of_vertex = sparse(1.0, edges.ravel(), edge_rows, (n_vertices, n_edges))
    faces_of_vertex = sparse(1.0, faces.ravel(), face_of_side, (n_vertices, n_faces))
    valence = np.maximum(np.asarray(edges_of_vertex.sum(1)).ravel(), 1)
    n_around = np.maximum(np.asarray(faces_of_vertex.sum(1)).ravel(), 1)
    border_edges = edges_of_vertex @ sp.diags((~inner_edge).astype(float))
    n_border = np.asarray(border_edges.sum(1)).ravel()
    identity = sp.identity(n_vertices)
    # an old vertex inside the mesh: (faces + 2 edges + (n - 3) itself) / n, with n its valence
    inner = (
        sp.diags(1 / valence / n_around) @ faces_of_vertex @ face_points
        + sp.diags(2 / valence**2) @ edges_of_vertex @ middles
        + sp.diags((valence - 3) / valence) @ identity
    )
    border = 0.5 * identity + sp.diags(0.5 / np.maximum(n_border, 1)) @ border_edges @ middles
    on_border = sp.diags((n_border > 0).astype(float))
    vertex_points = (identity - on_border) @ inner + on_border @ border

    matrix = sp.vstack([vertex_points, edge_points, face_points]).tocsr().astype(np.float32)
    edge = edge_of_side.reshape(n_faces, 4) + n_vertices  # edge k joins the corners k and k + 1
    centre = np.arange(n_faces) + n_vertices + n_edges
    quads = [np.stack([faces[:, k], edge[:, k], centre, edge[:, k - 1]], 1) for k in range(4)]
    return matrix, np.stack(quads, 1).reshape(-1, 4)


def _neighbours(n_vertices: int, faces: NDArray[np.int64]) -> sp.csr_matrix:
    rows, columns = np.repeat(faces, 4, axis=1).ravel(), np.tile(faces, 4).ravel()
    shares = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), (n_vertices, n_vertices))
    total = np.maximum(np.asarray(shares.sum(1)).ravel(), 1)
    return (sp.diags(1 / total) @ shares).tocsr().astype(np.float32)


def _subdivide_uv(uv: NDArray[np.float32]) -> NDArray[np.float32]:
    """Texture coordinates (F, 4, 2) of the subdivided quads (4 F, 4, 2), in their order."""
    middle = 0.5 * (uv + np.roll(uv, -1, 1))
    centre = uv.mean(1)
    quads = [np.stack([uv[:, k], middle[:, k], centre, middle[:, k - 1]], 1) for k in range(4)]
    return np.stack(quads, 1).reshape(-1, 4, 2)


def _three_shares(x: float) -> tuple[float, float, float]:
    """Spread x in [0, 1] over low, middle and high, piecewise linearly."""
    return max(0.0, 1 - 2 * x), 1 - abs(2 * x - 1), max(0.0, 2 * x - 1)


def _region(
    vertices: NDArray[np.float32],
    centres: tuple[tuple[float, float, float], ...],
    radius: float,
) -> NDArray[np.float32]:
    mirrored = [(-x, y, z) for x, y, z in centres]
    gaps = vertices[None] - np.array([*centres, *mirrored], np.float32)[:, None]
    result: NDArray[np.float32] = (
        np.exp(-(gaps**2).sum(2) / (2 * radius**2)).max(0).astype(np.float32)
    )
    return result
