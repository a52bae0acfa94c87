"""The bot's side, continued: how the bot presents itself, and where its updates go."""

import re
from typing import Any
from urllib.parse import urlsplit

from termin_project.sandbox.telegram import methods as m
from termin_project.sandbox.telegram.bodies import Params
from termin_project.sandbox.telegram.errors import ApiError, bad_request
from termin_project.sandbox.telegram.world import DEFAULT_UPDATES, TelegramWorld

_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")
_SCOPES = {"default", "all_private_chats", "all_group_chats", "all_chat_administrators", "chat"}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def _scope(params: Params) -> str:
    scope = params.structure("scope") or {"type": "default"}
    kind = scope.get("type")
    if kind not in _SCOPES:
        raise bad_request("can't parse BotCommandScope: unsupported type specified")
    where = f"{kind}:{scope.get('chat_id')}" if kind == "chat" else str(kind)
    return f"{where}/{params.text('language_code')}"


def set_my_commands(world: TelegramWorld, params: Params) -> bool:
    """Say which commands the menu offers, per scope and language."""
    commands = params.structure("commands")
    if not isinstance(commands, list):
        raise bad_request("can't parse commands JSON array")
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    kept = []
    for command in commands:
        name, description = str(command.get("command", "")).lstrip("/"), str(command.get("description", ""))
        if not _COMMAND.fullmatch(name):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(description) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        kept.append({"command": name, "description": description})
    world.bot.commands[_scope(params)] = kept
    world.changed()
    return True


def get_my_commands(world: TelegramWorld, params: Params) -> list[dict[str, str]]:
    """The commands set for exactly this scope and language."""
    return world.bot.commands.get(_scope(params), [])


def delete_my_commands(world: TelegramWorld, params: Params) -> bool:
    """Offer no commands for this scope and language."""
    world.bot.commands.pop(_scope(params), None)
    world.changed()
    return True


def commands_for(world: TelegramWorld, chat: int, language: str) -> list[dict[str, str]]:
    """What the menu of one person shows: the most special scope wins, then the person's language."""
    for scope in (f"chat:{chat}", "all_private_chats", "default"):
        for code in (language[:2], ""):
            if commands := world.bot.commands.get(f"{scope}/{code}"):
                return commands
    return []


def set_my_description(world: TelegramWorld, params: Params) -> bool:
    """Set what an empty chat shows; kept for the language-independent text only."""
    text = params.text("description")
    if len(text) > 512:
        raise bad_request("BOT_DESCRIPTION_TOO_LONG")
    if not params.text("language_code"):
        world.bot.description = text
        world.changed()
    return True


def set_my_short_description(world: TelegramWorld, params: Params) -> bool:
    """Set the short text of the bot's profile."""
    text = params.text("short_description")
    if len(text) > 120:
        raise bad_request("BOT_SHORT_DESCRIPTION_TOO_LONG")
    if not params.text("language_code"):
        world.bot.short_description = text
        world.changed()
    return True


def set_my_name(world: TelegramWorld, params: Params) -> bool:
    """Give the bot another name."""
    text = params.text("name")
    if len(text) > 64:
        raise bad_request("BOT_TITLE_INVALID")
    if text and not params.text("language_code"):
        world.bot.first_name = text
        world.changed()
    return True


def get_my_description(world: TelegramWorld, params: Params) -> dict[str, str]:
    """The description set before."""
    return {"description": world.bot.description}


def get_my_short_description(world: TelegramWorld, params: Params) -> dict[str, str]:
    """The short description set before."""
    return {"short_description": world.bot.short_description}


def get_my_name(world: TelegramWorld, params: Params) -> dict[str, str]:
    """The bot's name."""
    return {"name": world.bot.first_name}


def set_chat_menu_button(world: TelegramWorld, params: Params) -> bool:
    """Choose what the button beside the input field opens."""
    button = params.structure("menu_button") or {"type": "default"}
    if button.get("type") not in ("default", "commands", "web_app"):
        raise bad_request("can't parse menu button: unsupported type specified")
    world.bot.menu_buttons[params.text("chat_id") or "default"] = button
    world.changed()
    return True


def get_chat_menu_button(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """What the button beside the input field opens."""
    buttons = world.bot.menu_buttons
    return buttons.get(params.text("chat_id")) or buttons.get("default") or {"type": "default"}


def set_webhook(world: TelegramWorld, params: Params) -> bool:
    """Send updates to an address from now on; an empty one means `deleteWebhook`."""
    url = params.text("url")
    if not url:
        return delete_webhook(world, params)
    parts = urlsplit(url)
    # Telegram wants https; on this very computer plain http is let through, or nobody could try one here.
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    secret = params.text("secret_token")
    if not _SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    allowed = params.structure("allowed_updates")
    if allowed is not None:
        world.allowed = frozenset(str(kind) for kind in allowed) or DEFAULT_UPDATES
    if params.flag("drop_pending_updates"):
        world.waiting.clear()
    world.webhook = {"url": url, "secret_token": secret}
    world.interrupt_polling()
    world.changed()
    return True


def delete_webhook(world: TelegramWorld, params: Params) -> bool:
    """Back to `getUpdates`."""
    world.webhook = {}
    if params.flag("drop_pending_updates"):
        world.waiting.clear()
    world.changed()
    return True


def get_webhook_info(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Where updates go, how many wait, and the last failure of a delivery (Unix seconds)."""
    info = {
        "url": world.webhook.get("url", ""),
        "has_custom_certificate": False,
        "pending_update_count": len(world.waiting),
    }
    for name in ("last_error_date", "last_error_message"):
        if name in world.webhook:
            info[name] = world.webhook[name]
    return info


METHODS: dict[str, m.Method] = {
    "getme": m.get_me,
    "getchat": m.get_chat,
    "getupdates": m.get_updates,
    "sendmessage": m.send_message,
    "senddocument": m.send_document,
    "sendphoto": m.send_photo,
    "sendlocation": m.send_location,
    "sendvenue": m.send_venue,
    "sendchataction": m.send_chat_action,
    "editmessagetext": m.edit_message_text,
    "editmessagecaption": m.edit_message_caption,
    "editmessagereplymarkup": m.edit_message_reply_markup,
    "deletemessage": m.delete_message,
    "deletemessages": m.delete_messages,
    "answercallbackquery": m.answer_callback_query,
    "getfile": m.get_file,
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "deletemycommands": delete_my_commands,
    "setmydescription": set_my_description,
    "getmydescription": get_my_description,
    "setmyshortdescription": set_my_short_description,
    "getmyshortdescription": get_my_short_description,
    "setmyname": set_my_name,
    "getmyname": get_my_name,
    "setchatmenubutton": set_chat_menu_button,
    "getchatmenubutton": get_chat_menu_button,
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
}


def call(world: TelegramWorld, method: str, params: Params) -> Any:
    """Carry out one method by its name, in any letter case.

    Raises `ApiError`: 404 for a method this Telegram does not have, otherwise what the method says.
    """
    function = METHODS.get(method.lower())
    if function is None:
        raise ApiError(404, "Not Found: method not found")
    if method.lower() == "getupdates":
        return function(world, params)  # waits, and lets go of the lock while it does
    with world.lock:
        return function(world, params)
