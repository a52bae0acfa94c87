"""Whose request it is, for the rate limits."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The address of whoever asked: the connection's, or behind a trusted proxy the one that proxy saw.

    A proxy appends the address it saw to `X-Forwarded-For`; only that last entry cannot be made up by the client.
    """
    connection: str = request.META["REMOTE_ADDR"]
    if settings.SECURE_PROXY_SSL_HEADER is None:
        return connection
    seen = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(seen))
    except ValueError:
        return connection
