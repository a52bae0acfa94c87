"""The simulated Telegram itself: one bot, its chats, its waiting updates; safe to use from many threads.

Nothing here speaks HTTP. `methods.py` is the bot's side, `control.py` the person's side, both on top.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from termin_project.sandbox.telegram.errors import ApiError, bad_request, forbidden
from termin_project.sandbox.telegram.limits import FloodControl
from termin_project.sandbox.telegram.records import Bot, Fault, Message, Person, StoredFile, Tap

SANDBOX_TOKEN = "1:sandbox"  # noqa: S105  (opens nothing but this simulator)
UPDATES_KEPT = timedelta(hours=24)
DEFAULT_UPDATES = frozenset({"message", "edited_message", "callback_query", "my_chat_member"})
MESSAGES_KEPT = 1000  # per chat; the oldest go first
TAPS_KEPT = 500
BOT_SALT = "4294967"  # query ids and chat instances are long numbers as text
SPARED = {"getupdates", "getme"}


def utc_now() -> datetime:
    """The time of this computer, aware."""
    return datetime.now(UTC)


class TelegramWorld:
    """Everything the simulated Telegram knows.

    `token` is the only one that is let in. `now` gives aware instants; waiting in a long poll uses the
    computer's own clock. `burst` is how many messages in a row one chat forgives before 429; 1 is strict.
    `directory` keeps files on disk; without it they stay in memory. Hold `lock` around anything that
    reads or writes more than one thing.
    """

    def __init__(
        self,
        *,
        token: str = SANDBOX_TOKEN,
        now: Callable[[], datetime] = utc_now,
        burst: int = 3,
        per_chat: float = 1.0,
        overall: float = 30,
        query_lifetime: timedelta = timedelta(seconds=60),
        directory: Path | None = None,
    ) -> None:
        self.token = token
        self.now = now
        self.flood = FloodControl(overall=overall, per_chat=per_chat, burst=burst)
        self.query_lifetime = query_lifetime
        self.directory = directory
        self.lock = threading.Condition()
        self.bot = Bot()
        self.people: dict[int, Person] = {}
        self.messages: dict[int, Message] = {}
        self.files: dict[str, StoredFile] = {}
        self.taps: dict[str, Tap] = {}
        self.waiting: list[dict[str, Any]] = []
        self.allowed = DEFAULT_UPDATES
        self.webhook: dict[str, Any] = {}
        self.faults: list[Fault] = []
        self.requests: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.next_message = 1
        self.next_update = 1
        self.next_file = 1
        self.next_tap = 1
        self.version = 0
        self.polled_at: datetime | None = None
        self._contents: dict[str, bytes] = {}
        self._poll_turn = 0
        self._closed = False

    # --- people and messages -------------------------------------------------------------------------

    def changed(self) -> int:
        """Count one change and wake everybody who waits for something to happen."""
        with self.lock:
            self.version += 1
            self.lock.notify_all()
            return self.version

    def recipient(self, chat: object) -> Person:
        """The person behind a `chat_id`.

        Raises `ApiError` 400 when nobody with that id ever wrote here, 403 when the person blocked the bot.
        """
        if chat is None or chat == "":
            raise bad_request("chat_id is empty")
        try:
            person = self.people.get(int(str(chat)))
        except ValueError:
            person = None
        if person is None:
            raise bad_request("chat not found")
        if person.deactivated:
            raise forbidden("user is deactivated")
        if person.blocked:
            raise forbidden("bot was blocked by the user")
        return person

    def add(self, person: Person, *, from_bot: bool, **fields: Any) -> Message:
        """Put a new message into the person's chat."""
        with self.lock:
            message = Message(self.next_message, person.id, from_bot, self.now(), **fields)
            self.next_message += 1
            self.messages[message.id] = message
            message.version = self.changed()
            if from_bot:
                person.typing_until = None
            self._drop_oldest(person.id)
            return message

    def touch(self, message: Message, *, edited: bool = False) -> None:
        """Note that a message changed; `edited` also gives it the time of the edit."""
        with self.lock:
            if edited:
                message.edited_at = self.now()
            message.version = self.changed()

    def find(self, chat: int, message: int) -> Message | None:
        """The message of that chat with that id, unless it was deleted."""
        found = self.messages.get(message)
        return found if found and found.chat == chat and not found.deleted else None

    def _drop_oldest(self, chat: int) -> None:
        own = [m.id for m in self.messages.values() if m.chat == chat]
        for message_id in own[: max(0, len(own) - MESSAGES_KEPT)]:
            del self.messages[message_id]

    # --- files -----------------------------------------------------------------------------------------

    def keep_file(self, folder: str, name: str, mime_type: str, content: bytes) -> StoredFile:
        """Store a file under a new id."""
        with self.lock:
            number, self.next_file = self.next_file, self.next_file + 1
            suffix = Path(name).suffix
            stored = StoredFile(
                f"sandboxfile{number}", name, mime_type, len(content), f"{folder}/file_{number}{suffix}"
            )
            self.files[stored.id] = stored
            if self.directory:
                self.directory.mkdir(parents=True, exist_ok=True)
                (self.directory / stored.id).write_bytes(content)
            else:
                self._contents[stored.id] = content
            self.changed()
            return stored

    def content(self, stored: StoredFile) -> bytes:
        """The bytes of a stored file."""
        if self.directory:
            return (self.directory / stored.id).read_bytes()
        return self._contents[stored.id]

    # --- updates -----------------------------------------------------------------------------------------

    def push(self, kind: str, payload: dict[str, Any]) -> int:
        """Queue an update for the bot; 0 when the bot said it does not want this kind."""
        with self.lock:
            if kind not in self.allowed:
                return 0
            number, self.next_update = self.next_update, self.next_update + 1
            self.waiting.append({"update_id": number, kind: payload, "_at": self.now().timestamp()})
            self.changed()
            return number

    def updates(
        self, offset: int, limit: int, timeout: float, allowed: frozenset[str] | None
    ) -> list[dict[str, Any]]:
        """What the bot has not confirmed yet, waiting up to `timeout` seconds for the first of it.

        `offset` confirms everything before it; a negative one keeps only that many of the newest.
        Unconfirmed updates come again. Raises `ApiError` 409 when a webhook is set, or when another
        `getUpdates` arrives meanwhile: the one that waits longer loses, as with Telegram.
        """
        with self.lock:
            if self.webhook.get("url"):
                raise ApiError(
                    409,
                    "Conflict: can't use getUpdates method while webhook is active; "
                    "use deleteWebhook to delete the webhook first",
                )
            self._poll_turn += 1
            turn = self._poll_turn
            if allowed is not None:
                self.allowed = allowed or DEFAULT_UPDATES
            self._confirm(offset)
            self.lock.notify_all()
            until = time.monotonic() + timeout
            while True:
                self.polled_at = self.now()
                if turn != self._poll_turn:
                    raise ApiError(
                        409,
                        "Conflict: terminated by other getUpdates request; "
                        "make sure that only one bot instance is running",
                    )
                left = until - time.monotonic()
                if self.waiting or left <= 0 or self._closed:
                    return [
                        {name: value for name, value in update.items() if name != "_at"}
                        for update in self.waiting[:limit]
                    ]
                self.lock.wait(left)

    def interrupt_polling(self) -> None:
        """End a long poll that is under way with 409: a webhook was set."""
        with self.lock:
            self._poll_turn += 1
            self.lock.notify_all()

    def _confirm(self, offset: int) -> None:
        oldest = (self.now() - UPDATES_KEPT).timestamp()
        before = self.waiting
        if offset < 0:
            self.waiting = before[offset:]
        else:
            self.waiting = [u for u in before if u["update_id"] >= offset]
        self.waiting = [u for u in self.waiting if u["_at"] >= oldest]
        if len(before) == len(self.waiting):
            return
        left = {u["update_id"] for u in self.waiting}
        for update in before:
            message_id = update.get("message", {}).get("message_id")
            if update["update_id"] not in left and (message := self.messages.get(message_id)):
                message.seen_at = self.now()
                self.touch(message)
        self.changed()

    def confirm_delivered(self, update_id: int) -> None:
        """Forget everything up to and including `update_id`: a webhook has taken it."""
        with self.lock:
            self._confirm(update_id + 1)

    # --- taps ----------------------------------------------------------------------------------------------

    def press(self, person: Person, message: Message, data: str) -> Tap:
        """Press a button: remember the tap and tell the bot."""
        with self.lock:
            tap = Tap(f"{BOT_SALT}{self.next_tap}", person.id, message.id, data, self.now())
            self.next_tap += 1
            self.taps[tap.id] = tap
            for old in list(self.taps)[:-TAPS_KEPT]:
                del self.taps[old]
            self.push(
                "callback_query",
                {
                    "id": tap.id,
                    "from": person.as_user(),
                    "message": message.as_api(self.bot, person),
                    "chat_instance": f"{BOT_SALT}{person.id}",
                    "data": data,
                },
            )
            return tap

    # --- faults, end --------------------------------------------------------------------------------------

    def next_fault(self, method: str, chat: object) -> Fault | None:
        """The fault that hits a request of `method` (lower case), counted down; `None` when none does.

        A fault that names no methods is meant for messages and leaves polling in peace.
        """
        with self.lock:
            for fault in self.faults:
                named = [name.lower() for name in fault.methods]
                fits = method in named if named else method not in SPARED
                if fits and (not fault.chat or str(fault.chat) == str(chat)):
                    fault.count -= 1
                    if fault.count <= 0:
                        self.faults.remove(fault)
                    return fault
            return None

    def close(self) -> None:
        """Let every long poll end at once; the process is about to stop."""
        with self.lock:
            self._closed = True
            self.lock.notify_all()
