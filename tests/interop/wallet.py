"""Wallet files, addresses and signatures of `bittensor-wallet`, which holdfast must read, and which must read holdfast's.

    python wallet.py make FOLDER [--fresh]   writes a wallet of every kind of key, and cases.json that says what is in it
    python wallet.py check FOLDER            reads keys that holdfast wrote, as claims.json lists them; writes answers.json

`make` without --fresh made tests/fixtures/wallet: its secrets are well-known test phrases. With --fresh they are new ones.
"""

import argparse
import json
import sys
from pathlib import Path

from bittensor_wallet import CRYPTO_ED25519, Keypair, Wallet
from bittensor_wallet.keyfile import (
    keyfile_data_encryption_method,
    legacy_encrypt_keyfile_data,
    serialized_keypair_to_keyfile_data,
)

WALLET = "interop"
PASSWORD = "Correct-horse 7 bättery"
# Well known: two of BIP 39's test vectors, and the phrase of Substrate's development keys.
TWELVE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
TWENTY_FOUR = "letter advice cage absurd amount doctor acoustic avoid " * 2 + "letter advice cage absurd amount doctor acoustic bless"
DEVELOPMENT = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"
SEED = "0x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PATHS = ["//Alice", "/soft", "//hard/soft//7", "//18446744073709551615", "//" + "long" * 20, "//a///password"]
MESSAGES = [b"", b"holdfast", "Zürich\n".encode(), bytes(range(256))]


def write_public(name, pair):
    """A public file beside each key, as `Wallet.create_new_hotkey` has it."""
    wallet = Wallet(name=WALLET, hotkey=name, path=str(folder / "wallets"))
    wallet.set_hotkeypub(pair, overwrite=True)


def signatures(pair):
    signed = [(message, pair.sign(message)) for message in MESSAGES]
    # Browsers' wallets wrap what they sign, and the check takes both.
    signed.append((b"wrapped", pair.sign(b"<Bytes>wrapped</Bytes>")))
    assert all(pair.verify(message, signature) for message, signature in signed)
    return [{"message": message.hex(), "signature": signature.hex()} for message, signature in signed]


def case(name, pair, secret, **more):
    return {
        "hotkey": name,
        "secret": secret,
        "address": pair.ss58_address,
        "public_key": pair.public_key.hex(),
        "signatures": signatures(pair) if secret != "absent" else [],
        **more,
    }


def make(fresh):
    def words(count, known):
        return Keypair.generate_mnemonic(count) if fresh else known

    twelve = words(12, TWELVE)
    keys = {
        "words12": Keypair.create_from_mnemonic(twelve),
        "words24": Keypair.create_from_mnemonic(words(24, TWENTY_FOUR)),
        "seed": Keypair.create_from_seed(SEED),
    }
    cases = []
    for name, pair in keys.items():
        Wallet(name=WALLET, hotkey=name, path=str(folder / "wallets")).set_hotkey(pair, encrypt=False, overwrite=True)
        write_public(name, pair)
        cases.append(case(name, pair, "open"))
    cases[0]["mnemonic"] = twelve
    cases[2]["seed"] = SEED

    sealed = Wallet(name=WALLET, hotkey="sealed", path=str(folder / "wallets"))
    pair = Keypair.create_from_mnemonic(words(12, DEVELOPMENT))
    sealed.set_hotkey(pair, encrypt=True, overwrite=True, hotkey_password=PASSWORD)
    write_public("sealed", pair)
    sealed.set_coldkey(pair, encrypt=True, overwrite=True, coldkey_password=PASSWORD)
    sealed.set_coldkeypub(pair, overwrite=True)
    cases.append(case("sealed", pair, "sealed"))
    cases.append(case(None, pair, "sealed"))

    public = Keypair(ss58_address=keys["words12"].ss58_address)
    write_public("away", public)
    cases.append(case("away", public, "absent"))

    development = words(12, DEVELOPMENT)
    for number, path in enumerate(PATHS):
        pair = Keypair.create_from_uri(development + path)
        name = f"path{number}"
        wallet = Wallet(name=WALLET, hotkey=name, path=str(folder / "wallets"))
        wallet.set_hotkey(pair, encrypt=False, overwrite=True)
        cases.append(case(name, pair, "open", uri=development + path))

    # What holdfast refuses: another kind of signature, and what the package encrypted with years ago.
    hotkeys = folder / "wallets" / WALLET / "hotkeys"
    other = Keypair.create_from_mnemonic(twelve, crypto_type=CRYPTO_ED25519)
    (hotkeys / "ed25519").write_bytes(serialized_keypair_to_keyfile_data(other))
    vault = legacy_encrypt_keyfile_data(serialized_keypair_to_keyfile_data(keys["words12"]), password=PASSWORD)
    assert keyfile_data_encryption_method(vault) == "Ansible Vault"
    (hotkeys / "vault").write_bytes(vault)

    (folder / "password.txt").write_text(PASSWORD + "\n", encoding="utf-8")
    (folder / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")


def check():
    answers = []
    for claim in json.loads((folder / "claims.json").read_text()):
        what = f"{claim['wallet']}/{claim['hotkey'] or 'coldkey'}"
        wallet = Wallet(name=claim["wallet"], hotkey=claim["hotkey"] or "default", path=str(folder / "wallets"))
        if claim["hotkey"] is None:
            pair, public = wallet.get_coldkey(password=claim["password"]), wallet.coldkeypub
        else:
            pair, public = wallet.get_hotkey(password=claim["password"]), wallet.hotkeypub
        found = [pair.ss58_address, public.ss58_address, pair.public_key.hex()]
        expected = [claim["address"], claim["address"], claim["public_key"]]
        assert found == expected, f"{what}: found {found}, expected {expected}"
        message = bytes.fromhex(claim["message"])
        assert public.verify(message, claim["signature"]), f"{what}: the signature does not verify"
        assert not public.verify(message + b"x", claim["signature"]), f"{what}: verifies anything"
        if claim["mnemonic"] is not None:
            again = Keypair.create_from_mnemonic(claim["mnemonic"])
            assert again.ss58_address == claim["address"], f"{what}: the mnemonic is of {again.ss58_address}"
        answers.append({"address": pair.ss58_address, "message": message.hex(), "signature": pair.sign(message).hex()})
    assert answers, "claims.json is empty"
    (folder / "answers.json").write_text(json.dumps(answers))


parser = argparse.ArgumentParser()
parser.add_argument("what", choices=["make", "check"])
parser.add_argument("folder", type=Path)
parser.add_argument("--fresh", action="store_true")
arguments = parser.parse_args()
folder = arguments.folder
if arguments.what == "make":
    make(arguments.fresh)
else:
    check()
sys.stdout.flush()
