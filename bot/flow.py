"""Every step a chat can stand at has a screen here, so that "where things stand" can be shown at any time."""

from collections.abc import Callable

from bot.effects import Screen
from bot.talk import Talk

SCREENS: dict[str, Callable[[Talk], Screen | None]] = {}


def present(talk: Talk) -> None:
    """Show where the dialogue stands. A step that no longer makes sense (None) leads back to the menu."""
    screen = SCREENS[talk.step](talk) if talk.step in SCREENS else None
    if screen is None:
        talk.end()
        screen = SCREENS[talk.step](talk) if talk.step in SCREENS else None
    if screen is None:
        talk.begin("home")
        screen = SCREENS["home"](talk)
    assert screen is not None
    talk.show(screen)
