"""Slots and their life: appeared, gone, returned."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from appointments.models.catalogue import Office
from appointments.models.watch import Search


class Slot(models.Model):
    """A start time at an office for a search, from its first sighting on."""

    search = models.ForeignKey(
        Search, on_delete=models.CASCADE, related_name="slots", verbose_name=_("search")
    )
    office = models.ForeignKey(
        Office, on_delete=models.CASCADE, related_name="slots", verbose_name=_("office")
    )
    starts_at = models.DateTimeField(_("starts"))
    appeared_at = models.DateTimeField(_("appeared"), help_text=_("The latest appearance."))
    seen_at = models.DateTimeField(_("last seen"))
    gone_at = models.DateTimeField(_("gone"), null=True, blank=True)
    appearances = models.PositiveIntegerField(_("appearances"), default=1)

    class Meta:
        verbose_name = _("slot")
        verbose_name_plural = _("slots")
        ordering = ("starts_at",)
        constraints = [
            models.UniqueConstraint(fields=("search", "office", "starts_at"), name="slot_once"),
        ]
        indexes = [
            models.Index(fields=("search", "starts_at"), condition=models.Q(gone_at=None), name="slot_open"),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%d.%m.%Y %H:%M} @ {self.office_id}"


class Sighting(models.Model):
    """One change in a slot's life, kept for patterns and rolled up later."""

    class Kind(models.TextChoices):
        APPEARED = "appeared", _("appeared")
        GONE = "gone", _("gone")
        RETURNED = "returned", _("returned")

    slot = models.ForeignKey(Slot, on_delete=models.CASCADE, related_name="sightings", verbose_name=_("slot"))
    kind = models.CharField(_("what"), max_length=10, choices=Kind)
    at = models.DateTimeField(_("seen"))

    class Meta:
        verbose_name = _("sighting")
        verbose_name_plural = _("sightings")
        indexes = [models.Index(fields=("at", "kind"), name="sighting_by_time")]

    def __str__(self) -> str:
        return f"{self.slot_id} {self.kind}"
