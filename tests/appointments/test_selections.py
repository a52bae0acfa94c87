"""What goes together, where, how often: the city's rules on plain values."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appointments.selections import (
    MOST_PER_APPOINTMENT,
    Facts,
    OfferFacts,
    OfficeFacts,
    Partner,
    Reason,
    ServiceFacts,
    judge,
    largest_count,
    must_choose,
    nearest,
    partners,
    places,
    with_siblings,
)
from appointments.upstream.types import ServiceCount

REGISTER, ID_CARD, PASSPORT, COPY, MARRIAGE, NOWHERE = 1, 2, 3, 4, 5, 6
RUPPERT, TRAINING, PASSES, PASING, TOWN_HALL, VILLAGE_HALL = 10, 11, 12, 13, 14, 15
POOL, MIX = (RUPPERT, TRAINING), frozenset({RUPPERT, PASSES})
AT_COUNTERS = (RUPPERT, PASING)


def count(service: int, number: int = 1) -> ServiceCount:
    return ServiceCount(service, number)


def town() -> Facts:
    """Two counters, one of them with a training office beside it and a specialised one for passes, two town halls."""
    offices = {
        RUPPERT: OfficeFacts(RUPPERT, 8, 5, disabled=frozenset({ID_CARD, PASSPORT}), mix=MIX, pool=POOL),
        TRAINING: OfficeFacts(TRAINING, 8, 5, pool=POOL),
        PASSES: OfficeFacts(PASSES, 8, 15, mix=MIX),
        PASING: OfficeFacts(PASING, None, 10),
        TOWN_HALL: OfficeFacts(TOWN_HALL, None, 30, exclusive=True),
        VILLAGE_HALL: OfficeFacts(VILLAGE_HALL, 1, 30, exclusive=True),
    }
    services = {
        REGISTER: ServiceFacts(
            REGISTER,
            4,
            (
                (REGISTER, (RUPPERT, TRAINING, PASING)),
                (PASSPORT, AT_COUNTERS),
                (ID_CARD, AT_COUNTERS),
                (COPY, ()),
            ),
        ),
        ID_CARD: ServiceFacts(ID_CARD, 5, ((PASSPORT, (RUPPERT, PASSES, PASING)), (REGISTER, AT_COUNTERS))),
        PASSPORT: ServiceFacts(PASSPORT, 5, ((ID_CARD, (RUPPERT, PASSES, PASING)),)),
        COPY: ServiceFacts(COPY, 1),
        MARRIAGE: ServiceFacts(MARRIAGE, 1),
        NOWHERE: ServiceFacts(NOWHERE, 1),
    }
    offers = {
        **{(office, REGISTER): OfferFacts(2) for office in (RUPPERT, TRAINING, PASING)},
        **{(office, ID_CARD): OfferFacts(1) for office in (RUPPERT, PASSES, PASING)},
        **{(office, PASSPORT): OfferFacts(1, 2) for office in (RUPPERT, PASSES, PASING)},
        (PASING, COPY): OfferFacts(1),
        (TOWN_HALL, MARRIAGE): OfferFacts(1),
        (VILLAGE_HALL, MARRIAGE): OfferFacts(1),
    }
    return Facts(services, offices, offers)


def reason(facts: Facts, *selection: ServiceCount) -> Reason | None:
    problem = judge(facts, selection).problem
    return problem.reason if problem else None


# Services and counts


@pytest.mark.parametrize(
    ("selection", "why"),
    [
        ((), Reason.EMPTY),
        ((count(99),), Reason.UNKNOWN),
        ((count(REGISTER), count(REGISTER)), Reason.TWICE),
        ((count(REGISTER, 0),), Reason.COUNT),
        ((count(REGISTER, 5),), Reason.COUNT),
        ((count(COPY, 2),), Reason.COUNT),
        ((count(REGISTER), count(MARRIAGE)), Reason.NOT_COMBINABLE),
        ((count(REGISTER), count(COPY)), Reason.NO_COMMON_OFFICE),
        ((count(NOWHERE),), Reason.NO_OFFICE),
    ],
)
def test_what_cannot_be_booked_is_refused_with_the_reason(
    selection: tuple[ServiceCount, ...], why: Reason
) -> None:
    verdict = judge(town(), selection)

    assert verdict.problem is not None
    assert verdict.problem.reason == why
    assert verdict.offices == ()


def test_what_can_be_booked_is_told_with_its_offices() -> None:
    verdict = judge(town(), (count(REGISTER), count(PASSPORT)))

    assert verdict.problem is None
    assert verdict.offices == (RUPPERT, PASING)


def test_the_rule_is_the_main_services_own() -> None:
    assert reason(town(), count(REGISTER), count(PASSPORT)) is None
    assert reason(town(), count(PASSPORT), count(REGISTER)) == Reason.NOT_COMBINABLE


def test_no_service_is_booked_more_than_25_times_whatever_it_allows() -> None:
    facts = town()
    facts = replace(facts, services={**facts.services, COPY: ServiceFacts(COPY, 400)})

    assert largest_count(facts, (), COPY) == MOST_PER_APPOINTMENT
    assert reason(facts, count(COPY, 26)) == Reason.COUNT


def test_the_offices_own_limit_of_a_service_counts_there_alone() -> None:
    facts = town()
    offers = {**facts.offers, (PASING, PASSPORT): OfferFacts(1, None)}

    three = judge(replace(facts, offers=offers), (count(PASSPORT, 3),))

    assert three.offices == (PASING,)
    assert {(p.reason, p.office, p.most) for p in three.refusals} >= {(Reason.COUNT, PASSES, 2)}


# Slots


def test_it_fits_at_one_office_and_not_at_the_other() -> None:
    verdict = judge(town(), (count(REGISTER, 4), count(PASSPORT, 1)))

    assert verdict.offices == (PASING,)
    too_long = next(problem for problem in verdict.refusals if problem.office == RUPPERT)
    assert (too_long.reason, too_long.needed, too_long.most) == (Reason.TOO_LONG, 9, 8)


def test_the_largest_count_is_what_the_best_office_takes() -> None:
    facts = town()
    offices = {**facts.offices, PASING: replace(facts.offices[PASING], slots_per_appointment=3)}

    assert largest_count(facts, (), REGISTER) == 4
    assert (
        largest_count(replace(facts, offices=offices), (count(REGISTER), count(PASSPORT, 2)), REGISTER) == 3
    )


def test_no_appointment_takes_more_than_25_slots() -> None:
    assert reason(town(), count(MARRIAGE)) is None
    facts = town()
    offers = {key: OfferFacts(30) if key[1] == MARRIAGE else offer for key, offer in facts.offers.items()}

    problem = judge(replace(facts, offers=offers), (count(MARRIAGE),)).problem

    assert problem is not None
    assert (problem.reason, problem.most, problem.needed) == (Reason.TOO_LONG, 25, 30)


def test_how_long_it_takes_depends_on_the_office() -> None:
    verdict = judge(town(), (count(REGISTER, 2), count(PASSPORT)))

    assert verdict.minutes() == (25, 50)
    assert verdict.minutes([PASING]) == (50, 50)
    assert judge(town(), (count(NOWHERE),)).minutes() is None


# Offices that leave services to others


def test_a_selection_of_nothing_else_goes_to_the_specialised_office() -> None:
    assert judge(town(), (count(PASSPORT),)).offices == (PASSES, PASING)
    assert judge(town(), (count(ID_CARD), count(PASSPORT))).offices == (PASSES, PASING)


def test_a_mixed_selection_goes_to_the_general_office() -> None:
    assert judge(town(), (count(ID_CARD), count(REGISTER))).offices == (RUPPERT, PASING)


def test_the_specialised_office_steps_back_from_a_mixed_selection_it_could_do() -> None:
    facts = town()
    offers = {**facts.offers, (PASSES, REGISTER): OfferFacts(2)}
    services = {
        **facts.services,
        REGISTER: ServiceFacts(REGISTER, 4, ((PASSPORT, (RUPPERT, PASSES, PASING)),)),
    }
    facts = replace(facts, offers=offers, services=services)

    verdict = judge(facts, (count(REGISTER), count(PASSPORT)))

    assert verdict.offices == (RUPPERT, PASING)
    assert Reason.ELSEWHERE in {problem.reason for problem in verdict.refusals if problem.office == PASSES}


def test_without_a_group_one_such_service_is_enough_to_be_sent_elsewhere() -> None:
    facts = town()
    alone = {**facts.offices, RUPPERT: replace(facts.offices[RUPPERT], mix=frozenset())}

    assert judge(replace(facts, offices=alone), (count(REGISTER), count(PASSPORT))).offices == (PASING,)


# Offices booked as one, and offices that stand for no other


def test_offices_booked_as_one_are_asked_together_and_named_once() -> None:
    facts = town()
    possible = judge(facts, (count(REGISTER),)).offices

    assert with_siblings(facts, [RUPPERT], possible) == [RUPPERT, TRAINING]
    assert with_siblings(facts, [PASING, TRAINING], possible) == [PASING, TRAINING, RUPPERT]
    assert places(facts, possible) == [RUPPERT, PASING]


def test_a_sibling_that_does_not_do_the_service_is_not_asked() -> None:
    facts = town()
    possible = judge(facts, (count(REGISTER), count(PASSPORT))).offices

    assert with_siblings(facts, [RUPPERT], possible) == [RUPPERT]


def test_where_each_office_serves_its_district_one_has_to_be_chosen() -> None:
    facts = town()

    assert must_choose(facts, [TOWN_HALL, VILLAGE_HALL])
    assert not must_choose(facts, [TOWN_HALL])
    assert not must_choose(facts, [RUPPERT, TRAINING])


# What else, and what instead


def test_partners_come_in_the_citys_order_with_the_offices_that_remain() -> None:
    assert partners(town(), (count(REGISTER, 4),)) == [
        Partner(PASSPORT, (PASING,)),
        Partner(ID_CARD, (PASING,)),
        Partner(COPY, ()),
    ]
    assert partners(town(), (count(REGISTER), count(PASSPORT))) == [
        Partner(ID_CARD, (RUPPERT, PASING)),
        Partner(COPY, ()),
    ]
    assert partners(town(), (count(COPY),)) == []


@pytest.mark.parametrize(
    ("selection", "instead"),
    [
        ((count(PASSPORT), count(REGISTER)), (count(REGISTER), count(PASSPORT))),
        ((count(REGISTER, 9),), (count(REGISTER, 4),)),
        ((count(REGISTER), count(MARRIAGE)), (count(REGISTER),)),
        ((count(REGISTER), count(99)), (count(REGISTER),)),
        ((count(NOWHERE),), None),
        ((), None),
    ],
)
def test_the_nearest_thing_that_can_be_booked_is_found(
    selection: tuple[ServiceCount, ...], instead: tuple[ServiceCount, ...] | None
) -> None:
    assert nearest(town(), selection) == instead


@given(st.lists(st.builds(ServiceCount, st.integers(0, 7), st.integers(-1, 30)), max_size=5).map(tuple))
def test_whatever_is_offered_can_be_booked(selection: tuple[ServiceCount, ...]) -> None:
    """The verdict, the counts, the partners and the nearest thing never contradict each other."""
    facts = town()
    verdict = judge(facts, selection)
    instead = nearest(facts, selection)

    assert (verdict.problem is None) == bool(verdict.offices)
    assert instead is None or judge(facts, instead).problem is None
    for office in verdict.offices:
        needed = sum(item.count * facts.offers[office, item.service_id].slots for item in selection)
        assert needed <= facts.offices[office].most_slots <= MOST_PER_APPOINTMENT
    if verdict.problem is None:
        for partner in partners(facts, selection):
            added = judge(facts, (*selection, ServiceCount(partner.service, 1)))
            assert added.offices == partner.offices
        for item in selection:
            assert largest_count(facts, selection, item.service_id) >= item.count
