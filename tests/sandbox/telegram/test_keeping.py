"""Chats, files and waiting updates live through a restart."""

import json
import time
from pathlib import Path

from termin_project.sandbox.telegram import TelegramWorld, telegram_app
from termin_project.sandbox.telegram.keeper import Keeper
from tests.sandbox.telegram.conftest import Api


def started(directory: Path) -> tuple[TelegramWorld, Keeper, Api]:
    world = TelegramWorld(directory=directory / "files", burst=50)
    keeper = Keeper(world, directory / "telegram.json")
    keeper.load()
    return world, keeper, Api(telegram_app(world))


def test_everything_people_see_is_there_again_after_a_restart(tmp_path: Path) -> None:
    _, keeper, api = started(tmp_path)
    api.control("say", chat=1, text="/start", first_name="Ada", language_code="de")
    keyboard = {"inline_keyboard": [[{"text": "Keep", "callback_data": "k"}]]}
    sent = api.ok("sendMessage", chat_id=1, text="<b>Held</b>", parse_mode="HTML", reply_markup=keyboard)
    api.ok("editMessageText", chat_id=1, message_id=sent["message_id"], text="<i>Kept</i>", parse_mode="HTML")
    api.ok("setMyCommands", commands=[{"command": "help", "description": "Help"}])
    before = (api.look("messages", "chat=1"), api.look("chats")["people"])
    keeper.stop()

    _, _, again = started(tmp_path)

    assert (again.look("messages", "chat=1"), again.look("chats")["people"]) == before
    assert before[1][0]["unread"] == 1


def test_updates_and_taps_that_wait_are_delivered_after_a_restart(tmp_path: Path) -> None:
    _, keeper, api = started(tmp_path)
    api.control("say", chat=1, text="/start")
    keyboard = {"inline_keyboard": [[{"text": "Keep", "callback_data": "k"}]]}
    sent = api.ok("sendMessage", chat_id=1, text="Held", reply_markup=keyboard)
    api.control("press", chat=1, message=sent["message_id"], data="k", wait=0)
    keeper.stop()

    _, _, again = started(tmp_path)
    first, second = again.ok("getUpdates")

    assert first["message"]["text"] == "/start"
    assert again.ok("answerCallbackQuery", callback_query_id=second["callback_query"]["id"])
    again.control("say", chat=1, text="later")
    assert again.ok("getUpdates")[-1]["update_id"] == second["update_id"] + 1


def test_a_file_can_be_fetched_after_a_restart(tmp_path: Path) -> None:
    world, keeper, api = started(tmp_path)
    api.control("say", chat=1, text="/start")
    stored = world.keep_file("documents", "a.ics", "text/calendar", b"BEGIN")
    api.ok("sendDocument", chat_id=1, document=stored.id)
    keeper.stop()

    _, _, again = started(tmp_path)

    path = again.ok("getFile", file_id=stored.id)["file_path"]
    assert again.request("GET", f"/file/bot1:sandbox/{path}") == b"BEGIN"


def test_a_change_is_written_soon_after_it_happened(tmp_path: Path) -> None:
    _, keeper, api = started(tmp_path)
    keeper.start()
    api.control("say", chat=1, text="/start")

    until = time.monotonic() + 5
    while not (tmp_path / "telegram.json").exists() and time.monotonic() < until:
        time.sleep(0.05)
    saved = json.loads((tmp_path / "telegram.json").read_text())
    keeper.stop()

    assert saved["messages"][0]["text"] == "/start"
    assert [p.name for p in tmp_path.iterdir()] == ["telegram.json"]


def test_a_file_that_cannot_be_read_is_put_aside(tmp_path: Path, caplog) -> None:
    (tmp_path / "telegram.json").write_text('{"format": 1, "people"')

    _, _, api = started(tmp_path)

    assert api.look("chats")["people"] == []
    assert [p.name.split("-")[0] for p in tmp_path.iterdir()] == ["telegram.unreadable"]
    assert "put aside" in caplog.text


def test_only_the_newest_thousand_messages_of_a_chat_are_kept(
    api: Api, world: TelegramWorld, ada: int
) -> None:
    person = world.people[ada]
    for number in range(1005):
        world.add(person, from_bot=True, text=f"{number}")

    kept = api.look("messages", "chat=1")

    assert len(kept) == 1000
    assert kept[-1]["text"] == "1004"
