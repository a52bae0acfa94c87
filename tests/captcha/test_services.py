"""From demand to token, row by row of what can go wrong, on a clock that stands still until moved."""

import logging
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.db import IntegrityError, connection, transaction

from captcha import flights, rows, services
from captcha.client import CaptchaApi
from captcha.errors import CaptchaUnavailable, HumanNeeded
from captcha.models import CaptchaToken
from tests.captcha.desk import SITE, Clock, Desk, OpenGate, api_for

pytestmark = pytest.mark.django_db

DOWN = (200, {"meta": {"success": False, "error": "down"}, "data": None})
REFUSED = (200, {"meta": {"success": False, "error": "no"}, "data": {"valid": False}})
LIMITED = (429, {"errors": [{"errorCode": "rateLimitExceeded", "statusCode": 429}]})


def ask(api: CaptchaApi, clock: Clock, mode: str = "auto") -> str:
    return services.get_token(api, site=SITE, mode=mode, now=clock, sleep=clock.advance)


def row() -> CaptchaToken:
    return CaptchaToken.objects.get(site=SITE)


def unavailable(api: CaptchaApi, clock: Clock) -> CaptchaUnavailable:
    with pytest.raises(CaptchaUnavailable) as caught:
        ask(api, clock)
    return caught.value


def wait_for(error: CaptchaUnavailable, clock: Clock) -> float:
    """Seconds until the error's moment; the clock is moved there."""
    assert error.retry_at is not None
    seconds = (error.retry_at - clock()).total_seconds()
    clock.advance(seconds)
    return seconds


# A token and its life


def test_a_demand_makes_one_token_and_the_next_ones_use_it(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    first = ask(api, clock)
    clock.advance(200)

    assert ask(api, clock) == first
    assert desk.challenges == 1
    status = services.verification_status(SITE, clock())
    assert (status.state, status.remaining, status.cost, status.provider, status.source) == (
        "valid",
        timedelta(seconds=90),
        5,
        "altcha-v2",
        "solve",
    )


def test_a_token_near_its_end_is_renewed_by_the_next_demand(
    api: CaptchaApi, desk: Desk, clock: Clock
) -> None:
    first = ask(api, clock)
    clock.advance(256)
    assert services.verification_status(SITE, clock()).state == "stale"

    assert ask(api, clock) != first
    assert desk.challenges == 2


def test_nothing_is_fetched_without_a_demand(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    ask(api, clock)
    clock.advance(3600)

    assert services.verification_status(SITE, clock()).state == "expired"
    assert desk.challenges == 1


@pytest.mark.parametrize("fault", [DOWN, LIMITED, (502, "<html>"), requests.ReadTimeout()])
def test_a_token_near_its_end_serves_on_when_the_renewal_fails(
    api: CaptchaApi, desk: Desk, clock: Clock, fault: Any
) -> None:
    first = ask(api, clock)
    clock.advance(260)
    desk.faults["challenge"] = [fault]

    assert ask(api, clock) == first
    assert ask(api, clock) == first
    assert desk.challenges == 2


def test_a_token_is_not_sent_in_its_last_ten_seconds(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    ask(api, clock)
    clock.advance(291)
    desk.faults["challenge"] = [DOWN]

    assert unavailable(api, clock).reason == "serviceDown"


def test_the_life_of_a_token_does_not_depend_on_the_citys_clock(
    api: CaptchaApi, desk: Desk, clock: Clock
) -> None:
    desk.clock = lambda: clock() + timedelta(days=40)

    ask(api, clock)

    assert services.verification_status(SITE, clock()).remaining == timedelta(seconds=290)


def test_an_unreadable_token_is_taken_to_live_four_minutes(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    body = {"meta": {"success": True}, "data": {"valid": True}, "token": "no-jwt-at-all"}
    desk.faults["verify"] = [(200, body)]

    assert ask(api, clock) == "no-jwt-at-all"
    assert services.verification_status(SITE, clock()).remaining == timedelta(seconds=230)


def test_a_token_that_came_with_an_appointment_saves_a_solve(
    api: CaptchaApi, desk: Desk, clock: Clock
) -> None:
    given = desk.token()
    services.offer_token(SITE, given, clock())

    assert ask(api, clock) == given
    assert desk.challenges == 0
    assert row().source == "answer"


def test_an_offered_token_that_ends_sooner_is_left_alone(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    first = ask(api, clock)

    services.offer_token(SITE, desk.token(life=60), clock())
    services.offer_token(SITE, "", clock())

    assert ask(api, clock) == first


# Modes


def test_mode_off_asks_for_nothing(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    services.offer_token(SITE, desk.token(), clock())

    with pytest.raises(CaptchaUnavailable) as caught:
        ask(api, clock, mode="off")

    assert (caught.value.reason, caught.value.retry_at) == ("off", None)
    assert desk.challenges == 0


def test_mode_human_uses_a_token_at_hand_and_never_solves(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    with pytest.raises(HumanNeeded):
        ask(api, clock, mode="human")
    given = desk.token()
    services.offer_token(SITE, given, clock())

    assert ask(api, clock, mode="human") == given
    clock.advance(280)
    assert ask(api, clock, mode="human") == given
    assert desk.challenges == 0


def test_an_unknown_mode_is_a_mistake(api: CaptchaApi, clock: Clock) -> None:
    with pytest.raises(ValueError, match="mode"):
        ask(api, clock, mode="always")


# Failures


def test_failed_calls_are_followed_by_growing_pauses(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    desk.faults["challenge"] = [DOWN] * 4

    waits = [wait_for(unavailable(api, clock), clock) for _ in range(3)]

    assert waits == [30, 60, 60]
    assert desk.challenges == 3


def test_during_a_pause_nothing_is_asked(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    desk.faults["challenge"] = [DOWN]
    first = unavailable(api, clock)
    clock.advance(10)

    assert unavailable(api, clock).retry_at == first.retry_at
    assert desk.challenges == 1


def test_a_success_after_failures_starts_the_count_afresh(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    desk.faults["challenge"] = [DOWN, DOWN]
    for _ in range(2):
        wait_for(unavailable(api, clock), clock)
    ask(api, clock)

    assert (row().failures, row().cooldowns, row().state) == (0, 0, "valid")


def test_pauses_grow_from_one_minute_to_six_hours() -> None:
    minutes = [rows.cooldown_length(count) / timedelta(minutes=1) for count in range(1, 9)]

    assert minutes == [1, 5, 15, 60, 120, 240, 360, 360]


def test_a_refused_solution_gets_one_fresh_challenge(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    desk.faults["verify"] = [REFUSED]

    assert ask(api, clock)
    assert desk.challenges == 2


def test_two_refused_solutions_are_followed_by_a_pause(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    desk.faults["verify"] = [REFUSED, REFUSED]

    error = unavailable(api, clock)

    assert (error.reason, wait_for(error, clock), desk.challenges) == ("solutionRefused", 60, 2)
    assert row().state == "cooldown"


def test_three_pauses_for_refused_solutions_block_the_site(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    desk.faults["verify"] = [REFUSED] * 6
    waits = [wait_for(unavailable(api, clock), clock) for _ in range(2)]
    error = unavailable(api, clock)

    assert waits == [60, 300]
    assert (error.retry_at, row().state) == (None, "blocked")
    assert unavailable(api, clock).reason == "blocked"
    assert desk.challenges == 6

    services.release(SITE, clock())
    clock.advance(1800)
    assert ask(api, clock)


def test_a_lost_answer_to_a_solution_is_never_sent_again(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    desk.faults["verify"] = [requests.ReadTimeout()]
    sent: list[str] = []
    desk.before = sent.append

    assert ask(api, clock)
    assert sent == ["challenge", "verify", "challenge", "verify"]
    assert len(desk.payloads) == len({str(payload) for payload in desk.payloads}) == 1


def test_a_challenge_that_ended_while_solving_is_not_handed_in(
    api: CaptchaApi, desk: Desk, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.expires_in = 40
    original = flights.provider_for(desk.challenge()).__class__.solve

    def slow(self: Any, challenge: Any, **options: Any) -> Any:
        clock.advance(41)
        return original(self, challenge, **options)

    monkeypatch.setattr("captcha.providers.AltchaV2.solve", slow)

    error = unavailable(api, clock)

    assert error.reason == "expired"
    assert desk.payloads == []
    assert desk.challenges == 2


def test_a_refusal_for_too_many_calls_pauses_a_minute(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    desk.faults["challenge"] = [LIMITED]

    assert wait_for(unavailable(api, clock), clock) == 60
    assert ask(api, clock)


def test_a_closed_gate_costs_nothing_and_names_its_moment(desk: Desk, clock: Clock) -> None:
    class Closed(Exception):
        retry_at = clock() + timedelta(seconds=20)

    class ClosedGate(OpenGate):
        def admit(self, kind: str) -> Any:
            raise Closed

    error = unavailable(api_for(desk, ClosedGate()), clock)

    assert error.retry_at == Closed.retry_at
    assert (row().challenges, row().failures, row().state) == ([], 0, "absent")
    assert ask(api_for(desk), clock)


def test_an_unknown_challenge_is_for_a_person_and_its_shape_is_kept(
    api: CaptchaApi, desk: Desk, clock: Clock
) -> None:
    desk.faults["challenge"] = [(200, {"puzzle": "secret", "level": 3})]

    with pytest.raises(HumanNeeded):
        ask(api, clock)
    with pytest.raises(HumanNeeded):
        ask(api, clock)

    assert desk.challenges == 1
    assert row().unknown_shape == "puzzle level"
    clock.advance(601)
    assert ask(api, clock)


def test_a_challenge_too_dear_for_us_is_for_a_person(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    desk.cost = 2_000_000

    with pytest.raises(HumanNeeded) as caught:
        ask(api, clock)

    assert caught.value.reason == "tooMuchWork"
    assert row().state == "needs_human"


def test_an_unforeseen_failure_gives_the_lease_back(desk: Desk, clock: Clock) -> None:
    class Broken:
        single_use = False

        def challenge(self) -> Any:
            raise RuntimeError("a bug of ours")

        def verify(self, payload: str) -> str:
            raise AssertionError(payload)

    with pytest.raises(RuntimeError):
        services.get_token(Broken(), site=SITE, mode="auto", now=clock)

    assert (row().lease_owner, row().last_error) == ("", "unforeseen")
    clock.advance(30)
    assert ask(api_for(desk), clock)


# Tokens the city does not take


def test_an_expired_token_is_dropped_and_the_next_demand_makes_another(
    api: CaptchaApi, desk: Desk, clock: Clock
) -> None:
    first = ask(api, clock)

    services.discard_token(SITE, "captchaExpired", clock())

    assert services.verification_status(SITE, clock()).state == "absent"
    assert ask(api, clock) != first


def test_a_late_complaint_about_an_old_token_leaves_the_new_one(api: CaptchaApi, clock: Clock) -> None:
    old = ask(api, clock)
    services.discard_token(SITE, "captchaExpired", clock(), token=old)
    new = ask(api, clock)

    services.discard_token(SITE, "captchaExpired", clock(), token=old)

    assert ask(api, clock) == new


def test_a_call_without_a_token_says_nothing_about_the_one_at_hand(api: CaptchaApi, clock: Clock) -> None:
    token = ask(api, clock)

    services.discard_token(SITE, "captchaMissing", clock())

    assert ask(api, clock) == token


def test_two_rejections_with_an_unchanged_address_block_the_site(api: CaptchaApi, clock: Clock) -> None:
    for _ in range(2):
        ask(api, clock)
        services.discard_token(SITE, "captchaInvalid", clock())

    assert unavailable(api, clock).reason == "blocked"


def test_a_changed_address_explains_a_rejection(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    ask(api, clock)
    services.discard_token(SITE, "captchaInvalid", clock())
    desk.address = "203.0.113.8"
    ask(api, clock)
    services.discard_token(SITE, "captchaInvalid", clock())

    assert ask(api, clock)


def test_two_rejections_far_apart_block_nothing(api: CaptchaApi, clock: Clock) -> None:
    for _ in range(3):
        ask(api, clock)
        services.discard_token(SITE, "captchaInvalid", clock())
        clock.advance(1801)

    assert ask(api, clock)


def test_staff_can_block_and_release(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    ask(api, clock)
    services.block(SITE, clock())

    assert unavailable(api, clock).reason == "blocked"
    services.offer_token(SITE, desk.token(), clock())
    assert row().token == ""

    services.release(SITE, clock())
    assert ask(api, clock)


# Budgets


def test_the_ninth_challenge_in_half_an_hour_has_to_wait(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    for _ in range(8):
        ask(api, clock)
        services.discard_token(SITE, "captchaExpired", clock())
        clock.advance(60)

    error = unavailable(api, clock)

    assert error.reason == "budget"
    assert wait_for(error, clock) == 1800 - 8 * 60
    assert ask(api, clock)
    assert desk.challenges == 9
    assert services.verification_status(SITE, clock()).challenges_last_half_hour == 8


def test_a_day_has_a_hundred_challenges(api: CaptchaApi, desk: Desk, clock: Clock) -> None:
    began = int(clock().timestamp())
    rows.row_of(SITE)
    past = [[began - 86_000 + 800 * number, 90] for number in range(100)]
    CaptchaToken.objects.filter(site=SITE).update(challenges=past)

    error = unavailable(api, clock)

    assert error.reason == "budget"
    assert wait_for(error, clock) == 400
    assert desk.challenges == 0


def test_two_minutes_of_solving_are_enough_for_an_hour(api: CaptchaApi, clock: Clock) -> None:
    rows.row_of(SITE)
    spent = [[int(clock().timestamp()) - 600, 70_000], [int(clock().timestamp()) - 300, 60_000]]
    CaptchaToken.objects.filter(site=SITE).update(challenges=spent)

    assert wait_for(unavailable(api, clock), clock) == 3000


# What the database holds true, and what nobody gets to see


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("captcha_token_has_life", {"token": "x"}),
        ("captcha_token_valid_is_there", {"state": "valid"}),
        ("captcha_token_flight_has_lease", {"state": "solving"}),
        ("captcha_token_cooldown_has_end", {"state": "cooldown"}),
    ],
)
def test_the_database_refuses_a_row_that_makes_no_sense(constraint: str, fields: dict[str, str]) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        CaptchaToken.objects.create(site="elsewhere", **fields)


def test_the_database_refuses_a_life_that_runs_backward(clock: Clock) -> None:
    at = clock()
    with pytest.raises(IntegrityError, match="captcha_token_life_runs_forward"), transaction.atomic():
        CaptchaToken.objects.create(site="elsewhere", issued_at=at, stale_at=at, expires_at=at)


def test_no_token_shows_in_logs_or_reprs_or_rests_in_clear(
    api: CaptchaApi, desk: Desk, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk.faults["challenge"] = [DOWN]
    unavailable(api, clock)
    clock.advance(30)
    token = ask(api, clock)
    services.discard_token(SITE, "captchaInvalid", clock())
    clock.advance(1)
    token_2 = ask(api, clock)

    with connection.cursor() as cursor:
        cursor.execute("select * from captcha_captchatoken")
        rests = str(cursor.fetchall())
    seen = caplog.text + repr(row()) + str(row()) + repr(services.verification_status(SITE, clock()))
    for secret in (token, token_2, str(desk.payloads[-1])):
        assert secret not in seen
        assert secret not in rests


def test_a_row_whose_key_is_gone_starts_afresh(api: CaptchaApi, clock: Clock, settings: Any) -> None:
    ask(api, clock)
    from cryptography.fernet import Fernet

    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    assert ask(api, clock)
