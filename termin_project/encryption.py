"""A text field that is unreadable in the database file and in backups.

`cryptography`'s MultiFernet does the work. The ready-made field packages were looked at: they derive
their keys from `SECRET_KEY` (so that rotating one loses the other) or turn "" into NULL.
"""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


class Undecryptable(ValueError):
    """No key in `FIELD_ENCRYPTION_KEYS` opens a stored value; a key is missing or the row was tampered with."""


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(
            "FIELD_ENCRYPTION_KEYS must hold one or more Fernet keys, newest first, separated by commas. "
            'Make one with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
        ) from error


def encrypt(text: str) -> str:
    """`text`, encrypted with the newest key."""
    return _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(stored: str) -> str:
    """The text behind `stored`, by whichever key opens it. Raises `Undecryptable`."""
    try:
        return _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise Undecryptable("a stored value opens with none of FIELD_ENCRYPTION_KEYS") from error


class EncryptedTextField(models.TextField):
    """Text that reads and writes in clear and rests encrypted; "" and NULL stay what they are.

    It cannot be searched or ordered by: equal texts rest as different values.
    """

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return encrypt(value) if value else value

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return decrypt(value) if value else value

    def get_lookup(self, lookup_name: str) -> Any:
        # "exact" serves comparisons with "" alone: any other value rests differently every time.
        return super().get_lookup(lookup_name) if lookup_name in ("exact", "isnull") else None
