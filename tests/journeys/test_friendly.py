"""An older city with Friendly Captcha: watched without a token, held with a solution that serves once; or by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import translation

from appointments.models import Booking, CityDialect, PollTarget, Watch
from appointments.services.bookings import keep_booking, look_again
from appointments.services.verification import offer_watching
from appointments.states import BookingState as S
from appointments.upstream.types import ServiceCount
from bot.booking_screens import failed
from bot.captcha_talk import standing
from captcha.models import CaptchaToken
from captcha.modes import choose_mode
from termin_project.sandbox.city import CityWorld, Clock
from termin_project.sandbox.city.releases import Release
from tests.conftest import GUARDED, MONDAY, Office
from tests.journeys.conftest import Phone

PAPERS = 10300793
THURSDAY_9 = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
PAGE = f"terminvereinbarung.html#/services/{PAPERS}/locations/{GUARDED}"


@pytest.fixture(params=[19, 20, 23])
def tag(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def munich(tag: int) -> CityWorld:
    return CityWorld(Clock(at=MONDAY), limit=600, captcha_cost=1, tag=tag)


@pytest.fixture
def allowed(office: Office, settings: Any) -> Office:
    """The operator lets us solve it."""
    settings.CAPTCHA_FRIENDLY = True
    return office


only_muc23 = pytest.mark.parametrize("tag", [23])


@pytest.fixture(autouse=True)
def _as_the_site_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What people read asks for the site by its settings; the domain of these tests calls it otherwise."""
    monkeypatch.setattr("bot.captcha_talk.captcha_site", lambda: "test")


def set_mode(office: Office, mode: str) -> None:
    choose_mode(mode, office.now())
    for tokens in (office.desk.tokens, office.watcher.tokens):
        tokens.mode = mode


def watch(office: Office, **wish: object) -> Watch:
    chosen = {"services": (ServiceCount(PAPERS, 1),), "office_ids": (office.office_pk(GUARDED),)}
    return office.watch(**({"mode": "hold"} | chosen | wish))


def open_place(office: Office, starts_at: datetime = THURSDAY_9) -> None:
    office.open(starts_at, office=GUARDED, service=PAPERS)
    office.advance(seconds=20)


def calls(office: Office, endpoint: str) -> int:
    return sum(request.path.strip("/") == endpoint for request in office.munich.requests)


def wait_and_work(office: Office, minutes: float, step: float = 10) -> None:
    for _ in range(int(minutes * 60 / step)):
        office.advance(seconds=step)
        office.sweep()


def row() -> CaptchaToken:
    return CaptchaToken.objects.get(site="test")


def test_a_guarded_office_is_watched_held_and_confirmed(allowed: Office) -> None:
    office, wish = allowed, watch(allowed)
    office.look()
    open_place(office)
    office.look()

    booking = office.booking()
    assert (booking.state, booking.starts_at) == (S.RESERVED, THURSDAY_9)
    keep_booking(booking, now=office.now())
    office.work()
    office.open_mailed_link()
    look_again(booking, now=office.now())
    office.work()
    wish.refresh_from_db()
    assert (office.booking().state, wish.state) == (S.CONFIRMED, Watch.State.FULFILLED)
    assert (office.munich.puzzles.issued, row().token, row().variant) == (1, "", "friendly")
    assert calls(office, "captcha-details") == 1
    assert calls(office, "captcha-challenge") == 0


def test_free_times_are_watched_without_any_captcha(allowed: Office) -> None:
    watch(allowed, mode="notify")
    open_place(allowed)
    allowed.look(12)

    assert "slots_opened" in allowed.mailman.kinds()
    assert not PollTarget.objects.exclude(last_error="").exists()
    assert allowed.munich.puzzles.issued == 0
    assert calls(allowed, "captcha-details") == 1


@only_muc23
def test_the_finding_lasts_a_day(allowed: Office) -> None:
    watch(allowed, mode="notify")
    allowed.look()
    allowed.advance(hours=23)
    allowed.look()
    assert calls(allowed, "captcha-details") == 1

    allowed.advance(hours=2)
    allowed.look()

    assert calls(allowed, "captcha-details") == 2


# What may go wrong with a solution


def at_the_city(office: Office) -> list[int]:
    return [process.starts_at for process in office.munich.reservations]


@only_muc23
def test_a_refused_solution_is_replaced_by_a_new_one_once(allowed: Office) -> None:
    allowed.munich.faults.add("error", 1, ["reserve-appointment"], code="captchaVerificationFailed")
    watch(allowed)
    open_place(allowed)
    allowed.look()

    assert allowed.booking().state == S.RESERVED
    assert (allowed.munich.puzzles.issued, calls(allowed, "reserve-appointment")) == (2, 2)


@only_muc23
def test_two_refused_solutions_pause_and_the_slot_is_tried_again(allowed: Office) -> None:
    allowed.munich.faults.add("error", 2, ["reserve-appointment"], code="captchaVerificationFailed")
    watch(allowed)
    open_place(allowed)
    allowed.look()

    assert (allowed.booking().state, row().state, row().last_error) == (
        S.REQUESTED,
        "cooldown",
        "solutionRefused",
    )
    assert calls(allowed, "reserve-appointment") == 2
    wait_and_work(allowed, 1.5)
    assert allowed.booking().state == S.RESERVED
    assert (allowed.munich.puzzles.issued, row().cooldowns) == (3, 0)


@only_muc23
def test_solutions_that_stay_refused_block_the_site_and_the_person_is_told(
    allowed: Office, phone: Phone
) -> None:
    allowed.munich.faults.add("error", None, ["reserve-appointment"], code="captchaVerificationFailed")
    watch(allowed)
    for number in range(12):
        open_place(allowed, THURSDAY_9 + timedelta(hours=number / 2))
        allowed.look()
        wait_and_work(allowed, 2)
    wait_and_work(allowed, 10)

    assert row().state == "blocked"
    assert allowed.munich.puzzles.issued == calls(allowed, "reserve-appointment") == 6
    assert at_the_city(allowed) == []
    assert "captcha that I could not solve" in phone.last("booking_failed")


@only_muc23
def test_a_city_that_cannot_check_is_given_time_and_a_fresh_solution(allowed: Office) -> None:
    allowed.munich.faults.add("captcha_down", 1, ["reserve-appointment"])
    watch(allowed)
    open_place(allowed)
    allowed.look()

    assert (allowed.booking().state, allowed.booking().reason) == (S.REQUESTED, "captchaUnavailable")
    assert calls(allowed, "reserve-appointment") == 1
    wait_and_work(allowed, 0.3)
    assert calls(allowed, "reserve-appointment") == 1
    wait_and_work(allowed, 0.7)
    assert allowed.booking().state == S.RESERVED
    assert allowed.munich.puzzles.issued == 2


@only_muc23
@pytest.mark.parametrize("kind", ["captcha_down", "html_502", "html_200", "lost_before"])
def test_puzzles_that_do_not_come_are_asked_for_again_later(allowed: Office, kind: str) -> None:
    allowed.munich.faults.add(kind, 1, ["puzzle"])
    watch(allowed)
    open_place(allowed)
    allowed.look()

    assert allowed.booking().state == S.REQUESTED
    assert calls(allowed, "reserve-appointment") == 0
    wait_and_work(allowed, 1)
    assert allowed.booking().state == S.RESERVED


@only_muc23
def test_a_lost_race_leaves_nothing_of_the_solution(allowed: Office) -> None:
    allowed.munich.faults.add("lost_race", 1)
    watch(allowed)
    open_place(allowed)
    allowed.look()

    assert Booking.objects.earliest("pk").state == S.FAILED
    assert (row().token, row().cooldowns) == ("", 0)


@only_muc23
def test_details_that_do_not_come_delay_nothing_for_long(allowed: Office) -> None:
    allowed.munich.faults.add("maintenance", 1, ["captcha-details"])
    watch(allowed)
    open_place(allowed)
    allowed.look(12)
    wait_and_work(allowed, 1)
    allowed.look(12)

    assert allowed.booking().state == S.RESERVED


# The city's software changes in mid-watch


@only_muc23
@pytest.mark.parametrize("after", [25, 45, 47])
def test_from_friendly_to_altcha_in_mid_watch(allowed: Office, after: int) -> None:
    watch(allowed)
    allowed.look()
    allowed.munich.release = Release.of(tag=after)
    open_place(allowed)
    allowed.look(12)

    assert allowed.booking().state == S.RESERVED
    assert (row().variant, allowed.munich.puzzles.issued) == ("altcha", 0)
    assert not PollTarget.objects.exclude(last_error="").exists()
    assert CityDialect.objects.count() == 1


@only_muc23
@pytest.mark.parametrize("after", [25, 47])
def test_from_friendly_to_altcha_between_seeing_and_reserving(allowed: Office, after: int) -> None:
    watch(allowed)
    open_place(allowed)
    for _ in range(6):
        allowed.watcher.step()
        allowed.advance(seconds=1)
    allowed.munich.release = Release.of(tag=after)
    allowed.work()

    assert allowed.booking().state == S.RESERVED
    assert row().variant == "altcha"


@pytest.mark.parametrize("tag", [47, 25])
def test_from_altcha_to_friendly_in_mid_watch(allowed: Office) -> None:
    watch(allowed)
    allowed.look()
    assert (row().variant, row().token != "") == ("altcha", True)

    allowed.munich.release = Release.of(tag=23)
    allowed.advance(minutes=10)
    open_place(allowed)
    allowed.look(12)

    assert allowed.booking().state == S.RESERVED
    assert (row().variant, allowed.munich.puzzles.issued) == ("friendly", 1)


@pytest.mark.parametrize("tag", [47, 25])
def test_from_altcha_to_friendly_between_seeing_and_reserving(allowed: Office) -> None:
    watch(allowed)
    open_place(allowed)
    for _ in range(6):
        allowed.watcher.step()
        allowed.advance(seconds=1)
    allowed.munich.release = Release.of(tag=23)
    allowed.work()

    assert allowed.booking().state == S.RESERVED
    assert (row().variant, row().token) == ("friendly", "")


# Where it is not ours to solve


@only_muc23
@pytest.mark.parametrize("mode", ["auto", "human"])
def test_off_by_default_the_person_is_sent_to_the_citys_page(office: Office, phone: Phone, mode: str) -> None:
    set_mode(office, mode)
    wish = watch(office)
    open_place(office)
    for _ in range(4):
        office.look(10)
        office.sweep()

    booking = office.booking()
    assert (booking.state, booking.reason, Booking.objects.count()) == (S.FAILED, "captchaOnCityPage", 1)
    assert phone.kinds.count("booking_failed") == 1
    assert "own page can show" in phone.last("booking_failed")
    [button] = [each for line in failed(booking, office.now()).rows for each in line if each.url]
    assert button.url.endswith(PAGE)
    assert (calls(office, "reserve-appointment"), office.munich.puzzles.issued) == (0, 0)
    wish.refresh_from_db()
    assert wish.state == Watch.State.ACTIVE
    assert not PollTarget.objects.exclude(last_error="").exists()


@only_muc23
def test_many_free_times_of_one_burst_make_one_message(office: Office, phone: Phone) -> None:
    watch(office)
    for number in range(8):
        office.open(THURSDAY_9 + timedelta(minutes=30 * number), office=GUARDED, service=PAPERS)
    office.advance(seconds=20)
    for _ in range(4):
        office.look(6)
        office.sweep()

    assert phone.kinds.count("booking_failed") == 1


@only_muc23
def test_with_captchas_off_nothing_is_asked_and_a_booking_ends_with_the_citys_page(
    office: Office, phone: Phone
) -> None:
    watch(office)
    open_place(office)
    for _ in range(6):
        office.watcher.step()
        office.advance(seconds=1)
    set_mode(office, "off")
    office.work()

    assert office.booking().reason == "captchaOnCityPage"
    before = calls(office, "available-days")
    office.advance(minutes=5)
    office.look(12)
    assert calls(office, "available-days") == before
    assert (calls(office, "reserve-appointment"), office.munich.puzzles.issued) == (0, 0)


@only_muc23
def test_nobody_is_asked_to_solve_and_the_status_says_where_to_book(office: Office) -> None:
    set_mode(office, "human")
    wish = watch(office, mode="notify")
    office.look()

    assert offer_watching("test", now=office.now()) == 0
    assert "on the city's own page" in standing(wish.subscriber, office.now())
    with translation.override("de"):
        assert "auf der Seite der Stadt" in standing(wish.subscriber, office.now())


@only_muc23
def test_the_reason_is_said_in_german(office: Office) -> None:
    watch(office)
    open_place(office)
    office.look()

    with translation.override("de"):
        screen = failed(office.booking(), office.now())
    assert "nur die Seite der Stadt selbst zeigen kann" in screen.html


@only_muc23
def test_a_puzzle_that_is_too_much_for_us_is_left_to_the_citys_page(allowed: Office) -> None:
    allowed.munich.puzzles.solutions, allowed.munich.puzzles.difficulty = 255, 200
    watch(allowed)
    open_place(allowed)
    allowed.look()

    assert allowed.booking().reason == "captchaOnCityPage"
    assert calls(allowed, "reserve-appointment") == 0
