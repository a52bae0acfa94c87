"""What came in, and what is to be done about it: plain values between the conversation and Telegram."""

from dataclasses import asdict, dataclass, field
from typing import Any

from bot.callback_data import Data

Keyboard = list[list[dict[str, Any]]]

LONGEST_TOAST = 200  # Telegram's limit for the answer to a tap


@dataclass(frozen=True, slots=True)
class Incoming:
    """One update of one private chat: a text, a tap on a button, or something we do not understand.

    `key` tells updates apart, also after Telegram has begun to count anew.
    """

    chat_id: int
    update_id: int
    key: str
    text: str | None = None
    data: str | None = None
    message_id: int | None = None
    query_id: str = ""
    first_name: str = ""
    language_code: str = ""

    @property
    def is_tap(self) -> bool:
        """Whether a button was pressed."""
        return bool(self.query_id)


@dataclass(frozen=True, slots=True)
class Button:
    """A button under a message: it either carries `data`, opens `url`, or opens a Mini App at the address `app`."""

    text: str
    data: Data | None = None
    url: str = ""
    app: str = ""


Rows = list[list[Button]]


@dataclass(frozen=True, slots=True)
class Screen:
    """What a message shows: Telegram's HTML and buttons."""

    html: str
    rows: Rows = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Effect:
    """One call to Telegram.

    `do`: send, edit, strip (take the buttons away), toast (answer a tap), document, venue, delete (what the person
    wrote; `html` is sent where Telegram does not let us). `menu` is the number of the menu the message becomes, or None
    for a message of its own.
    """

    do: str
    html: str = ""
    keyboard: Keyboard = field(default_factory=list)
    message_id: int | None = None
    menu: int | None = None
    query_id: str = ""
    alert: bool = False
    document: str = ""
    file_name: str = ""
    latitude: float = 0.0
    longitude: float = 0.0
    title: str = ""
    address: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values, to be kept until Telegram has taken it."""
        return asdict(self)


def keyboard_of(rows: Rows, serial: int | None = None) -> Keyboard:
    """The rows as Telegram wants them; `serial` binds the buttons to a menu. Empty rows vanish."""
    return [[_button(button, serial) for button in row] for row in rows if row]


def _button(button: Button, serial: int | None) -> dict[str, Any]:
    if button.data is not None:
        return {"text": button.text, "callback_data": button.data.encode(serial)}
    if button.app:
        return {"text": button.text, "web_app": {"url": button.app}}
    return {"text": button.text, "url": button.url}
