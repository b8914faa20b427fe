"""The log: to standard error, as lines for people or as JSON, and without a secret whoever writes
it.

Secrets are blanked out where records are made, not by a filter: a logger that does not propagate,
or a handler that comes later, would go around any filter.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import Any

from chat.logs import request_id
from chat.logs.redaction import Redaction

# Line ends of any kind, what terminals obey, what turns the direction of writing, halves of
# characters.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TRACEBACKS = logging.Formatter()

log = logging.getLogger("chat")


def install(kind: str, level: str, secrets: Iterable[str]) -> Redaction:
    """Writes the log from now on: `kind` is "text" or "json", `level` "debug", "info" or "warning".

    Returns what blanks out the secrets: it learns those that come later. Installed again, as by a
    reload, it forgets none.
    """
    before = logging.getLogRecordFactory()
    redaction = before.redaction if isinstance(before, _Records) else Redaction()
    redaction.know(secrets)
    logging.setLogRecordFactory(_Records(redaction))
    root = logging.getLogger()
    for earlier in [handler for handler in root.handlers if isinstance(handler, _StandardError)]:
        root.removeHandler(earlier)
    handler = _StandardError()
    handler.setFormatter(formatter(kind))
    root.addHandler(handler)
    root.setLevel(level.upper())
    # Alembic logs each of its plugins and steps.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    return redaction


def formatter(kind: str) -> logging.Formatter:
    """Writes one record as "text" or as "json"."""
    return _Json() if kind == "json" else _Text()


class _StandardError(logging.StreamHandler[Any]):
    """Ours, to be distinguished from handlers of others; it follows where standard error goes."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr


class _Records:
    """Makes records whose every text has been redacted: message, traceback, stack, extra fields.

    The exception itself is left out. Nobody can then write it in another way.
    """

    def __init__(self, redaction: Redaction) -> None:
        self.redaction = redaction

    def __call__(self, *args: Any, **more: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **more)
        blank = self.redaction.blank
        record.msg, record.args = blank(_message(record)), None
        if record.exc_info:
            record.exc_text = blank(_TRACEBACKS.formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = blank(record.stack_info)
        # Extra fields are put straight into the dictionary, after this.
        record.__dict__ = _Fields(record.__dict__, self.redaction)
        return record


class _Fields(dict[str, Any]):
    """A record's attributes; what is added to them is redacted."""

    def __init__(self, values: dict[str, Any], redaction: Redaction) -> None:
        super().__init__(values)
        self.redaction = redaction

    def __setitem__(self, name: str, value: Any) -> None:
        is_plain = value is None or isinstance(value, bool | int | float)
        super().__setitem__(name, value if is_plain else self.redaction.blank(_text(value)))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:
        # logging itself would show the arguments, on standard error.
        place = f"{record.filename}:{record.lineno}"
        return f"a message that cannot be written ({type(error).__name__}), {place}"


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:
        return f"a value that cannot be written ({type(error).__name__})"


class _Text(logging.Formatter):
    """One line a record; a traceback follows it, each of its lines indented."""

    def format(self, record: logging.LogRecord) -> str:
        number = request_id.current()
        named = f"{record.name} [{number}]" if number else record.name
        message = _UNSEEN.sub(_escape, record.getMessage())
        line = f"{self.formatTime(record)} {record.levelname} {named}: {message}"
        below = "\n".join(filter(None, (record.exc_text, record.stack_info)))
        trace = [f"    {_UNSEEN.sub(_escape, text)}" for text in below.split("\n") if text]
        return "\n".join([line, *trace])


class _Json(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone()
        fields = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.current(),
            "exception": record.exc_text,
            "stack": record.stack_info,
        }
        present = {name: value for name, value in fields.items() if value is not None}
        line = json.dumps(present, ensure_ascii=False)
        return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        log.critical("ended by a fault", exc_info=error)


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else "gone"
    log.critical("thread %s ended by a fault", name, exc_info=args.exc_value)
