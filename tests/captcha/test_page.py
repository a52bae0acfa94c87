"""The page where a person solves: tickets, owners, single use, plain words, its own policy."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as config
from django.contrib.auth import get_user_model
from django.test import Client

from bench.server import Simulators
from captcha import human, services
from captcha.init_data import InitDataRefused, user_id_of
from captcha.models import CaptchaToken, HumanTicket
from captcha.modes import choose_mode
from captcha.providers import AltchaV2, provider_for
from tests.captcha.pages import SITE, CityAddress, init_data

pytestmark = pytest.mark.django_db
TOKEN = config.TELEGRAM_BOT_TOKEN
ADA, EVE = 4711, 666


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def city(settings: Any) -> Iterator[Simulators]:
    settings.CAPTCHA_TRANSPORT = "tests.captcha.pages.transport"
    with Simulators(0) as simulators:
        simulators.city.captcha.ladder = ((1, 5),)
        CityAddress.url = f"http://127.0.0.1:{simulators.port}/city/api/citizen"
        yield simulators


def ticket_for(owner: str = f"telegram:{ADA}", **options: Any) -> str:
    return human.issue_ticket(SITE, owner, language=options.pop("language", "en"), now=now(), **options)


def post(ticket: str, step: str, client: Client | None = None, **body: Any) -> Any:
    body = {"initData": init_data(ADA, TOKEN, now()), **body}
    return (client or Client()).post(f"/captcha/{ticket}/{step}/", json.dumps(body), "application/json")


def solved(challenge: dict[str, Any]) -> str:
    provider = provider_for(challenge)
    parsed = provider.parse(challenge)
    return provider.payload(parsed, provider.solve(parsed, limit=timedelta(seconds=20)))


def fetched(city: Simulators) -> int:
    return sum(request.path.strip("/").endswith("captcha-challenge") for request in city.city.requests)


@pytest.mark.parametrize("version", [1, 2])
def test_a_solved_challenge_becomes_everybodys_token(city: Simulators, version: int) -> None:
    city.city.captcha.version = version
    ticket = ticket_for()
    challenge = post(ticket, "start").json()["challenge"]

    answer = post(ticket, "done", payload=solved(challenge)).json()

    assert answer["watched"].startswith("Thank you. Offices with a captcha are watched until ")
    row = CaptchaToken.objects.get(site=SITE)
    assert (row.state, row.source) == ("valid", "human")
    assert services.get_token(None, site=SITE, mode="human", now=now()) == row.token  # type: ignore[arg-type]
    assert row.token not in answer["watched"] + answer["next"]


def test_looking_at_the_page_costs_the_city_nothing(city: Simulators) -> None:
    page = Client().get(f"/captcha/{ticket_for()}/")

    assert page.status_code == 200
    assert fetched(city) == 0


def test_the_challenge_of_a_ticket_is_fetched_once(city: Simulators) -> None:
    ticket = ticket_for()

    first, second = (post(ticket, "start").json()["challenge"] for _ in range(2))

    assert first == second
    assert fetched(city) == 1
    assert HumanTicket.objects.get().fetched_at is not None


def test_a_ticket_is_good_once(city: Simulators) -> None:
    ticket = ticket_for()
    payload = solved(post(ticket, "start").json()["challenge"])
    post(ticket, "done", payload=payload)

    again = post(ticket, "done", payload=payload)

    assert (again.status_code, again.json()["reason"]) == (410, "used")
    assert Client().get(f"/captcha/{ticket}/").status_code == 410


def test_whoever_has_solved_gets_the_next_ticket_and_no_new_challenge_while_the_token_is_fresh(
    city: Simulators,
) -> None:
    ticket = ticket_for()
    following = post(ticket, "done", payload=solved(post(ticket, "start").json()["challenge"])).json()["next"]

    answer = post(following.strip("/").split("/")[-1], "start").json()

    assert "watched until" in answer["watched"]
    assert fetched(city) == 1


def test_a_ticket_is_good_for_ten_minutes(city: Simulators) -> None:
    ticket = human.issue_ticket(SITE, f"telegram:{ADA}", language="en", now=now() - timedelta(minutes=11))

    answer = post(ticket, "start")

    assert (answer.status_code, answer.json()["reason"]) == (410, "expired")


@pytest.mark.parametrize("text", ["nonsense", "abc:def", "a" * 300])
def test_a_ticket_we_did_not_sign_is_unknown(city: Simulators, text: str) -> None:
    assert post(text, "start").status_code == 404
    assert Client().get(f"/captcha/{text}/").status_code == 404


def test_a_ticket_rests_as_a_digest() -> None:
    ticket = ticket_for()

    assert HumanTicket.objects.get().digest not in ticket
    assert ticket.split(":")[0] not in str(HumanTicket.objects.values_list())


@pytest.mark.parametrize(
    "launch",
    [
        "",
        "rubbish",
        init_data(EVE, TOKEN, now()),
        init_data(ADA, "1:another", now()),
        init_data(ADA, TOKEN, now() - timedelta(minutes=61)),
        init_data(ADA, TOKEN, now() + timedelta(hours=5)),
        init_data(EVE, TOKEN, now(), user=json.dumps({"id": ADA})),
        init_data(ADA, TOKEN, now()) + "&hash=" + "0" * 64,
    ],
)
def test_only_the_owner_with_fresh_launch_data_gets_in(city: Simulators, launch: str) -> None:
    answer = post(ticket_for(), "start", initData=launch)

    assert (answer.status_code, answer.json()["reason"]) == (403, "owner")
    assert fetched(city) == 0


def test_launch_data_name_their_user() -> None:
    assert user_id_of(init_data(ADA, TOKEN, now()), TOKEN, now()) == ADA
    with pytest.raises(InitDataRefused, match="old"):
        user_id_of(init_data(ADA, TOKEN, now()), TOKEN, now() + timedelta(hours=1, seconds=2))


def test_a_link_for_one_person_needs_nothing_else(city: Simulators) -> None:
    ticket = ticket_for(needs_proof=False)

    assert "challenge" in post(ticket, "start", initData="").json()


def test_a_ticket_of_staff_needs_their_session(city: Simulators) -> None:
    user = get_user_model().objects.create_user("staff", is_staff=True)
    ticket = ticket_for(f"staff:{user.pk}")
    client = Client()
    outside = post(ticket, "start", client).status_code
    client.force_login(user)

    assert outside == 403
    assert "challenge" in post(ticket, "start", client).json()


def test_another_challenges_solution_is_not_passed_on(city: Simulators) -> None:
    ticket = ticket_for()
    post(ticket, "start")
    foreign = solved(city.city.captcha.challenge("127.0.0.1", city.city.now()))

    answer = post(ticket, "done", payload=foreign)

    assert answer.json()["reason"] == "unreadable"
    assert not city.city.captcha.used


@pytest.mark.parametrize("payload", [None, 5, "", "%%%", "e30=", "x" * 40_000])
def test_rubbish_is_no_solution(city: Simulators, payload: Any) -> None:
    ticket = ticket_for()
    post(ticket, "start")

    assert post(ticket, "done", payload=payload).status_code == 400


def test_a_refused_solution_offers_another_try(city: Simulators) -> None:
    ticket = ticket_for()
    challenge = post(ticket, "start").json()["challenge"]
    parsed = AltchaV2().parse(challenge)
    wrong = AltchaV2().solve(parsed, limit=timedelta(seconds=9))
    payload = AltchaV2().payload(parsed, type(wrong)({"counter": 5, "derivedKey": "00" * 32}, 1, wrong.took))

    answer = post(ticket, "done", payload=payload).json()

    assert answer["reason"] == "refused"
    assert answer["next"].startswith("/captcha/")


@pytest.mark.parametrize("kind", ["captcha_down", "lost_before", "lost_after", "html_502"])
def test_a_lost_answer_is_never_sent_again(city: Simulators, kind: str) -> None:
    ticket = ticket_for()
    payload = solved(post(ticket, "start").json()["challenge"])
    city.city.faults.add(kind, paths=["captcha-verify"])

    answer = post(ticket, "done", payload=payload).json()

    assert answer["reason"] == "unclear"
    assert post(ticket, "done", payload=payload).json()["reason"] == "used"


@pytest.mark.parametrize("kind", ["captcha_down", "rate_limited", "maintenance", "lost_after"])
def test_a_city_that_gives_no_challenge_is_told_and_left_in_peace(city: Simulators, kind: str) -> None:
    city.city.faults.add(kind, paths=["captcha-challenge"])

    first = post(ticket_for(), "start").json()
    second = post(ticket_for(), "start").json()

    assert (first["reason"], second["reason"]) == ("city", "later")
    assert sum("challenge" in request.path for request in city.city.requests) <= 1


@pytest.mark.parametrize("extra", [{"codeChallenge": {"image": "x"}}, {"his": {"url": "/x"}}, {"new": 1}])
def test_what_only_the_city_can_show_is_sent_there(city: Simulators, extra: dict[str, Any]) -> None:
    city.city.captcha.extra = extra

    answer = post(ticket_for(), "start").json()

    assert answer["reason"] == "elsewhere"
    assert next(iter(extra)) in CaptchaToken.objects.get(site=SITE).unknown_shape


def test_one_person_at_a_time_has_a_turn(city: Simulators) -> None:
    post(ticket_for(), "start")

    assert post(ticket_for(), "start").json()["reason"] == "busy"
    assert fetched(city) == 1


def test_people_share_the_budget_of_everything_else(city: Simulators) -> None:
    row = CaptchaToken.objects.create(site=SITE, challenges=[[int(now().timestamp()) - 5, 0]] * 8)

    answer = post(ticket_for(), "start").json()

    assert (answer["reason"], fetched(city)) == ("later", 0)
    assert len(CaptchaToken.objects.get(pk=row.pk).challenges) == 8


def test_switched_off_is_switched_off(city: Simulators) -> None:
    choose_mode("off", now())

    assert post(ticket_for(), "start").json()["reason"] == "off"
    assert fetched(city) == 0


def test_a_block_by_staff_stops_people_too(city: Simulators) -> None:
    services.block(SITE, now())

    assert post(ticket_for(), "start").json()["reason"] == "blocked"


def test_the_page_speaks_the_owners_language(city: Simulators) -> None:
    ticket = ticket_for(language="de")

    assert "Weiter beobachten" in Client().get(f"/captcha/{ticket}/").content.decode()
    assert "jemand anderen" in post(ticket, "start", initData="").json()["problem"]
    HumanTicket.objects.update(used_at=now())
    assert "schon benutzt" in Client().get(f"/captcha/{ticket}/").content.decode()


def test_the_page_has_a_policy_of_its_own(city: Simulators) -> None:
    page = Client().get(f"/captcha/{ticket_for()}/")
    home = Client().get("/status")

    policy = page["Content-Security-Policy"]
    assert "worker-src blob:" in policy
    assert "frame-ancestors 'self' https://web.telegram.org" in policy
    assert "unsafe" not in policy
    assert "X-Frame-Options" not in page
    assert "<script>" not in page.content.decode()
    assert "worker-src" not in home["Content-Security-Policy"]
    assert home["X-Frame-Options"] == "DENY"


def test_attempts_are_limited(city: Simulators, monkeypatch: pytest.MonkeyPatch) -> None:
    # Time stands still for the limiter, so that no window of a minute ends in between.
    monkeypatch.setattr("django_ratelimit.core.time.time", lambda: 1_790_000_000.0)

    statuses = [post("nonsense", "start").status_code for _ in range(32)]

    assert statuses[0] == 404
    assert statuses[-1] == 429


def test_old_tickets_are_forgotten() -> None:
    ticket_for()

    assert human.forget_old_tickets(now()) == 0
    assert human.forget_old_tickets(now() + timedelta(days=2)) == 1
