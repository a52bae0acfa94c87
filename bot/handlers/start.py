"""First contact: who I am, what I store, consent, language."""

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from appointments.models import Subscriber
from appointments.services.subscribers import give_consent, register_subscriber, set_language
from bot import callback_data as cd
from bot.effects import Button, Screen
from bot.flow import present
from bot.messages import render
from bot.talk import Talk


def start(talk: Talk) -> None:
    """`/start`: the greeting before consent, the menu afterwards."""
    talk.begin("home" if has_agreed(talk) else "start")
    present(talk)


def has_agreed(talk: Talk) -> bool:
    """Whether this chat belongs to somebody who agreed to the rules."""
    subscriber = talk.chat.subscriber
    return subscriber is not None and subscriber.consented_at is not None


def greeting(talk: Talk) -> Screen:
    """Who I am and what I store."""
    html = render(
        "start",
        name=talk.incoming.first_name[:50],
        operator=settings.OPERATOR_NAME,
        contact=settings.OPERATOR_CONTACT,
    )
    return Screen(
        html,
        [
            [Button(_("Continue"), cd.Agree())],
            [other_language(talk, "start"), Button(_("What can you do?"), cd.Go("about"))],
        ],
    )


def about(talk: Talk) -> Screen:
    """What I can do, in a few sentences."""
    first = Button(_("Menu"), cd.Go("home")) if has_agreed(talk) else Button(_("Continue"), cd.Agree())
    return Screen(render("about"), [[first]])


def other_language(talk: Talk, place: str) -> Button:
    """The language that is not spoken now, under its own name."""
    names = dict(Subscriber.Language.choices)
    other = next(code for code in names if code != talk.chat.speaks)
    return Button(str(names[other]), cd.Speak(other, place))


def agree(talk: Talk, data: cd.Agree) -> None:
    """The person agreed: only now anything about them is kept."""
    if talk.chat.subscriber is None:
        talk.chat.subscriber = register_subscriber(talk.incoming.first_name, talk.chat.language, now=talk.now)
    give_consent(talk.chat.subscriber, now=talk.now)
    talk.begin("home")
    present(talk)


def speak(talk: Talk, data: cd.Speak) -> None:
    """Another language from now on."""
    if data.language in Subscriber.Language.values:
        talk.chat.language = data.language
        if talk.chat.subscriber is not None:
            set_language(talk.chat.subscriber, data.language)
    translation.activate(talk.chat.speaks)
    talk.begin(data.place if data.place == "settings" and has_agreed(talk) else "start")
    if talk.step == "start" and has_agreed(talk):
        talk.begin("home")
    present(talk)


SCREENS = {"start": greeting, "about": about}
COMMANDS = {"start": start}
