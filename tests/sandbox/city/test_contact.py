"""Contact data: what the city takes and what it refuses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from .conftest import QUICK, RECORD, THURSDAY_9, TRADE, TRADE_LICENCE, Citizen, codes, ids

REGISTRY, WEDDING = 10456, 10470


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"email": "not-an-email"}, "invalidEmail"),
        ({"email": ""}, "invalidEmail"),
        ({"email": None}, "invalidEmail"),
        ({"email": "erika+tag@example.org"}, "invalidEmail"),
        ({"email": "erika..m@example.org"}, "invalidEmail"),
        ({"email": ".erika@example.org"}, "invalidEmail"),
        ({"email": "erika.@example.org"}, "invalidEmail"),
        ({"email": "erika@example"}, "invalidEmail"),
        ({"email": "erika@example.o"}, "invalidEmail"),
        ({"familyName": ""}, "invalidFamilyName"),
        ({"familyName": "   "}, "invalidFamilyName"),
        ({"familyName": 7}, "invalidFamilyName"),
        ({"telephone": "abc"}, "invalidTelephone"),
        ({"telephone": "12345"}, "invalidTelephone"),
        ({"telephone": "+49 89 123456"}, "invalidTelephone"),
        ({"telephone": "1234567890123456"}, "invalidTelephone"),
        ({"customTextfield": "x" * 251}, "invalidCustomTextfield"),
        ({"customTextfield2": "x" * 251}, "invalidCustomTextfield2"),
    ],
)
def test_bad_contact_data_are_refused_and_change_nothing(citizen: Citizen, more: dict, code: str) -> None:
    held = citizen.reserved()
    answer = citizen.update(held, **more)
    assert (answer.status_code, codes(answer)) == (400, [code])
    assert citizen.read(held).json()["familyName"] == ""


@pytest.mark.parametrize(
    "more",
    [
        {"email": "érika@münchen.de"},
        {"familyName": "Jürgen Groß-Müller"},
        {"familyName": "<script>alert(1)</script>Erika"},
        {"telephone": "+4989123456"},
        {"telephone": "08912345678"},
        {"telephone": ""},
        {"customTextfield": "<b>" + "x" * 250 + "</b>"},
    ],
)
def test_unusual_but_good_contact_data_are_kept_as_given(citizen: Citizen, more: dict) -> None:
    answer = citizen.update(citizen.reserved(), **more)
    assert answer.status_code == 200
    assert answer.json().items() >= more.items()


def test_all_that_is_missing_is_named_at_once(citizen: Citizen) -> None:
    held = citizen.reserved(office=10308174, service=1071896)
    answer = citizen.post("update-appointment", **ids(held))
    assert codes(answer) == ["invalidFamilyName", "invalidEmail", "invalidCustomTextfield"]


@pytest.mark.parametrize("blank", ["", "  ", "<br>", "<p> </p>", "&nbsp;"])
def test_a_required_text_must_say_something(citizen: Citizen, blank: str) -> None:
    held = citizen.reserved(office=10308174, service=1071896)
    assert codes(citizen.update(held, customTextfield=blank)) == ["invalidCustomTextfield"]


def test_a_required_second_text_is_asked_for_too(citizen: Citizen) -> None:
    held = citizen.reserved(office=10471, service=1071907)
    assert codes(citizen.update(held)) == ["invalidCustomTextfield2"]
    assert citizen.update(held, customTextfield2="Frau Huber").status_code == 200


def test_a_required_telephone_may_be_absent_but_not_empty(citizen: Citizen) -> None:
    held = citizen.reserved(office=WEDDING, service=1063648)
    assert codes(citizen.update(held, telephone="")) == ["invalidTelephone"]
    assert citizen.update(held, telephone=None).status_code == 200


def test_an_office_without_e_mail_takes_anything_for_an_address(citizen: Citizen) -> None:
    held = citizen.reserved(office=REGISTRY, service=10502137)
    assert citizen.update(held, email=None).status_code == 200


@pytest.mark.parametrize("name", ["Erika 😀", "N" * 300, "N" * 40_000])
def test_a_name_the_database_cannot_hold_is_an_unknown_error(citizen: Citizen, name: str) -> None:
    held = citizen.reserved()
    answer = citizen.update(held, familyName=name)
    assert (answer.status_code, codes(answer)) == (500, ["unknownError"])
    assert citizen.read(held).json()["familyName"] == ""


def test_fields_left_out_keep_their_value(citizen: Citizen) -> None:
    held = citizen.reserved()
    citizen.update(held, telephone="08912345678", customTextfield2="zwei")
    answer = citizen.post(
        "update-appointment",
        **ids(held),
        familyName="Max Anders",
        email="max@example.org",
        customTextfield="Anliegen",
    ).json()
    assert (answer["telephone"], answer["customTextfield2"]) == ("08912345678", "zwei")
    assert (answer["familyName"], answer["email"]) == ("Max Anders", "max@example.org")


def test_the_mail_limit_bites_when_the_address_is_stored(citizen: Citizen) -> None:
    for number in range(4):
        citizen.confirmed(office=TRADE, service=TRADE_LICENCE, starts_at=THURSDAY_9 + timedelta(hours=number))
    fifth = citizen.reserved(office=TRADE, service=TRADE_LICENCE, starts_at=THURSDAY_9 + timedelta(hours=5))
    answer = citizen.update(fifth)
    assert (answer.status_code, codes(answer)) == (406, ["tooManyAppointmentsWithSameMail"])
    assert citizen.update(fifth, email="other@example.org").status_code == 200
    elsewhere = citizen.reserved(office=QUICK, service=RECORD)
    assert citizen.update(elsewhere).status_code == 200, "the limit is one counter's"


def test_the_mail_limit_bites_at_pre_confirming_too(citizen: Citizen) -> None:
    held = [
        citizen.reserved(office=10416, service=1064268, starts_at=THURSDAY_9 + timedelta(hours=number))
        for number in range(2)
    ]
    for one in held:
        assert citizen.update(one).status_code == 200, "reserved ones do not count yet"
    assert citizen.post("preconfirm-appointment", **ids(held[0])).status_code == 200
    second = citizen.post("preconfirm-appointment", **ids(held[1]))
    assert (second.status_code, codes(second)) == (406, ["tooManyAppointmentsWithSameMail"])
