"""What ``-p NAME=VALUE`` means: the type of the notebook's default decides."""

import datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from memaa_book.pages import check_parameters, read_parameters

from memaa_lib import InputError

CELL = """---
kernelspec: {display_name: Python 3, language: python, name: python3}
---

```{code-cell} ipython3
:tags: [parameters]

dataset: str = "casme2"
alpha: float = 10.0
count: int = 3
fresh: bool = False
limit: float | None = None
seed: int | None = 4
label: str | None = None
alphas: list[float] = [5.0, 10.0]
size: tuple[int, int] = (224, 224)
names: list[str] = []
plain = 7
several = [1, 2]
odd: "SomethingElse" = 1
```
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("notebooks") / "09_one.md"
    path.write_text(CELL, "utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("count=010", 10), ("count=0113", 113), ("count=-5", -5), ("count=1_000", 1000),
        ("plain=010", 10), ("seed=010", 10), ("seed=null", None), ("seed=", None),
        ("alpha=15", 15.0), ("alpha=.5", 0.5), ("alpha=1e3", 1000.0), ("alpha=010", 10.0),
        ("limit=1e3", 1000.0), ("limit=None", None),
        ("fresh=on", True), ("fresh=no", False), ("fresh=1", True), ("fresh=TRUE", True),
        ("label=x", "x"), ("label=010", "010"),
        ("alphas=5,10,15", [5.0, 10.0, 15.0]), ("alphas=[5, 1e1]", [5.0, 10.0]), ("alphas=", []),
        ("size=(64, 010)", (64, 10)), ("several=1,02", [1, 2]),
        ("names=010,'on'", ["010", "on"]),
    ],
)  # fmt: skip
def test_a_value_gets_the_type_of_the_default(source, text, value):
    ((_, found),) = read_parameters(source, [text]).items()
    assert (found, type(found)) == (value, type(value))
    check_parameters(source, {text.partition("=")[0]: found})


ODD = ["010", "0113", "1:30", "1e3", "006_1_2", "2024-01-02", "on", "null", "~", "0x1f", "1_000"]
ODD += [
    ".5",
    "inf",
    "nan",
    "",
    "a=b",
    "[1, 2]",
    "{a: 1}",
    " x ",
    "'x'",
    "# x",
    "!!int 3",
    "é",
    "- x",
]


@pytest.mark.parametrize("text", ODD)
def test_a_text_stays_as_it_was_typed(source, text):
    assert read_parameters(source, [f"dataset={text}"]) == {"dataset": text}


@given(st.text())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_every_text_stays_and_every_number_is_a_number_or_refused(source, text):
    assert read_parameters(source, [f"dataset={text}"]) == {"dataset": text}
    for name, kind in (("count", int), ("alpha", float), ("fresh", bool)):
        try:
            value = read_parameters(source, [f"{name}={text}"])[name]
        except InputError as error:
            assert f"parameter {name} is {text!r}, expected " in str(error)
        else:
            assert type(value) is kind


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_number_is_read_as_python_writes_it(source, number):
    assert read_parameters(source, [f"alpha={number!r}"]) == {"alpha": float(number)}
    if isinstance(number, int):
        assert read_parameters(source, [f"count={number!r}"]) == {"count": number}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            (f"count={odd}", "a whole number such as 3")
            for odd in ("1e3", "1:30", "0x1f", "on", "")
        ),
        *((f"count={odd}", "a whole number such as 3") for odd in ("3.5", "2024-01-02", "006-1")),
        *(
            (f"alpha={odd}", "a number such as 10.0")
            for odd in ("nan", "inf", "1e999", "1,5", "on")
        ),
        *((f"fresh={odd}", "true or false such as False") for odd in ("null", "2", "", "maybe")),
        ("limit=many", "a number"),
        ("seed=many", "a whole number such as 4"),
        ("plain=many", "a whole number such as 7"),
        ("alphas=5,many", "list[float] such as [5.0, 10.0]"),
        ("size=1,2,3", "tuple[int, int] such as (224, 224)"),
        ("odd=1", "SomethingElse"),
        ("nobody=1", "no parameter 'nobody'; it has dataset, alpha"),
        ("alpha", "expected NAME=VALUE"),
        ("=1", "expected NAME=VALUE"),
        ("dataset=caf\udce9", "no Unicode"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_expected(source, text, expected):
    with pytest.raises(InputError) as refused:
        check_parameters(source, read_parameters(source, [text]))
    assert expected in str(refused.value)


def test_yaml_would_have_changed_them():
    assert yaml.safe_load("0113") == 75
    assert yaml.safe_load("2024-01-02") == datetime.date(2024, 1, 2)
