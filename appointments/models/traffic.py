"""Calls to the city, without anything personal in them."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Call(models.Model):
    """One request to the city and how it went; kept for two days, then only counted."""

    at = models.DateTimeField(_("sent"))
    kind = models.CharField(_("kind"), max_length=12)
    round = models.PositiveBigIntegerField(_("round"), default=0)
    status = models.PositiveSmallIntegerField(_("status"), null=True, blank=True)
    code = models.CharField(
        _("outcome"), max_length=60, help_text=_("ok, the city's error code, or what went wrong.")
    )
    milliseconds = models.PositiveIntegerField(_("ms"))
    size = models.PositiveIntegerField(_("bytes"), default=0)

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        indexes = [models.Index(fields=("at", "kind"), name="call_by_time")]

    def __str__(self) -> str:
        return f"{self.kind} {self.code}"


class CallCount(models.Model):
    """Calls of one minute, hour or day, by kind and outcome; with a histogram that tells how long they took."""

    class Span(models.TextChoices):
        MINUTE = "minute", _("minute")
        HOUR = "hour", _("hour")
        DAY = "day", _("day")

    span = models.CharField(_("span"), max_length=10, choices=Span)
    starts_at = models.DateTimeField(_("from"))
    kind = models.CharField(_("kind"), max_length=12)
    code = models.CharField(_("outcome"), max_length=60)
    calls = models.PositiveIntegerField(_("calls"), default=0)
    milliseconds = models.PositiveBigIntegerField(_("ms in all"), default=0)
    slowest = models.PositiveIntegerField(_("slowest, ms"), default=0)
    size = models.PositiveBigIntegerField(_("bytes in all"), default=0)
    # {class of duration: calls}; see `appointments.durations`
    histogram = models.JSONField(_("durations"), default=dict, blank=True)

    class Meta:
        verbose_name = _("calls counted")
        verbose_name_plural = _("calls counted")
        constraints = [
            # Also the index of every question about a stretch of time.
            models.UniqueConstraint(fields=("span", "starts_at", "kind", "code"), name="call_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%d.%m. %H:%M} {self.kind} {self.code}"
