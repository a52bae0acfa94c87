"""People somebody books for: seen, added with their agreement, changed, deleted; and "for whom?" where it matters."""

from dataclasses import replace

from django.utils.html import format_html
from django.utils.translation import gettext as _

from appointments.errors import (
    AlreadyBooked,
    AlreadyHolding,
    InvalidValue,
    MailLimitReached,
    NotAllowed,
    ProfileLimitReached,
    SlotGone,
)
from appointments.models import Booking, Profile, Slot, Watch
from appointments.selectors.bookings import booking_of, live_bookings_of
from appointments.selectors.profiles import MOST_PROFILES, profile_of, profiles_of
from appointments.services.bookings import request_booking
from appointments.services.profiles import add_profile, choose_person, delete_profile
from bot import callback_data as cd
from bot import dates
from bot.drafts import Draft
from bot.effects import Button, Screen
from bot.flow import present
from bot.handlers import bookings, mail, profile
from bot.keyboards import back_home, in_rows, shortened
from bot.messages import render
from bot.talk import Talk

# So many people fit into one row of the summary beside "for me"; more have a screen of their own.
IN_ONE_ROW = 2
ACT_FIELDS = ("family_name", "email", "telephone")


# --- The list, one person, adding, deleting ----------------------------------------------------------------


def people(talk: Talk) -> Screen:
    """Everybody somebody books for, one button each."""
    known = profiles_of(talk.person)
    rows = [[Button(shortened(each.label), cd.PersonAct("open", each.pk))] for each in known]
    if len(known) < MOST_PROFILES:
        rows.append([Button(_("Add a person"), cd.PersonAct("add"))])
    text = _("You can book for these people, too.") if known else _("You can also book for other people.")
    html = format_html("<b>{}</b>\n{}", _("Family and friends"), text)
    return Screen(html, [*rows, [Button(_("My data"), cd.Go("profile")), back_home()]])


def person(talk: Talk) -> Screen | None:
    """One of them, with what can be done about it."""
    found = profile_of(talk.person, talk.memory.get("profile"))
    if found is None:
        return None
    html = render(
        "person",
        profile=found,
        person=talk.person,
        day=dates.show_date(dates.local(found.consented_at).date()),
    )
    rows = [
        [
            Button(_("Change name"), cd.PersonAct("family_name", found.pk)),
            Button(_("Change e-mail"), cd.PersonAct("email", found.pk)),
        ],
        [Button(_("Change telephone"), cd.PersonAct("telephone", found.pk))],
        [Button(_("Family and friends"), cd.PersonAct("list")), back_home()],
        [Button(_("Delete"), cd.PersonAct("delete", found.pk))],
    ]
    return Screen(html, rows)


def person_add(talk: Talk) -> Screen:
    """May the person give these data away?"""
    return Screen(
        render("person_add"),
        [
            [Button(_("Yes, I may"), cd.PersonAct("agree"))],
            [Button(_("No"), cd.Go("cancel"))],
        ],
    )


def person_label(talk: Talk) -> Screen:
    """What is the person called here?"""
    html = format_html(
        "<b>{}</b>\n{}", _("What do you call this person?"), _("For example: Mum. Only you see it.")
    )
    return Screen(html, [[Button(_("Cancel"), cd.Go("cancel"))]])


def person_delete(talk: Talk) -> Screen | None:
    """Really delete?"""
    found = profile_of(talk.person, talk.memory.get("profile"))
    if found is None:
        return None
    lines = [_("Searches for this person end, and a time that I hold is given back.")]
    if any(booking.profile_id == found.pk for booking in live_bookings_of(talk.person)):
        lines.append(_("An appointment that the city has confirmed stays until it is over."))
    html = format_html(
        "<b>{}</b>\n{}", _("Erase the data of %(name)s?") % {"name": found.label}, " ".join(lines)
    )
    return Screen(
        html,
        [
            [Button(_("No, keep it"), cd.PersonAct("open", found.pk))],
            [Button(_("Yes, erase"), cd.PersonAct("delete_yes", found.pk))],
        ],
    )


def act(talk: Talk, data: cd.PersonAct) -> None:
    """A button about people to book for."""
    found = profile_of(talk.person, data.person)
    if data.act == "add":
        talk.interrupt("person_add")
    elif data.act == "agree" and talk.step == "person_add":
        # The agreement is asked before anything about the person is written down; it is kept with its day.
        talk.go("person_label")
    elif data.act == "list":
        talk.begin("people")
    elif found is None:
        talk.notice = _("This person is not known here any more.") if data.person else ""
        talk.begin("people")
    elif data.act == "open":
        talk.begin("person", profile=found.pk)
    elif data.act in ACT_FIELDS and talk.step == "person":
        profile.ask(talk, [data.act], then="person", profile=found.pk)
        return
    elif data.act == "delete" and talk.step == "person":
        talk.begin("person_delete", profile=found.pk)
    elif data.act == "delete_yes" and talk.step == "person_delete":
        delete_profile(found, now=talk.now)
        talk.notice = _("Erased.")
        talk.begin("people")
    present(talk)


def type_label(talk: Talk) -> None:
    """The person's name for somebody was typed: from now on there is a profile, and its data are asked."""
    try:
        added = add_profile(talk.person, talk.text, now=talk.now)
    except InvalidValue as invalid:
        talk.notice = _label_text(invalid)
        present(talk)
        return
    except ProfileLimitReached:
        talk.notice = _("You can book for %(most)d people at most.") % {"most": MOST_PROFILES}
        talk.begin("people")
        present(talk)
        return
    below = talk.chat.dialogue.get("below") or {}
    draft = (below.get("data") or {}).get("draft")
    if draft is not None:
        # Who adds somebody in the middle of a search means that person.
        draft["profile"] = added.pk
    then = "draft" if draft is not None else "person"
    talk.go("ask", fields=["family_name", "email"], then=then, profile=added.pk, booking=None)
    present(talk)


def _label_text(invalid: InvalidValue) -> str:
    return {
        "empty": _("Please type a name or a word."),
        "too_long": _("Please type at most %(count)d letters.") % {"count": invalid.details.get("most", 30)},
        "taken": _("You have somebody of that name already."),
    }.get(invalid.reason, _("Please type it differently."))


# --- For whom? ---------------------------------------------------------------------------------------------


def whom_row(talk: Talk, draft: Draft) -> list[Button]:
    """One row of the summary; empty for somebody who books for nobody else."""
    known = profiles_of(talk.person)
    if not known:
        return []
    if len(known) > IN_ONE_ROW:
        chosen = next((each.label for each in known if each.pk == draft.profile), _("me"))
        return [Button(shortened(_("For whom: %(name)s …") % {"name": chosen}), cd.Whom(-1))]
    return [*_choices(known, draft.profile), Button("+", cd.PersonAct("add"))]


def _choices(known: list[Profile], chosen: int | None) -> list[Button]:
    """ "For me" and everybody else, the chosen one with a check mark."""
    me = _("For me")
    buttons = [Button(f"☑ {me}" if chosen is None else me, cd.Whom(0))]
    for each in known:
        label = _("For %(name)s") % {"name": each.label}
        buttons.append(Button(f"☑ {label}" if each.pk == chosen else label, cd.Whom(each.pk)))
    return buttons


def whom(talk: Talk) -> Screen | None:
    """For whom is it? Of a search in the making, of a place that is held, or of a free time."""
    known = profiles_of(talk.person)
    draft = Draft.read(talk.memory) if talk.memory.get("draft") else None
    booking_id = talk.memory.get("booking")
    rows = in_rows(_choices(known, draft.profile if draft else -1), 2)
    lines = [format_html("<b>{}</b>", _("For whom is it?"))]
    if booking_id is not None:
        found = booking_of(talk.person, booking_id)
        if found is None:
            return None
        lines.append(mail.held_line(found, talk.now))
        rows.append([Button(_("Release"), cd.BookingAct("release", found.pk))])
    elif draft is not None:
        rows.append([Button(_("Add a person"), cd.PersonAct("add")), Button(_("Back"), cd.Change("summary"))])
    else:
        rows.append([back_home()])
    return Screen(format_html("\n".join("{}" for _line in lines), *lines), rows)


def choose(talk: Talk, data: cd.Whom) -> None:
    """A person was chosen, for whatever was asked."""
    profile_chosen = profile_of(talk.person, data.person)
    if talk.memory.get("draft") and talk.step in ("summary", "change", "whom"):
        if data.person < 0:
            talk.go("whom")
        else:
            draft = replace(Draft.read(talk.memory), profile=profile_chosen.pk if profile_chosen else None)
            talk.go("summary", draft=draft.as_json())
        present(talk)
    elif talk.step != "whom" or data.person < 0 or (data.person > 0 and profile_chosen is None):
        present(talk)
    elif talk.memory.get("booking") is not None:
        _choose_for_booking(talk, profile_chosen)
    else:
        _choose_for_slot(talk, profile_chosen)


def _choose_for_booking(talk: Talk, chosen: Profile | None) -> None:
    found = booking_of(talk.person, talk.memory["booking"])
    if found is None:
        present(talk)
        return
    try:
        found = choose_person(found, chosen, now=talk.now)
        bookings.keep_now(talk, found)
    except AlreadyBooked:
        talk.notice = _("This person has an appointment for this already.")
        present(talk)
    except MailLimitReached as limit:
        mail.show_limit(talk, limit.booking_id)
    except NotAllowed:
        talk.begin("booking", booking=found.pk)
        present(talk)


def _choose_for_slot(talk: Talk, chosen: Profile | None) -> None:
    slot = (
        Slot.objects.select_related("search", "office").filter(pk=int(talk.memory.get("slot") or 0)).first()
    )
    watch = Watch.objects.filter(pk=int(talk.memory.get("watch") or 0), subscriber=talk.person).first()
    try:
        if slot is None:
            raise SlotGone()
        booking: Booking = request_booking(
            talk.person, slot, mode=Watch.Mode.HOLD, watch=watch, now=talk.now, profile=chosen
        )
    except SlotGone:
        talk.notice = _("This time is gone.")
        talk.begin("watches")
        present(talk)
    except AlreadyHolding:
        talk.notice = _("I can hold only one time for you.")
        talk.begin("bookings")
        present(talk)
    except AlreadyBooked:
        talk.notice = _("This person has an appointment for this already.")
        present(talk)
    except MailLimitReached as limit:
        mail.show_limit(talk, limit.booking_id)
    else:
        talk.begin("booking", booking=booking.pk)
        present(talk)


SCREENS = {
    "people": people,
    "person": person,
    "person_add": person_add,
    "person_label": person_label,
    "person_delete": person_delete,
    "whom": whom,
}
TEXTS = {"person_label": type_label}
