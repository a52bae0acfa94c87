"""What a button carries: small dataclasses that encode to and decode from at most 64 bytes.

Data is absolute ("office 12 on", never "toggle"), so that ten taps on the same button act once. Buttons of the
living menu carry its number in front; buttons under news (a slot opened, a place is held) stand for themselves.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import ClassVar

LONGEST = 64
_NUMBER = re.compile(r"-?\d{1,18}")
_WORD = re.compile(r"[a-z0-9_]{0,20}")
_REGISTRY: dict[str, type["Data"]] = {}


@dataclass(frozen=True)
class Data:
    """Base of everything a button can carry. Fields are whole numbers and short words."""

    code: ClassVar[str] = ""

    def __init_subclass__(cls, code: str) -> None:
        assert code not in _REGISTRY, code
        cls.code = code
        _REGISTRY[code] = cls

    def encode(self, serial: int | None = None) -> str:
        """Text of at most 64 bytes; `serial` is the number of the menu the button belongs to."""
        parts = [self.code, *(str(getattr(self, field.name)) for field in dataclasses.fields(self))]
        text = ":".join(parts)
        if serial is not None:
            text = f"{serial}~{text}"
        if len(text.encode()) > LONGEST:
            raise ValueError(f"button data is longer than {LONGEST} bytes: {text}")
        return text


def decode(text: str | None) -> tuple[Data, int | None] | None:
    """The data and the number of its menu (None under news); None for anything we never wrote. Never raises."""
    if not text or len(text) > LONGEST or not text.isascii():
        return None
    before, tilde, after = text.partition("~")
    if tilde and not _NUMBER.fullmatch(before):
        return None
    code, *values = (after if tilde else before).split(":")
    cls = _REGISTRY.get(code)
    if cls is None:
        return None
    fields = dataclasses.fields(cls)
    if len(fields) != len(values):
        return None
    read: dict[str, int | str] = {}
    for field, value in zip(fields, values, strict=True):
        if not (_NUMBER if field.type is int else _WORD).fullmatch(value):
            return None
        read[field.name] = int(value) if field.type is int else value
    return cls(**read), int(before) if tilde else None


# --- Getting around ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Go(Data, code="go"):
    """Open a place of the menu: home, watches, bookings, profile, settings, status, privacy, help, delete, resume."""

    place: str


@dataclass(frozen=True)
class Agree(Data, code="ok"):
    """The person agrees to what was said at the start."""


@dataclass(frozen=True)
class Speak(Data, code="la"):
    """Change the language, then open `place`."""

    language: str
    place: str


@dataclass(frozen=True)
class Nothing(Data, code="x"):
    """A button that only fills a gap, such as a past day of the calendar."""


# --- A new watch -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Topic(Data, code="t"):
    """Show one topic's services."""

    name: str
    page: int = 0


@dataclass(frozen=True)
class PickService(Data, code="s"):
    """Choose a service by its number at the city."""

    upstream_id: int


@dataclass(frozen=True)
class More(Data, code="mo"):
    """The other services of the same appointment: "list" shows a page of what may be added, "drop" takes one out."""

    act: str
    number: int = 0


@dataclass(frozen=True)
class Instead(Data, code="in"):
    """Search for another service instead of the one a watch waits for, which is not offered any more."""

    watch: int
    upstream_id: int


@dataclass(frozen=True)
class Persons(Data, code="p"):
    """For how many."""

    count: int


@dataclass(frozen=True)
class PickOffice(Data, code="o"):
    """Put an office's check mark (`on` 1) or take it away (0), on this page of the list."""

    office: int
    on: int
    page: int


@dataclass(frozen=True)
class OfficePage(Data, code="op"):
    """Turn the list of offices."""

    page: int


@dataclass(frozen=True)
class Done(Data, code="dn"):
    """This point is settled: `point` is offices or weekdays; `all` takes every office."""

    point: str
    all: int = 0


@dataclass(frozen=True)
class Days(Data, code="d"):
    """A preset of days: asap, week, nextweek, ten, before, range."""

    preset: str


@dataclass(frozen=True)
class Month(Data, code="m"):
    """Turn the calendar to a month, counted as year * 12 + month - 1."""

    number: int


@dataclass(frozen=True)
class Day(Data, code="dy"):
    """A day of the calendar, as a proleptic ordinal."""

    ordinal: int


@dataclass(frozen=True)
class Hours(Data, code="h"):
    """A preset of hours: any, morning, afternoon, after15, perday."""

    preset: str


@dataclass(frozen=True)
class Weekday(Data, code="wd"):
    """Choose the hours of one weekday, Monday is 0."""

    number: int


@dataclass(frozen=True)
class WeekdayHours(Data, code="wh"):
    """The hours of one weekday: a preset, or "never"."""

    number: int
    preset: str


@dataclass(frozen=True)
class PickMode(Data, code="md"):
    """What to do when a slot opens: notify, hold, auto."""

    mode: str


@dataclass(frozen=True)
class Change(Data, code="ch"):
    """Change one point of the summary; "" shows the list of points."""

    point: str


@dataclass(frozen=True)
class StartWatching(Data, code="go_on"):
    """The summary is right: watch, or save the changed watch."""


# --- Watches and bookings ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class WatchAct(Data, code="w"):
    """open, pause, resume, edit, delete, delete_yes, snooze, wake, why."""

    act: str
    watch: int


@dataclass(frozen=True)
class BookSlot(Data, code="b"):
    """Hold this slot, offered by a watch."""

    slot: int
    watch: int


@dataclass(frozen=True)
class BookingAct(Data, code="k"):
    """show, keep, send, check, fix, other, release, release_yes, opened, nomail, wrong_mail, stop_then, go_on_then,
    files, visit_done, forget, another."""

    act: str
    booking: int


@dataclass(frozen=True)
class SwapSlot(Data, code="sw"):
    """Give back the place that is held and take this slot instead."""

    booking: int
    slot: int


@dataclass(frozen=True)
class MoveAct(Data, code="ma"):
    """About moving an appointment: times, look, earlier, first, keep_old, seven, stop."""

    act: str
    booking: int


@dataclass(frozen=True)
class MovePage(Data, code="mq"):
    """Turn the list of times an appointment could move to."""

    booking: int
    page: int


@dataclass(frozen=True)
class MoveTo(Data, code="mv"):
    """Shall the appointment move to this slot? `sure` 1: yes, it was asked before."""

    booking: int
    slot: int
    sure: int = 0


@dataclass(frozen=True)
class Improve(Data, code="im"):
    """Looking for something earlier: set `point` (gain, changes, mode) to a number, or `start` with what is set.

    The modes are numbered 0 tell, 1 hold, 2 book.
    """

    point: str
    value: int


@dataclass(frozen=True)
class ShowMap(Data, code="mp"):
    """Send an office's place on the map."""

    office: int


@dataclass(frozen=True)
class StopVeto(Data, code="vs"):
    """Stop a booking before it is sent, but keep the place held."""

    booking: int


@dataclass(frozen=True)
class VetoTime(Data, code="vt"):
    """How long a person may object before a search books by itself, in seconds; -1 shows the choices."""

    watch: int
    seconds: int


@dataclass(frozen=True)
class Solve(Data, code="cp"):
    """A fresh link to solve a captcha: for a booking, or (0) to keep guarded offices watched."""

    booking: int = 0


# --- Contact data and settings -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Ask(Data, code="f"):
    """Ask for one field of the contact data: family_name, email, telephone, or custom_text, custom_text_2."""

    field: str


@dataclass(frozen=True)
class Skip(Data, code="sk"):
    """No answer to this question."""

    field: str


@dataclass(frozen=True)
class Erase(Data, code="er"):
    """Erase after a second thought: "contact" or "everything"."""

    what: str


@dataclass(frozen=True)
class TestMessage(Data, code="tm"):
    """Send a test message the way news are sent."""

    __test__: ClassVar[bool] = False  # no test class, whatever its name looks like to pytest


# --- For whom, and to which address ------------------------------------------------------------------------


@dataclass(frozen=True)
class PersonAct(Data, code="pf"):
    """list, add, agree (no person), open, family_name, email, telephone, delete, delete_yes (of `person`)."""

    act: str
    person: int = 0


@dataclass(frozen=True)
class Whom(Data, code="wm"):
    """For whom: a profile, 0 for the person themselves, -1 to see everybody."""

    person: int


@dataclass(frozen=True)
class Meant(Data, code="mt"):
    """Whether the address that looks mistyped was meant to be the likelier one (1) or is right (0)."""

    yes: int


@dataclass(frozen=True)
class TakeAnew(Data, code="ta"):
    """Give the place back and take this slot with the corrected address; slot 0: give back and watch on."""

    booking: int
    slot: int
