"""What became of attempts, counted: nothing in it tells who."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from appointments.models.catalogue import Office
from appointments.models.watch import Search


class AttemptCount(models.Model):
    """Attempts of one hour at one office for one search that ended alike, with the time their steps took.

    Written anew from the bookings as long as they may still change, so counting twice gives the same.
    """

    class Outcome(models.TextChoices):
        RUNNING = "running", _("under way")
        CONFIRMED = "confirmed", _("confirmed by the city")
        KEPT = "kept", _("held, not decided yet")
        LET_GO = "let_go", _("held, then let go")
        LOST = "lost", _("somebody else was faster")
        FAILED = "failed", _("failed")
        UNCLEAR = "unclear", _("outcome unknown")
        DROPPED = "dropped", _("given up before asking")

    hour = models.DateTimeField(_("hour"))
    search = models.ForeignKey(
        Search, on_delete=models.CASCADE, related_name="attempt_counts", verbose_name=_("search")
    )
    office = models.ForeignKey(
        Office, on_delete=models.CASCADE, related_name="attempt_counts", verbose_name=_("office")
    )
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome)
    reason = models.CharField(_("reason"), max_length=60, blank=True, default="")
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    # Milliseconds in all, and how many attempts they are of: not every attempt makes every step.
    leaving_ms = models.PositiveBigIntegerField(_("seen to asked, ms in all"), default=0)
    leaving = models.PositiveIntegerField(_("of which seen to asked"), default=0)
    holding_ms = models.PositiveBigIntegerField(_("asked to held, ms in all"), default=0)
    holding = models.PositiveIntegerField(_("of which asked to held"), default=0)
    confirming_ms = models.PositiveBigIntegerField(_("held to confirmed, ms in all"), default=0)
    confirming = models.PositiveIntegerField(_("of which held to confirmed"), default=0)

    class Meta:
        verbose_name = _("attempts counted")
        verbose_name_plural = _("attempts counted")
        constraints = [
            models.UniqueConstraint(
                fields=("hour", "search", "office", "outcome", "reason"), name="attempt_count_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.hour:%d.%m. %H:00} {self.outcome}"
