"""A network between a browser and a site, on which a connection in use can die without a sign."""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

PART = 65536
# Bytes that came so lately are those of a stream.
LATELY_S = 1.0


@dataclass
class Connection:
    """A browser's connection and its other half to the site."""

    near: socket.socket
    far: socket.socket
    used_at: float = 0.0
    is_dead: bool = False

    def start(self) -> None:
        for source, sink in ((self.near, self.far), (self.far, self.near)):
            threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def close(self) -> None:
        for end in (self.near, self.far):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(PART):
                self.used_at = time.monotonic()
                if not self.is_dead:
                    sink.sendall(part)
        if not self.is_dead:
            self.close()


@dataclass
class SleepyNetwork:
    """Passes connections on to the site at the port `target`; browsers use `port`."""

    target: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    connections: list[Connection] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def start(self) -> "SleepyNetwork":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def sleep(self) -> None:
        """A stream hears nothing any more; idle connections are closed, as systems do."""
        for connection in self.connections:
            if time.monotonic() - connection.used_at < LATELY_S:
                connection.is_dead = True
            else:
                connection.close()

    def end(self) -> None:
        self.listener.close()
        for connection in self.connections:
            connection.is_dead = True
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                connection = Connection(near, far)
                self.connections.append(connection)
                connection.start()
