"""What the simulated Telegram remembers: people, messages, files, taps on buttons. Instants are aware, UTC."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from termin_project.sandbox.telegram.entities import Entity, render_html
from termin_project.sandbox.telegram.keyboards import shown_buttons

BOT_ID = 1_000_000_001  # apart from people's ids, which are small numbers chosen by whoever tries things


@dataclass
class Bot:
    """The one bot of this Telegram, as BotFather and its own calls have set it up."""

    username: str = "munich_termin_sandbox_bot"
    first_name: str = "Munich Termin"
    description: str = ""
    short_description: str = ""
    commands: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    menu_buttons: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_user(self) -> dict[str, Any]:
        """The bot as the Bot API's `User`."""
        return {"id": BOT_ID, "is_bot": True, "first_name": self.first_name, "username": self.username}


@dataclass
class Person:
    """Somebody with a private chat; chat id and user id are the same number, as in Telegram."""

    id: int
    first_name: str
    language_code: str
    last_name: str = ""
    username: str = ""
    blocked: bool = False
    deactivated: bool = False
    read_up_to: int = 0
    reply_keyboard: dict[str, Any] | None = None
    typing_until: datetime | None = None

    def as_user(self) -> dict[str, Any]:
        """The person as the Bot API's `User`."""
        user = {
            "id": self.id,
            "is_bot": False,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "username": self.username,
            "language_code": self.language_code,
        }
        return {name: value for name, value in user.items() if value != ""}

    def as_chat(self) -> dict[str, Any]:
        """The person's private chat as the Bot API's `Chat`."""
        chat = {
            "id": self.id,
            "type": "private",
            "first_name": self.first_name,
            "last_name": self.last_name,
            "username": self.username,
        }
        return {name: value for name, value in chat.items() if value != ""}


@dataclass
class Message:
    """One message of a private chat.

    `content` holds what is not text (document, venue, location, photo, sticker, voice), in the Bot API's
    words; `text` is then its caption. `version` is the world's counter at the last change.
    """

    id: int
    chat: int
    from_bot: bool
    sent_at: datetime
    text: str = ""
    entities: list[Entity] = field(default_factory=list)
    keyboard: dict[str, Any] | None = None
    content: dict[str, Any] = field(default_factory=dict)
    reply_to: int = 0
    version: int = 0
    edited_at: datetime | None = None
    seen_at: datetime | None = None
    deleted: bool = False

    def same_as(self, text: str, entities: list[Entity], keyboard: dict[str, Any] | None) -> bool:
        """Whether an edit to these would change nothing."""
        return self.text == text and self.entities == entities and self.keyboard == keyboard

    def callback_data(self) -> set[str]:
        """The data of every button that stands under the message now."""
        return {button["data"] for row in shown_buttons(self.keyboard) for button in row if "data" in button}

    def as_api(self, bot: Bot, person: Person) -> dict[str, Any]:
        """The message as the Bot API's `Message`; dates are Unix seconds."""
        body: dict[str, Any] = {
            "message_id": self.id,
            "from": bot.as_user() if self.from_bot else person.as_user(),
            "chat": person.as_chat(),
            "date": int(self.sent_at.timestamp()),
            **self.content,
        }
        if self.edited_at:
            body["edit_date"] = int(self.edited_at.timestamp())
        words = ("caption", "caption_entities") if self.content else ("text", "entities")
        if self.text:
            body[words[0]] = self.text
            if self.entities:
                body[words[1]] = self.entities
        if self.keyboard:
            body["reply_markup"] = self.keyboard
        return body

    def as_shown(self, file_url: str) -> dict[str, Any]:
        """The message as the person sees it, for the page and for outside checks."""
        document = self.content.get("document")
        venue = self.content.get("venue")
        location = None if venue else self.content.get("location")
        shown: dict[str, Any] = {
            "id": self.id,
            "chat": self.chat,
            "from": "bot" if self.from_bot else "user",
            "text": self.text,
            "html": render_html(self.text, self.entities),
            "buttons": shown_buttons(self.keyboard),
            "document": None,
            "document_url": None,
            "venue": None,
            "location": location,
            "attachment": None,
            "reply_to": self.reply_to or None,
            "sent_at": self.sent_at.isoformat(),
            "edited": self.edited_at is not None,
            "edited_at": self.edited_at.isoformat() if self.edited_at else None,
            "seen_at": self.seen_at.isoformat() if self.seen_at else None,
            "deleted": self.deleted,
            "version": self.version,
        }
        if document:
            shown["document"] = document["file_name"]
            shown["document_url"] = file_url + document["file_id"]
            shown["document_size"] = document["file_size"]
        if venue:
            place = venue["location"]
            shown["venue"] = {"title": venue["title"], "address": venue["address"], **place}
        for kind in ("photo", "sticker", "voice"):
            if kind in self.content:
                shown["attachment"] = kind
        if self.from_bot and "photo" in self.content:
            shown["photo_url"] = file_url + self.content["photo"][-1]["file_id"]
        return shown


@dataclass
class StoredFile:
    """A file that was sent; the bytes lie in the world's file store under `id`."""

    id: str
    name: str
    mime_type: str
    size: int
    path: str

    def as_api(self) -> dict[str, Any]:
        """The parts every kind of file shares in the Bot API."""
        return {"file_id": self.id, "file_unique_id": f"u{self.id}", "file_size": self.size}


@dataclass
class Tap:
    """A callback query: one press of an inline button, and the answer the bot gave to it."""

    id: str
    chat: int
    message: int
    data: str
    pressed_at: datetime
    answer: dict[str, Any] | None = None


@dataclass
class Fault:
    """A trouble to come: which kind, how many times still, for which methods (all when empty)."""

    kind: str
    count: int
    methods: list[str] = field(default_factory=list)
    chat: int = 0
    retry_after: int = 2
    seconds: float = 5.0
