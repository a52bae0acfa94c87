"""A server on loopback made of one function: what it does to each connection is up to the test."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on loopback that treats every connection with `talk`; its base address."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                taken.append(connection)
                with connection:
                    connection.settimeout(5)
                    talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/citizen"
    finally:
        for each in [listener, *taken]:  # ends what still waits for somebody to speak
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def receive(connection: socket.socket) -> bytes:
    """The head of one request and what came with it; what there is when the other side closes."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(4096)
        if not part:
            break
        received += part
    return received


def saying(*parts: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        receive(connection)
        for part in parts:
            connection.sendall(part)

    return talk
