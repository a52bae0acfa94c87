"""What buttons carry."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import callback_data as cd

LARGEST = 2**40
KINDS = [
    value
    for value in vars(cd).values()
    if isinstance(value, type) and issubclass(value, cd.Data) and value.code
]


def largest(kind: type[cd.Data]) -> cd.Data:
    """Data of this kind with values as long as they get."""
    values = {f.name: LARGEST if f.type is int else "a_long_word" for f in dataclasses.fields(kind)}
    return kind(**values)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_data_come_back_as_they_went(kind: type[cd.Data]) -> None:
    data = largest(kind)

    assert cd.decode(data.encode(12345)) == (data, 12345)
    assert cd.decode(data.encode()) == (data, None)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_data_fit_telegram_even_with_large_numbers(kind: type[cd.Data]) -> None:
    assert len(largest(kind).encode(LARGEST).encode()) <= 64


def test_data_that_would_not_fit_are_refused_when_they_are_made() -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        cd.Go("x" * 80).encode()


@given(st.text(max_size=80))
def test_junk_is_no_data(junk: str) -> None:
    found = cd.decode(junk)

    assert found is None or found[0].encode(found[1]) == junk or junk[0] in "-0123456789"


@pytest.mark.parametrize(
    "junk",
    [
        None,
        "",
        "~",
        "x~",
        "k:keep",
        "k:keep:1:2",
        "k:keep:one",
        "k:KEEP:1",
        "5~",
        "zz:1",
        "k:keep:" + "9" * 30,
    ],
)
def test_broken_data_are_none(junk: str | None) -> None:
    assert cd.decode(junk) is None
