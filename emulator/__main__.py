"""python -m emulator: serves the emulated platforms on loopback until it is stopped."""

import argparse
import logging
import os
import ssl
from threading import Thread

from emulator import create_emulator
from emulator.serving import Server
from emulator.settings import EmulatorSettings


def main() -> None:
    options = _options()
    settings = EmulatorSettings()
    if options.pace is not None:
        settings.pace_s = options.pace
    if not options.verbose:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = Server(
        options.host,
        options.port,
        create_emulator(settings),
        options.fd,
        _tls(options.certificate, options.key),
    )
    server.is_verbose = options.verbose
    if options.with_parent:
        Thread(target=_end_with_parent, daemon=True).start()
    print(server.url, flush=True)
    server.serve_forever()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, printed when ready")
    parser.add_argument("--fd", type=int, help="serve this inherited socket, which already listens")
    parser.add_argument(
        "--certificate", metavar="PEM", help="serve TLS with this certificate chain"
    )
    parser.add_argument(
        "--key", metavar="PEM", help="its private key, if it is in a file of its own"
    )
    parser.add_argument(
        "--pace", type=float, metavar="S", help="seconds over which an answer is streamed"
    )
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    parser.add_argument("--verbose", action="store_true", help="log each request")
    return parser.parse_args()


def _tls(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def _end_with_parent() -> None:
    # Not sys.stdin: a thread that reads it is fatal to an interpreter that ends.
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
