"""Watching for a while through the gate, and the plain policy that chooses what is asked next."""

from datetime import timedelta

from appointments.models import GateState, PollTarget
from appointments.policy import FairPolicy
from appointments.services.watches import WatchWish, create_watch
from appointments.upstream.types import ServiceCount
from tests.appointments.services.test_gate import Line
from tests.conftest import RUPPERT, Office
from tests.factories import SubscriberFactory


def test_twenty_minutes_of_watching_ten_searches_are_never_refused(office: Office) -> None:
    line = Line(60)
    office.watcher.api = line.api
    office.watcher.clock = line.clock.now
    office.watcher.sleep = lambda seconds: line.clock.advance(timedelta(seconds=seconds)) and None
    GateState.objects.all().delete()
    services = [
        service
        for service in line.world.catalogue.services
        if line.world.catalogue.offers(RUPPERT, [service])
    ][:10]
    for service in services:
        wish = WatchWish(services=(ServiceCount(service, 1),))
        person = SubscriberFactory(now=line.clock.now())
        create_watch(person, wish, now=line.clock.now())

    end = line.clock.now() + timedelta(minutes=20)
    while line.clock.now() < end:
        before = line.world.limiter.counters.copy()
        office.watcher.step()
        # While the gate keeps quiet, the naps of half a second are taken ten at a time.
        quiet = line.world.limiter.counters == before
        line.clock.advance(timedelta(seconds=5 if quiet else 1))

    asked = [request for request in line.world.requests if "available-calendar" in request.path]
    assert len(services) == 10
    assert line.refused() == 0
    # Rounds of forty, a second apart, then a minute of quiet: at least half of what is possible is used.
    assert len(asked) >= 1200 / 101 * 40 / 2
    oldest = min(PollTarget.objects.values_list("answered_at", flat=True))
    assert line.clock.now() - oldest < timedelta(minutes=3)


def test_the_policy_asks_who_waits_longest(office: Office) -> None:
    first = office.watch()
    second = office.watch(services=(ServiceCount(1063475, 2),))
    policy = FairPolicy()
    now = office.now()
    PollTarget.objects.filter(search=first.search).update(next_due_at=now - timedelta(seconds=5))
    PollTarget.objects.filter(search=second.search).update(next_due_at=now - timedelta(seconds=50))

    target = policy.next_target(now=now)

    assert target is not None
    assert target.search == second.search
    assert timedelta(seconds=12) <= policy.asked(target, well=True, now=now) - now <= timedelta(seconds=18)
    assert policy.asked(target, well=False, now=now) - now >= timedelta(seconds=16)
    PollTarget.objects.update(next_due_at=now + timedelta(seconds=1))
    assert policy.next_target(now=now) is None
