"""The queue's own tables in our theme. Failures stay visible: the cluster keeps only those."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.decorators import display

from termin_project.staff_admin import StaffAdmin


class TaskAdmin(StaffAdmin):
    """A task that is over. Arguments are ids; the result is the line the task returned or what it stumbled over."""

    list_display = ("started", "func", "args", "cluster", "seconds", "said")
    list_filter = ("cluster", "func")
    search_fields = ("name", "func")
    ordering = ("-stopped",)
    fields = ("name", "func", "args", "kwargs", "group", "cluster", "started", "stopped", "seconds", "result")

    @display(description=_("seconds"))
    def seconds(self, task: Success | Failure) -> float:
        """How long it took."""
        return task.time_taken()

    @display(description=_("result"))
    def said(self, task: Success | Failure) -> str:
        """The result's first line."""
        lines = str(task.result or "").strip().splitlines()
        return lines[-1][:100] if lines else "–"


class WaitingAdmin(StaffAdmin):
    """Tasks in the queue: waiting, or taken by a worker until the lock ends."""

    list_display = ("id", "key", "func", "name", "lock")
    list_filter = ("key",)
    fields = ("key", "lock", "name", "func", "args", "kwargs")


class ScheduleAdmin(StaffAdmin):
    """What runs regularly. Written by `setup_schedules`, so nothing is edited here."""

    list_display = ("name", "func", "schedule_type", "minutes", "cluster", "next_run")
    list_filter = ("cluster",)
    search_fields = ("name", "func")
    ordering = ("name",)


for model, page in (
    (Failure, TaskAdmin),
    (Success, TaskAdmin),
    (OrmQ, WaitingAdmin),
    (Schedule, ScheduleAdmin),
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
    admin.site.register(model, page)
