"""What goes wrong, and what goes on: faults of the city, workers that die or are slow, tasks lost, time that passes."""

import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from appointments.channels import DeliveryError
from appointments.services.watches import renew_windows, wake_snoozed
from appointments.upstream.errors import OutcomeUnknown, UpstreamError
from tests.model.world import CALLS, Killed, World

FAULTS = (
    "lost_before", "lost_after", "truncated_json", "empty_body", "gateway_400",
    "html_502", "maintenance", "rate_limited", "lost_race", "stored_500",
)  # fmt: skip
ENDPOINTS = (
    "reserve-appointment", "update-appointment", "preconfirm-appointment", "confirm-appointment",
    "cancel-appointment", "appointment",
)  # fmt: skip
MOST_DAYS = 3


def has_tasks(world: World) -> bool:
    """Whether anything waits for a worker."""
    return bool(world.office.queue.waiting)


class Trouble(World):
    """Everything that people do not do."""

    @rule(kind=st.sampled_from(FAULTS), endpoint=st.sampled_from(ENDPOINTS), times=st.sampled_from((1, 1, 3)))
    def the_next_calls_go_wrong(self, kind: str, endpoint: str, times: int) -> None:
        faults = self.office.munich.faults
        if len(faults.active) >= 3:
            return
        if kind == "stored_500":
            faults.add("error", times, [endpoint], code="unknownError", status=500, after=True)
        else:
            faults.add(kind, times, [endpoint])

    @rule(call=st.sampled_from(CALLS), after=st.booleans())
    def a_worker_will_die(self, call: str, after: bool) -> None:
        def dying(real: Callable[..., Any], *args: Any, **options: Any) -> Any:
            if after:
                real(*args, **options)
            raise Killed

        self._spoil(call, dying)

    @rule(call=st.sampled_from(CALLS), after=st.booleans())
    def a_worker_will_be_taken_for_dead(self, call: str, after: bool) -> None:
        def slow(real: Callable[..., Any], *args: Any, **options: Any) -> Any:
            if not after:
                self._others_take_over()
            answer = real(*args, **options)
            if after:
                self._others_take_over()
            return answer

        self._spoil(call, slow)

    def _others_take_over(self) -> None:
        self.pass_time(seconds=61)
        self.sweep()

    @rule(call=st.sampled_from(("update", "preconfirm", "confirm", "cancel")))
    def a_request_will_be_late(self, call: str) -> None:
        def late(real: Callable[..., Any], *args: Any, **options: Any) -> Any:
            def arrives() -> None:
                with contextlib.suppress(UpstreamError):
                    real(*args, **options)

            self.late = arrives
            raise OutcomeUnknown("timeout")

        if self.late is None:
            self._spoil(call, late)

    def _spoil(self, call: str, how: Callable[..., Any]) -> None:
        """The next time this call is made it goes as `how` says, which gets the real one first."""
        api = self.office.desk.api
        if call in vars(api):
            return
        real = getattr(api, call)

        def spoilt(*args: Any, **options: Any) -> Any:
            vars(api).pop(call, None)
            return how(real, *args, **options)

        setattr(api, call, spoilt)

    @rule()
    @precondition(lambda self: self.late is not None)
    def the_late_request_arrives(self) -> None:
        self.arrive()

    @rule(what=st.sampled_from(("lost", "twice")))
    @precondition(has_tasks)
    def a_task_is_lost_or_comes_twice(self, what: str) -> None:
        first = self.office.queue.waiting.pop(0)
        if what == "twice":
            self.office.queue.waiting += [first, first]

    @rule()
    @precondition(lambda self: not self.office.mailman.errors)
    def telegram_fails_once(self) -> None:
        self.office.mailman.errors.append(DeliveryError("trouble"))

    # what goes on

    @rule()
    @precondition(has_tasks)
    def a_worker_takes_a_task(self) -> None:
        first, rest = self.office.queue.waiting[0], self.office.queue.waiting[1:]
        self.office.queue.waiting = [first]
        with contextlib.suppress(Killed):
            self.office.queue.run()
        self.office.queue.waiting += rest

    @rule()
    @precondition(has_tasks)
    def everybody_works(self) -> None:
        self.work()

    @rule(seconds=st.sampled_from((1, 5, 20, 46, 120, 400)))
    def time_passes(self, seconds: int) -> None:
        self.pass_time(seconds=seconds)

    @rule(seconds=st.sampled_from((0, 11, 31, 61)))
    def time_passes_and_the_sweep_runs(self, seconds: int) -> None:
        self.pass_time(seconds=seconds)
        self.sweep()

    @rule()
    @precondition(lambda self: self.days < MOST_DAYS)
    def a_day_passes(self) -> None:
        self.days += 1
        for minutes in (1, 5, 20, 60, 60 * 24):
            self.pass_time(minutes=minutes)
            self.sweep()
        renew_windows(now=self.office.now())
        wake_snoozed(now=self.office.now())
        self.work()
