"""Contact data by the city's rules, checked before anything is held.

Source: the contract's rules for POST /update-appointment/ and recorded answers: a name with emoji or of 300
characters makes the city fail (500), a plus-address is refused.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from appointments.errors import InvalidValue
from appointments.models import Booking, Office, Profile, Slot, Subscriber, Watch
from appointments.states import BookingState

SHORTEST_NAME, LONGEST_NAME = 3, 50
LONGEST_EMAIL = 100
LONGEST_TEXT = 250
# The city's own pattern, with the reasons taken apart.
_EMAIL = re.compile(r"^(?!.*\.\.)(?!\.)(?!.*\.$)[^\s@+]+(?<!\.)@(?!\.)[^\s@+]+\.[^\s@]{2,}$")
_TELEPHONE = re.compile(r"^\+?[0-9]\d{6,14}$")
_NAME_MARKS = frozenset(" -'’.,")
# Where most people here have their mail; a host that only nearly is one of these was probably mistyped.
COMMON_HOSTS = (
    "gmail.com",
    "googlemail.com",
    "gmx.de",
    "gmx.net",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "mail.com",
    "mail.de",
    "email.de",
    "ymail.com",
    "me.com",
    "web.de",
    "t-online.de",
    "outlook.com",
    "outlook.de",
    "hotmail.com",
    "hotmail.de",
    "yahoo.com",
    "yahoo.de",
    "icloud.com",
    "freenet.de",
    "posteo.de",
    "mailbox.org",
    "live.com",
    "live.de",
    "aol.com",
    "mnet-online.de",
    "proton.me",
)
# Statuses the city counts against its limit per address.
_COUNTED = (BookingState.PRECONFIRMED, BookingState.CONFIRMED)


def clean_family_name(text: str) -> str:
    """First and last name as the city takes them: 3 to 50 letters, blanks, hyphens, apostrophes, dots.

    Raises `InvalidValue("family_name", "empty" | "too_short" | "too_long" | "emoji" | "letters_only")`.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise InvalidValue("family_name", "empty")
    if len(name) > LONGEST_NAME:
        raise InvalidValue("family_name", "too_long", most=LONGEST_NAME)
    if any(
        ord(letter) > 0xFFFF or unicodedata.category(letter) in ("So", "Cs", "Co", "Cn") for letter in name
    ):
        raise InvalidValue("family_name", "emoji")
    if not all(letter.isalpha() or letter in _NAME_MARKS or unicodedata.combining(letter) for letter in name):
        raise InvalidValue("family_name", "letters_only")
    if sum(letter.isalpha() for letter in name) < 2 or len(name) < SHORTEST_NAME:
        raise InvalidValue("family_name", "too_short", least=SHORTEST_NAME)
    return name


def clean_email(text: str) -> str:
    """An address the city accepts.

    Raises `InvalidValue("email", "empty" | "too_long" | "plus_address" | "not_an_address")`.
    """
    email = text.strip()
    if not email:
        raise InvalidValue("email", "empty")
    if len(email) > LONGEST_EMAIL:
        raise InvalidValue("email", "too_long", most=LONGEST_EMAIL)
    if "+" in email:
        raise InvalidValue("email", "plus_address")
    if not _EMAIL.match(email) or not email.isprintable():
        raise InvalidValue("email", "not_an_address")
    return email


def clean_telephone(text: str) -> str:
    """A number as the city takes it, 7 to 15 digits: blanks and separators people type are taken out; "" stays "".

    Raises `InvalidValue("telephone", "digits_only" | "too_few_digits" | "too_many_digits")`.
    """
    number = re.sub(r"[\s()/.–-]", "", text.strip()[:60])
    if not number:
        return ""
    digits = number.removeprefix("+")
    if not digits.isascii() or not digits.isdigit():
        raise InvalidValue("telephone", "digits_only")
    if len(digits) < 7:
        raise InvalidValue("telephone", "too_few_digits")
    if len(digits) > 15 or not _TELEPHONE.match(number):
        raise InvalidValue("telephone", "too_many_digits")
    return number


def clean_custom_text(text: str, *, required: bool) -> str:
    """The answer to an office's own question, at most 250 characters, without markup.

    Raises `InvalidValue("custom_text", "empty" | "too_long" | "emoji")`.
    """
    answer = re.sub(r"<[^>]*>", "", text).strip()
    if required and not answer:
        raise InvalidValue("custom_text", "empty")
    if len(answer) > LONGEST_TEXT:
        raise InvalidValue("custom_text", "too_long", most=LONGEST_TEXT)
    if any(ord(letter) > 0xFFFF for letter in answer):
        raise InvalidValue("custom_text", "emoji")
    return answer


def probably_meant(email: str) -> str:
    """The address `email` was probably meant to be, if its host looks mistyped; "" otherwise.

    The city mails its link once, to one address, so a slip of the thumb costs the appointment.
    """
    name, _at, host = email.partition("@")
    host = host.lower()
    if host in COMMON_HOSTS:
        return ""
    near = get_close_matches(host, COMMON_HOSTS, n=1, cutoff=0.83)
    return f"{name}@{near[0]}" if near else ""


@dataclass(frozen=True, slots=True)
class PersonData:
    """Whose name and addresses go to the city; "" is "not known"."""

    family_name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    telephone: str = field(default="", repr=False)


def stored_data(subscriber: Subscriber, profile: Profile | None) -> PersonData:
    """What is stored for the person a booking is for. Without an address of their own the subscriber's serves."""
    if profile is None:
        return PersonData(subscriber.family_name, subscriber.email, subscriber.telephone)
    return PersonData(
        profile.family_name,
        profile.email or subscriber.email,
        profile.telephone or subscriber.telephone,
    )


def data_of(booking: Booking, *, anew: bool | None = None) -> PersonData:
    """The data this booking is (or will be) sent with.

    The name is fixed once it was kept, and a booking that takes another's place takes its name, too. Address and
    telephone are the stored ones as long as they can still be chosen (`anew`; without it: while we ask), and those
    it was sent with afterwards.
    """
    stored = stored_data(booking.subscriber, booking.profile)
    before = booking.replaces
    name = booking.family_name or (before.family_name if before is not None else "") or stored.family_name
    if booking.wish == Booking.Wish.ASK if anew is None else anew:
        return PersonData(name, stored.email or booking.email, stored.telephone or booking.telephone)
    return PersonData(name, booking.email or stored.email, booking.telephone or stored.telephone)


def missing_contact(booking: Booking) -> tuple[str, ...]:
    """What the office needs and we do not know yet, in the order to ask for it.

    A subset of ("family_name", "email", "telephone", "custom_text", "custom_text_2"). The e-mail address is
    always among the needed: without it nobody can open the link that the city mails.
    """
    office, known = booking.office, data_of(booking)
    needed = {
        "family_name": not known.family_name,
        "email": not known.email,
        "telephone": office.telephone_activated and office.telephone_required and not known.telephone,
        "custom_text": office.custom_text_activated
        and office.custom_text_required
        and not booking.custom_text,
        "custom_text_2": office.custom_text_2_activated
        and office.custom_text_2_required
        and not booking.custom_text_2,
    }
    return tuple(name for name, missing in needed.items() if missing)


# --- The city's limit of appointments per address ----------------------------------------------------------


def mail_limit_reached(subscriber: Subscriber, profile: Profile | None, office: Office) -> Booking | None:
    """The person's own appointment at `office` because of which the city would refuse another one; None: it would not.

    Only this person's bookings are looked at: somebody else may use the same address, but that is not for us to tell.
    """
    email = stored_data(subscriber, profile).email
    if not office.appointments_per_mail or not email:
        return None
    return _in_the_way(_standing_at([office.pk], [subscriber.pk]), email, office.appointments_per_mail)


def without_full_offices(
    takers: Iterable[tuple[Watch, list[Slot]]],
) -> tuple[list[tuple[Watch, list[Slot]]], list[tuple[Watch, Booking]]]:
    """`takers` without the slots whose office would refuse their address, and who is left with nothing because of that.

    Each of the latter comes with the appointment that is in the way. Two queries, however many takers there are.
    """
    takers = list(takers)
    offices = Office.objects.filter(
        pk__in={slot.office_id for _watch, slots in takers for slot in slots},
        appointments_per_mail__gte=1,
    )
    limits = {office.pk: office.appointments_per_mail or 0 for office in offices}
    standing: dict[tuple[int, int], list[Booking]] = {}
    if limits:
        for booking in _standing_at(list(limits), [watch.subscriber_id for watch, _slots in takers]):
            standing.setdefault((booking.subscriber_id, booking.office_id), []).append(booking)
    if not standing:
        return takers, []
    left, stopped = [], []
    for watch, slots in takers:
        email = stored_data(watch.subscriber, watch.profile).email
        obstacles = {
            office_id: obstacle
            for office_id, limit in limits.items()
            if email
            and (obstacle := _in_the_way(standing.get((watch.subscriber_id, office_id), ()), email, limit))
        }
        possible = [slot for slot in slots if slot.office_id not in obstacles]
        if possible:
            left.append((watch, possible))
        elif slots:
            stopped.append((watch, obstacles[slots[0].office_id]))
    return left, stopped


def _standing_at(offices: Sequence[int], people: Sequence[int]) -> list[Booking]:
    return list(
        Booking.objects.filter(
            subscriber__in=people, office__in=offices, state__in=_COUNTED, ended_at=None
        ).order_by("starts_at")
    )


def _in_the_way(standing: Iterable[Booking], email: str, limit: int) -> Booking | None:
    """The first of those under this very address, if they fill the limit."""
    same = [booking for booking in standing if booking.email == email]
    return same[0] if len(same) >= limit else None
