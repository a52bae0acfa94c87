"""The chat that ties a Telegram chat to a person, and where its dialogue stands."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from appointments.models import Subscriber
from termin_project.encryption import EncryptedTextField


class Chat(models.Model):
    """One private chat. Before consent this row and its language are all we keep.

    The dialogue lives here, written in the same transaction as the effect of the update that moved it. So
    a process that dies at any moment loses nothing, and the next one goes on where the chat stands.
    """

    chat_id = models.BigIntegerField(_("chat"), unique=True)
    subscriber = models.OneToOneField(
        Subscriber,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="chat",
        verbose_name=_("person"),
    )
    language = models.CharField(
        _("language"), max_length=5, choices=Subscriber.Language, default=Subscriber.Language.GERMAN
    )
    # {"step": ..., "data": {...}, "below": the dialogue to come back to}; empty outside a dialogue
    dialogue = models.JSONField(_("dialogue"), default=dict, blank=True)
    # What was handled lately: an update that comes again acts once.
    recent_updates = models.JSONField(_("handled lately"), default=list, blank=True)
    menu_message_id = models.BigIntegerField(_("menu message"), null=True, blank=True)
    # Buttons of the living menu carry it, so an older menu's buttons are told apart.
    menu_serial = models.PositiveIntegerField(_("menu number"), default=0)
    # The answer to the latest update until Telegram has taken it. It may hold personal data.
    unanswered = EncryptedTextField(_("answer on its way"), blank=True, default="")
    # The newest messages of the conversation itself, so that news looked for in the chat are not taken for them.
    own_messages = models.JSONField(_("own messages"), default=list, blank=True)
    blocked_at = models.DateTimeField(_("blocked the bot"), null=True, blank=True)
    created_at = models.DateTimeField(_("first seen"))
    last_update_at = models.DateTimeField(_("last heard of"))

    class Meta:
        verbose_name = _("chat")
        verbose_name_plural = _("chats")

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def speaks(self) -> str:
        """The language to talk in: the person's, or the chat's before anybody agreed."""
        return self.subscriber.language if self.subscriber else self.language
