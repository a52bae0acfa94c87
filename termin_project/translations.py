"""The translations people read: compiled from `locale/*/LC_MESSAGES/django.po` when they are newer.

Babel compiles them, so no machine needs gettext's own tools. `python -m termin_project.translations` does it.
"""

import os
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE_DIR = Path(__file__).resolve().parent.parent / "locale"


def compile_catalogues(directory: Path = LOCALE_DIR) -> list[Path]:
    """Write every `.mo` that is missing or older than its `.po`; returns those written. Fuzzy entries are left out."""
    written = []
    for source in sorted(directory.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as file:
            catalogue = read_po(file, locale=source.parent.parent.name)
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        # Replaced in one step: another process may be reading it, or writing the same.
        part = target.with_suffix(f".mo.{os.getpid()}.part")
        part.write_bytes(compiled.getvalue())
        part.replace(target)
        written.append(target)
    return written


if __name__ == "__main__":
    compile_catalogues()
