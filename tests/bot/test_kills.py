"""The bot's process is killed after every word a person says, and they notice nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from appointments.models import Subscriber, Watch
from bot import chats
from termin_project.sandbox.telegram import control as persons_side
from tests.bot.conftest import Town
from tests.bot.test_application import PATIENCE, Running, telegram, world  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]
STEPS = (
    ("say", "/start", "Hello Ada"),
    ("press", "Continue", "What do you need?"),
    ("say", "Reisepass", "I found"),
    ("press", "Reisepass", "When?"),
    ("say", "tomorrow", "What time?"),
    ("press", "Any time", "what shall I do"),
    ("press", "Tell me", "Your search"),
    ("press", "Start watching", "I am watching"),
)


class Process:
    """`manage.py run_bot` on the test's own database and Telegram."""

    def __init__(self, telegram_url: str) -> None:
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "termin_project.settings",
            "SANDBOX_PORT": str(urlsplit(telegram_url).port),
            "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        }
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "run_bot"],
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the process gets the database as a file")
def test_a_bot_killed_after_every_step_loses_no_word_and_acts_once(
    town: Town,
    world,  # noqa: F811
    telegram: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(persons_side, "ANSWER_WAIT", 0.01)
    running, dice = Running(world), random.Random(7)
    bot = Process(telegram)
    try:
        for act, words, answer in STEPS:
            getattr(running, act)(words)
            time.sleep(dice.random() * 0.1)
            bot.kill()
            bot.start()
            running.wait_for(answer)
        running.say("/help")
        running.wait_for("These commands work")
    finally:
        status = bot.stop()

    assert Watch.objects.count() == 1
    assert Subscriber.objects.count() == 1
    assert chats.unanswered() == []
    assert status == 0
