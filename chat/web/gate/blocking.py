"""Refuses whom the owner has shut out, from the head of a request."""

from flask import request

from chat.web import services
from chat.web.gate.visitors import asker

# The page of a refusal needs these, and probes have to go on.
NEVER_BLOCKED = {
    "static.file",
    "static.manifest",
    "ops.healthz",
    "ops.readyz",
    "ops.metrics",
}


def refuse_blocked_address() -> None:
    """Raises BlockRefusal for a request from an address or network that is shut out."""
    if request.endpoint not in NEVER_BLOCKED:
        services().blocks.check_address(request.remote_addr)


def refuse_blocked_visitor() -> None:
    """Raises BlockRefusal for a visitor, or a program with a key, who is shut out."""
    visitor = asker().visitor
    services().blocks.check_visitor(services().visitors.pseudonym(visitor))
