"""Who opened our page inside Telegram: its signed launch data, checked as Telegram describes.

Source: https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app
aiogram has the same check without the age; ten lines are less than a second bot library.
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

MOST_AGE = timedelta(hours=1)
# Clocks differ a little; data from further in the future is not from Telegram.
MOST_AHEAD = timedelta(minutes=2)
LONGEST = 8 * 1024


class InitDataRefused(Exception):
    """The launch data are not Telegram's, too old, or name nobody. `reason` is one word."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def user_id_of(init_data: str, bot_token: str, now: datetime) -> int:
    """The Telegram user who opened the page. `now` is aware. Raises `InitDataRefused`."""
    if not init_data or len(init_data) > LONGEST:
        raise InitDataRefused("missing")
    try:
        pairs = parse_qsl(init_data, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise InitDataRefused("unreadable") from None
    fields = dict(pairs)
    given = fields.pop("hash", "")
    if len(fields) + 1 != len(pairs):
        raise InitDataRefused("unreadable")  # a name twice: which one was signed?
    checked = "\n".join(f"{name}={value}" for name, value in sorted(fields.items()))
    secret = hmac.new(b"WebAppData", bot_token.encode(), hashlib.sha256).digest()
    expected = hmac.new(secret, checked.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise InitDataRefused("forged")
    try:
        opened_at = datetime.fromtimestamp(int(fields["auth_date"]), UTC)
        user_id = json.loads(fields["user"])["id"]
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise InitDataRefused("unreadable") from None
    if not -MOST_AHEAD <= now - opened_at <= MOST_AGE:
        raise InitDataRefused("old")
    if isinstance(user_id, bool) or not isinstance(user_id, int):
        raise InitDataRefused("unreadable")
    return user_id
