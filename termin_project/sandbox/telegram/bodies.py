"""What a bot sends: query string, form, JSON or multipart, read into one set of parameters.

Telegram takes all four for every method, numbers as text too, and nested objects as JSON text.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from termin_project.sandbox.telegram.errors import ApiError, bad_request

Environ = dict[str, Any]

MAX_BODY = 52 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a multipart request."""

    name: str
    mime_type: str
    content: bytes


class Params:
    """The parameters of one request, read with the type the method wants."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = {name: value for name, value in values.items() if value is not None}

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str, default: str = "") -> str:
        """The value as text; numbers are written out."""
        value = self.values.get(name, default)
        return value if isinstance(value, str) else json.dumps(value)

    def integer(self, name: str, default: int = 0) -> int:
        """The value as a whole number. Raises `ApiError` 400 when it is none."""
        value = self.values.get(name, default)
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise bad_request(f'can\'t parse "{name}": an Integer was expected') from error

    def number(self, name: str) -> float:
        """The value as a number. Raises `ApiError` 400 when it is none or missing."""
        try:
            return float(self.values[name])
        except (KeyError, TypeError, ValueError) as error:
            raise bad_request(f"{name} is empty or wrong") from error

    def flag(self, name: str) -> bool:
        """Whether the value is true in any of the ways Telegram takes."""
        return str(self.values.get(name, "")).lower() in ("true", "yes", "1")

    def structure(self, name: str) -> Any:
        """A nested object or list, sent as such or as JSON text; `None` when missing."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return json.loads(value)
        except ValueError as error:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from error

    def upload(self, name: str) -> Upload | str:
        """A file: uploaded here, uploaded under another name ("attach://..."), or a text naming one."""
        value = self.values.get(name, "")
        if isinstance(value, str) and value.startswith("attach://"):
            value = self.values.get(value.removeprefix("attach://"), "")
        if isinstance(value, (Upload, str)):
            return value
        raise bad_request(f"{name} must be a file or a string")


def read_body(environ: Environ) -> bytes:
    """The whole body. Raises `ApiError` 413 when it is larger than Telegram takes."""
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        body: bytes = environ["wsgi.input"].read(MAX_BODY + 1)
    else:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > MAX_BODY:
            raise ApiError(413, "Request Entity Too Large")
        body = environ["wsgi.input"].read(length) if length else b""
    if len(body) > MAX_BODY:
        raise ApiError(413, "Request Entity Too Large")
    return body


def read_params(environ: Environ) -> Params:
    """Everything the request carries, the query string included.

    Raises `ApiError` 400 for a body that is not what its content type says.
    """
    values: dict[str, Any] = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    body = read_body(environ)
    if not body:
        return Params(values)
    content_type = environ.get("CONTENT_TYPE", "")
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            parsed = json.loads(body)
            if not isinstance(parsed, dict):
                raise bad_request("can't parse JSON object")
            values.update(parsed)
        elif kind == "multipart/form-data":
            values.update(_multipart(content_type, body))
        else:
            values.update(parse_qsl(body.decode(), keep_blank_values=True))
    except UnicodeDecodeError as error:
        raise bad_request("strings must be encoded in UTF-8") from error
    except ValueError as error:
        raise bad_request("can't parse request body") from error
    return Params(values)


def _multipart(content_type: str, body: bytes) -> Iterable[tuple[str, str | Upload]]:
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
    )
    if not message.is_multipart():
        raise bad_request("can't parse multipart body")
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        filename = part.get_filename()
        if filename is None:
            yield name, content.decode()
        else:
            yield name, Upload(filename, part.get_content_type(), content)
