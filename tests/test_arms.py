"""Arms: each changes what its name says, and differences are paired."""

import pandas as pd
import pytest

from memaa_lib.arms import ARMS, QUICK, compare_arms
from memaa_lib.avatar import AvatarSettings


class FakeResults:
    """Results with given predictions."""

    def __init__(self, wrong: int) -> None:
        rows = [("smic", f"s{i % 6:02d}", f"c{i}", i % 3, (i + (i < wrong)) % 3) for i in range(30)]
        columns = ["dataset", "subject", "clip", "label", "prediction"]
        self.predictions = pd.DataFrame(rows, columns=columns)


def test_quick_arms_share_the_avatars_of_the_full_method():
    assert QUICK[0] == "full method"
    assert all(ARMS[name].settings == AvatarSettings() for name in QUICK)
    assert any(arm.needs_own_avatars for arm in ARMS.values())


def test_the_reference_differs_from_itself_by_nothing():
    table = compare_arms({"full method": FakeResults(0), "worse": FakeResults(9)})
    assert table.loc["full method", "difference"] == 0
    assert table.loc["full method", "uf1"] == 1
    assert table.loc["worse", "difference"] == pytest.approx(table.loc["worse", "uf1"] - 1)
    assert table.loc["worse", "difference_high"] < 0
