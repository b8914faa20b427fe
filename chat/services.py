"""What one process of the site is made of, put together once and started after the fork."""

import logging
import os
import secrets
import threading
from dataclasses import dataclass, field

from chat.agents.health import Health
from chat.agents.introductions import Introductions
from chat.agents.offered import Agents
from chat.answers.housekeeping import Housekeeper
from chat.answers.live import LiveAnswers
from chat.answers.metrics import Metrics
from chat.answers.saving import Saver
from chat.answers.turns import Turns
from chat.files.pictures import Pictures
from chat.files.uploads import Uploads
from chat.page.assets import Assets
from chat.page.look import Look
from chat.settings.model import Settings
from chat.storage import Storage
from chat.visitors.access import Access, Owner, Visitors
from chat.visitors.devices import Devices
from chat.visitors.rates import VisitorLimits
from chat.visitors.readers import Readers
from chat.visitors.streams import Streams


@dataclass
class Services:
    """The parts that requests use. `turns` and the housekeeper belong to a process: `start` makes them."""

    settings: Settings
    storage: Storage
    live_answers: LiveAnswers
    agents: Agents
    introductions: Introductions
    visitors: Visitors
    limits: VisitorLimits
    streams: Streams
    uploads: Uploads
    look: Look
    assets: Assets
    devices: Devices
    pictures: Pictures
    owner: Owner
    access: Access
    metrics_readers: Readers
    secret_key: str = field(repr=False)
    health: Health = field(default_factory=Health)
    metrics: Metrics = field(default_factory=Metrics)
    _housekeeper: Housekeeper | None = None
    _turns: Turns | None = None
    _process: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def turns(self) -> Turns:
        self.start()
        assert self._turns is not None
        return self._turns

    def start(self) -> None:
        """Begins to save, to beat and to look for orphans; once per process."""
        if self._process == os.getpid():
            return
        with self._lock:
            if self._process == os.getpid():
                return
            self.storage.forget_connections()
            worker = secrets.token_hex(8)
            saver = Saver(self.storage)
            self._turns = Turns(
                self.settings,
                self.storage,
                self.live_answers,
                saver,
                self.visitors,
                self.limits,
                self.health,
                worker,
                self.metrics,
            )
            keep_days = self.settings.keep_days
            self._housekeeper = Housekeeper(
                self.storage, saver, self._turns, self.agents, worker, keep_days
            )
            self._housekeeper.start()
            self.live_answers.connect()
            self.introductions.refresh()
            self._process = os.getpid()

    def end(self) -> None:
        """Saves what is being said and leaves it to the next process."""
        if self._housekeeper is not None and self._process == os.getpid():
            try:
                self._housekeeper.end()
            except Exception:
                logging.getLogger("chat.services").exception("could not save at the end")
            self.live_answers.disconnect()
