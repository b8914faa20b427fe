"""Tells the owner's robots, from a thread of its own: each thing once, by one of all processes."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from chat.notices.robots import Robot, RobotError
from chat.notices.watch import AGAIN, Condition, Watch
from chat.notices.words import WORDS
from chat.settings import robots
from chat.settings.model import Settings
from chat.settings.words import Sentence, sentence
from chat.storage.engine.kinds import StorageError
from chat.storage.models import now
from chat.storage.owner.notices import Notice, Notices
from providers.http import Http

LOOK_S = 20.0
# After a message that did not arrive.
REST_S = 300.0

log = logging.getLogger("chat.notices")


class Notifier:
    """Looks every LOOK_S seconds; start it once per process, after the fork."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        watch: Watch,
        notices: Notices,
        http: Http,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._notices = notices
        self._http = http
        self._clock = clock
        self._ended = threading.Event()

    def start(self) -> None:
        """Looks on in the background."""
        threading.Thread(target=self._work, name="notifier", daemon=True).start()

    def end(self) -> None:
        """Tells nothing more."""
        self._ended.set()

    @property
    def robots(self) -> list[Robot]:
        """The robots of now."""
        return [Robot(address) for address in robots.addresses(self._settings().notify_url)]

    def test(self) -> list[tuple[Robot, RobotError | None]]:
        """Sends each robot a message, and says what became of it."""
        return [(robot, self._try(robot, sentence(WORDS["test"]))) for robot in self.robots]

    def look(self) -> bool:
        """Tells what is due; False when something could not be told."""
        notices = self._notices.all()
        told = [
            self._tell(condition, notices.get(condition.subject))
            for condition in self._watch.look(notices)
            if condition.is_due(notices.get(condition.subject), self._clock())
        ]
        return all(told)

    def _tell(self, condition: Condition, former: Notice | None) -> bool:
        at = self._clock() if condition.state or former is None else former.at
        notice = Notice(condition.state, at)
        if not self._notices.swap(condition.subject, former, notice):
            # Another process is telling it.
            return True
        text = condition.alarm or condition.relief
        errors = [self._try(robot, text) for robot in self.robots] if text else []
        if not errors or None in errors:
            return True
        # Nobody has heard it: it is told again.
        self._notices.swap(condition.subject, notice, former or Notice("", at - AGAIN))
        return False

    def _try(self, robot: Robot, text: Sentence) -> RobotError | None:
        settings = self._settings()
        language = settings.default_language
        message = sentence(WORDS["message"], title=settings.site_title, text=text)
        try:
            robot.send(message.say(language), self._http)
        except RobotError as error:
            cause = error.__cause__ or error
            log.warning("%s: %s", robot.name.say("en"), cause)
            return error
        return None

    def _work(self) -> None:
        pause = LOOK_S
        while not self._ended.wait(pause):
            try:
                has_told = not self.robots or self.look()
                pause = LOOK_S if has_told else REST_S
            except StorageError as error:
                log.warning("could not look: %s", getattr(error, "orig", None) or error)
            except Exception:
                log.exception("could not look")
