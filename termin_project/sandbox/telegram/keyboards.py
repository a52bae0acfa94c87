"""Buttons: what Telegram accepts under a message and under the input field.

Source: https://core.telegram.org/bots/api#inlinekeyboardbutton
"""

from typing import Any
from urllib.parse import urlsplit

from termin_project.sandbox.telegram.entities import is_link
from termin_project.sandbox.telegram.errors import bad_request

Rows = list[list[dict[str, Any]]]

MAX_BUTTONS = 100
_LOOPBACK = {"127.0.0.1", "::1"}


def parse_markup(raw: object) -> tuple[str, dict[str, Any]]:
    """Kind ("inline", "reply", "remove", "force") and the checked markup; ("", {}) when none was given.

    Raises `ApiError` 400 in Telegram's words for data of more than 64 bytes, a bad link, a button that
    does nothing, and whatever is no keyboard at all.
    """
    if raw is None or raw == "" or raw == {}:
        return "", {}
    if not isinstance(raw, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" in raw:
        return "inline", {"inline_keyboard": _rows(raw["inline_keyboard"], _inline_button)}
    if "keyboard" in raw:
        return "reply", {**raw, "keyboard": _rows(raw["keyboard"], _reply_button)}
    if raw.get("remove_keyboard"):
        return "remove", {"remove_keyboard": True}
    if raw.get("force_reply"):
        return "force", {"force_reply": True}
    return "", {}


def _rows(raw: object, checked: Any) -> Rows:
    if not isinstance(raw, list) or not all(isinstance(row, list) for row in raw):
        raise bad_request("can't parse keyboard: an array of arrays of buttons was expected")
    rows = [[checked(button) for button in row] for row in raw if row]
    if sum(len(row) for row in rows) > MAX_BUTTONS:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    return rows


def _text_of(button: object, kind: str) -> str:
    if not isinstance(button, dict):
        raise bad_request(f"can't parse {kind}: {kind[0].upper()}{kind[1:]} must be an Object")
    text = button.get("text")
    if not isinstance(text, str):
        raise bad_request(f"can't parse {kind}: Can't find field \"text\"")
    if not text.strip():
        raise bad_request("BUTTON_TEXT_INVALID")
    return text


def _inline_button(button: Any) -> dict[str, Any]:
    text = _text_of(button, "inline keyboard button")
    if "callback_data" in button:
        data = button["callback_data"]
        if not isinstance(data, str) or not 1 <= len(data.encode()) <= 64:
            raise bad_request("BUTTON_DATA_INVALID")
        return {"text": text, "callback_data": data}
    if "url" in button:
        url = str(button["url"])
        if not is_link(url):
            raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
        return {"text": text, "url": url}
    if "web_app" in button:
        return {"text": text, "web_app": {"url": _web_app_url(button["web_app"])}}
    if "copy_text" in button:
        return {"text": text, "copy_text": button["copy_text"]}
    for action in ("switch_inline_query", "switch_inline_query_current_chat", "login_url"):
        if action in button:
            return {"text": text, action: button[action]}
    raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")


def _reply_button(button: Any) -> dict[str, Any]:
    if isinstance(button, str):
        button = {"text": button}
    kept: dict[str, Any] = {"text": _text_of(button, "keyboard button")}
    if "web_app" in button:
        kept["web_app"] = {"url": _web_app_url(button["web_app"])}
    for request in ("request_contact", "request_location"):
        if button.get(request):
            kept[request] = True
    return kept


def _web_app_url(web_app: Any) -> str:
    url = str(web_app.get("url", "")) if isinstance(web_app, dict) else ""
    parts = urlsplit(url)
    # Telegram takes https alone; a page on this very computer is let through, or nobody could try one here.
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url
    raise bad_request(f"inline keyboard button Web App URL '{url}' is invalid: Only HTTPS links are allowed")


def shown_buttons(markup: dict[str, Any] | None) -> Rows:
    """An inline keyboard as the person sees it: rows of text with `data` or `url`."""
    rows: Rows = []
    for row in (markup or {}).get("inline_keyboard", []):
        shown = []
        for button in row:
            item = {"text": button["text"]}
            if "callback_data" in button:
                item["data"] = button["callback_data"]
            elif "url" in button:
                item["url"] = button["url"]
            elif "web_app" in button:
                item["url"] = button["web_app"]["url"]
            shown.append(item)
        rows.append(shown)
    return rows
