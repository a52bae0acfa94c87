"""The end of a new watch: what to do when a slot opens, the summary, every point of it changeable, the start."""

from dataclasses import replace

from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.errors import InvalidValue, NotAllowed, WatchLimitReached
from appointments.models import Watch
from appointments.selectors.catalogue import nearest
from appointments.selectors.watches import MOST_WATCHES
from appointments.services.watches import WatchWish, change_watch, check_wish, create_watch
from bot import callback_data as cd
from bot.drafts import Draft
from bot.effects import Button, Screen
from bot.flow import present
from bot.handlers import profile
from bot.handlers.new_watch import STEP_OF, ask_next, leave
from bot.keyboards import add_service, in_rows
from bot.messages import render, wish_view
from bot.selection_words import nearest_text, refusal_text
from bot.talk import Talk


def mode(talk: Talk) -> Screen:
    """What to do when a slot opens?"""
    html = format_html(
        "<b>{}</b>\n{}\n{}\n{}",
        _("When a time opens, what shall I do?"),
        _("Tell me: you get a message and choose."),
        _("Hold it: the city reserves it for you for some minutes. Then I ask you."),
        _("Book it: I send your data to the city at once. You only open the mail."),
    )
    rows = [
        [Button(_("🔔 Tell me"), cd.PickMode("notify"))],
        [Button(_("✋ Hold it, then ask me"), cd.PickMode("hold"))],
        [Button(_("⚡ Book it for me"), cd.PickMode("auto"))],
        [leave(talk)],
    ]
    return Screen(html, rows)


def pick_mode(talk: Talk, data: cd.PickMode) -> None:
    """A mode was chosen. Booking by itself needs the contact data now, so that nothing has to be asked later."""
    if talk.step != "mode" or data.mode not in Watch.Mode.values:
        present(talk)
        return
    draft = replace(Draft.read(talk.memory), mode=data.mode)
    if data.mode == Watch.Mode.AUTO and (missing := profile.missing_for_auto(talk, draft)):
        talk.go("summary", draft=draft.as_json())
        profile.ask(talk, missing, then="draft")
        return
    ask_next(talk, draft)


def summary(talk: Talk) -> Screen | None:
    """Everything chosen, in one message."""
    draft = Draft.read(talk.memory)
    if draft.open_point():
        return None
    wish = draft.wish()
    problem, instead = "", ""
    try:
        check_wish(wish, now=talk.now)
    except InvalidValue as invalid:
        problem = problem_text(invalid, wish)
        if invalid.field == "services":
            instead = nearest_text(nearest(wish.services))
    html = render(
        "summary", w=wish_view(wish), editing=draft.watch is not None, problem=problem, instead=instead
    )
    start = Button(_("Save") if draft.watch is not None else _("Start watching"), cd.StartWatching())
    return Screen(
        html,
        [
            [] if problem else [start],
            add_service(draft),
            [Button(_("Change …"), cd.Change("")), leave(talk)],
        ],
    )


def problem_text(invalid: InvalidValue, wish: WatchWish) -> str:
    """Why a wish cannot be, in a sentence."""
    days = invalid.details.get("days", 180)
    about_services = refusal_text(invalid, wish.services)
    if about_services:
        return about_services
    return {
        "exclusive": _("Not every office serves everybody. Please choose the one responsible for you."),
        "past": _("The last day is in the past. Please change the days."),
        "reversed": _("The last day lies before the first. Please change the days."),
        "too_far": _("The city opens only the next %(days)s days. Please change the days.") % {"days": days},
        "hours": _("These hours do not work. Please change them."),
    }.get(invalid.reason, _("Something in it does not work. Please change it."))


def point_name(point: str) -> str:
    """What a point of the summary is called."""
    return {
        "service": _("Service"),
        "count": _("Persons"),
        "more": _("Other services"),
        "offices": _("Offices"),
        "days": _("Days"),
        "hours": _("Time"),
        "mode": _("What I do"),
    }[point]


def change(talk: Talk) -> Screen:
    """Which point shall change?"""
    rows = in_rows([Button(point_name(point), cd.Change(point)) for point in STEP_OF])
    html = format_html("<b>{}</b>", _("What do you want to change?"))
    return Screen(html, [*rows, [Button(_("Back"), cd.Change("summary"))]])


def choose_point(talk: Talk, data: cd.Change) -> None:
    """Change one point; the others stay."""
    if not talk.memory.get("draft"):
        present(talk)
        return
    if data.point == "summary":
        ask_next(talk, Draft.read(talk.memory))
        return
    talk.memory.pop("chosen", None)
    talk.go(STEP_OF.get(data.point, "change"), page=0)
    present(talk)


def start_watching(talk: Talk, data: cd.StartWatching) -> None:
    """The summary is right."""
    draft = Draft.read(talk.memory)
    if talk.step != "summary" or draft.open_point():
        present(talk)
        return
    wish = draft.wish()
    if wish.mode == Watch.Mode.AUTO and (missing := profile.missing_for_auto(talk, draft)):
        profile.ask(talk, missing, then="draft")
        return
    try:
        if draft.watch is None:
            watch = create_watch(talk.person, wish, now=talk.now)
            talk.notice = _("I am watching.")
        else:
            watch = change_watch(
                Watch.objects.get(pk=draft.watch, subscriber=talk.person), wish, now=talk.now
            )
            talk.notice = _("Saved.")
    except InvalidValue:
        present(talk)  # the summary names the problem
        return
    except WatchLimitReached:
        talk.notice = _("You have %(most)d searches already. Please delete one first.") % {
            "most": MOST_WATCHES
        }
        talk.begin("watches")
        present(talk)
        return
    except (NotAllowed, Watch.DoesNotExist):
        talk.notice = _("This search has ended.")
        talk.begin("watches")
        present(talk)
        return
    talk.begin("watch", watch=watch.pk)
    present(talk)


SCREENS = {"mode": mode, "summary": summary, "change": change}
