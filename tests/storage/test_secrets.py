"""Who changes a token is alone, among the threads of all processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from chat.storage import Storage
from tests.kit.patience import eventually, soon
from tests.storage.acting import Connect, Database

HOLDER = """
import sys
from chat import storage
from chat.settings.model import Settings

store = storage.connect(Settings(database_url=sys.argv[1]))
with store.secrets.alone("token"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_at_a_time_is_alone_with_a_name(connect: Connect) -> None:
    stores = [connect() for _ in range(3)]
    inside: list[int] = []
    most: list[int] = []

    def be_alone(store: Storage) -> None:
        with store.secrets.alone("token"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=be_alone, args=(stores[n % 3],)) for n in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 9


def test_another_name_does_not_wait(connect: Connect) -> None:
    with connect().secrets.alone("token"), connect().secrets.alone("another"):
        pass


def test_a_process_that_dies_gives_back_what_it_held(
    connect: Connect, database: Database, tmp_path: Path
) -> None:
    store = connect()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, database.address()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        entered = threading.Event()

        def be_alone() -> None:
            with store.secrets.alone("token"):
                entered.set()

        waiting = threading.Thread(target=be_alone)
        waiting.start()
        assert not entered.wait(0.3)
        os.kill(holder.pid, signal.SIGKILL)
        assert entered.wait(soon(10))
        waiting.join()
    finally:
        holder.kill()
        holder.communicate()
    assert eventually(lambda: holder.poll() is not None)
