"""Keys that a machine makes for itself at its first start and keeps beside its database.

They exist so that a newcomer needs no configuration. On a server, set `DJANGO_SECRET_KEY` and
`FIELD_ENCRYPTION_KEYS` in the environment instead; the environment always wins.
"""

import os
import secrets
import sys
from pathlib import Path

from cryptography.fernet import Fernet


def ensure_local_secrets(path: Path) -> Path:
    """Make sure the file of generated keys exists, readable by its owner alone.

    Safe when several processes start at once: exactly one of them writes the file, whole.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(
            "# Made at the first start. Keep it with the database: without it, people's data cannot be read.\n"
        )
        file.write(f"DJANGO_SECRET_KEY={secrets.token_urlsafe(50)}\n")
        file.write(f"FIELD_ENCRYPTION_KEYS={Fernet.generate_key().decode()}\n")
    try:
        os.link(draft, path)  # fails when another process was first; its keys are the keys then
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{ensure_local_secrets(Path(sys.argv[1]))}\n")
