"""The bot's side: one function per Bot API method, as strict as Telegram is.

Source: https://core.telegram.org/bots/api
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from termin_project.sandbox.telegram.bodies import Params, Upload
from termin_project.sandbox.telegram.entities import (
    Entity,
    given_entities,
    parse_html,
    trimmed,
    utf16_length,
    with_automatic,
)
from termin_project.sandbox.telegram.errors import ApiError, bad_request, too_many_requests
from termin_project.sandbox.telegram.keyboards import parse_markup
from termin_project.sandbox.telegram.records import Message, Person
from termin_project.sandbox.telegram.world import TelegramWorld

Method = Callable[[TelegramWorld, Params], Any]

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_FILE = 50 * 1024 * 1024
TYPING = timedelta(seconds=5)
DELETABLE = timedelta(hours=48)
_ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice",
    "upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip


def get_me(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Who the bot is."""
    return {
        **world.bot.as_user(),
        "can_join_groups": False,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def get_chat(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """What the bot may know about a person."""
    person = world.recipient(params.values.get("chat_id"))
    return {**person.as_chat(), "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": {
        "unlimited_gifts": False, "limited_gifts": False, "unique_gifts": False,
        "premium_subscription": False, "gifts_from_channels": False,
    }}  # fmt: skip


def get_updates(world: TelegramWorld, params: Params) -> list[dict[str, Any]]:
    """What happened since the last confirmed update, by long polling."""
    allowed = params.structure("allowed_updates")
    if allowed is not None and not isinstance(allowed, list):
        raise bad_request("can't parse allowed updates JSON object")
    limit = params.integer("limit", 100)
    return world.updates(
        params.integer("offset"),
        limit if 1 <= limit <= 100 else 100,
        min(50, max(0, params.integer("timeout"))),
        None if allowed is None else frozenset(str(kind) for kind in allowed),
    )


# --- sending -----------------------------------------------------------------------------------------------


def formatted(params: Params, name: str) -> tuple[str, list[Entity]]:
    """The text parameter `name` without markup, and its entities ("text"/"entities" or the caption's)."""
    text = params.text(name)
    mode = params.text("parse_mode").lower()
    raw = params.structure("entities" if name == "text" else "caption_entities")
    if mode == "html":
        text, entities = parse_html(text)
    elif mode:
        raise bad_request("unsupported parse_mode")
    else:
        entities = given_entities(raw, text) if raw else []
    text, entities = trimmed(text, entities)
    return text, with_automatic(text, entities)


def _message_text(params: Params) -> tuple[str, list[Entity]]:
    text, entities = formatted(params, "text")
    if not text:
        raise bad_request("message text is empty")
    if utf16_length(text) > MAX_TEXT:
        raise bad_request("message is too long")
    return text, entities


def _caption(params: Params) -> tuple[str, list[Entity]]:
    text, entities = formatted(params, "caption")
    if utf16_length(text) > MAX_CAPTION:
        raise bad_request("message caption is too long")
    return text, entities


def _slow_down(world: TelegramWorld, person: Person, kind: str) -> None:
    if seconds := world.flood.refusal(person.id, kind, world.now()):
        raise too_many_requests(seconds)


def _send(
    world: TelegramWorld,
    params: Params,
    text: str,
    entities: list[Entity],
    content: Callable[[], dict[str, Any]] = dict,
) -> dict[str, Any]:
    """Put one message into a chat. `content` is called only once nothing can refuse the message any more."""
    kind, markup = parse_markup(params.structure("reply_markup"))
    person = world.recipient(params.values.get("chat_id"))
    reply_to = _reply_to(world, params, person)
    _slow_down(world, person, "send")
    if kind in ("reply", "remove"):
        person.reply_keyboard = markup if kind == "reply" else None
    message = world.add(
        person,
        from_bot=True,
        text=text,
        entities=entities,
        keyboard=markup if kind == "inline" and markup["inline_keyboard"] else None,
        content=content(),
        reply_to=reply_to,
    )
    return message.as_api(world.bot, person)


def _reply_to(world: TelegramWorld, params: Params, person: Person) -> int:
    reply = params.structure("reply_parameters") or {}
    wanted = reply.get("message_id") or params.integer("reply_to_message_id")
    if not wanted or world.find(person.id, int(wanted)):
        return int(wanted or 0)
    if reply.get("allow_sending_without_reply") or params.flag("allow_sending_without_reply"):
        return 0
    raise bad_request("message to be replied not found")


def send_message(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Send text."""
    return _send(world, params, *_message_text(params))


def _file(world: TelegramWorld, params: Params, name: str, folder: str) -> Callable[[], Any]:
    """A file given by upload or by id; the returned function stores it and gives its record."""
    given = params.upload(name)
    if isinstance(given, Upload):
        if not given.content:
            raise bad_request("file must be non-empty")
        if len(given.content) > MAX_FILE:
            raise ApiError(413, "Request Entity Too Large")
        return lambda: world.keep_file(folder, given.name or "file", given.mime_type, given.content)
    if not given:
        raise bad_request(f"there is no {name} in the request")
    if given.startswith(("http://", "https://")):
        raise bad_request("failed to get HTTP URL content")  # this Telegram has no internet
    stored = world.files.get(given)
    if stored is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    return lambda: stored


def send_document(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Send a file."""
    store = _file(world, params, "document", "documents")

    def content() -> dict[str, Any]:
        stored = store()
        return {"document": {**stored.as_api(), "file_name": stored.name, "mime_type": stored.mime_type}}

    return _send(world, params, *_caption(params), content)


def send_photo(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Send a picture; its size in pixels is not looked at."""
    store = _file(world, params, "photo", "photos")
    return _send(
        world,
        params,
        *_caption(params),
        lambda: {"photo": [{**store().as_api(), "width": 640, "height": 480}]},
    )


def _place(params: Params) -> dict[str, float]:
    latitude, longitude = params.number("latitude"), params.number("longitude")
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise bad_request("wrong latitude or longitude specified")
    return {"latitude": latitude, "longitude": longitude}


def send_location(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Send a point on the map, in degrees."""
    place = _place(params)
    return _send(world, params, "", [], lambda: {"location": place})


def send_venue(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Send a place with name and address."""
    place = _place(params)
    title, address = params.text("title"), params.text("address")
    if not title:
        raise bad_request("title must be non-empty")
    if not address:
        raise bad_request("address must be non-empty")
    venue = {"location": place, "title": title, "address": address}
    return _send(world, params, "", [], lambda: {"venue": venue, "location": place})


def send_chat_action(world: TelegramWorld, params: Params) -> bool:
    """Show "typing" and its like for five seconds."""
    action = params.text("action").lower()
    if action not in _ACTIONS:
        raise bad_request("wrong parameter action in request")
    person = world.recipient(params.values.get("chat_id"))
    person.typing_until = world.now() + TYPING
    world.changed()
    return True


# --- changing --------------------------------------------------------------------------------------------


def _own_message(world: TelegramWorld, params: Params, what: str) -> tuple[Person, Message]:
    if "inline_message_id" in params or "message_id" not in params:
        raise bad_request("message identifier is not specified")
    person = world.recipient(params.values.get("chat_id"))
    message = world.find(person.id, params.integer("message_id"))
    if message is None:
        raise bad_request(f"message to {what} not found")
    if not message.from_bot:
        raise bad_request("message can't be edited")
    return person, message


def _edit(
    world: TelegramWorld, params: Params, person: Person, message: Message, text: str, entities: list[Entity]
) -> dict[str, Any]:
    kind, markup = parse_markup(params.structure("reply_markup"))
    if kind not in ("", "inline"):
        raise bad_request("inline keyboard expected")
    keyboard = markup if markup and markup["inline_keyboard"] else None
    if message.same_as(text, entities, keyboard):
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same "
            "as a current content and reply markup of the message"
        )
    _slow_down(world, person, "edit")
    only_buttons = message.text == text and message.entities == entities
    message.text, message.entities, message.keyboard = text, entities, keyboard
    # Telegram marks a message as edited when its words change, not for other buttons.
    world.touch(message, edited=not only_buttons)
    return message.as_api(world.bot, person)


def edit_message_text(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Replace text and buttons; without `reply_markup` the buttons go."""
    text, entities = _message_text(params)
    person, message = _own_message(world, params, "edit")
    if message.content:
        raise bad_request("there is no text in the message to edit")
    return _edit(world, params, person, message, text, entities)


def edit_message_caption(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Replace the words under a file, and the buttons."""
    text, entities = _caption(params)
    person, message = _own_message(world, params, "edit")
    if not message.content:
        raise bad_request("there is no caption in the message to edit")
    return _edit(world, params, person, message, text, entities)


def edit_message_reply_markup(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Replace the buttons alone; without `reply_markup` they go."""
    person, message = _own_message(world, params, "edit")
    return _edit(world, params, person, message, message.text, message.entities)


def _delete(world: TelegramWorld, person: Person, message: Message) -> None:
    if message.sent_at < world.now() - DELETABLE:
        raise bad_request("message can't be deleted for everyone")
    message.deleted = True
    message.text, message.entities, message.keyboard, message.content = "", [], None, {}
    world.touch(message)


def delete_message(world: TelegramWorld, params: Params) -> bool:
    """Take a message away, the bot's or the person's."""
    person = world.recipient(params.values.get("chat_id"))
    message = world.find(person.id, params.integer("message_id"))
    if message is None:
        raise bad_request("message to delete not found")
    _delete(world, person, message)
    return True


def delete_messages(world: TelegramWorld, params: Params) -> bool:
    """Take several messages away; those that are gone are skipped."""
    person = world.recipient(params.values.get("chat_id"))
    for number in params.structure("message_ids") or []:
        if message := world.find(person.id, int(number)):
            _delete(world, person, message)
    return True


def answer_callback_query(world: TelegramWorld, params: Params) -> bool:
    """Stop the button's waiting, with a short text if wanted."""
    if utf16_length(params.text("text")) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    tap = world.taps.get(params.text("callback_query_id"))
    if tap is None or world.now() - tap.pressed_at > world.query_lifetime:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if tap.answer is None:
        tap.answer = {
            "text": params.text("text"),
            "show_alert": params.flag("show_alert"),
            "url": params.text("url"),
        }
        world.changed()
    return True


def get_file(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Where the bytes of a file are."""
    stored = world.files.get(params.text("file_id"))
    if stored is None:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    return {**stored.as_api(), "file_path": stored.path}
