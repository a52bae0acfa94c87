"""A new watch: what, for how many, where. Days and hours, mode and summary have files of their own."""

from dataclasses import replace

from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _

from appointments.models import Service
from appointments.selectors.catalogue import (
    TOPICS,
    catalogue_is_known,
    find_services,
    judge,
    popular_services,
    variants_of,
)
from bot import callback_data as cd
from bot.drafts import Draft
from bot.effects import Button, Rows, Screen
from bot.flow import present
from bot.keyboards import SERVICES_PER_PAGE, add_service, in_rows, office_list, shortened
from bot.selection_words import (
    duration_text,
    page_link,
    problem_text,
    telephone,
    too_small_text,
    variant_name,
)
from bot.talk import Talk

# Which step asks for which point of the draft.
STEP_OF = {
    "service": "service",
    "count": "count",
    "more": "more",
    "offices": "offices",
    "days": "days",
    "hours": "hours",
    "mode": "mode",
}
FOUND = 6
LONGEST_QUERY = 200


def topic_name(topic: str) -> str:
    """What a topic's button says."""
    return {
        "moved": _("🏠 Moved here"),
        "id": _("🪪 ID card, passport"),
        "residence": _("🌍 Residence permit"),
        "car": _("🚗 Car, licence"),
        "family": _("👶 Family"),
        "other": _("⋯ More"),
    }.get(topic, topic)


def ask_next(talk: Talk, draft: Draft) -> None:
    """Show the next point that is not chosen yet, or the summary. Points without a choice are skipped."""
    if draft.service is not None and draft.count is None:
        most = draft.largest_count
        if not most:
            problem = judge(draft.services).problem
            talk.notice = _("This cannot be booked online at the moment.")
            if problem is not None and draft.more:
                talk.notice += " " + problem_text(problem, draft.services)
            draft = replace(draft, service=None, more=())
        elif most == 1:
            draft = replace(draft, count=1)
    if draft.count is not None and draft.offices is None:
        possible = draft.possible_offices()
        if not possible:
            talk.notice = _("This cannot be booked online at the moment.")
            draft = replace(draft, service=None, count=None, more=())
        elif len(possible) == 1:
            draft = replace(draft, offices=())
    talk.memory.pop("found", None)
    talk.go(STEP_OF.get(draft.open_point(), "summary"), draft=draft.as_json(), page=0)
    present(talk)


def new(talk: Talk) -> None:
    """`/new`: a new search."""
    talk.begin("home")
    present(talk)


# --- What ------------------------------------------------------------------------------------------------


def home(talk: Talk) -> Screen:
    """The menu: what do you need?"""
    rows = topics()
    rows.append([Button(_("My searches"), cd.Go("watches")), Button(_("My appointments"), cd.Go("bookings"))])
    rows.append([Button(_("Settings"), cd.Go("settings")), Button(_("Help"), cd.Go("help"))])
    return Screen(format_html("<b>{}</b> {}", _("What do you need?"), _("Type a word, or choose.")), rows)


def service(talk: Talk) -> Screen:
    """The same question in the middle of a draft."""
    return Screen(
        format_html("<b>{}</b> {}", _("What do you need?"), _("Type a word, or choose.")),
        [*topics(), [leave(talk)]],
    )


def topics() -> Rows:
    """The topics as buttons."""
    return in_rows([Button(topic_name(topic), cd.Topic(topic)) for topic in TOPICS])


def leave(talk: Talk) -> Button:
    """The way out of a draft."""
    return Button(_("Cancel"), cd.Go("cancel"))


def choose_topic(talk: Talk, data: cd.Topic) -> None:
    """A topic was pressed."""
    if data.name not in TOPICS:
        present(talk)
        return
    talk.go("topic", topic=data.name, page=max(0, data.page))
    present(talk)


def topic(talk: Talk) -> Screen | None:
    """The services of one topic."""
    name = str(talk.memory.get("topic", ""))
    services = popular_services(name)
    pages = max(1, -(-len(services) // SERVICES_PER_PAGE))
    page = min(int(talk.memory.get("page", 0)), pages - 1)
    shown = services[page * SERVICES_PER_PAGE : (page + 1) * SERVICES_PER_PAGE]
    rows = service_rows(shown)
    if pages > 1:
        turn = [Button("‹", cd.Topic(name, page - 1))] if page else []
        turn.append(Button(f"{page + 1}/{pages}", cd.Nothing()))
        if page < pages - 1:
            turn.append(Button("›", cd.Topic(name, page + 1)))
        rows.append(turn)
    rows.append([Button(_("None of these"), cd.Go("service"))])
    if not services:
        return Screen(not_found(), rows)
    return Screen(format_html("<b>{}</b>\n{}", topic_name(name), _("Choose, or type a word.")), rows)


def not_found() -> str:
    """Nothing there, and why."""
    if not catalogue_is_known():
        return _("I do not know the city's list of services yet. Please try again in a minute.")
    return _("I found nothing like that.")


def _nothing_for(query: str) -> str:
    """Nothing found, and where to go from here: the topics, the city's page, its telephone."""
    lines = [
        format_html("{}", _("I found nothing for “%(words)s”.") % {"words": query}),
        format_html("{} {}.", _("Choose a topic below, or look at"), page_link()),
    ]
    if telephone():
        lines.append(
            format_html(
                "{}", _("The city's telephone %(number)s knows every service.") % {"number": telephone()}
            )
        )
    return format_html_join("\n", "{}", ((line,) for line in lines))


def service_rows(services: list[Service]) -> Rows:
    """Services one to a row, because their names are long."""
    return [[Button(shortened(item.name), cd.PickService(item.upstream_id))] for item in services]


def search(talk: Talk) -> None:
    """Typed words: which services do they mean?"""
    query = " ".join(talk.text.split())
    found = find_services(query, FOUND) if len(query) <= LONGEST_QUERY else []
    if not found:
        talk.notice = (
            _("This is too long. One or two words are enough.")
            if len(query) > LONGEST_QUERY
            else _nothing_for(query)
            if catalogue_is_known()
            else not_found()
        )
        if talk.step not in ("service", "topic", "found"):
            talk.begin("home")
        else:
            talk.go("service")
        present(talk)
        return
    if not talk.memory.get("draft"):
        talk.begin("found")
    talk.go("found", found=[item.upstream_id for item in found])
    present(talk)


def found(talk: Talk) -> Screen | None:
    """What the words may mean."""
    ids = talk.memory.get("found", [])
    by_id = {item.upstream_id: item for item in Service.objects.filter(upstream_id__in=ids)}
    services = [by_id[number] for number in ids if number in by_id]
    if not services:
        return None
    rows = [*service_rows(services), [Button(_("None of these"), cd.Go("service"))]]
    return Screen(format_html("<b>{}</b>", _("I found:")), rows)


def pick_service(talk: Talk, data: cd.PickService) -> None:
    """A service was chosen, or one kind of it."""
    chosen = Service.objects.filter(upstream_id=data.upstream_id, withdrawn_at=None).first()
    if talk.step not in ("found", "topic", "variant") or chosen is None:
        present(talk)
        return
    if talk.step != "variant" and variants_of(chosen):
        talk.go("variant", family=chosen.upstream_id)
        present(talk)
        return
    ask_next(talk, Draft.read(talk.memory).with_service(chosen))


def variant(talk: Talk) -> Screen | None:
    """One service in several kinds: in person, by telephone, by video, alone or as a family."""
    family = talk.memory.get("family")
    chosen = Service.objects.filter(upstream_id=family).first() if isinstance(family, int) else None
    kinds = variants_of(chosen) if chosen is not None else []
    if chosen is None or not kinds:
        return None
    rows = in_rows([Button(variant_name(kind), cd.PickService(item.upstream_id)) for kind, item in kinds])
    html = format_html("<b>{}</b>\n{}", chosen.name, _("How do you want it?"))
    return Screen(html, [*rows, [Button(_("Something else"), cd.Go("service")), leave(talk)]])


# --- For how many ----------------------------------------------------------------------------------------


def count(talk: Talk) -> Screen | None:
    """How many persons?"""
    draft = Draft.read(talk.memory)
    chosen = _service_of(draft)
    if chosen is None:
        return None
    numbers = [Button(str(n), cd.Persons(n)) for n in range(1, draft.largest_count + 1)]
    html = format_html("<b>{}</b>\n{}", chosen.name, _("For how many persons?"))
    return Screen(html, [*in_rows(numbers, 5), [leave(talk)]])


def set_count(talk: Talk, data: cd.Persons) -> None:
    """A number was pressed."""
    _set_count(talk, data.count)


def type_count(talk: Talk) -> None:
    """A number was typed."""
    if not talk.text.isdecimal() or len(talk.text) > 3:
        talk.notice = _("Please type a number, or press one.")
        present(talk)
        return
    _set_count(talk, int(talk.text))


def _set_count(talk: Talk, number: int) -> None:
    draft = Draft.read(talk.memory)
    chosen = _service_of(draft)
    if talk.step != "count" or chosen is None:
        present(talk)
        return
    most = draft.largest_count
    if not 1 <= number <= most:
        talk.notice = _("The city takes 1 to %(most)d here.") % {"most": most}
        present(talk)
        return
    ask_next(talk, replace(draft, count=number).fitted())


def _service_of(draft: Draft) -> Service | None:
    return Service.objects.filter(upstream_id=draft.service).first() if draft.service is not None else None


# --- Where -----------------------------------------------------------------------------------------------


def offices(talk: Talk) -> Screen | None:
    """Where? With check marks."""
    draft = Draft.read(talk.memory)
    possible = draft.possible_offices()
    if not possible:
        return None
    chosen = talk.memory.get("chosen", list(draft.offices or ()))
    rows = office_list(possible, chosen, int(talk.memory.get("page", 0)))
    # Where an office stands for no other, all of them is no answer.
    alone = draft.must_choose
    end = [] if alone else [Button(_("All"), cd.Done("offices", 1))]
    if chosen:
        end.append(Button(_("Next"), cd.Done("offices")))
    lines = [
        _("Not every office here serves everybody. Choose the one responsible for you.")
        if alone
        else _("Choose one or more, or take all."),
        too_small_text(draft.services),
    ]
    takes = duration_text(draft.services)
    if draft.more and takes:
        lines.append(_("Takes %(time)s.") % {"time": takes})
    said = format_html_join("\n", "{}", ((line,) for line in lines if line))
    html = format_html("<b>{}</b>\n{}", _("Where?"), said)
    return Screen(html, [*rows, end, add_service(draft), [leave(talk)]])


def pick_office(talk: Talk, data: cd.PickOffice) -> None:
    """A check mark was set or taken away."""
    draft = Draft.read(talk.memory)
    if talk.step == "offices" and data.office in {office.pk for office in draft.possible_offices()}:
        chosen = [pk for pk in talk.memory.get("chosen", list(draft.offices or ())) if pk != data.office]
        if data.on:
            chosen = [data.office] if draft.must_choose else [*chosen, data.office]
        talk.go("offices", chosen=chosen, page=data.page)
    present(talk)


def turn_offices(talk: Talk, data: cd.OfficePage) -> None:
    """The next page of offices."""
    if talk.step == "offices":
        talk.go("offices", page=max(0, data.page))
    present(talk)


def type_office(talk: Talk) -> None:
    """A typed word chooses the offices whose name or address holds it."""
    draft = Draft.read(talk.memory)
    said = talk.text.lower()[:LONGEST_QUERY]
    named = [o.pk for o in draft.possible_offices() if said in f"{o.shown_name} {o.address}".lower()]
    if not said or not named:
        talk.notice = _("I know no such office for this. Please press the buttons.")
    else:
        chosen = talk.memory.get("chosen", list(draft.offices or ()))
        together = [*chosen, *(pk for pk in named if pk not in chosen)]
        talk.go("offices", chosen=named[:1] if draft.must_choose else together)
    present(talk)


def offices_done(talk: Talk, data: cd.Done) -> None:
    """The choice of offices is settled."""
    if talk.step != "offices":
        present(talk)
        return
    draft = Draft.read(talk.memory)
    everywhere = bool(data.all) and not draft.must_choose
    chosen = () if everywhere else tuple(talk.memory.get("chosen", draft.offices or ()))
    if not chosen and not everywhere:
        talk.notice = _("Please choose at least one office.")
        present(talk)
        return
    talk.memory.pop("chosen", None)
    ask_next(talk, replace(draft, offices=chosen))


def nothing(talk: Talk, data: cd.Nothing) -> None:
    """A button that only fills a gap."""


SCREENS = {
    "home": home,
    "service": service,
    "topic": topic,
    "found": found,
    "variant": variant,
    "count": count,
    "offices": offices,
}
TEXTS = {"count": type_count, "offices": type_office}
COMMANDS = {"new": new}
