"""Updates: waiting for them, confirming them, and getting again what was not confirmed."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import requests

from termin_project.sandbox.telegram import TelegramWorld, telegram_app
from termin_project.sandbox.telegram.webhook import deliver_next
from tests.sandbox.telegram.conftest import Api, Now


def in_background(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    return thread, results


def texts(updates: list[dict[str, Any]]) -> list[str]:
    return [update["message"]["text"] for update in updates]


def test_an_update_carries_the_person_the_chat_and_the_command(api: Api) -> None:
    api.control("say", chat=7, text="/start now", first_name="Ada", last_name="L", language_code="de")

    (update,) = api.ok("getUpdates")

    message = update["message"]
    assert message["from"] == {
        "id": 7, "is_bot": False, "first_name": "Ada", "last_name": "L", "language_code": "de",
    }  # fmt: skip
    assert message["chat"] == {"id": 7, "type": "private", "first_name": "Ada", "last_name": "L"}
    assert message["entities"] == [{"type": "bot_command", "offset": 0, "length": 6}]


def test_what_was_not_confirmed_comes_again(api: Api, ada: int) -> None:
    api.control("say", chat=ada, text="second")

    first = api.ok("getUpdates")
    again = api.ok("getUpdates")
    after = api.ok("getUpdates", offset=first[0]["update_id"] + 1)

    assert texts(first) == texts(again) == ["/start", "second"]
    assert texts(after) == ["second"]
    assert texts(api.ok("getUpdates")) == ["second"]


def test_the_limit_cuts_the_batch_and_loses_nothing(api: Api, ada: int) -> None:
    for number in range(3):
        api.control("say", chat=ada, text=f"{number}")

    assert texts(api.ok("getUpdates", limit=2)) == ["/start", "0"]
    assert len(api.ok("getUpdates", limit=100)) == 4


def test_a_negative_offset_keeps_only_the_newest(api: Api, ada: int) -> None:
    for number in range(3):
        api.control("say", chat=ada, text=f"{number}")

    assert texts(api.ok("getUpdates", offset=-1)) == ["2"]
    assert texts(api.ok("getUpdates")) == ["2"]


def test_a_long_poll_ends_as_soon_as_somebody_writes(api: Api, world: TelegramWorld) -> None:
    polling = Api(telegram_app(world))
    thread, results = in_background(lambda: polling.ok("getUpdates", timeout=10))
    time.sleep(0.2)
    started = time.monotonic()

    api.control("say", chat=1, text="hello")
    thread.join(5)

    assert texts(results[0]) == ["hello"]
    assert time.monotonic() - started < 1


def test_a_long_poll_without_news_ends_empty_after_its_time(api: Api) -> None:
    started = time.monotonic()

    assert api.ok("getUpdates", timeout=1) == []

    assert 0.9 < time.monotonic() - started < 3


def test_a_second_poll_ends_the_first_with_a_conflict(api: Api, world: TelegramWorld) -> None:
    first = Api(telegram_app(world))
    thread, results = in_background(lambda: first.raw("getUpdates", timeout=10))
    time.sleep(0.2)

    assert api.ok("getUpdates") == []
    thread.join(5)

    assert results[0]["error_code"] == 409
    assert results[0]["description"].startswith("Conflict: terminated by other getUpdates request")


def test_kinds_the_bot_does_not_want_are_not_kept_for_it(api: Api, ada: int) -> None:
    api.ok("getUpdates", allowed_updates=["callback_query"], offset=-1)
    api.ok("getUpdates", offset=2)

    api.control("say", chat=ada, text="unheard")

    assert api.ok("getUpdates") == []
    api.ok("getUpdates", allowed_updates=[])
    api.control("say", chat=ada, text="heard")
    assert texts(api.ok("getUpdates")) == ["heard"]


def test_after_a_day_an_update_is_forgotten(api: Api, ada: int, now: Now) -> None:
    now.advance(hours=25)

    assert api.ok("getUpdates") == []


def test_a_message_counts_as_seen_once_its_update_is_confirmed(api: Api, ada: int) -> None:
    (update,) = api.ok("getUpdates")
    before = api.look("messages", "chat=1")[0]["seen_at"]
    api.ok("getUpdates", offset=update["update_id"] + 1)

    assert before is None
    assert api.look("messages", "chat=1")[0]["seen_at"] == "2026-11-23T09:00:00+00:00"


def test_blocking_and_unblocking_is_told_to_the_bot(api: Api, ada: int) -> None:
    api.ok("getUpdates", offset=-1)
    api.control("block", chat=ada, blocked=True)
    api.control("block", chat=ada, blocked=False)

    changes = [u["my_chat_member"] for u in api.ok("getUpdates") if "my_chat_member" in u]

    assert [c["new_chat_member"]["status"] for c in changes] == ["kicked", "member"]


def test_closing_the_world_ends_a_long_poll(world: TelegramWorld) -> None:
    polling = Api(telegram_app(world))
    thread, results = in_background(lambda: polling.ok("getUpdates", timeout=30))
    time.sleep(0.2)

    world.close()
    thread.join(5)

    assert results == [[]]


def test_with_a_webhook_polling_is_a_conflict(api: Api) -> None:
    api.ok("setWebhook", url="https://bot.example/hook")

    assert api.refused("getUpdates").startswith(
        "Conflict: can't use getUpdates method while webhook is active"
    )
    assert api.ok("getWebhookInfo")["url"] == "https://bot.example/hook"
    api.ok("deleteWebhook")
    assert api.ok("getUpdates") == []


def test_a_webhook_gets_every_update_until_it_takes_it(
    api: Api, ada: int, world: TelegramWorld, serve
) -> None:
    received: list[tuple[str, dict[str, Any]]] = []
    answers = ["500 Internal Server Error", "200 OK"]

    def hook(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        received.append((environ["HTTP_X_TELEGRAM_BOT_API_SECRET_TOKEN"], body))
        start_response(answers.pop(0), [("Content-Length", "0")])
        return [b""]

    api.ok("setWebhook", url=f"{serve(hook)}/hook", secret_token="s3cret")
    with requests.Session() as session:
        first, second = deliver_next(world, session), deliver_next(world, session)
        third = deliver_next(world, session)

    assert (first, second, third) == (False, True, False)
    assert [secret for secret, _ in received] == ["s3cret", "s3cret"]
    assert received[0][1] == received[1][1]
    assert received[0][1]["message"]["text"] == "/start"
    assert "500" in api.ok("getWebhookInfo")["last_error_message"]
    assert api.ok("getWebhookInfo")["pending_update_count"] == 0
