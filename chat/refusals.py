"""Why a request is refused before anything was asked of a platform."""


class Refusal(Exception):
    """`code` is one of the reasons of the HTTP contract; `retry_after` is in seconds.

    `status` is for the reasons that come with more than one HTTP status; None means the usual one.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.retry_after = retry_after
        self.status = status


class FileRefusal(Refusal):
    """A file is refused, for reasons that have sentences of their own."""


class PictureRefusal(Refusal):
    """A picture of an agent cannot be had; all reasons have one sentence."""


class StoppingRefusal(Refusal):
    """The process is about to end and takes no new question; the next one will."""


class LiveRefusal(Refusal):
    """A visitor has as many answers under way as one may have."""


class StreamRefusal(Refusal):
    """As many answers are being read as this site, or an address, may have at once."""


class HostRefusal(Refusal):
    """The request names a host that this site is not."""


class GuessRefusal(Refusal):
    """Too many wrong codes, keys or passwords; has a sentence of its own."""


class SignInNeeded(Refusal):
    """Only who has signed in gets this: a person is asked to, a program is told so.

    `is_wrong`: a key was given, and is none.
    """

    def __init__(self, detail: str, is_wrong: bool = False) -> None:
        super().__init__("sign_in", detail)
        self.is_wrong = is_wrong
