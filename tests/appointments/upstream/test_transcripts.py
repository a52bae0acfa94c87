"""Every recorded answer of the real software gets the verdict written down here, and none an unhandled exception.

Run with `-s` to see the table. Cases are named by the number in front of their file's name; those with "m" were
recorded on the last version with the old routes.
"""

import json
import sys
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from captcha.providers import AltchaV2
from tests.appointments.upstream.replay import FOLDER, cases, verdict, verdict_on
from tests.appointments.upstream.wire import BASE_URL

VERDICTS: dict[str, str] = {
    "AppointmentNotFound": "254 257 25c 25d 25e 502 503 504 505 506 511 512",
    "AuthKeyMismatch": """
        111 112 113 114 128 132 134 135 251 252 256 25b 280 281 282 421 426 531 532 645 m36
    """,
    "CannotBeCancelled": "521",
    "CaptchaExpired": "320 321",
    "CaptchaMissing": "300 313 m2a",
    "CaptchaRejected": "301 312 314",
    "InvalidContact": "240 241 242 244 245 246 247 248 249 250",
    "InvalidRequest": """
        030 031 032 035 036 037 038 039 040 041 044 045 047 048 049 200 204 205 206 210 211 212 213
        214 216 218 253 255 258 259 25a 25f 420 423 425 557 566 650 653 m24 m27 m37
    """,
    "NotPreconfirmedAnymore": "108 131",
    "NotReservedAnymore": "106 122",
    "NotUnderstood": "046 064",
    "OutcomeUnknown": "109 207 24b 24d 432 555 558 640",
    "RateLimited": "406 407 408 666 667",
    "Refused": "424",
    "RouteGone": "050 051 052 053 054 055 056 057 058 059 05a 060 061 062 063 065 655 m2b",
    "SlotTaken": "201 202 219 234 236 600 602 610 611 612 614 m38",
    "SolutionRefused": "304 308",
    "TooManyAppointments": "544 545",
    "TransportFailed": "434",
    "Unavailable": "033 034 410 411 412 422 430 431 433 m25 m26",
    "VerifyUnknown": "305 306 307 309 435",
    "list": "283 563",
    "nothing free": "027 028 029 042 m28 m29",
    "object with activationDuration": "m14",
    "object with offices": "m12 m16 m17",
    "object with scopes": "m13",
    "object with services": "m11 m15",
    "success": """
        010 013 020 021 022 023 024 025 026 043 235 302 303 30a 310 311 401 402 403 404 405 409 40a
        602c 620 651 652 654 661 662 663 664 665 m10 m40 m41
    """,
    "success: confirmed": "107 121 129 130 31a 510 520 534 562 564 565 641 m33 m34",
    "success: deleted": "110 133 31b 535 567 603 642 643 644 m35",
    "success: preconfirmed": "104 105 125 126 127 319 501 533 561 m32",
    "success: reserved": """
        100 101 102 103 120 123 124 203 208 209 215 217 220 231 232 233 243 24a 24c 260 261 270 315
        316 317 318 500 530 540 541 542 543 550 551 552 553 554 556 560 601 602d 613 646 647 648 m30
        m31
    """,
    "days": "m20 m21 m42",
    "times": "m22 m23",
    "unchanged": "630",
}

FIXTURE_VERDICTS: dict[str, str] = {
    "AppointmentNotFound": """
        errors/confirm_expired
    """,
    "AuthKeyMismatch": """
        errors/get_wrong_key
    """,
    "CannotBeCancelled": """
        errors/cancel_past
    """,
    "CaptchaExpired": """
        errors/calendar_captcha_expired
    """,
    "CaptchaMissing": """
        errors/calendar_captcha_missing
    """,
    "CaptchaRejected": """
        captcha-friendly/reserve_failed captcha-friendly/reserve_check_error
    """,
    "InvalidContact": """
        errors/update_invalid_fields
    """,
    "InvalidRequest": """
        errors/calendar_all_missing errors/calendar_bad_combination errors/reserve_past
        errors/get_bad_key
    """,
    "NotReservedAnymore": """
        errors/preconfirm_not_reserved
    """,
    "RateLimited": """
        errors/rate_limited
    """,
    "RouteGone": """
        availability-old/route_gone availability-old/node_backend_error
    """,
    "SlotTaken": """
        errors/reserve_gone
    """,
    "SolutionRefused": """
        captcha-altcha-v1/verify_wrong
    """,
    "TooManyAppointments": """
        errors/update_too_many_mails
    """,
    "Unavailable": """
        errors/maintenance errors/backend_unreachable errors/gateway_masked_5xx
    """,
    "VerifyUnknown": """
        captcha-altcha-v2/verify_no_payload
    """,
    "nothing free": """
        availability-old/appointments_by_office_none availability-old/days_none_404
        availability-old/days_none_200 available-calendar/empty
        errors/calendar_no_scope
    """,
    "success": """
        available-calendar/range available-calendar/day captcha-altcha-v1/details
        captcha-altcha-v1/challenge captcha-altcha-v1/verify_ok captcha-altcha-v2/challenge
        captcha-altcha-v2/verify_ok captcha-friendly/details offices-and-services-old
        offices-and-services
    """,
    "success: confirmed": """
        booking-flow/4_confirm booking-flow/5_get
    """,
    "success: deleted": """
        booking-flow/6_cancel
    """,
    "success: preconfirmed": """
        booking-flow/3_preconfirm
    """,
    "success: reserved": """
        booking-captcha-reserve booking-flow/1_reserve booking-flow/2_update
    """,
    "days": """
        availability-old/days availability-old/days_by_office
    """,
    "times": """
        availability-old/appointments availability-old/appointments_by_office
    """,
}

COMPOSED = FOLDER.parent / "munich-fixtures"


def by_case(verdicts: dict[str, str]) -> dict[str, str]:
    """Case -> verdict, from verdict -> cases."""
    return {case: word for word, named in verdicts.items() for case in named.split()}


def show(title: str, found: dict[str, str]) -> None:
    lines = [f"  {case:<55} {word}" for case, word in found.items()]
    sys.stdout.write("\n".join(["", title, *lines, ""]))


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded exchanges are not on this machine")
def test_every_recorded_answer_gets_its_verdict() -> None:
    expected = by_case(VERDICTS)
    found = {name: verdict(path) for name, path in cases().items()}

    show("recorded exchanges", found)
    numbers = {name: name.rpartition("/")[2].split("-")[0] for name in found}
    assert {name: word for name, word in found.items() if word != expected.get(numbers[name])} == {}
    assert set(expected) == set(numbers.values())


def composed() -> dict[str, dict[str, Any]]:
    """Every composed exchange by file and name."""
    found = {}
    for path in sorted(COMPOSED.glob("*.json")):
        content = json.loads(path.read_text())
        for name, exchange in ({"": content} if "request" in content else content).items():
            if isinstance(exchange, dict) and "request" in exchange:
                found[f"{path.stem}/{name}".rstrip("/")] = exchange
    return found


def verdict_on_composed(exchange: dict[str, Any]) -> str:
    asked, stored = exchange["request"], exchange["response"]
    query = f"?{urlencode(asked['query'])}" if asked.get("query") else ""
    return verdict_on(
        {"method": asked["method"], "url": f"{BASE_URL}{asked['path']}{query}", "body": asked.get("json")},
        {
            "status": stored["status"],
            "headers": list(stored.get("headers", {}).items()),
            "body": stored.get("json", stored.get("text")),
            "body_is_json": "json" in stored,
        },
    )


@pytest.mark.skipif(not COMPOSED.is_dir(), reason="the composed exchanges are not on this machine")
def test_every_composed_answer_gets_its_verdict() -> None:
    found = {name: verdict_on_composed(exchange) for name, exchange in composed().items()}

    show("composed exchanges", found)
    assert found == by_case(FIXTURE_VERDICTS)


@pytest.mark.skipif(not COMPOSED.is_dir(), reason="the composed exchanges are not on this machine")
def test_the_stored_challenge_has_the_stored_solution() -> None:
    stored = json.loads((COMPOSED / "captcha-altcha-v2.json").read_text())
    provider = AltchaV2()

    solution = provider.solve(
        provider.parse(stored["challenge"]["response"]["json"]), limit=timedelta(seconds=30)
    )

    assert solution.answer["counter"] == stored["solution"]["counter"]
    assert solution.answer["derivedKey"] == stored["solution"]["derivedKey"]
