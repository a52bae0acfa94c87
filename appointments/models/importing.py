"""An appointment made on the city's page that a person wants looked after here."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from appointments.models.subscriber import Subscriber
from termin_project.encryption import EncryptedTextField


class ImportRequest(models.Model):
    """Number and key of such an appointment, from the person's message until the city was asked about it.

    The key opens the appointment to whoever has it: it is encrypted, wiped as soon as the city has answered, and never
    shown. The emptied row stays for an hour, because only so many may be sent in that time.
    """

    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.CASCADE, related_name="imports", verbose_name=_("person")
    )
    process_id = models.BigIntegerField(_("number at the city"))
    auth_key = EncryptedTextField(_("key at the city"), blank=True, default="")
    outcome = models.CharField(_("outcome"), max_length=40, blank=True, default="")
    created_at = models.DateTimeField(_("asked"))
    retry_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    done_at = models.DateTimeField(_("settled"), null=True, blank=True)

    class Meta:
        verbose_name = _("import of an appointment")
        verbose_name_plural = _("imports of appointments")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(done_at=None) | models.Q(auth_key=""), name="import_settled_keeps_no_key"
            )
        ]
        indexes = [
            models.Index(fields=("retry_at",), condition=models.Q(done_at=None), name="import_due"),
            models.Index(fields=("subscriber", "created_at"), name="import_by_person"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
