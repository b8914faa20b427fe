"""The JWT with which a service app asks Coze for a token (platforms/coze.md §6.3)."""

from typing import Any

from emulator.accounts import DEMO
from emulator.state import here

_AUDIENCES = ["api.coze.cn", "api.coze.com"]


class Forged(Exception):
    """The JWT is not good; the text says why."""


def claims_of(encoded: str, host: str) -> dict[str, Any]:
    """The claims of a JWT signed by the demo service app; its audience may be the host it was
    sent to.
    """
    # Few need it, and it brings the cryptography library along.
    import jwt

    public_key = here().settings.coze_jwt_public_key
    if not public_key:
        raise Forged("no public key is registered: set coze_jwt_public_key")
    try:
        key_id = jwt.get_unverified_header(encoded).get("kid")
        claims = jwt.decode(
            encoded,
            public_key,
            ["RS256"],
            audience=[*_AUDIENCES, host],
            issuer=DEMO["COZE_JWT_APP_ID"],
            options={"require": ["exp", "iat", "jti", "iss", "aud"]},
        )
    except jwt.InvalidTokenError as error:
        raise Forged(f"invalid jwt: {error}") from None
    if key_id != DEMO["COZE_JWT_KEY_ID"]:
        raise Forged("invalid jwt: kid")
    return claims
