"""Settings of the tests: whatever the machine's environment and `.env` say, nothing real is reached."""

import os
import tempfile

for _name in (
    "TELEGRAM_BOT_TOKEN",
    "MUNICH_API_URL",
    "TELEGRAM_API_URL",
    "REDIS_URL",
    "CAPTCHA_MODE",
    "SANDBOX",
):
    os.environ[_name] = "1" if _name == "SANDBOX" else "auto" if _name == "CAPTCHA_MODE" else ""
for _name in (
    "PORT",
    "HOST",
    "PUBLIC_URL",
    "NOTIFY_QUEUE",
    "METRICS_TOKEN",
    "OPERATOR_NAME",
    "OPERATOR_CONTACT",
):
    os.environ.pop(_name, None)
# The suite runs on SQLite unless TEST_DATABASE_URL names another server.
_DIRECTORY = tempfile.mkdtemp(prefix="termin-tests-")
os.environ["VAR_DIR"] = _DIRECTORY
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", f"sqlite:///{_DIRECTORY}/db.sqlite3")
os.environ["DJANGO_SECRET_KEY"] = "only for tests"
os.environ["FIELD_ENCRYPTION_KEYS"] = "oQ2gJ3eCq3vJ0b0P2Jc0ZqJb9dT0a6rS5oJx1uQ0yqA="

from termin_project.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if SQLITE:  # noqa: F405
    # A file, so that threads and processes of a test see one database.
    DATABASES["default"]["TEST"] = {"NAME": f"{_DIRECTORY}/test.sqlite3"}  # noqa: F405
