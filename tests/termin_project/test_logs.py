"""Logs carry ids, never secrets or people's data."""

import logging

import pytest

from termin_project.logs import LineFormatter, PrivateDataFilter


def line(text: str, *args: object, **extra: object) -> str:
    record = logging.getLogger("test").makeRecord("test", logging.INFO, "", 0, text, args, None, extra=extra)
    PrivateDataFilter().filter(record)
    return LineFormatter().format(record)


@pytest.mark.parametrize(
    "secret",
    [
        "bot123456:AAE-abcdefghijklmnopqrstuvwxyz012345",
        "ada@example.org",
        "a" * 64,
        "eyJhbGciOiJIUzI1NiJ9.eyJpcCI6IjEifQ.c2ln",
        "+49 89 1234567",
    ],
)
def test_what_looks_private_is_taken_out(secret: str) -> None:
    assert secret not in line("sent to %s", secret)
    assert secret not in line("sent", detail=secret)


def test_ids_stay() -> None:
    assert line("Booking moved", booking=7).endswith("Booking moved booking=7")
