"""Reading challenges: every value is somebody else's, so each is checked before it is used. `HumanNeeded` if not."""

import base64
import binascii
import re
from datetime import UTC, datetime

from captcha.errors import HumanNeeded

EARLIEST, LATEST = 1_420_070_400, 4_102_444_800  # 2015 and 2100: milliseconds and nonsense lie outside


def whole(value: object, least: int, most: int, name: str) -> int:
    """A whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise HumanNeeded(name)
    return value


def hex_bytes(value: object, name: str, most: int = 256) -> bytes:
    """Bytes written as hex digits, at least one, `most` at most."""
    if not isinstance(value, str) or not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", value) or len(value) > 2 * most:
        raise HumanNeeded(name)
    return bytes.fromhex(value)


def base64_bytes(value: str, name: str) -> bytes:
    """Bytes in standard base64."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise HumanNeeded(name) from None


def instant(value: object, name: str = "expiresAt") -> datetime:
    """Unix seconds as an aware moment."""
    return datetime.fromtimestamp(whole(value, EARLIEST, LATEST, name), UTC)
