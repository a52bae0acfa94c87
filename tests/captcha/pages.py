"""What tests of the page share: Telegram's signature, and a city behind a real port."""

import hashlib
import hmac
import json
from datetime import datetime
from urllib.parse import urlencode

import requests

from captcha.client import CaptchaApi
from captcha.types import Transport
from tests.captcha.desk import OpenGate

SITE = "http://city.test|default"


def init_data(user_id: int, bot_token: str, at: datetime, **changes: str) -> str:
    """Launch data as Telegram signs them; `changes` are made after the signing."""
    fields = {
        "auth_date": str(int(at.timestamp())),
        "query_id": "AAF0",
        "signature": "abc",
        "user": json.dumps({"id": user_id, "first_name": "Ada"}),
    }
    secret = hmac.new(b"WebAppData", bot_token.encode(), hashlib.sha256).digest()
    text = "\n".join(f"{name}={value}" for name, value in sorted(fields.items()))
    fields["hash"] = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    return urlencode({**fields, **changes})


class CityAddress:
    """Where the city of the present test answers; `transport` is named in the settings."""

    url = ""


def transport() -> Transport:
    return CaptchaApi(requests.Session(), CityAddress.url, gate=OpenGate())
