"""Keys a machine makes for itself."""

import stat
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from termin_project.encryption import Undecryptable, decrypt, encrypt
from termin_project.local_secrets import ensure_local_secrets


def test_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    path = ensure_local_secrets(tmp_path / "var" / "secrets.env")
    first = path.read_text()

    ensure_local_secrets(path)

    assert path.read_text() == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secrets.env"]


def test_what_was_encrypted_with_a_former_key_can_be_read(settings: object) -> None:
    from cryptography.fernet import Fernet

    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [old]  # type: ignore[attr-defined]
    stored = encrypt("Ada")

    settings.FIELD_ENCRYPTION_KEYS = [new, old]  # type: ignore[attr-defined]

    assert decrypt(stored) == "Ada"
    assert "Ada" not in stored


def test_without_its_key_a_value_is_not_guessed(settings: object) -> None:
    from cryptography.fernet import Fernet

    stored = encrypt("Ada")
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]  # type: ignore[attr-defined]

    with pytest.raises(Undecryptable):
        decrypt(stored)


def test_a_malformed_key_says_how_to_make_one(settings: object) -> None:
    settings.FIELD_ENCRYPTION_KEYS = ["not a key"]  # type: ignore[attr-defined]

    with pytest.raises(ImproperlyConfigured, match="Make one with"):
        encrypt("Ada")
