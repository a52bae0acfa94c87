"""What every admin page of this project shares: facts are looked at, changes go through services.

Built on django-unfold, the one maintained theme that keeps Django's own admin underneath (its permissions, forms and
history) and needs no JavaScript of ours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.db.models import Model, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.enums import ActionVariant


class ActRefused(Exception):
    """An act is not possible now; the text is for the member of staff who tried."""


@dataclass(frozen=True)
class Act:
    """Something staff can do to one row, or to several picked in the list.

    `run(row, now, answers)` calls a service; it may raise `ActRefused`. `question` is asked before it runs on
    a row's own page; `form` may ask for more. With `bulk` off it can only be done there, one at a time.
    """

    name: str
    label: Any
    question: Any
    run: Callable[[Any, datetime, dict[str, Any]], None]
    icon: str = "play_arrow"
    variant: ActionVariant = ActionVariant.DEFAULT
    form: type[Form] | None = None
    bulk: bool = True


class StaffAdmin(ModelAdmin):
    """Read-only pages without adding and deleting, with acts instead.

    `editable` names the few fields that staff may change; `hidden` those that nobody sees (keys, tokens).
    """

    acts: tuple[Act, ...] = ()
    editable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    list_per_page = 50
    show_full_result_count = False
    list_filter_sheet = False
    compressed_fields = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = cls.__dict__.get("acts", ())
        for act in own:
            setattr(cls, act.name, _on_own_page(act))
            if act.bulk:
                setattr(cls, f"{act.name}_picked", _on_picked(act))
        if own:
            cls.actions_detail = tuple(act.name for act in own)
            cls.actions = [f"{act.name}_picked" for act in own if act.bulk]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Facts are written by the service."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Facts are removed by the service, each with a date of its own."""
        return False

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Every field but the hidden ones, unless the page names its own."""
        if self.fields or self.fieldsets:
            return super().get_fields(request, obj)
        return [f.name for f in self.model._meta.concrete_fields if f.name not in self.hidden]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Everything staff may not edit."""
        named = [
            name
            for _title, options in self.get_fieldsets(request, obj)
            for line in options["fields"]
            for name in ([line] if isinstance(line, str) else line)
        ]
        return [name for name in named if name not in self.editable]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Without anything to edit there is nothing to save."""
        context = dict(extra_context or {})
        if not self.editable:
            context |= {"show_save": False, "show_save_and_continue": False}
        return super().changeform_view(request, object_id, form_url, context)

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        """Write only what was changed here: the service may have moved the rest meanwhile."""
        if form.changed_data:
            obj.save(update_fields=form.changed_data)

    def run_act(self, request: HttpRequest, act: Act, rows: QuerySet | list[Any]) -> int:
        """Run an act on rows, tell how it went, note it in the history. Returns how many it was done to."""
        return self._run(request, act, list(rows), {})

    def _run(self, request: HttpRequest, act: Act, rows: list[Any], answers: dict[str, Any]) -> int:
        done = 0
        for row in rows:
            identity, number = str(row), row.pk
            try:
                act.run(row, timezone.now(), answers)
            except ActRefused as refusal:
                self.message_user(request, f"{identity}: {refusal}", messages.WARNING)
                continue
            done += 1
            if type(row).objects.filter(pk=number).exists():
                self.log_change(request, row, str(act.label))
        if done:
            text = ngettext("%(act)s: done for %(n)s row.", "%(act)s: done for %(n)s rows.", done)
            self.message_user(request, text % {"act": act.label, "n": done}, messages.SUCCESS)
        return done


class FactInline(TabularInline):
    """Rows that belong to another row, to be looked at."""

    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Written by the service."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never edited."""
        return False


def _on_picked(act: Act) -> Any:
    def picked(self: StaffAdmin, request: HttpRequest, queryset: QuerySet) -> None:
        self.run_act(request, act, queryset)

    picked.__name__ = f"{act.name}_picked"
    return action(description=act.label, permissions=["change"])(picked)


def _on_own_page(act: Act) -> Any:
    def one(self: StaffAdmin, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if row is None:
            self.message_user(request, _("This row does not exist any more."), messages.WARNING)
        else:
            self._run(request, act, [row], form.cleaned_data)
        return _leave(
            self, request, object_id, gone=row is None or not type(row).objects.filter(pk=row.pk).exists()
        )

    one.__name__ = act.name
    return action(
        description=act.label,
        url_path=act.name.replace("_", "-"),
        permissions=["change"],
        icon=act.icon,
        variant=act.variant,
        # The question is a form: it is sent by POST with a token against forgery, never by following a link.
        dialog={
            "title": act.label,
            "description": act.question,
            "form_class": act.form,
            "form_submit_text": act.label,
        },
    )(one)


def _leave(page: StaffAdmin, request: HttpRequest, object_id: str, *, gone: bool) -> HttpResponse:
    options = page.model._meta
    name = f"{page.admin_site.name}:{options.app_label}_{options.model_name}"
    address = reverse(f"{name}_changelist") if gone else reverse(f"{name}_change", args=(object_id,))
    if "HX-Request" in request.headers:
        # The dialog sent itself with htmx, which would swap a redirected page into the dialog.
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def masked(text: str) -> str:
    """Words cut to their first letter: "Ada Lovelace" is "A… L…", "ada@example.org" is "a…@e…", numbers "08…"."""
    if not text:
        return ""
    if "@" in text:
        name, _at, domain = text.partition("@")
        return f"{name[:1]}…@{domain[:1]}…"
    if text[0].isdigit() or text[0] == "+":
        return f"{text[:2]}…"
    return " ".join(f"{word[:1]}…" for word in text.split())
