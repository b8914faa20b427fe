"""What one process of the site is made of, put together once and started after the fork."""

import atexit
import logging
import os
import resource
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chat.agents import demo
from chat.agents.ceilings import Ceilings
from chat.agents.current import CurrentAgents
from chat.agents.health import Health
from chat.agents.introductions import Introductions
from chat.agents.offered import Agents, Maker, door
from chat.agents.vault import Vault
from chat.answers.banned_words import WordList
from chat.answers.housekeeping import Housekeeper
from chat.answers.live import LiveAnswers
from chat.answers.metrics import Metrics
from chat.answers.records import Records
from chat.answers.saving import Saver
from chat.answers.turns import Turns
from chat.files.picture_cache import PictureCache
from chat.files.pictures import AT_ONCE, Pictures
from chat.files.uploads import Uploads
from chat.logs import logging as logs
from chat.logs.redaction import Redaction
from chat.notices.notifying import Notifier
from chat.notices.watch import Watch
from chat.owner.desk.agents import AgentsDesk
from chat.owner.desk.checkup import Checkup
from chat.owner.desk.values import Desk
from chat.owner.doctor import examination as doctor
from chat.owner.doctor.examination import Site as DoctorSite
from chat.owner.doctor.findings import Finding
from chat.owner.identity import Owner
from chat.owner.sessions import OwnerSessions
from chat.owner.welcome import Welcome
from chat.page import look
from chat.page.assets import Assets
from chat.page.drawings import LiveDrawings
from chat.page.look import Look
from chat.parts import Parts
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from chat.settings.model import secrets as secret_settings
from chat.settings.rate_text import counts_addresses
from chat.settings.secret_key import secret_key
from chat.settings.word_lists import words
from chat.storage import Storage, connect
from chat.storage.models import OwnerEntry
from chat.storage.owner.values import StaleError
from chat.visitors.access import Access, Visitors
from chat.visitors.blocks import Blocks
from chat.visitors.devices import Devices
from chat.visitors.guessing import Guessing
from chat.visitors.limits.bodies import Bodies, bodies_for
from chat.visitors.limits.rates import VisitorLimits
from chat.visitors.limits.reports import Reports
from chat.visitors.limits.streams import PER_ADDRESS, Streams, places_for
from chat.visitors.puzzles import Puzzles
from chat.visitors.readers import Readers

if TYPE_CHECKING:
    from chat.shared.connection import Connection

log = logging.getLogger("chat.services")


@dataclass(frozen=True)
class Process:
    """What belongs to one process and must not be carried over a fork."""

    pid: int
    turns: Turns
    housekeeper: Housekeeper
    notifier: Notifier


@dataclass
class Services:
    """The parts that requests use. `turns` belongs to a process: `start` makes it."""

    desk: Desk
    secret_key: str = field(repr=False)
    storage: Storage
    live_answers: LiveAnswers
    current_agents: CurrentAgents
    agents_desk: AgentsDesk
    introductions: Introductions
    visitors: Visitors
    access: Access
    blocks: Blocks
    owner: Owner
    owner_sessions: OwnerSessions
    welcome: Welcome
    readers: Readers
    devices: Devices
    limits: VisitorLimits
    streams: Streams
    uploads: Uploads
    bodies: Bodies
    pictures: Pictures
    look: Look
    assets: Assets
    metrics: Metrics
    health: Health
    parts: Parts
    checkup: Checkup
    redaction: Redaction
    word_list: WordList = field(default_factory=WordList)
    live_drawings: LiveDrawings = field(default_factory=LiveDrawings)
    reports: Reports = field(default_factory=Reports)
    _process: Process | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def build(cls, settings: Settings) -> "Services":
        """All parts of a site with these settings, before any fork.

        Raises SettingsError, one line, when a setting is wrong.
        """
        settings = _with_emulator(settings)
        key = secret_key(settings)
        storage = connect(settings)
        parts = Parts.of(settings, key)
        desk = Desk(settings, storage, key, parts.tell)
        settings = desk.settings
        redaction = _redaction(settings, key)
        limits = VisitorLimits(
            settings.visitor_rate,
            settings.upload_max_mb,
            settings.address_share,
            parts.make_counts,
        )
        pictures = _pictures(settings, key, storage, limits, parts)
        guessing = Guessing(parts.make_guesses)
        uploads = Uploads(storage, key, settings.upload_max_mb, settings.public_url)
        owner = Owner(settings.admin_password, key, storage.owner_values, guessing)
        metrics = Metrics()
        maker = Maker(
            settings,
            storage.days.spend,
            Vault(storage.secrets, key),
            redaction.learn,
            parts.lines,
        )
        current = CurrentAgents(maker, storage.owner_agents)
        introductions = Introductions(lambda: current.now, pictures.address, parts.abouts)
        theme = look.load(settings, desk.logo)
        site = cls(
            desk=desk,
            secret_key=key,
            storage=storage,
            live_answers=LiveAnswers(bridge=parts.bridge),
            current_agents=current,
            agents_desk=AgentsDesk(current, maker, storage.owner_agents, desk, redaction.know),
            introductions=introductions,
            visitors=Visitors(key),
            access=Access(settings, key, storage, guessing, Puzzles(key, parts.used_puzzles)),
            blocks=Blocks(storage.blocks),
            owner=owner,
            owner_sessions=OwnerSessions(storage.owner_sessions, owner),
            welcome=Welcome(storage.owner_values, owner),
            readers=Readers(settings.metrics_token, guessing),
            devices=Devices(storage.moves, key, guessing),
            limits=limits,
            streams=_streams(settings),
            uploads=uploads,
            bodies=_bodies(settings, storage, uploads),
            pictures=pictures,
            look=theme,
            assets=Assets(theme),
            metrics=metrics,
            health=parts.health,
            parts=parts,
            checkup=Checkup(storage.owner_values, lambda asks: site.examine(asks), redaction),
            redaction=redaction,
            word_list=WordList(words(settings.banned_words)),
        )
        current.on_change(site.follow_the_agents)
        desk.on_change(site.follow_the_owner)
        desk.needs_codes = lambda: maker.needs_codes
        desk.undo |= {"block": site.unblock_again, "unblock": site.block_again}
        return site

    @property
    def settings(self) -> Settings:
        """The settings in force, which the owner may change at any time."""
        return self.desk.settings

    @property
    def shared(self) -> "Connection | None":
        """The connection to Redis, where several processes may serve the site."""
        return self.parts.connection

    @property
    def agents(self) -> Agents:
        """The agents that are offered just now; the owner may change them at any time."""
        self.desk.look()
        return self.current_agents.now

    @property
    def turns(self) -> Turns:
        return self.start().turns

    def start(self) -> Process:
        """Begins to save, to beat and to look for orphans; once per process."""
        process = self._process
        if process is not None and process.pid == os.getpid():
            return process
        with self._lock:
            if self._process is None or self._process.pid != os.getpid():
                self.storage.forget_connections()
                self.live_answers.connect()
                self._hear_the_owner()
                if self.shared is not None:
                    self.shared.connect()
                self._process = self._new_process()
                self._process.housekeeper.start()
                self._process.notifier.start()
                self.introductions.refresh()
            return self._process

    def end(self) -> None:
        """Saves the live answers and leaves them to the next process."""
        process = self._process
        if process is None or process.pid != os.getpid():
            return
        try:
            process.notifier.end()
            process.housekeeper.end()
        except Exception:
            log.exception("could not save at the end")
        self.live_answers.disconnect()
        if self.shared is not None:
            self.shared.disconnect()

    def _hear_the_owner(self) -> None:
        """Reads again what the owner has changed from a shell or at another process."""
        if self.shared is not None:
            from chat.shared.connection import OWNER

            self.shared.listen(OWNER, lambda text: self._look_again())

    def _look_again(self) -> None:
        self.blocks.look_again()
        self.desk.look_again()

    def follow_the_owner(self) -> None:
        """Takes over what was made of settings that the owner has changed since."""
        settings = self.settings
        self.redaction.know(secret_settings(settings))
        self.access.read(settings.access_codes)
        self.current_agents.read()
        self.word_list.read(words(settings.banned_words))
        try:
            theme = look.load(settings, self.desk.logo)
        except SettingsError as error:
            log.warning("the look stays as it was: %s", error)
            return
        if theme != self.look:
            self.look, self.assets = theme, Assets(theme)

    def examine(self, asks: bool) -> list[Finding]:
        """What the doctor has to say of this site as it runs."""
        agents, findings = doctor.those_of(self.current_agents)
        site = DoctorSite(self.settings, agents, asks)
        return [*doctor.unread(), *findings, *doctor.look(site)]

    def unblock_again(self, entry: OwnerEntry) -> None:
        """Takes a block back. Raises StaleError when it is gone already."""
        if not self.storage.blocks.remove(entry.facts["subject"]):
            raise StaleError("block")

    def block_again(self, entry: OwnerEntry) -> None:
        """Takes the end of a block back. Raises StaleError when there is one again."""
        if not self.storage.blocks.add(entry.facts["subject"]):
            raise StaleError("unblock")

    def follow_the_agents(self, before: Agents, after: Agents) -> None:
        """Other agents are offered from now on."""
        self.redaction.know(after.secrets)
        self.introductions.look_again()
        earlier = {agent.id: agent.provider for agent in before.all}
        for agent in after.all:
            self.metrics.expect_agent(agent.id, agent.platform)
            if earlier.get(agent.id, agent.provider) is not agent.provider:
                # What was out of reach is reached in another way now.
                self.health.note(agent.id, None)

    def _new_process(self) -> Process:
        worker = secrets.token_hex(8)
        saver = Saver(self.storage)
        ceilings = Ceilings(self.storage.days, lambda: self.settings)
        records = Records(
            self.storage,
            saver,
            self.health,
            self.metrics,
            ceilings,
            worker,
            self._language,
            owner_reads=lambda: self.settings.owner_reads,
        )
        turns = Turns(
            self.settings,
            self.live_answers,
            self.visitors,
            self.limits,
            self.parts.at_once,
            records,
            self.word_list,
        )
        housekeeper = Housekeeper(
            self.storage, saver, turns, lambda: self.agents, worker, lambda: self.settings.keep_days
        )
        watch = Watch(lambda: self.settings, lambda: self.agents, self.storage)
        http = door(self.settings, "notices")
        notifier = Notifier(lambda: self.settings, watch, self.storage.notices, http)
        return Process(os.getpid(), turns, housekeeper, notifier)

    def _language(self) -> str:
        return self.settings.default_language


def _with_emulator(settings: Settings) -> Settings:
    """In demo mode, the settings with the address of an emulator.

    It is started here unless the server has started one.
    """
    if settings.demo_url or not settings.is_demo:
        return settings
    address, process = demo.start()
    atexit.register(process.kill)
    return settings.model_copy(update={"demo_url": address})


def _redaction(settings: Settings, key: str) -> Redaction:
    """From here on the log blanks out the site's secrets."""
    known = [key, *secret_settings(settings)]
    return logs.install(settings.log_format, settings.log_level, known)


def _streams(settings: Settings) -> Streams:
    """Places for event streams, no more than the limit of open files lets in."""
    most = places_for(settings.max_streams, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    if most < settings.max_streams:
        logging.getLogger("chat").warning(
            "MAX_STREAMS: the system's limit of open files lets in %d (ulimit -n, LimitNOFILE)",
            most,
        )
    return Streams(most, PER_ADDRESS if _counts_addresses(settings) else None)


def _counts_addresses(settings: Settings) -> bool:
    return counts_addresses(settings.visitor_rate, settings.address_share)


def _pictures(
    settings: Settings, key: str, storage: Storage, limits: VisitorLimits, parts: Parts
) -> Pictures:
    cache = PictureCache(storage.disk.folder, lambda: storage.disk.free)
    # An address has as many seats as it counts for visitors.
    seats = settings.address_share if _counts_addresses(settings) else AT_ONCE
    return Pictures(key, door(settings, "pictures"), cache, limits, parts.at_once, seats)


def _bodies(settings: Settings, storage: Storage, uploads: Uploads) -> Bodies:
    share = settings.address_share if _counts_addresses(settings) else 0
    return bodies_for(storage, uploads.largest_form, share)
