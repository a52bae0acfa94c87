"""The booking machine drawn: a page with its tables, and the graph for Graphviz. Both come from `states` alone."""

from appointments.states import CALLING, ENDED, STAYS, STEPS, BookingState, By

_COLOURS = {By.WORKER: "#2563eb", By.PERSON: "#b45309", By.READING: "#0f766e", By.SWEEP: "#7c3aed"}
_LOOKS = (
    'graph [rankdir=TB, bgcolor="white", fontname="Helvetica", nodesep=0.45, ranksep=0.55]',
    'node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=13, color="#334155"]',
    'edge [fontname="Helvetica", fontsize=10, arrowsize=0.7]',
)
_LEGEND = "worker: blue, person: brown, reading: green, sweep: violet. Grey boxes: a call is under way."


def dot() -> str:
    """The machine as a graph in Graphviz's language; `dot -Tsvg` makes the picture of it."""
    lines = [f"  {look};" for look in _LOOKS]
    for state in BookingState:
        fill = "#e2e8f0" if state in CALLING else "#fee2e2" if state in ENDED else "#ffffff"
        fill = "#dcfce7" if state == BookingState.CONFIRMED else fill
        lines.append(f'  {state.value} [fillcolor="{fill}"];')
    lines += [
        f'  {step.source.value} -> {step.target.value} [color="{_COLOURS[step.by]}", tooltip="{step.when}"];'
        for step in STEPS
    ]
    return "digraph booking {\n" + "\n".join(lines) + "\n}\n"


def page() -> str:
    """The page about the machine, in Markdown: picture, where it rests, every step."""
    return "\n".join(
        [
            "# The booking machine",
            "",
            "Drawn from `appointments/states.py` by `manage.py draw_booking_machine`; a test keeps it true.",
            "",
            "![The states of a booking and the steps between them](images/booking-machine.svg)",
            "",
            _LEGEND,
            "",
            "## Where a booking waits, and until when",
            "",
            "Every deadline is found by a sweep that runs every five seconds; `healed by` names it.",
            "",
            "| State | Waits for | Deadline | Counted | Healed by |",
            "|---|---|---|---|---|",
            *(
                f"| {state.value} | {stay.waits_for} | `{stay.deadline}` | {stay.counted} | `{stay.healed_by}` |"
                for state, stay in STAYS.items()
            ),
            "",
            "## Steps",
            "",
            "`given` holds in the row at that moment, or the step is not taken. `Tells` are the messages a person may"
            " read because of it.",
            "",
            "| From | To | By | When | Given | Tells |",
            "|---|---|---|---|---|---|",
            *(
                f"| {step.source.value} | {step.target.value} | {step.by.value} | {step.when} |"
                f" {', '.join(f'`{name}={value}`' for name, value in step.given.items())} |"
                f" {', '.join(f'`{kind}`' for kind in step.tells)} |"
                for step in STEPS
            ),
            "",
        ]
    )
