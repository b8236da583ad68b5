"""Signed messages (docs/spec/message-v1.md): canonical encoding, headers, seals.

What is signed is never protobuf's encoding, which is not unique, but all fields of a message in the order of their numbers.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from blake3 import blake3
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from .errors import Rejected
from .v1 import types_pb2

HEADER_BYTES = 192
TAG = b"HFM1"
CLOCK_SKEW_MS = 30_000
NO_REQUEST = bytes(32)

_UNSIGNED = {FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_BOOL}
_SIGNED = {FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_ENUM}


class Key(Protocol):
    """An sr25519 key pair, as ``bittensor_wallet.Keypair`` is one."""

    @property
    def public_key(self) -> bytes: ...

    def sign(self, data: bytes) -> bytes: ...


class Verifier(Protocol):
    """Whether ``signature`` is ``account``'s over ``data`` under Substrate's context."""

    def __call__(self, account: bytes, data: bytes, signature: bytes) -> bool: ...


def bittensor_verifier(account: bytes, data: bytes, signature: bytes) -> bool:
    """Verifies with the ``bittensor-wallet`` package."""
    from bittensor_wallet import Keypair

    return bool(Keypair(public_key=account.hex()).verify(data, signature))


def derive(context: str, *parts: bytes) -> bytes:
    """BLAKE3 key derivation under one of the project's contexts, 32 bytes."""
    return blake3(b"".join(parts), derive_key_context=f"holdfast v1 {context}").digest()


def canonical(message: Message) -> bytes:
    """All fields but the seal, in the order of their numbers, set or not (message-v1 §3)."""
    out = bytearray()
    _encode(message, out)
    return bytes(out)


def _encode(message: Message, out: bytearray) -> None:
    fields: Iterable[Any] = message.DESCRIPTOR.fields
    for field in sorted(fields, key=lambda field: field.number):
        if field.name == "seal":
            continue
        value = getattr(message, field.name)
        if field.is_repeated:
            out += struct.pack("<Q", len(value))
            for item in value:
                _encode_value(field, item, out)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            present = message.HasField(field.name)
            out.append(int(present))
            if present:
                _encode(value, out)
        else:
            _encode_value(field, value, out)


def _encode_value(field: FieldDescriptor, value: Any, out: bytearray) -> None:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        _encode(value, out)
    elif field.type in _UNSIGNED:
        out += struct.pack("<Q", int(value))
    elif field.type in _SIGNED:
        out += struct.pack("<q", int(value))
    elif field.type == FieldDescriptor.TYPE_DOUBLE:
        out += struct.pack("<d", value)
    elif field.type in (FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_STRING):
        data = value.encode() if isinstance(value, str) else value
        out += struct.pack("<Q", len(data)) + data
    else:
        raise TypeError(f"{field.full_name} has no canonical encoding")


def body_digest(method: str, message: Message) -> bytes:
    """Digest of a message as one of a method, such as ``holdfast.v1.Miner/Ping``."""
    name = method.encode()
    return derive("message body", struct.pack("<I", len(name)), name, canonical(message))


@dataclass(frozen=True)
class Header:
    """Who says what to whom, when, in answer to what (message-v1 §2)."""

    network: bytes
    sender: bytes
    receiver: bytes
    time_ms: int
    nonce: bytes
    answers: bytes
    body_digest: bytes

    def encode(self) -> bytes:
        """The 192 bytes."""
        return b"".join(
            (
                TAG,
                bytes(4),
                self.network,
                self.sender,
                self.receiver,
                struct.pack("<Q", self.time_ms),
                self.nonce,
                self.answers,
                self.body_digest,
            )
        )

    @staticmethod
    def decode(data: bytes) -> Header:
        """Reads a header; raises `Rejected` for anything else."""
        if len(data) != HEADER_BYTES:
            raise Rejected("wrong-length", f"message header of {len(data)} bytes, not {HEADER_BYTES}")
        if data[:8] != TAG + bytes(4):
            raise Rejected("malformed", "not a message header")
        return Header(
            network=data[8:40],
            sender=data[40:72],
            receiver=data[72:104],
            time_ms=struct.unpack_from("<Q", data, 104)[0],
            nonce=data[112:128],
            answers=data[128:160],
            body_digest=data[160:192],
        )

    def digest(self) -> bytes:
        """What an answer names."""
        return derive("message header", self.encode())

    def signing_digest(self) -> bytes:
        """What the sender signs."""
        return derive("message signing", self.encode())


@dataclass(frozen=True)
class Asked:
    """A request that was said: what its answer must name."""

    method: str
    receiver: bytes
    digest: bytes


class Correspondent:
    """One side of conversations: seals requests, checks answers."""

    def __init__(self, network: bytes, key: Key, verifier: Verifier = bittensor_verifier) -> None:
        if len(network) != 32:
            raise ValueError(f"a network of {len(network)} bytes, not 32")
        self.network = network
        self._key = key
        self._verifier = verifier

    @property
    def account(self) -> bytes:
        """The public key."""
        return bytes(self._key.public_key)

    def ask(self, method: str, receiver: bytes, message: Message) -> Asked:
        """Seals a request in place."""
        header = Header(
            network=self.network,
            sender=self.account,
            receiver=receiver,
            time_ms=time.time_ns() // 1_000_000,
            nonce=os.urandom(16),
            answers=NO_REQUEST,
            body_digest=body_digest(method, message),
        )
        signature = self._key.sign(header.signing_digest())
        seal: types_pb2.Seal = getattr(message, "seal")
        seal.header = header.encode()
        seal.signature = bytes(signature)
        return Asked(method, receiver, header.digest())

    def hear_answer(self, asked: Asked, message: Message) -> None:
        """Checks that a response is the receiver's answer to the request, now; raises `Rejected` otherwise."""
        if not message.HasField("seal"):
            raise Rejected("bad-signature", "a message without a seal")
        seal: types_pb2.Seal = getattr(message, "seal")
        header = Header.decode(seal.header)
        if header.network != self.network or header.receiver != self.account:
            raise Rejected("wrong-receiver", "the answer is for somebody else, or of another network")
        apart_ms = abs(header.time_ms - time.time_ns() // 1_000_000)
        if apart_ms > CLOCK_SKEW_MS:
            raise Rejected("stale", f"the sender's clock is {apart_ms} ms off; at most {CLOCK_SKEW_MS} ms are taken")
        if header.answers != asked.digest or header.body_digest != body_digest(asked.method, message):
            raise Rejected("wrong-challenge", "the answer is to another request, or of another body")
        if header.sender != asked.receiver:
            raise Rejected("bad-signature", "somebody else answers")
        if not self._verifier(header.sender, header.signing_digest(), seal.signature):
            raise Rejected("bad-signature", "the signature is wrong")
