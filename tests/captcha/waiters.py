"""A process of its own with threads that all want one token: `python -m tests.captcha.waiters CITY_URL COUNT`.

Reads one line from standard input before it starts, so that two of them begin together. Prints a JSON list of what each
thread got: a digest of the token, never the token.
"""

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import django

SITE = "http://city.test/api/citizen two-processes"


def main() -> None:
    django.setup()
    import requests
    from django.db import connections

    from captcha import services
    from captcha.client import CaptchaApi
    from captcha.errors import CaptchaError
    from tests.captcha.desk import OpenGate

    url, count = sys.argv[1], int(sys.argv[2])

    def want(_number: int) -> str:
        api = CaptchaApi(requests.Session(), url, gate=OpenGate())
        try:
            token = services.get_token(api, site=SITE, mode="auto", now=lambda: datetime.now(UTC))
        except CaptchaError as error:
            return f"error: {error.reason}"
        finally:
            connections.close_all()
        return hashlib.sha256(token.encode()).hexdigest()

    with ThreadPoolExecutor(count) as pool:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        sys.stdout.write(json.dumps(list(pool.map(want, range(count)))))


if __name__ == "__main__":
    main()
