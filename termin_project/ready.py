"""Waits until everything works and says so; for the person who just started it."""

import os
import sys
import time
import urllib.error
import urllib.request

import django

PATIENCE_SECONDS = 120


def main() -> None:
    """Print "Ready" once `/readyz` answers 200, or what is missing after two minutes."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "termin_project.settings")
    django.setup()
    from django.conf import settings

    host = "127.0.0.1" if settings.HOST in ("0.0.0.0", "::", "") else settings.HOST  # noqa: S104 - a comparison
    address = f"http://{host}:{settings.PORT}/readyz"
    began = time.monotonic()
    last = "no answer"
    while time.monotonic() - began < PATIENCE_SECONDS:
        try:
            with urllib.request.urlopen(address, timeout=2):
                sys.stdout.write(f"Ready after {time.monotonic() - began:.0f} s.\n")
                return
        except urllib.error.HTTPError as error:
            last = error.read(2000).decode(errors="replace")
        except OSError as error:
            last = str(error)
        time.sleep(0.5)
    sys.stdout.write(f"Not ready after {PATIENCE_SECONDS} s: {last}\n")


if __name__ == "__main__":
    main()
