"""Contact data by the city's rules, checked before anything is held.

Source: the contract's rules for POST /update-appointment/ and recorded answers: a name with emoji or of 300
characters makes the city fail (500), a plus-address is refused.
"""

import re
import unicodedata

from appointments.errors import InvalidValue
from appointments.models import Booking

SHORTEST_NAME, LONGEST_NAME = 3, 50
LONGEST_EMAIL = 100
LONGEST_TEXT = 250
# The city's own pattern, with the reasons taken apart.
_EMAIL = re.compile(r"^(?!.*\.\.)(?!\.)(?!.*\.$)[^\s@+]+(?<!\.)@(?!\.)[^\s@+]+\.[^\s@]{2,}$")
_TELEPHONE = re.compile(r"^\+?[0-9]\d{6,14}$")
_NAME_MARKS = frozenset(" -'’.,")


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


def missing_contact(booking: Booking) -> tuple[str, ...]:
    """What the office needs and we do not know yet, in the order to ask for it.

    A subset of ("family_name", "email", "telephone", "custom_text", "custom_text_2"). The e-mail address is
    always among the needed: without it nobody can open the link that the city mails.
    """
    office, person = booking.office, booking.subscriber
    needed = {
        "family_name": not (booking.family_name or person.family_name),
        "email": not (booking.email or person.email),
        "telephone": office.telephone_activated
        and office.telephone_required
        and not (booking.telephone or person.telephone),
        "custom_text": office.custom_text_activated
        and office.custom_text_required
        and not booking.custom_text,
        "custom_text_2": office.custom_text_2_activated
        and office.custom_text_2_required
        and not booking.custom_text_2,
    }
    return tuple(field for field, missing in needed.items() if missing)
