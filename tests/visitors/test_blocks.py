"""Whom the owner has shut out: networks of both families, names of visitors, changes at once."""

import ipaddress
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.refusals import BlockRefusal
from chat.storage import Storage
from chat.storage.models import Base
from chat.storage.owner.blocks import StoredBlocks
from chat.visitors.blocks import Blocks, is_loopback, is_private, is_too_wide, network_of
from tests.kit.clock import Clock
from tests.storage.acting import only_sqlite
from tests.storage.conftest import connect as connect
from tests.storage.conftest import database as database
from tests.storage.conftest import store as store


class NoChange:
    """Stored blocks that never change, and a clock that stands still."""

    def version(self) -> int:
        return 0

    def all(self) -> list[object]:
        return []


def blocks_of(*subjects: str) -> Blocks:
    blocks = Blocks(cast(StoredBlocks, NoChange()), Clock())
    blocks.check_address("")
    blocks.read(subjects)
    return blocks


def is_blocked(blocks: Blocks, address: str) -> bool:
    try:
        blocks.check_address(address)
    except BlockRefusal as refusal:
        assert (refusal.code, refusal.retry_after) == ("rate_limited", None)
        return True
    return False


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("203.0.113.9", "203.0.113.9/32"),
        (" 203.0.113.9/24 ", "203.0.113.0/24"),
        ("203.0.113.0/255.255.255.0", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.9/32"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("2001:db8::9", "2001:db8::/64"),
        ("2001:db8::9/48", "2001:db8::/48"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_address_or_network_is_read(text: str, network: str) -> None:
    assert str(network_of(text)) == network


@pytest.mark.parametrize("text", ["", "alice", "203.0.113", "203.0.113.9/33", "3f2a9c01d2e4", "/"])
def test_what_is_no_network_is_none(text: str) -> None:
    assert network_of(text) is None


def test_mistakes_are_known() -> None:
    texts = (
        "127.0.0.1 ::1 0.0.0.0/0 ::/0 10.1.2.3 172.17.0.1 fd00::1 203.0.113.9 2001:db8::/32 "
        "9.0.0.0/7 2400::/12"
    ).split()
    known = {text: network for text in texts if (network := network_of(text))}
    assert set(known) == set(texts)
    loopback = {text for text, network in known.items() if is_loopback(network)}
    assert loopback == {"127.0.0.1", "::1", "0.0.0.0/0", "::/0"}
    private = {text for text, network in known.items() if is_private(network)}
    assert private >= {"10.1.2.3", "172.17.0.1", "fd00::1"}
    assert not private & {"203.0.113.9", "2001:db8::/32"}
    wide = {text for text, network in known.items() if is_too_wide(network)}
    assert wide == {"0.0.0.0/0", "::/0", "9.0.0.0/7", "2400::/12"}


networks = st.lists(
    st.one_of(
        st.tuples(st.ip_addresses(v=4), st.integers(8, 32)),
        st.tuples(st.ip_addresses(v=6), st.integers(16, 64)),
    ).map(lambda pair: ipaddress.ip_network(pair, strict=False)),
    max_size=8,
)


@given(networks, st.data())
def test_exactly_the_addresses_of_blocked_networks_are_refused(
    blocked: list[ipaddress.IPv4Network | ipaddress.IPv6Network], data: st.DataObject
) -> None:
    blocks = blocks_of(*map(str, blocked))
    addresses = [st.ip_addresses()]
    addresses += [st.ip_addresses(network=network) for network in blocked]
    address = data.draw(st.one_of(addresses))
    expected = any(address in network for network in blocked if network.version == address.version)
    mapped = address.version == 6 and address.ipv4_mapped is not None
    assert mapped or is_blocked(blocks, str(address)) is expected
    if address.version == 4:
        assert is_blocked(blocks, f"::ffff:{address}") is expected


@pytest.mark.parametrize("address", ["", None, "unknown", "1.2.3", "::g", "10.0.0.1, 203.0.113.9"])
def test_an_address_that_is_none_is_let_in(address: str | None) -> None:
    blocks = blocks_of("203.0.113.0/24", "2001:db8::/48")
    blocks.check_address(address)


def test_a_visitor_is_shut_out_by_the_beginning_of_the_pseudonym() -> None:
    blocks = blocks_of("3f2a9c01d2e4", "00112233")
    for pseudonym in ("3f2a9c01d2e4" + "0" * 20, "00112233" + "f" * 24):
        with pytest.raises(BlockRefusal):
            blocks.check_visitor(pseudonym)
    blocks.check_visitor("3f2a9c01d2e5" + "0" * 20)


def test_a_change_is_known_within_a_second_and_looked_for_no_oftener(store: Storage) -> None:
    clock = Clock(0)
    blocks = Blocks(store.blocks, clock)
    assert not is_blocked(blocks, "203.0.113.9")
    assert store.blocks.add("203.0.113.0/24")
    assert not is_blocked(blocks, "203.0.113.9")
    clock.now = 1.0
    assert is_blocked(blocks, "203.0.113.9")
    assert store.blocks.remove("203.0.113.0/24") and store.blocks.add("198.51.100.0/24")
    clock.now = 2.0
    assert not is_blocked(blocks, "203.0.113.9") and is_blocked(blocks, "198.51.100.1")


def test_who_hears_of_a_change_looks_at_once(store: Storage) -> None:
    blocks = Blocks(store.blocks, Clock(0))
    assert not is_blocked(blocks, "203.0.113.9")
    store.blocks.add("203.0.113.0/24")
    assert not is_blocked(blocks, "203.0.113.9"), "it would look again in a second"
    blocks.look_again()
    assert is_blocked(blocks, "203.0.113.9")


@only_sqlite
def test_blocks_go_on_while_the_database_cannot_be_read(store: Storage) -> None:
    clock = Clock(0)
    blocks = Blocks(store.blocks, clock)
    store.blocks.add("203.0.113.0/24")
    assert is_blocked(blocks, "203.0.113.9")
    Base.metadata.drop_all(store.engine)
    clock.now = 5.0
    assert is_blocked(blocks, "203.0.113.9")


def test_a_block_is_stored_once_and_noted(store: Storage) -> None:
    assert store.blocks.add("203.0.113.0/24") and not store.blocks.add("203.0.113.0/24")
    assert store.blocks.remove("203.0.113.0/24") and not store.blocks.remove("203.0.113.0/24")
    entries = [(entry.command, entry.facts) for entry in store.owner_log.all()]
    subject = {"subject": "203.0.113.0/24"}
    assert entries == [("block", subject), ("unblock", subject)]
