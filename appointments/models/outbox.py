"""Messages to people, written in the same transaction as the fact they tell."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from appointments.models.booking import Booking
from appointments.models.subscriber import Subscriber
from appointments.models.watch import Watch

# `last_error` of messages left out on purpose: what they would tell was over before they could be sent.
OVERTAKEN = "overtaken"


class OutboxMessage(models.Model):
    """One message to one person: kind and payload; the channel renders it when it is sent.

    `available_at` is due date and lease in one: a crashed sender's messages fall due again by themselves.
    Messages of one `thread` are one living message in the chat: with `edits`, the latest one of the
    thread is edited in place (or sent anew when it cannot be).
    """

    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.CASCADE, related_name="messages", verbose_name=_("person")
    )
    channel = models.CharField(_("channel"), max_length=20, default="telegram")
    kind = models.CharField(_("kind"), max_length=40)
    payload = models.JSONField(_("content"), default=dict, blank=True)
    dedup_key = models.CharField(_("key against repeats"), max_length=120, unique=True)
    thread = models.CharField(_("thread"), max_length=80, blank=True, default="")
    edits = models.BooleanField(_("edits the message before"), default=False)
    booking = models.ForeignKey(
        Booking,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="messages",
        verbose_name=_("booking"),
    )
    watch = models.ForeignKey(
        Watch,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="messages",
        verbose_name=_("watch"),
    )
    priority = models.SmallIntegerField(_("priority"), default=0)

    created_at = models.DateTimeField(_("written"))
    available_at = models.DateTimeField(_("due"))
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    failed_at = models.DateTimeField(_("given up"), null=True, blank=True)
    # An attempt began then, and nobody wrote down how it ended: the message may be shown already.
    attempted_at = models.DateTimeField(_("attempt under way since"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    last_error = models.CharField(_("last error"), max_length=100, blank=True, default="")
    # The channel's name of what was sent; Telegram: the message's id.
    receipt = models.CharField(_("receipt"), max_length=40, blank=True, default="")

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("outbox")
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sent_at=None) | models.Q(failed_at=None), name="outbox_sent_or_given_up"
            )
        ]
        indexes = [
            models.Index(
                fields=("available_at",), condition=models.Q(sent_at=None, failed_at=None), name="outbox_due"
            ),
            models.Index(fields=("thread", "-sent_at"), name="outbox_thread"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind}"
