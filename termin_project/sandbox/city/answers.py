"""HTTP answers with the headers the real software sends, which differ by the layer that answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.utils import formatdate

from termin_project.sandbox.city.errors import Style
from termin_project.sandbox.city.limiter import Counted

_SECURITY: list[tuple[str, str]] = [
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-XSS-Protection", "1; mode=block"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    (
        "Content-Security-Policy",
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'",
    ),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Permissions-Policy", "geolocation=(), microphone=(), camera=()"),
    ("X-Permitted-Cross-Domain-Policies", "none"),
]
_REASONS = {
    200: "OK",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    520: "Unknown Error",
}
_UTF8_JSON, _PLAIN_JSON = "application/json; charset=utf-8", "application/json"


@dataclass(slots=True)
class Answer:
    """Status, headers and body of one answer; `code` is for the log: "ok" or the first error code."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    code: str = "ok"

    @property
    def status_line(self) -> str:
        return f"{self.status} {_REASONS.get(self.status, 'Unknown')}"


def as_bytes(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def answer(
    status: int, document: object, style: Style, counted: Counted | None, now: float, code: str = "ok"
) -> Answer:
    """An answer of the API. Counted requests carry the rate headers, refused ones do not."""
    headers: list[tuple[str, str]] = []
    if style is Style.HANDLED:
        date = formatdate(now, usegmt=True)
        headers += [("Cache-Control", "max-age=0"), ("Expires", date), ("Last-Modified", date)]
    elif style in (Style.THROWN, Style.ROUTED):
        headers.append(("Cache-Control", "public, max-age=300"))
    if style is not Style.EARLY:
        headers += _SECURITY
    if counted is not None:
        headers += [
            ("X-RateLimit-Limit", str(counted.limit)),
            ("X-RateLimit-Remaining", str(counted.remaining)),
            ("X-RateLimit-Reset", str(counted.reset_at)),
        ]
    body = b"" if status == 304 else as_bytes(document)
    if status != 304:
        plain = style in (Style.ROUTED, Style.CRASHED, Style.EARLY)
        headers.append(("Content-Type", _PLAIN_JSON if plain else _UTF8_JSON))
    return Answer(status, headers, body, code)


def gateway_refusal() -> Answer:
    """The bare 400 of the gateway in front of production."""
    body = b'{ "status":400, "error":"Bad Request" }'
    return Answer(400, [("Content-Type", "application/json")], body, "gateway")


def html_page(status: int, title: str) -> Answer:
    """A page of some proxy, no JSON at all."""
    body = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, [("Content-Type", "text/html; charset=UTF-8")], body.encode(), "html")


def plain_json(status: int, document: object) -> Answer:
    """An answer of the control handles."""
    return Answer(status, [("Content-Type", _UTF8_JSON), ("Cache-Control", "no-store")], as_bytes(document))
