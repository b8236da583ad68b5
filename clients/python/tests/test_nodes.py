"""Conversations with a miner and a validator that run. tests/suite/processes/python.rs starts them and says in HOLDFAST_NODES where."""

from __future__ import annotations

import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from bittensor_wallet import Keypair

from holdfast import Correspondent, Failed, Miner, Rejected, Validator, from_ss58
from holdfast.client import PART_BYTES
from holdfast.wire import derive

pytestmark = pytest.mark.skipif("HOLDFAST_NODES" not in os.environ, reason="HOLDFAST_NODES names no nodes")
NODES: Any = json.loads(os.environ.get("HOLDFAST_NODES", "{}"))


def key(name: str) -> Keypair:
    """The key of a development name, which everybody has."""
    return Keypair.create_from_seed(derive("development secret", name.encode()).hex())


def correspondent(name: str) -> Correspondent:
    return Correspondent(bytes.fromhex(NODES["network"]), key(name))


def miner(caller: str) -> Miner:
    return Miner(NODES["miner"]["endpoint"], from_ss58(NODES["miner"]["account"]), correspondent(caller))


def validator(caller: str) -> Validator:
    return Validator(NODES["validator"]["endpoint"], from_ss58(NODES["validator"]["account"]), correspondent(caller))


def test_both_say_who_is_there() -> None:
    with miner("owner") as peer:
        assert peer.ping().version
        assert json.loads(peer.status())
    with validator("owner") as peer:
        assert peer.ping().head.height > 0
        status = json.loads(peer.status())
        assert status["validator"] == NODES["validator"]["account"]
        assert status["in_charge"]


def test_seals_are_verified_both_ways() -> None:
    # Another account than the one that answers.
    wrong = Miner(NODES["miner"]["endpoint"], from_ss58(NODES["validator"]["account"]), correspondent("owner"))
    with wrong, pytest.raises(Rejected) as refused:
        wrong.ping()
    assert refused.value.class_name == "wrong-receiver"
    # Another network than the one that the node is of.
    other = Correspondent(bytes(32), key("owner"))
    with Miner(NODES["miner"]["endpoint"], from_ss58(NODES["miner"]["account"]), other) as peer, pytest.raises(Rejected):
        peer.ping()


def test_an_object_is_stored_retrieved_and_deleted(tmp_path: Path) -> None:
    data = Path(NODES["object"]).read_bytes()
    assert len(data) > PART_BYTES
    ticket, signature = bytes.fromhex(NODES["ticket"]), bytes.fromhex(NODES["ticket_signature"])
    with miner(NODES["owner"]) as peer:
        stored = peer.store(BytesIO(data), ticket, signature)
        assert stored.object.length_bytes == len(data) and not stored.kept_already
        root = stored.object.root
        assert peer.store(BytesIO(data), ticket, signature).kept_already
        peer.retrieve(root, len(data), tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == data
        with miner("somebody else") as stranger, pytest.raises((Failed, Rejected)):
            stranger.retrieve(root, len(data), tmp_path / "stolen")
        assert peer.delete(root, len(data)) > 0
        with pytest.raises(Failed):
            peer.retrieve(root, len(data), tmp_path / "gone")


def test_what_a_validator_keeps_for_a_miner_is_allocated() -> None:
    with miner("validator") as peer:
        allocation = peer.allocation()
        assert allocation.free_object_bytes > 0
        assert [partition.windows_registered > 0 for partition in allocation.partitions] == [True]


def test_a_file_in_care_is_found_audited_and_released(tmp_path: Path) -> None:
    with validator(NODES["owner"]) as peer:
        (file,) = peer.files()
        assert file.pieces == file.healthy_pieces == 3
        located = peer.locate(file.file_root)
        for holder in located.holders:
            name, path = holder.piece.object, tmp_path / f"piece-{holder.piece.shard}"
            with Miner(holder.endpoint, holder.miner, correspondent(NODES["owner"])) as keeper:
                keeper.retrieve(name.root, name.length_bytes, path)
            assert path.stat().st_size == name.length_bytes
        audited = peer.audit(file.file_root)
        assert [piece.accepted for piece in audited.pieces] == [True] * 3
        peer.release(file.file_root)
        assert list(peer.files()) == []
        receipts = list(peer.history(0, 1 << 62))
        assert all(len(receipt) == 312 for receipt in receipts)


def test_who_is_not_the_owner_is_told_of_no_file() -> None:
    with validator("somebody else") as peer:
        assert list(peer.files()) == []
        with pytest.raises((Failed, Rejected)):
            peer.locate(bytes(32))
