"""The rules for contact data, as `POST /update-appointment/` applies them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from termin_project.sandbox.city.catalogue import Scope

EMAIL = re.compile(r"^(?!.*\.\.)(?!\.)(?!.*\.$)[^\s@+]+(?<!\.)@(?!\.)[^\s@+]+\.[^\s@]{2,}$")
TELEPHONE = re.compile(r"^\+?[0-9]\d{6,14}$", re.ASCII)
LONGEST_CUSTOM_TEXT = 250
LONGEST_NAME = 255
"""Beyond this the database column of the real software refuses the name."""

FIELDS = ("familyName", "email", "telephone", "customTextfield", "customTextfield2")


def contact_problems(values: Mapping[str, Any], scope: Scope) -> list[str]:
    """Error codes for the given contact fields, in the city's order."""
    problems: list[str] = []
    name = values.get("familyName")
    if not isinstance(name, str) or not name.strip():
        problems.append("invalidFamilyName")
    email = values.get("email")
    if scope.email_required and (not isinstance(email, str) or not EMAIL.match(email)):
        problems.append("invalidEmail")
    telephone = values.get("telephone")
    if scope.telephone and telephone is not None:
        blank = telephone == ""
        if (blank and scope.telephone_required) or (not blank and not TELEPHONE.match(str(telephone))):
            problems.append("invalidTelephone")
    for field, label, required in (
        ("customTextfield", scope.custom, scope.custom_required),
        ("customTextfield2", scope.custom_2, scope.custom_2_required),
    ):
        if label is None:
            continue
        text = plain_text(str(values.get(field) or ""))
        if (required and not text.strip()) or len(text) > LONGEST_CUSTOM_TEXT:
            problems.append("invalid" + field[0].upper() + field[1:])
    return problems


def plain_text(text: str) -> str:
    """Entities decoded, `<br>` turned into line breaks, tags dropped."""
    text = re.sub(r"<br\s*/?>", "\n", html.unescape(text), flags=re.IGNORECASE)
    return re.sub(r"<[^>]*>", "", text)


def breaks_the_database(values: Mapping[str, Any]) -> bool:
    """Whether the real database refuses what passed the checks: names too long, characters beyond 3 bytes."""
    name = values.get("familyName")
    if isinstance(name, str) and len(name) > LONGEST_NAME:
        return True
    return any(ord(letter) > 0xFFFF for field in FIELDS for letter in str(values.get(field) or ""))
