"""Answers to the graded exercises as a student might give them: other code than the solutions of the pages.

Each function goes into a student's notebook in the place of the stub of that name, so it imports what
it needs beyond the imports of its page.
"""

import inspect
import re

import nbformat
import numpy as np
from memaa_book.pages import is_tagged

STUB = re.compile(r"^def (\w+)\(", re.MULTILINE)


def fill_in(notebook: nbformat.NotebookNode) -> int:
    """Put the answers into the stubs of a student's notebook; return how many there were."""
    stubs = [cell for cell in notebook.cells if is_tagged(cell, "exercise")]
    for cell in stubs:
        assert "NotImplementedError" in cell.source
        cell.source = inspect.getsource(globals()[STUB.findall(cell.source)[0]])
    return len(stubs)


def added_by_band(frames, level, gamma):
    from memaa_lib.magnification import collapse, laplacian_pyramid

    levels = level + 2
    added = []
    for frame in np.tensordot(gamma, frames.astype(float), axes=1):  # filtered first, then cut
        bands = laplacian_pyramid(frame, levels)
        added.append(collapse([b if k == level else 0 * b for k, b in enumerate(bands)]))
    return np.array(added)


def psnr_by_hand(reference, frames):
    one, other = (array.ravel().astype(np.int64) for array in (reference, frames))
    squares = sum((a - b) ** 2 for a, b in zip(one.tolist(), other.tolist(), strict=True))
    return 10 * np.log10(255**2 * one.size / squares) if squares else np.inf


def patterns_by_hand(gray):
    steps = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    rows, columns = gray.shape
    found = np.zeros((rows - 2, columns - 2), np.uint8)
    for y in range(1, rows - 1):
        for x in range(1, columns - 1):
            bits = [gray[y + dy, x + dx] >= gray[y, x] for dy, dx in steps]
            found[y - 1, x - 1] = sum(bit << k for k, bit in enumerate(map(int, bits)))
    return found


def fit_affine(points, targets):
    design = np.hstack([points, np.ones((len(points), 1))])
    return np.linalg.solve(design.T @ design, design.T @ targets).T  # the normal equations


def avatar_by_hand(clip, alpha):
    from memaa_lib import emotion_avatar, keep_frames, magnify, register

    return emotion_avatar(register(keep_frames(magnify(clip, alpha))), size=clip.height)


def block_by_hand(block, x):
    layers = [block.conv1, block.bn1, block.relu, block.conv2, block.bn2]
    out = x
    for layer in layers:
        out = layer(out)
    if block.downsample is not None:
        x = block.downsample(x)
    return (out + x).clamp(min=0)


def unweighted_f1(labels, answers):
    from sklearn.metrics import f1_score

    return f1_score(labels, answers, average="macro")


def leave_one_out(features, labels, subjects):
    answers = []
    for clip, subject in zip(features, subjects, strict=True):  # a new training for every clip
        others = [
            (f, c) for f, c, s in zip(features, labels, subjects, strict=True) if s != subject
        ]
        means = {}
        for name in {c for _, c in others}:
            means[name] = np.mean([f for f, c in others if c == name], axis=0)
        answers.append(min(means, key=lambda name: np.sum((clip - means[name]) ** 2)))
    return np.array(answers)


def interval_of_uf1(labels, answers, subjects, resamples=1500):
    from memaa_lib.metrics import confusion_matrix, from_confusion

    people = np.unique(subjects)
    each = np.array(
        [confusion_matrix(labels[subjects == p], answers[subjects == p]) for p in people]
    )
    drawn = np.random.default_rng(7).integers(len(people), size=(resamples, len(people)))
    scores = np.sort(from_confusion(each[drawn].sum(axis=1), "uf1"))
    return scores[int(0.025 * resamples)], scores[int(0.975 * resamples)]


def possible_uar(printed, counts):
    import itertools

    hits = itertools.product(*(range(count + 1) for count in counts))
    sums = {sum(h / c for h, c in zip(some, counts, strict=True)) for some in hits}
    return any(abs(total / 3 - printed) < 0.500001e-4 for total in sums)
