"""People: reproducible, all different, possible."""

from dataclasses import asdict

import numpy as np
import pytest

from memaa_lib._support.errors import InputError
from memaa_lib.synthetic import load_head, sample_identity
from memaa_lib.synthetic.expressions import ACTION_UNITS, action_unit_shifts


def test_same_key_same_person():
    assert asdict(sample_identity("casme2", "sub01", 3)) == asdict(
        sample_identity("casme2", "sub01", 3)
    )


def test_no_two_people_are_alike():
    people = [
        sample_identity(dataset, subject, seed)
        for dataset in ("smic", "casme2", "samm", "further")
        for subject in ("1", "01", "s1")
        for seed in (0, 1)
    ]
    shapes = {tuple(sorted(person.shape.items())) for person in people}
    assert len(shapes) == len(people)


def test_shape_targets_exist_and_are_moderate():
    targets = load_head().targets
    for subject in range(60):
        person = sample_identity("further", str(subject))
        assert set(person.shape) <= set(targets)
        assert max(map(abs, person.shape.values())) <= 1.0
        assert sum(person.ancestry.values()) == pytest.approx(1)


def test_the_cast_is_varied():
    people = [sample_identity("further", str(subject)) for subject in range(200)]
    men = sum(person.maleness > 0.5 for person in people)
    assert 70 < men < 130
    assert {person.appearance.glasses for person in people} == {"none", "round", "square"}
    assert sum(person.appearance.beard > 0 for person in people) > 5
    assert np.ptp([person.appearance.tone for person in people]) > 0.7
    assert np.ptp([person.age for person in people]) > 0.5


def test_action_units_differ_between_people_but_not_much():
    first, second = (action_unit_shifts(sample_identity("further", s)) for s in "ab")
    assert first.shape == (len(ACTION_UNITS), *load_head().vertices.shape)
    for unit, a, b in zip(ACTION_UNITS, first, second, strict=True):
        alike = (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())
        assert alike > 0.7
        if unit.startswith(("AU12", "AU1L", "AU4L")):
            assert alike < 0.9999


def test_left_and_right_move_their_own_half():
    shifts = action_unit_shifts(sample_identity("further", "a"))
    x = load_head().vertices[:, 0]
    for unit in ("AU12", "AU2", "AU45"):
        for side, sign in (("L", 1), ("R", -1)):
            moved = np.linalg.norm(shifts[ACTION_UNITS.index(unit + side)], axis=1)
            assert moved[sign * x > 0].sum() > 0.85 * moved.sum()


@pytest.mark.parametrize("bad", [("", "s1", 0), ("smic", "", 0), ("smic", "s1", -1)])
def test_bad_names_are_refused(bad):
    with pytest.raises(InputError):
        sample_identity(*bad)
