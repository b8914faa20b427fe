"""Who is the owner: by ADMIN_PASSWORD, or by the password that was chosen in the browser."""

import hashlib
import hmac

from pydantic import SecretStr

from chat.offload import beside_others
from chat.owner.one_time import OneTimeCodes
from chat.owner.passwords import PASSWORD
from chat.settings import hashes
from chat.settings.hashes import Hash
from chat.storage.owner.values import Entry, OwnerValues
from chat.visitors.codes import hash_of
from chat.visitors.guessing import Guessing, Origin, Try
from chat.visitors.matching import Matcher


class Owner:
    """Checks the owner's password against its hash, and brakes those who guess it.

    What the settings say wins. The chosen one is read from the database each time, so that every
    process knows of a change at once.
    """

    def __init__(
        self, password: SecretStr | None, secret_key: str, values: OwnerValues, guessing: Guessing
    ) -> None:
        self._set = password.get_secret_value() if password else None
        self._set_hash = _hash_in_memory(self._set) if self._set else None
        self._key = secret_key.encode()
        self._values = values
        self.brake = guessing.brake("owner")
        self.codes = OneTimeCodes(values, secret_key)
        self._matcher: tuple[str, Matcher] | None = None

    @property
    def is_locked(self) -> bool:
        """Whether the settings have a password, so that none can be chosen in the browser."""
        return self._set is not None

    @property
    def may_exist(self) -> bool:
        """Whether the site has a password for its owner at all."""
        return self.mark is not None

    @property
    def mark(self) -> str | None:
        """What changes with the password and the codes, and says nothing of them; None without."""
        text = self._set or self._chosen()
        if text is None:
            return None
        proofs = f"owner:{text}\n{self.codes.mark}"
        return hmac.new(self._key, proofs.encode(), hashlib.sha256).hexdigest()

    def knows(self, password: str | None, address: str, code: str | None = None) -> bool:
        """Whether this is the owner's password, and the `code` one that is good now.

        None asks for no code. Raises GuessRefusal after too many wrong ones.
        """
        matcher = self._current()
        if matcher is None or not password:
            return False

        def is_right(current: Try) -> bool:
            is_known = all(matcher.match(password, current))
            return is_known and (code is None or self.codes.verify(code))

        return self.brake.attempt(Origin(address), is_right)

    def choose(self, password: str) -> None:
        """Makes this the owner's password; sessions that began with another one have ended."""
        recipe = hashes.new_recipe(hashes.WORK_IN_FILES)
        password_hash = beside_others(lambda: hashes.make_hash(password, recipe))
        self._values.put(PASSWORD, str(password_hash), Entry("password", {}))

    def _chosen(self) -> str | None:
        text = self._values.get(PASSWORD).value
        return text if isinstance(text, str) else None

    def _current(self) -> Matcher | None:
        """What a try is compared with. It is kept, since its lanes count who waits."""
        text = str(self._set_hash) if self._set_hash else self._chosen()
        if text is None:
            return None
        if self._matcher is None or self._matcher[0] != text:
            known = self._set_hash or hashes.parse_hash(text)
            self._matcher = (text, Matcher([known]))
        return self._matcher[1]


def _hash_in_memory(password: str) -> Hash:
    return hash_of(password, hashes.new_recipe(hashes.WORK_IN_MEMORY))
