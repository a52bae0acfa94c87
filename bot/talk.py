"""What a handler works with: the chat, what came in, and the answers it collects."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.html import conditional_escape

from appointments.models import Subscriber
from bot.callback_data import Data
from bot.effects import LONGEST_TOAST, Effect, Incoming, Screen, keyboard_of
from bot.messages import fit, shorten
from bot.models import Chat

Dialogue = dict[str, Any]


@dataclass
class Talk:
    """One update of one chat, answered in one transaction. `now` is aware, UTC."""

    chat: Chat
    incoming: Incoming
    now: datetime
    data: Data | None = None
    effects: list[Effect] = field(default_factory=list)
    # Whether the pressed button belongs to the living menu, which may then be edited in place.
    on_menu: bool = False
    answered_tap: bool = False
    # A sentence in front of the next screen: what was wrong, or what was done.
    notice: str = ""
    # The person asked to be forgotten: nothing of this chat is kept.
    forgotten: bool = False

    # --- who and what ---------------------------------------------------------------------------------

    @property
    def person(self) -> Subscriber:
        """Who is talking. Only asked for after consent."""
        assert self.chat.subscriber is not None
        return self.chat.subscriber

    @property
    def text(self) -> str:
        """What was typed, without blanks around it."""
        return (self.incoming.text or "").strip()

    @property
    def step(self) -> str:
        """Where the dialogue stands; "" outside of one."""
        return str(self.chat.dialogue.get("step", ""))

    @property
    def memory(self) -> dict[str, Any]:
        """What the dialogue has gathered."""
        memory = self.chat.dialogue.get("data")
        return memory if isinstance(memory, dict) else {}

    def go(self, step: str, **memory: Any) -> None:
        """The dialogue stands at `step` now and remembers `memory` besides what it knew."""
        below = self.chat.dialogue.get("below")
        self.chat.dialogue = {"step": step, "data": {**self.memory, **memory}}
        if below:
            self.chat.dialogue["below"] = below

    def begin(self, step: str, **memory: Any) -> None:
        """A new dialogue, in place of the one before."""
        self.chat.dialogue = {"step": step, "data": memory}

    def interrupt(self, step: str, **memory: Any) -> None:
        """A new dialogue on top: the one before goes on afterwards."""
        below = self.chat.dialogue
        if not (below.get("data") or {}).get("draft"):
            # Only a watch in the making is worth coming back to.
            below = below.get("below") or {}
        self.chat.dialogue = {"step": step, "data": memory}
        if below:
            self.chat.dialogue["below"] = below

    def end(self) -> None:
        """The dialogue is over; what it had interrupted goes on."""
        self.chat.dialogue = self.chat.dialogue.get("below") or {}

    # --- answers --------------------------------------------------------------------------------------

    def show(self, screen: Screen) -> None:
        """Show the menu: in place after a press on it, otherwise as a new message below."""
        if self.notice:
            screen = Screen(fit(f"{conditional_escape(self.notice)}\n\n{screen.html}"), screen.rows)
            self.notice = ""
        if self.on_menu and self.chat.menu_message_id:
            rows = keyboard_of(screen.rows, self.chat.menu_serial)
            self.effects.append(
                Effect(
                    "edit",
                    screen.html,
                    rows,
                    message_id=self.chat.menu_message_id,
                    menu=self.chat.menu_serial,
                )
            )
            return
        if self.chat.menu_message_id:
            self.effects.append(Effect("strip", message_id=self.chat.menu_message_id))
        self.chat.menu_serial += 1
        self.chat.menu_message_id = None
        rows = keyboard_of(screen.rows, self.chat.menu_serial)
        self.effects.append(Effect("send", screen.html, rows, menu=self.chat.menu_serial))

    def say(self, screen: Screen) -> None:
        """A message of its own, not the menu."""
        self.effects.append(Effect("send", screen.html, keyboard_of(screen.rows)))

    def rewrite(self, screen: Screen) -> None:
        """Bring the pressed message up to date, so that it tells the truth."""
        self.effects.append(
            Effect("edit", screen.html, keyboard_of(screen.rows), message_id=self.incoming.message_id)
        )

    def toast(self, text: str, *, alert: bool = False) -> None:
        """Answer the press with a few words over the chat; `alert` waits until they are read."""
        if self.incoming.is_tap and not self.answered_tap:
            self.answered_tap = True
            short = shorten(text, LONGEST_TOAST - 2)
            self.effects.insert(0, Effect("toast", short, query_id=self.incoming.query_id, alert=alert))
