"""What we learn about the city's way of speaking: its dialect, and answers we could not read."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CityDialect(models.Model):
    """The dialect an address of the city spoke when last asked, so that no process has to find out by itself."""

    address = models.CharField(_("address"), max_length=300, unique=True)
    dialect = models.CharField(
        _("dialect"),
        max_length=12,
        help_text=_(
            "D3 is the newest. D0 (retired) and unknown: we cannot ask; check the city's address in the settings."
        ),
    )
    found_at = models.DateTimeField(_("found out"))
    until = models.DateTimeField(_("remembered until"))

    class Meta:
        verbose_name = _("dialect of the city")
        verbose_name_plural = _("dialects of the city")

    def __str__(self) -> str:
        return f"{self.address}: {self.dialect}"


class UnreadAnswer(models.Model):
    """A form of answer that we could not read: what was asked and what kind of thing came.

    Names of fields and kinds of values only; no value, nothing personal, no key. One row for each form, a bounded
    number of rows (`services.unread`).
    """

    fingerprint = models.CharField(_("fingerprint"), max_length=64, unique=True)
    method = models.CharField(_("method"), max_length=8)
    path = models.CharField(_("path"), max_length=100)
    status = models.PositiveSmallIntegerField(_("status"), null=True, blank=True)
    code = models.CharField(_("outcome"), max_length=60)
    shape = models.CharField(_("form"), max_length=500)
    first_at = models.DateTimeField(_("first seen"))
    last_at = models.DateTimeField(_("last seen"))
    times = models.PositiveIntegerField(_("times"), default=1)

    class Meta:
        verbose_name = _("answer not understood")
        verbose_name_plural = _("answers not understood")
        indexes = [models.Index(fields=("last_at",), name="unread_answer_by_time")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.status}"
