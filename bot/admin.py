"""Chats: who talks to us through Telegram. What is being typed in a dialogue may be personal and is not shown."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from bot.models import Chat
from termin_project.staff_admin import StaffAdmin


@admin.register(Chat)
class ChatAdmin(StaffAdmin):
    """One private chat each."""

    list_display = ("__str__", "person", "speaks_now", "step", "created_at", "last_update_at", "reachable")
    list_filter = ("language", ("blocked_at", admin.EmptyFieldListFilter))
    list_select_related = ("subscriber",)
    search_fields = ("=id", "=subscriber__id")
    search_help_text = _("Number of the chat or the person")
    ordering = ("-last_update_at",)
    fields = ("subscriber", "language", "step", "blocked_at", "created_at", "last_update_at")

    @display(description=_("person"), ordering="subscriber_id")
    def person(self, chat: Chat) -> str:
        """Number of the person; none before they agreed."""
        return f"#{chat.subscriber_id}" if chat.subscriber_id else "–"

    @display(description=_("language"))
    def speaks_now(self, chat: Chat) -> str:
        """The language we talk in."""
        return chat.speaks

    @display(description=_("step of the dialogue"))
    def step(self, chat: Chat) -> str:
        """Where the dialogue stands, without what was said."""
        return str(chat.dialogue.get("step", "")) or "–"

    @display(description=_("reachable"), boolean=True)
    def reachable(self, chat: Chat) -> bool:
        """False once the person blocked the bot."""
        return chat.blocked_at is None
