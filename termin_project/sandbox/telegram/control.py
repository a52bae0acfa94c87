"""The person's side: write, press a button, look at the chat; and make trouble on purpose.

Everything takes and gives plain JSON values; a `ControlError` says what was wrong with the request.
"""

import struct
import time
import zlib
from datetime import datetime
from typing import Any

from termin_project.sandbox.telegram.entities import utf16_length, with_automatic
from termin_project.sandbox.telegram.errors import ControlError
from termin_project.sandbox.telegram.methods import MAX_TEXT
from termin_project.sandbox.telegram.profile import commands_for
from termin_project.sandbox.telegram.records import BOT_ID, Fault, Message, Person
from termin_project.sandbox.telegram.world import TelegramWorld

FILE_URL = "/sandbox/telegram/file/"  # where the web process hands files out
ANSWER_WAIT = 2.0  # seconds a press waits for the bot's answer
FAULTS = {
    "429": "refused with a pause of `retry_after` seconds, nothing sent",
    "500": "an internal error, nothing sent",
    "502": "a gateway's HTML page instead of JSON, nothing sent",
    "lost_before": "the connection breaks before anything happened",
    "lost_after": "the message is sent, the answer is lost",
    "slow": "the answer takes `seconds`",
}
Json = dict[str, Any]


def _number(given: Json, name: str) -> int:
    value = given.get(name)
    try:
        if isinstance(value, (bool, float)):
            raise ValueError(value)
        return int(str(value))
    except ValueError as error:
        raise ControlError(f'"{name}" must be a whole number, for example {{"{name}": 1}}.') from error


def _chat(given: Json) -> int:
    chat = _number(given, "chat")
    if not 0 < chat < 2**52 or chat == BOT_ID:
        raise ControlError('"chat" must be a positive number; every number is one person.')
    return chat


def _person(world: TelegramWorld, given: Json) -> Person:
    person = world.people.get(_chat(given))
    if person is None:
        raise ControlError("Nobody with that number has written yet. Use say first.")
    return person


def say(world: TelegramWorld, given: Json) -> Json:
    """The person writes. `{"chat", "text"}`, and as wanted `first_name`, `last_name`, `username`,
    `language_code`; instead of text `"photo": true`, `"sticker": true`, `"voice": true` or
    `"location": {"latitude", "longitude"}`.

    Answers `{"chat", "message", "messages", "update"}`. A text longer than 4096 characters becomes
    several messages, as Telegram's apps do it.
    """
    chat = _chat(given)
    contents = _contents(world, given)
    text = given.get("text", "")
    if not isinstance(text, str):
        raise ControlError('"text" must be a string.')
    text = text.strip()
    if not text and not contents:
        raise ControlError('"text" is missing: {"chat": 1, "text": "/start"}. Or send "photo": true.')
    with world.lock:
        person = _introduced(world, chat, given)
        if person.blocked or person.deactivated:
            raise ControlError(
                'This person has blocked the bot. Unblock it first: {"chat", "blocked": false}.'
            )
        sent: list[Message] = []
        update = 0
        for piece in _pieces(text) or [""]:
            message = world.add(
                person,
                from_bot=False,
                text=piece,
                entities=with_automatic(piece, []),
                content=contents,
                reply_to=int(given.get("reply_to") or 0),
            )
            update = world.push("message", message.as_api(world.bot, person)) or update
            sent.append(message)
        person.read_up_to = sent[-1].id
        return {"chat": chat, "message": sent[-1].id, "messages": [m.id for m in sent], "update": update}


def _introduced(world: TelegramWorld, chat: int, given: Json) -> Person:
    """The person with that number, new or known, with what the request says about them."""
    for name in ("first_name", "last_name", "username", "language_code"):
        if name in given and not isinstance(given[name], str):
            raise ControlError(f'"{name}" must be a string.')
    person = world.people.get(chat)
    if person is None:
        person = Person(chat, f"Person {chat}", "en")
        world.people[chat] = person
    person.first_name = given.get("first_name") or person.first_name
    person.last_name = given.get("last_name", person.last_name)
    person.username = given.get("username", person.username)
    person.language_code = given.get("language_code") or person.language_code
    world.changed()
    return person


def meet(world: TelegramWorld, given: Json) -> Json:
    """Add a person who has not written yet: `{"first_name", "language_code"}`, with `chat` or the next free."""
    with world.lock:
        if "chat" not in given:
            given = {**given, "chat": max(world.people, default=0) + 1}
        person = _introduced(world, _chat(given), given)
        return _shown_person(world, person)


def _pieces(text: str) -> list[str]:
    """The text in parts of at most 4096 UTF-16 units, cut where a line or word ends if one does."""
    pieces = []
    while utf16_length(text) > MAX_TEXT:
        end = MAX_TEXT
        while utf16_length(text[:end]) > MAX_TEXT:
            end -= 1
        cut = max(text.rfind("\n", end // 2, end), text.rfind(" ", end // 2, end))
        end = cut if cut > 0 else end
        pieces.append(text[:end].strip())
        text = text[end:].strip()
    return [*pieces, text] if text else pieces


def _contents(world: TelegramWorld, given: Json) -> Json:
    if location := given.get("location"):
        try:
            place = {name: float(location[name]) for name in ("latitude", "longitude")}
        except (KeyError, TypeError, ValueError) as error:
            raise ControlError('"location" must be {"latitude": 48.14, "longitude": 11.58}.') from error
        return {"location": place}
    if given.get("photo"):
        stored = world.keep_file("photos", "photo.png", "image/png", grey_picture())
        return {"photo": [{**stored.as_api(), "width": 8, "height": 8}]}
    if given.get("sticker"):
        stored = world.keep_file("stickers", "sticker.webp", "image/webp", b"sticker")
        return {
            "sticker": {
                **stored.as_api(), "type": "regular", "width": 512, "height": 512,
                "is_animated": False, "is_video": False, "emoji": "🙂",
            }
        }  # fmt: skip
    if given.get("voice"):
        stored = world.keep_file("voice", "voice.ogg", "audio/ogg", b"voice")
        return {"voice": {**stored.as_api(), "duration": 3, "mime_type": stored.mime_type}}
    return {}


def grey_picture(side: int = 8) -> bytes:
    """A small grey square as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\x99" * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def press(world: TelegramWorld, given: Json, *, wait: float = ANSWER_WAIT) -> Json:
    """The person presses a button: `{"chat", "message", "data"}`; `"force": true` presses one that is gone.

    Answers `{"query", "answered", "text", "show_alert", "url"}` once the bot answered, or after `wait`
    seconds (`"wait"` in the request) with `"answered": false`.
    """
    data = given.get("data")
    if not isinstance(data, str) or not 1 <= len(data.encode()) <= 64:
        raise ControlError(
            '"data" must be the data of a button, 1 to 64 bytes; see messages for the buttons.'
        )
    seconds = given.get("wait", wait)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise ControlError('"wait" must be a number of seconds.')
    with world.lock:
        person = _person(world, given)
        if person.blocked:
            raise ControlError("This person has blocked the bot. Unblock it first.")
        number = _number(given, "message")
        message = world.find(person.id, number)
        if message is None:
            raise ControlError(f"There is no message {number} in this chat.")
        if data not in message.callback_data() and not given.get("force"):
            there = ", ".join(sorted(message.callback_data())) or "none"
            raise ControlError(
                f'No button of message {number} carries this data. It has: {there}. "force": true presses it anyway.'
            )
        tap = world.press(person, message, data)
        until = time.monotonic() + min(float(seconds), 10.0)
        while tap.answer is None and (left := until - time.monotonic()) > 0:
            world.lock.wait(left)
        answer = tap.answer or {"text": "", "show_alert": False, "url": ""}
        return {"query": tap.id, "answered": tap.answer is not None, **answer}


def messages(
    world: TelegramWorld, chat: int, *, after: int = 0, since_version: int | None = None
) -> list[Json]:
    """The chat's messages with an id above `after`, oldest first; an unknown chat has none.

    With `since_version` only those that changed since then, the deleted ones included.
    """
    with world.lock:
        return [
            message.as_shown(FILE_URL)
            for message in sorted(world.messages.values(), key=lambda m: m.id)
            if message.chat == chat
            and message.id > after
            and (message.version > since_version if since_version is not None else not message.deleted)
        ]


def _shown_person(world: TelegramWorld, person: Person) -> Json:
    own = [m for m in world.messages.values() if m.chat == person.id and not m.deleted]
    last = max(own, key=lambda m: m.id, default=None)
    return {
        "chat": person.id,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "language_code": person.language_code,
        "blocked": person.blocked,
        "unread": sum(1 for m in own if m.from_bot and m.id > person.read_up_to),
        "last_id": last.id if last else 0,
        "last_text": _summary(last) if last else "",
        "last_from": ("bot" if last.from_bot else "user") if last else None,
        "last_at": last.sent_at.isoformat() if last else None,
        "version": max((m.version for m in world.messages.values() if m.chat == person.id), default=0),
        "typing": bool(person.typing_until and person.typing_until > world.now()),
        "commands": commands_for(world, person.id, person.language_code),
        "reply_keyboard": person.reply_keyboard,
    }


_SIGNS = {"document": "📎", "venue": "📍", "location": "📍", "photo": "🖼️", "sticker": "🙂", "voice": "🎙️"}


def _summary(message: Message) -> str:
    """One line for a list: a sign for what is not text, then the first words."""
    sign = next((_SIGNS[kind] for kind in message.content if kind in _SIGNS), "")
    words = message.text
    if not words and "document" in message.content:
        words = message.content["document"]["file_name"]
    if not words and "venue" in message.content:
        words = message.content["venue"]["title"]
    return f"{sign} {words.partition(chr(10))[0][:120]}".strip()


def chats(world: TelegramWorld) -> Json:
    """Everybody who has a chat, the liveliest first, and who the bot is."""
    with world.lock:
        people = [_shown_person(world, person) for person in world.people.values()]
        people.sort(key=lambda p: (p["last_id"], p["chat"]), reverse=True)
        bot = {
            "name": world.bot.first_name,
            "username": world.bot.username,
            "description": world.bot.description,
            "online": _bot_is_there(world),
        }
        return {"version": world.version, "bot": bot, "people": people}


def _bot_is_there(world: TelegramWorld) -> bool:
    """Whether the bot takes its updates: a long poll seen in the last 70 s (one lasts 50 s at most)."""
    if world.webhook.get("url"):
        return True
    return bool(world.polled_at and (world.now() - world.polled_at).total_seconds() < 70)


def read(world: TelegramWorld, given: Json) -> Json:
    """The person has read the chat, up to message `up_to` or to its end."""
    with world.lock:
        person = _person(world, given)
        newest = max((m.id for m in world.messages.values() if m.chat == person.id), default=0)
        upto = _number(given, "up_to") if given.get("up_to") else newest
        if upto > person.read_up_to:
            person.read_up_to = min(upto, newest)
            world.changed()
        return {"chat": person.id, "read_up_to": person.read_up_to}


def block(world: TelegramWorld, given: Json) -> Json:
    """The person blocks the bot, or unblocks it with `"blocked": false`; the bot is told, as in Telegram.

    `"deactivated": true` deletes the person's account instead.
    """
    with world.lock:
        person = _person(world, given)
        blocked = given.get("blocked", True)
        if not isinstance(blocked, bool):
            raise ControlError('"blocked" must be true or false.')
        person.deactivated = bool(given.get("deactivated", False))
        if blocked != person.blocked:
            person.blocked = blocked
            states = ("kicked", "member") if blocked else ("member", "kicked")
            user = world.bot.as_user()
            world.push(
                "my_chat_member",
                {
                    "chat": person.as_chat(),
                    "from": person.as_user(),
                    "date": int(world.now().timestamp()),
                    "old_chat_member": _member(user, states[1]),
                    "new_chat_member": _member(user, states[0]),
                },
            )
        world.changed()
        return {"chat": person.id, "blocked": person.blocked}


def _member(user: Json, status: str) -> Json:
    return {"user": user, "status": status, **({"until_date": 0} if status == "kicked" else {})}


def faults(world: TelegramWorld, given: Json) -> Json:
    """Make the next `count` requests go wrong: `{"kind", "count", "methods", "chat", "retry_after", "seconds"}`.

    Kinds are the keys of `FAULTS`; "none" takes all waiting faults back.
    """
    kind = str(given.get("kind", ""))
    with world.lock:
        if kind == "none":
            world.faults.clear()
        elif kind not in FAULTS:
            raise ControlError(f'"kind" must be one of: {", ".join(FAULTS)}, none.')
        else:
            named = given.get("methods", [])
            if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
                raise ControlError('"methods" must be a list such as ["sendMessage"].')
            fault = Fault(kind, _number({"count": 1, **given}, "count"), named)
            fault.chat = _number(given, "chat") if given.get("chat") else 0
            fault.retry_after = _number({"retry_after": 2, **given}, "retry_after")
            fault.seconds = float(_number({"seconds": 5, **given}, "seconds"))
            if fault.count < 1:
                raise ControlError('"count" must be 1 or more.')
            world.faults.append(fault)
        world.changed()
        return {"faults": _waiting_faults(world)}


def waiting_faults(world: TelegramWorld, *, clear: bool = False) -> Json:
    """The faults still to come, taken back with `clear`."""
    with world.lock:
        if clear:
            world.faults.clear()
        return {"faults": _waiting_faults(world)}


def _waiting_faults(world: TelegramWorld) -> list[Json]:
    return [
        {"kind": f.kind, "count": f.count, "methods": f.methods, "chat": f.chat or None} for f in world.faults
    ]


def state(world: TelegramWorld) -> Json:
    """What the simulated Telegram has seen: requests and refusals per method, waiting updates, faults."""
    with world.lock:
        polled: datetime | None = world.polled_at
        return {
            "requests": dict(world.requests),
            "refusals": dict(world.refusals),
            "waiting_updates": len(world.waiting),
            "polled_at": polled.isoformat() if polled else None,
            "online": _bot_is_there(world),
            "webhook": world.webhook.get("url", ""),
            "people": len(world.people),
            "messages": len(world.messages),
            "faults": _waiting_faults(world),
            "version": world.version,
        }
