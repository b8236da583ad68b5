"""SS58 addresses of Substrate accounts."""

from __future__ import annotations

from hashlib import blake2b

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
#: Bittensor's address format.
FORMAT = 42


def _checksum(data: bytes) -> bytes:
    return blake2b(b"SS58PRE" + data).digest()[:2]


def from_ss58(address: str) -> bytes:
    """The 32 bytes of an address; raises `ValueError` if it is none."""
    number = 0
    for letter in address:
        place = _ALPHABET.find(letter)
        if place < 0:
            raise ValueError(f"{letter!r} is no letter of base 58")
        number = number * 58 + place
    data = number.to_bytes(35, "big") if number < 1 << 280 else b""
    if len(address) > 50 or len(data) != 35 or data[0] >= 64 or _checksum(data[:33]) != data[33:]:
        raise ValueError(f"{address} is no SS58 address of an account: length or checksum is wrong")
    return data[1:33]


def to_ss58(account: bytes) -> str:
    """The address of 32 bytes."""
    data = bytes([FORMAT]) + account
    data += _checksum(data)
    number = int.from_bytes(data, "big")
    letters = ""
    while number:
        number, place = divmod(number, 58)
        letters = _ALPHABET[place] + letters
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + letters
