"""Everything Telegram refuses, the simulated one refuses in the same words."""

import pytest

from termin_project.sandbox.telegram import TelegramWorld, telegram_app
from tests.sandbox.telegram.conftest import Api, Now


def inline(*buttons: dict) -> dict:
    return {"inline_keyboard": [list(buttons)]}


def test_a_wrong_token_is_unauthorized(world: TelegramWorld) -> None:
    assert Api(telegram_app(world), token="1:wrong").refused("getMe") == "Unauthorized"


def test_an_unknown_method_is_not_found(api: Api) -> None:
    assert api.refused("sendTelepathy") == "Not Found: method not found"
    assert api.status == 404


def test_method_names_are_read_in_any_case(api: Api) -> None:
    assert api.ok("GETME")["is_bot"] is True


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"text": "hi"}, "chat_id is empty"),
        ({"chat_id": 77, "text": "hi"}, "chat not found"),
        ({"chat_id": "@somebody", "text": "hi"}, "chat not found"),
        ({"chat_id": 1}, "message text is empty"),
        ({"chat_id": 1, "text": " \n "}, "message text is empty"),
        ({"chat_id": 1, "text": "<b> </b>", "parse_mode": "HTML"}, "message text is empty"),
        ({"chat_id": 1, "text": "x" * 4097}, "message is too long"),
        ({"chat_id": 1, "text": "😀" * 2049}, "message is too long"),
        ({"chat_id": 1, "text": "x", "parse_mode": "Fancy"}, "unsupported parse_mode"),
        ({"chat_id": 1, "text": "x", "reply_markup": "{"}, "can't parse reply markup JSON object"),
        ({"chat_id": 1, "text": "x", "reply_markup": [1]}, "object expected as reply markup"),
        (
            {"chat_id": 1, "text": "x", "reply_parameters": {"message_id": 99}},
            "message to be replied not found",
        ),
        (
            {"chat_id": 1, "text": "x", "entities": [{"type": "bold", "offset": 0, "length": 2}]},
            "can't parse entities: entity beginning at UTF-16 offset 0 ends after the end of the text",
        ),
    ],
)
def test_a_message_telegram_would_not_take_is_refused(api: Api, ada: int, params: dict, reason: str) -> None:
    assert api.refused("sendMessage", **params) == f"Bad Request: {reason}"
    assert api.status == 400


def test_4096_characters_are_counted_after_the_tags_are_gone(api: Api, ada: int) -> None:
    sent = api.ok("sendMessage", chat_id=ada, text=f"<b>{'x' * 4096}</b>", parse_mode="HTML")

    assert sent["entities"] == [{"type": "bold", "offset": 0, "length": 4096}]


@pytest.mark.parametrize(
    ("button", "reason"),
    [
        ({"text": "x", "callback_data": ""}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "callback_data": "y" * 65}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "callback_data": "ü" * 33}, "BUTTON_DATA_INVALID"),
        ({"text": " ", "callback_data": "y"}, "BUTTON_TEXT_INVALID"),
        ({"callback_data": "y"}, "can't parse inline keyboard button: Can't find field \"text\""),
        (
            {"text": "x"},
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (
            {"text": "x", "url": "http://localhost/"},
            "inline keyboard button URL 'http://localhost/' is invalid: Wrong HTTP URL",
        ),
        (
            {"text": "x", "web_app": {"url": "http://a.example/"}},
            "inline keyboard button Web App URL 'http://a.example/' is invalid: Only HTTPS links are allowed",
        ),
    ],
)
def test_a_button_telegram_would_not_take_is_refused(api: Api, ada: int, button: dict, reason: str) -> None:
    refusal = api.refused("sendMessage", chat_id=ada, text="x", reply_markup=inline(button))

    assert refusal == f"Bad Request: {reason}"


@pytest.mark.parametrize(
    "button",
    [
        {"text": "x", "callback_data": "ü" * 32},
        {"text": "x", "url": "https://example.org/map?x=1"},
        {"text": "x", "url": "http://127.0.0.1:8000/sandbox/mailbox/"},
        {"text": "x", "web_app": {"url": "https://example.org/app"}},
        {"text": "x", "web_app": {"url": "http://127.0.0.1:8000/app"}},
    ],
)
def test_a_button_telegram_takes_is_taken(api: Api, ada: int, button: dict) -> None:
    sent = api.ok("sendMessage", chat_id=ada, text="x", reply_markup=inline(button))

    assert sent["reply_markup"] == inline(button)


def test_an_edit_that_changes_nothing_is_refused(api: Api, ada: int) -> None:
    keyboard = inline({"text": "x", "callback_data": "y"})
    sent = api.ok("sendMessage", chat_id=ada, text="<b>Held</b>", parse_mode="HTML", reply_markup=keyboard)
    same = {"chat_id": ada, "message_id": sent["message_id"], "text": "<b>Held</b>", "parse_mode": "HTML"}

    refusal = api.refused("editMessageText", **same, reply_markup=keyboard)

    assert refusal.startswith("Bad Request: message is not modified: specified new message content")


def test_an_edit_of_the_formatting_or_the_buttons_alone_is_a_change(api: Api, ada: int) -> None:
    sent = api.ok(
        "sendMessage", chat_id=ada, text="Held", reply_markup=inline({"text": "x", "callback_data": "y"})
    )
    where = {"chat_id": ada, "message_id": sent["message_id"]}

    assert "reply_markup" not in api.ok("editMessageText", **where, text="Held")
    assert api.ok("editMessageText", **where, text="<b>Held</b>", parse_mode="HTML")["entities"]


def test_only_a_message_that_is_there_can_be_edited(api: Api, ada: int) -> None:
    refusal = api.refused("editMessageText", chat_id=ada, message_id=99, text="x")

    assert refusal == "Bad Request: message to edit not found"


def test_a_persons_message_cannot_be_edited(api: Api, ada: int) -> None:
    refusal = api.refused("editMessageText", chat_id=ada, message_id=1, text="x")

    assert refusal == "Bad Request: message can't be edited"


def test_a_document_has_no_text_to_edit(api: Api, ada: int, world: TelegramWorld) -> None:
    stored = world.keep_file("documents", "a.ics", "text/calendar", b"x")
    sent = api.ok("sendDocument", chat_id=ada, document=stored.id, caption="Yours")
    where = {"chat_id": ada, "message_id": sent["message_id"]}

    assert (
        api.refused("editMessageText", **where, text="x")
        == "Bad Request: there is no text in the message to edit"
    )
    assert api.ok("editMessageCaption", **where, caption="Hers")["caption"] == "Hers"


def test_a_deleted_message_is_gone_for_both_sides(api: Api, ada: int) -> None:
    sent = api.ok("sendMessage", chat_id=ada, text="x")
    where = {"chat_id": ada, "message_id": sent["message_id"]}

    assert api.ok("deleteMessage", **where) is True

    assert api.refused("deleteMessage", **where) == "Bad Request: message to delete not found"
    assert sent["message_id"] not in [m["id"] for m in api.look("messages", "chat=1")]


def test_after_two_days_a_message_cannot_be_deleted(api: Api, ada: int, now: Now) -> None:
    sent = api.ok("sendMessage", chat_id=ada, text="x")
    now.advance(hours=49)

    refusal = api.refused("deleteMessage", chat_id=ada, message_id=sent["message_id"])

    assert refusal == "Bad Request: message can't be deleted for everyone"


@pytest.mark.parametrize("method", ["sendMessage", "sendChatAction", "sendVenue"])
def test_who_blocked_the_bot_hears_nothing(api: Api, ada: int, method: str) -> None:
    api.control("block", chat=ada, blocked=True)
    params = {"text": "x", "action": "typing", "latitude": 1, "longitude": 1, "title": "a", "address": "b"}

    assert api.refused(method, chat_id=ada, **params) == "Forbidden: bot was blocked by the user"
    assert api.status == 403


def test_a_deleted_account_hears_nothing(api: Api, ada: int) -> None:
    api.control("block", chat=ada, blocked=False, deactivated=True)

    assert api.refused("sendMessage", chat_id=ada, text="x") == "Forbidden: user is deactivated"


def test_an_answer_to_a_button_may_come_too_late(api: Api, ada: int, world: TelegramWorld, now: Now) -> None:
    sent = api.ok(
        "sendMessage", chat_id=ada, text="x", reply_markup=inline({"text": "x", "callback_data": "y"})
    )
    query = api.control("press", chat=ada, message=sent["message_id"], data="y", wait=0)["query"]
    now.advance(seconds=world.query_lifetime.total_seconds() + 1)

    refusal = api.refused("answerCallbackQuery", callback_query_id=query)

    assert refusal == "Bad Request: query is too old and response timeout expired or query ID is invalid"


def test_an_answer_to_a_button_holds_200_characters(api: Api, ada: int) -> None:
    assert (
        api.refused("answerCallbackQuery", callback_query_id="1", text="x" * 201)
        == "Bad Request: MESSAGE_TOO_LONG"
    )


@pytest.mark.parametrize(
    ("method", "params", "reason"),
    [
        ("sendDocument", {}, "there is no document in the request"),
        ("sendDocument", {"document": "unknown"}, "wrong file identifier/HTTP URL specified"),
        ("sendDocument", {"document": "https://example.org/a"}, "failed to get HTTP URL content"),
        ("sendLocation", {"latitude": 91, "longitude": 0}, "wrong latitude or longitude specified"),
        ("sendVenue", {"latitude": 1, "longitude": 1, "address": "x"}, "title must be non-empty"),
        ("sendChatAction", {"action": "dancing"}, "wrong parameter action in request"),
        ("setMyCommands", {"commands": [{"command": "Not ok", "description": "x"}]}, "BOT_COMMAND_INVALID"),
        ("setMyCommands", {"commands": [{"command": "ok", "description": ""}]}, "BOT_COMMAND_DESCRIPTION_INVALID"),
        ("setWebhook", {"url": "http://example.org/"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        ("getFile", {"file_id": "x"}, "wrong file_id or the file is temporarily unavailable"),
    ],
)  # fmt: skip
def test_other_methods_refuse_in_telegrams_words(
    api: Api, ada: int, method: str, params: dict, reason: str
) -> None:
    assert api.refused(method, chat_id=ada, **params) == f"Bad Request: {reason}"


def test_a_caption_holds_1024_characters(api: Api, ada: int, world: TelegramWorld) -> None:
    stored = world.keep_file("documents", "a.ics", "text/calendar", b"x")

    refusal = api.refused("sendDocument", chat_id=ada, document=stored.id, caption="x" * 1025)

    assert refusal == "Bad Request: message caption is too long"


def test_an_empty_file_is_refused(api: Api, ada: int) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="document"; filename="a.ics"\r\n\r\n\r\n--b--\r\n'
    )

    answer = api.request("POST", "/bot1:sandbox/sendDocument", body, "multipart/form-data; boundary=b")

    assert b"file must be non-empty" in answer


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"chat_id=1&text=Gr%C3%BC%C3%9Fe+%26+mehr", "application/x-www-form-urlencoded"),
        ('{"chat_id": "1", "text": "Grüße & mehr"}'.encode(), "application/json"),
        (
            '--b\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n1\r\n--b\r\n'
            'Content-Disposition: form-data; name="text"\r\n\r\nGrüße & mehr\r\n--b--\r\n'.encode(),
            "multipart/form-data; boundary=b",
        ),
    ],
)
def test_a_request_may_come_as_form_json_or_multipart(
    api: Api, ada: int, body: bytes, content_type: str
) -> None:
    api.request("POST", "/bot1:sandbox/sendMessage", body, content_type)

    assert api.look("messages", "chat=1")[-1]["text"] == "Grüße & mehr"


def test_a_body_that_is_not_what_it_says_is_refused(api: Api) -> None:
    assert b"can't parse request body" in api.request("POST", "/bot1:sandbox/getMe", b"{", "application/json")


def test_one_chat_takes_a_short_burst_and_then_one_message_a_second(now: Now) -> None:
    api = Api(telegram_app(TelegramWorld(now=now)))
    api.control("say", chat=1, text="/start")
    for number in range(3):
        api.ok("sendMessage", chat_id=1, text=f"{number}")

    refused = api.raw("sendMessage", chat_id=1, text="one too many")
    now.advance(seconds=1)

    assert refused["error_code"] == 429
    assert refused["description"] == "Too Many Requests: retry after 1"
    assert refused["parameters"] == {"retry_after": 1}
    assert api.headers.get("Retry-After") == "1"
    assert api.ok("sendMessage", chat_id=1, text="now")
    assert api.raw("sendMessage", chat_id=1, text="again")["error_code"] == 429


def test_the_strict_rule_allows_no_burst(now: Now) -> None:
    api = Api(telegram_app(TelegramWorld(now=now, burst=1)))
    api.control("say", chat=1, text="/start")
    api.ok("sendMessage", chat_id=1, text="a")

    assert api.raw("sendMessage", chat_id=1, text="b")["parameters"] == {"retry_after": 1}


def test_all_chats_together_take_30_a_second(now: Now) -> None:
    api = Api(telegram_app(TelegramWorld(now=now)))
    for chat in range(1, 41):
        api.control("say", chat=chat, text="/start")

    answers = [api.raw("sendMessage", chat_id=chat, text="x")["ok"] for chat in range(1, 41)]
    now.advance(seconds=1)
    later = [api.raw("sendMessage", chat_id=chat, text="x")["ok"] for chat in range(31, 41)]

    assert answers == [True] * 30 + [False] * 10
    assert later == [True] * 10


def test_a_refused_message_does_not_count_and_is_not_shown(now: Now) -> None:
    api = Api(telegram_app(TelegramWorld(now=now, burst=1)))
    api.control("say", chat=1, text="/start")
    for _ in range(5):
        api.refused("sendMessage", chat_id=1, text="a < b", parse_mode="HTML")

    assert api.ok("sendMessage", chat_id=1, text="fine")
    assert [m["text"] for m in api.look("messages", "chat=1&after=1")] == ["fine"]


def test_edits_are_counted_apart_from_new_messages(now: Now) -> None:
    api = Api(telegram_app(TelegramWorld(now=now, burst=1)))
    api.control("say", chat=1, text="/start")
    sent = api.ok("sendMessage", chat_id=1, text="a")

    assert api.ok("editMessageText", chat_id=1, message_id=sent["message_id"], text="b")
    assert api.raw("editMessageText", chat_id=1, message_id=sent["message_id"], text="c")["error_code"] == 429
