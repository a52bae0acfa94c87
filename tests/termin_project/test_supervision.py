"""What is started, and what is said when it cannot be."""

import socket
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

from termin_project.supervision import configuration, taken_ports, wanted_processes, where_to_look

PROCFILE = (Path(__file__).resolve().parents[2] / "Procfile").read_text()


def test_a_small_computer_runs_no_queue_of_its_own_for_messages() -> None:
    assert list(wanted_processes(PROCFILE)) == ["sandbox", "web", "bot", "booking", "polling"]


def test_nothing_simulated_means_no_simulators(settings: Any) -> None:
    settings.SIMULATED_CITY = settings.SIMULATED_TELEGRAM = False
    settings.QUEUES = ("booking", "polling", "notify")

    assert list(wanted_processes(PROCFILE)) == ["web", "bot", "booking", "polling", "notify"]


def test_every_process_is_restarted_and_signals_reach_it(tmp_path: Path) -> None:
    text = configuration(wanted_processes(PROCFILE), folder=tmp_path, logs=tmp_path)
    parser = RawConfigParser()
    parser.read_string(text)

    for name in ("sandbox", "web", "bot", "booking", "polling"):
        program = parser[f"program:{name}"]
        assert program["autorestart"] == "true"
        assert "exec " in program["command"]


def test_a_port_in_use_is_told_with_what_to_do(settings: Any) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings.HOST, settings.PORT = "127.0.0.1", other.getsockname()[1]
        settings.SIMULATED_CITY = settings.SIMULATED_TELEGRAM = False

        (sentence,) = taken_ports()

    assert "Set PORT" in sentence


def test_pages_that_do_not_exist_are_not_named(settings: Any) -> None:
    settings.SIMULATED_TELEGRAM = False

    assert "/sandbox/chat/" not in where_to_look()
    assert "/sandbox/mailbox/" in where_to_look()
