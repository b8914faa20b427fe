"""Why a request is refused before anything was asked of a platform."""


class Refusal(Exception):
    """`code` is one of the reasons of the HTTP contract; `retry_after` is in seconds.

    `status` is for reasons that have more than one HTTP status; None means the usual one.
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


class RateRefusal(Refusal):
    """A visitor or an address does something too often that is no question."""


class CeilingRefusal(Refusal):
    """The site, or one of its agents, has had as many questions as the owner allows on a day."""


class WordRefusal(Refusal):
    """A question has a word that the owner does not allow."""


class FileRefusal(Refusal):
    """A file is refused; its reasons have sentences of their own."""


class ReasonRefusal(Refusal):
    """The reason of a rating is refused; it is no question, and has sentences of its own."""


class PictureRefusal(Refusal):
    """A picture of an agent is not available; all reasons share one sentence."""


class StoppingRefusal(Refusal):
    """The process is about to end and takes no new question; the next process will."""


class LiveRefusal(Refusal):
    """A visitor has as many live answers as allowed."""


class QueueRefusal(Refusal):
    """As many questions as allowed wait for the agent's account."""


class AwayRefusal(Refusal):
    """Processes share what the agent's account may be asked, and cannot reach each other."""


class StreamRefusal(Refusal):
    """This site, or an address, has as many event streams as allowed."""


class FormerAgentRefusal(Refusal):
    """An agent is not offered, or no more: earlier conversations with it can still be read."""


class BlockRefusal(Refusal):
    """The owner has shut out this visitor or address: there is no use in waiting."""


class HostRefusal(Refusal):
    """The request names a host that is not this site."""


class GuessRefusal(Refusal):
    """Too many wrong codes, keys or passwords; it has a sentence of its own."""


class CrowdRefusal(GuessRefusal):
    """Too many tries of codes, keys or passwords are waiting; `wait` is in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("rate_limited", "tries waiting for their hashes", retry_after=wait)


class SignInNeeded(Refusal):
    """This needs signing in: a person is led to the form, a program gets 401.

    `is_wrong` says that the request came with a key, and that it is wrong.
    """

    def __init__(self, detail: str, is_wrong: bool = False) -> None:
        super().__init__("sign_in", detail)
        self.is_wrong = is_wrong
