"""A simulated Telegram: one bot, any number of people, the Bot API over HTTP. Pure Python, no Django."""

from termin_project.sandbox.telegram.app import telegram_app
from termin_project.sandbox.telegram.world import SANDBOX_TOKEN, TelegramWorld

__all__ = ["SANDBOX_TOKEN", "TelegramWorld", "telegram_app"]
