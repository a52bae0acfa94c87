"""Whether the city's host takes connections, found out without a request that it would count."""

import socket
from urllib.parse import urlsplit


def reachable(base_url: str, *, seconds: float = 3.0) -> bool:
    """True when a connection to the host of `base_url` opens within `seconds`; nothing is sent over it."""
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=seconds):
            return True
    except OSError:
        return False
