"""A start with an empty environment works; a start that lacks something says what."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def start(tmp_path: Path, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter with nothing but `environment`, asked for one value of the settings."""
    return subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); from django.conf import settings; {code}"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "VAR_DIR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "termin_project.settings",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_empty_environment_starts_the_sandbox(tmp_path: Path) -> None:
    result = start(
        tmp_path, "print(settings.SIMULATED_CITY, settings.SIMULATED_TELEGRAM, settings.CAPTCHA_MODE)"
    )

    assert result.stdout.split() == ["True", "True", "auto"], result.stderr
    assert (tmp_path / "secrets.env").exists()


def test_each_half_can_be_real_while_the_other_is_simulated(tmp_path: Path) -> None:
    code = "print(settings.SIMULATED_CITY, settings.SIMULATED_TELEGRAM, settings.CAPTCHA_MODE)"
    city = start(tmp_path, code, MUNICH_API_URL="http://127.0.0.1:9/api/citizen")
    telegram = start(tmp_path, code, TELEGRAM_BOT_TOKEN="1:token")

    assert city.stdout.split() == ["False", "True", "human"], city.stderr
    assert telegram.stdout.split() == ["True", "False", "auto"], telegram.stderr


def test_a_real_start_without_a_needed_setting_says_which_and_how(tmp_path: Path) -> None:
    result = start(tmp_path, SANDBOX="0")

    assert result.returncode != 0
    assert "SANDBOX=0 needs TELEGRAM_BOT_TOKEN: ask @BotFather" in result.stderr


def test_a_real_start_without_keys_says_how_to_make_them(tmp_path: Path) -> None:
    result = start(tmp_path, TELEGRAM_BOT_TOKEN="1:token", MUNICH_API_URL="https://city.example/api/citizen")

    assert "DJANGO_SECRET_KEY and FIELD_ENCRYPTION_KEYS are not set" in result.stderr


def test_an_unknown_captcha_mode_is_refused(tmp_path: Path) -> None:
    assert "CAPTCHA_MODE must be off, human or auto" in start(tmp_path, CAPTCHA_MODE="always").stderr
