"""A person who uses the service, known to the domain without Telegram."""

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from termin_project.encryption import EncryptedTextField


class Subscriber(models.Model):
    """One person: language, consent and, only if they let us book, contact data (encrypted)."""

    class Language(models.TextChoices):
        GERMAN = "de", "Deutsch"
        ENGLISH = "en", "English"

    first_name = EncryptedTextField(_("first name"), blank=True, default="")
    language = models.CharField(_("language"), max_length=5, choices=Language, default=Language.GERMAN)
    consented_at = models.DateTimeField(_("agreed to the rules"), null=True, blank=True)
    created_at = models.DateTimeField(_("first seen"))
    last_seen_at = models.DateTimeField(_("last seen"))
    paused_at = models.DateTimeField(
        _("paused"), null=True, blank=True, help_text=_("By staff, or because the person blocked the bot.")
    )
    pause_reason = models.CharField(_("reason of the pause"), max_length=100, blank=True, default="")
    priority = models.SmallIntegerField(_("priority"), default=0, help_text=_("Higher is served first."))

    # Contact data, asked once, by the city's rules.
    family_name = EncryptedTextField(_("name for the city"), blank=True, default="")
    email = EncryptedTextField(_("e-mail"), blank=True, default="")
    telephone = EncryptedTextField(_("telephone"), blank=True, default="")
    contact_consented_at = models.DateTimeField(_("agreed to storing contact data"), null=True, blank=True)
    holds_paused_until = models.DateTimeField(
        _("nothing is held until"),
        null=True,
        blank=True,
        help_text=_("After too many holds that nobody kept. The person is still told about free times."),
    )
    erase_after = models.DateField(
        _("erased after"), null=True, blank=True, help_text=_("Moves on while the person uses the service.")
    )

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        permissions = [("view_personal_data", _("May see names, e-mail addresses and telephone numbers"))]
        indexes = [models.Index(fields=("erase_after",), name="subscriber_erase_after")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(family_name="") | models.Q(contact_consented_at__isnull=False),
                name="subscriber_contact_needs_consent",
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def is_active(self) -> bool:
        """Whether this person agreed and is neither paused nor has blocked the bot."""
        return self.consented_at is not None and self.paused_at is None

    def seen(self, now: datetime) -> None:
        """Note, in memory, that the person did something."""
        self.last_seen_at = now


class Profile(models.Model):
    """Somebody a person books for: a child, a partner, a parent. With their own data and their agreement."""

    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.CASCADE, related_name="profiles", verbose_name=_("person")
    )
    label = EncryptedTextField(_("called"))  # what the person calls them: "Mum"
    family_name = EncryptedTextField(_("name for the city"), blank=True, default="")
    email = EncryptedTextField(_("e-mail"), blank=True, default="")
    telephone = EncryptedTextField(_("telephone"), blank=True, default="")
    # That the person may give these data away was said by the person, on that day.
    consented_at = models.DateTimeField(_("agreement confirmed"))
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"#{self.subscriber_id}/{self.pk}"
