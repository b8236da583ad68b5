"""Canonical encodings and seals, without a peer. Conversations with real ones: tests/test_nodes.py."""

import struct

import pytest
from bittensor_wallet import Keypair

from holdfast import Correspondent, Rejected, from_ss58, to_ss58
from holdfast.v1 import node_pb2, types_pb2
from holdfast.wire import HEADER_BYTES, Header, body_digest, canonical

NETWORK = bytes([1]) * 32
METHOD = "holdfast.v1.Miner/Delete"


def node(uri: str) -> Correspondent:
    return Correspondent(NETWORK, Keypair.create_from_uri(uri))


def delete() -> node_pb2.DeleteRequest:
    return node_pb2.DeleteRequest(object=types_pb2.ObjectName(root=bytes([5]) * 32, length_bytes=9))


def test_the_canonical_encoding_is_the_specs() -> None:
    # message-v1 §3 by hand, the same case as in the Rust tests.
    request = node_pb2.RetrieveRequest(
        object=types_pb2.ObjectName(root=bytes([5]) * 32, length_bytes=9), offset_bytes=0x0102, length_bytes=3
    )
    expected = b"\1" + struct.pack("<Q", 32) + bytes([5]) * 32 + struct.pack("<QQQ", 9, 0x0102, 3)
    assert canonical(request) == expected
    request.seal.header = b"not signed by itself"
    assert canonical(request) == expected
    assert canonical(node_pb2.DeleteRequest()) != canonical(node_pb2.DeleteRequest(object=types_pb2.ObjectName()))


def answer_of(bob: Correspondent, alice: Correspondent, request: Header, freed_bytes: int) -> node_pb2.DeleteResponse:
    response = node_pb2.DeleteResponse(freed_bytes=freed_bytes)
    bob.ask(METHOD, alice.account, response)
    header = Header.decode(response.seal.header)
    header = Header(**{**header.__dict__, "answers": request.digest()})
    response.seal.header = header.encode()
    response.seal.signature = bytes(Keypair.create_from_uri("//Bob").sign(header.signing_digest()))
    return response


def test_answers_are_believed_only_as_they_were_said() -> None:
    alice, bob = node("//Alice"), node("//Bob")
    request = delete()
    asked = alice.ask(METHOD, bob.account, request)
    header = Header.decode(request.seal.header)
    assert len(request.seal.header) == HEADER_BYTES and header.body_digest == body_digest(METHOD, request)
    response = answer_of(bob, alice, header, 7)
    alice.hear_answer(asked, response)

    def refused(message: node_pb2.DeleteResponse) -> str:
        with pytest.raises(Rejected) as error:
            alice.hear_answer(asked, message)
        return error.value.class_name

    changed = node_pb2.DeleteResponse()
    changed.CopyFrom(response)
    changed.freed_bytes = 8
    assert refused(changed) == "wrong-challenge"
    other = answer_of(bob, alice, Header.decode(delete_again(alice, bob)), 7)
    assert refused(other) == "wrong-challenge"
    unsigned = node_pb2.DeleteResponse(freed_bytes=7)
    assert refused(unsigned) == "bad-signature"
    forged = node_pb2.DeleteResponse()
    forged.CopyFrom(response)
    forged.seal.signature = bytes(64)
    assert refused(forged) == "bad-signature"


def delete_again(alice: Correspondent, bob: Correspondent) -> bytes:
    request = delete()
    alice.ask(METHOD, bob.account, request)
    return request.seal.header


def test_addresses_are_those_of_substrate() -> None:
    key = Keypair.create_from_uri("//Alice")
    assert to_ss58(bytes(key.public_key)) == key.ss58_address == "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
    assert from_ss58(key.ss58_address) == bytes(key.public_key)
    for wrong in ("", "5Grw", key.ss58_address[:-1] + "Z", key.ss58_address + "1", "0" * 48):
        with pytest.raises(ValueError):
            from_ss58(wrong)
