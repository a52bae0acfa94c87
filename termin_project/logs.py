"""Log lines: constant text plus ids, with whatever looks personal or secret taken out."""

import logging
import re

# Source of the shapes: bot tokens (digits:35 characters), 64-digit keys and JWTs of the city's API.
_PRIVATE = re.compile(
    r"bot\d+:[\w-]+"
    r"|\b\d{6,}:[\w-]{30,}"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|\b[0-9a-f]{64}\b"
    r"|(?<=authKey=)[0-9a-fA-F]+"
    r"|(?<=captchaToken=)[^&\s]+"
    r"|[\w.+-]+@[\w-]+\.[\w.-]+"
    r"|(?<!\w)\+\d[\d /-]{6,}\d"
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class PrivateDataFilter(logging.Filter):
    """Replaces what looks like a token, key, e-mail address or telephone number by "…"."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        cleaned = _PRIVATE.sub("…", message)
        if cleaned != message:
            record.msg, record.args = cleaned, None
        return True


class LineFormatter(logging.Formatter):
    """One line: time, level, logger, text, then the ids handed in as `extra`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        extra = " ".join(f"{key}={value}" for key, value in vars(record).items() if key not in _STANDARD)
        return _PRIVATE.sub("…", f"{line} {extra}".rstrip())
