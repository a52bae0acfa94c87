"""Several services in one appointment: what may be added to the main one, where that leaves to go, what was added."""

from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from appointments import selections
from appointments.models import Service
from appointments.selections import Partner, Problem, Reason
from appointments.selectors.catalogue import facts, facts_about, find_services, services_named
from appointments.upstream.types import ServiceCount
from bot import callback_data as cd
from bot.drafts import Draft
from bot.effects import Button, Rows, Screen
from bot.flow import present
from bot.handlers import new_watch
from bot.keyboards import SERVICES_PER_PAGE, in_rows, shortened
from bot.selection_words import counted, problem_text
from bot.talk import Talk


def pick_service(talk: Talk, data: cd.PickService) -> None:
    """A service was pressed: one more for the same appointment, or the main one."""
    if talk.step == "more":
        _add(talk, data.upstream_id)
    else:
        new_watch.pick_service(talk, data)


def set_count(talk: Talk, data: cd.Persons) -> None:
    """A number was pressed: of the added service, or of the main one."""
    if talk.step == "more_count":
        _set_count(talk, data.count)
    else:
        new_watch.set_count(talk, data)


def more(talk: Talk) -> Screen | None:
    """What may be added, and what was."""
    draft = Draft.read(talk.memory)
    if draft.service is None:
        return None
    partners = draft.partners()
    names = services_named([*draft.services, *(ServiceCount(partner.service) for partner in partners)])
    main = names.get(draft.service)
    if main is None:
        return None
    offered = [partner for partner in partners if partner.offices and partner.service in names]
    lines = [format_html("<b>{}</b>", _("What else, in the same appointment?"))]
    if offered:
        lines.append(
            format_html("{}", _("These can be booked together with “%(main)s”.") % {"main": main.name})
        )
    elif draft.more:
        lines.append(format_html("{}", _("Nothing more fits into one appointment.")))
    else:
        lines.append(format_html("{}", _("The city books “%(main)s” only on its own.") % {"main": main.name}))
    apart = [partner for partner in partners if not partner.offices and partner.service in names]
    too_much = [names[p.service].name for p in apart if draft.more or (draft.count or 1) > 1]
    if too_much and draft.more:
        lines.append(
            format_html(
                "{}", _("Not as well, it would be too much for one: %(names)s.") % {"names": _few(too_much)}
            )
        )
    rows = [
        [Button(shortened(f"✖ {counted(names[number].name, count)}"), cd.More("drop", number))]
        for number, count in draft.more
        if number in names
    ]
    rows += _page(talk, draft, offered, names)
    rows.append([Button(_("Done"), cd.Change("summary"))])
    return Screen(format_html_join("\n", "{}", ((line,) for line in lines)), rows)


def _page(talk: Talk, draft: Draft, offered: list[Partner], names: dict[int, Service]) -> Rows:
    known, here = facts_about(draft.services), len(draft.possible_offices())
    pages = max(1, -(-len(offered) // SERVICES_PER_PAGE))
    page = min(max(0, int(talk.memory.get("page", 0))), pages - 1)
    rows = []
    for partner in offered[page * SERVICES_PER_PAGE : (page + 1) * SERVICES_PER_PAGE]:
        label = shortened(names[partner.service].name)
        # Said only where the choice costs offices.
        left = len(selections.places(known, partner.offices))
        if left < here:
            places = ngettext("only %(count)d office", "only %(count)d offices", left) % {"count": left}
            label = f"{shortened(label, 42)} · {places}"
        rows.append([Button(label, cd.PickService(partner.service))])
    if pages > 1:
        turn = [Button("‹", cd.More("list", page - 1))] if page else []
        turn.append(Button(f"{page + 1}/{pages}", cd.Nothing()))
        if page < pages - 1:
            turn.append(Button("›", cd.More("list", page + 1)))
        rows.append(turn)
    return rows


def _few(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")


def act(talk: Talk, data: cd.More) -> None:
    """Open the list, turn it, or take a service out."""
    draft = Draft.read(talk.memory)
    if draft.service is None or draft.count is None:
        present(talk)
        return
    if data.act == "drop":
        talk.go("more", draft=draft.without(data.number).as_json())
    else:
        talk.memory.pop("chosen", None)
        talk.go("more", page=max(0, data.number))
    present(talk)


def _add(talk: Talk, number: int) -> None:
    """A service of the list was pressed: for how many, if there is a choice."""
    draft = Draft.read(talk.memory)
    partner = next((p for p in draft.partners() if p.service == number and p.offices), None)
    if partner is None:
        present(talk)
        return
    most = _most(draft, number)
    if most > 1:
        talk.go("more_count", adding=number)
        present(talk)
        return
    _added(talk, draft.with_more(number, 1))


def more_count(talk: Talk) -> Screen | None:
    """How often the added service?"""
    draft, number = Draft.read(talk.memory), talk.memory.get("adding")
    if not isinstance(number, int) or draft.service is None:
        return None
    service, most = Service.objects.filter(upstream_id=number).first(), _most(draft, number)
    if service is None or not most:
        return None
    numbers = [Button(str(n), cd.Persons(n)) for n in range(1, most + 1)]
    html = format_html("<b>{}</b>\n{}", service.name, _("For how many persons?"))
    return Screen(html, [*in_rows(numbers, 5), [Button(_("Back"), cd.More("list"))]])


def _set_count(talk: Talk, count: int) -> None:
    """So often."""
    draft, number = Draft.read(talk.memory), talk.memory.get("adding")
    if not isinstance(number, int) or draft.service is None:
        present(talk)
        return
    most = _most(draft, number)
    if not 1 <= count <= most:
        talk.notice = _("The city takes 1 to %(most)d here.") % {"most": most}
        present(talk)
        return
    _added(talk, draft.with_more(number, count))


def type_count(talk: Talk) -> None:
    """A number was typed."""
    if not talk.text.isdecimal() or len(talk.text) > 3:
        talk.notice = _("Please type a number, or press one.")
        present(talk)
        return
    _set_count(talk, int(talk.text))


def _added(talk: Talk, draft: Draft) -> None:
    talk.memory.pop("adding", None)
    talk.memory.pop("chosen", None)
    names = services_named(draft.services)
    talk.notice = _("Added: %(name)s.") % {"name": names[draft.more[-1][0]].name} if draft.more else ""
    new_watch.ask_next(talk, draft)


def _most(draft: Draft, number: int) -> int:
    known = facts({number, *(item.service_id for item in draft.services)})
    return selections.largest_count(known, draft.services, number)


def type_more(talk: Talk) -> None:
    """Typed words: which of the services that may be added do they mean? If another is meant, why not."""
    draft = Draft.read(talk.memory)
    if draft.service is None:
        present(talk)
        return
    found = find_services(talk.text, 6)
    allowed = {partner.service for partner in draft.partners() if partner.offices}
    fitting = next((service for service in found if service.upstream_id in allowed), None)
    if not found:
        talk.notice = _("I found nothing like that.")
    elif fitting is not None and fitting == found[0]:
        _add(talk, fitting.upstream_id)
        return
    else:
        wanted = (*draft.services, ServiceCount(found[0].upstream_id))
        problem = selections.judge(facts({item.service_id for item in wanted}), wanted).problem
        talk.notice = problem_text(
            problem or Problem(Reason.NOT_COMBINABLE, found[0].upstream_id), draft.services
        )
    present(talk)


SCREENS = {"more": more, "more_count": more_count}
TEXTS = {"more": type_more, "more_count": type_count}
