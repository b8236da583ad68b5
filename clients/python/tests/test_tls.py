"""Connections with TLS, to a server of gRPC's own with certificates that openssl makes."""

import subprocess
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from bittensor_wallet import Keypair

from holdfast import Correspondent, Failed, Miner, Tls
from holdfast.v1 import node_pb2_grpc

NETWORK = bytes([1]) * 32
# What a server answers that implements nothing: it was reached.
REACHED = grpc.StatusCode.UNIMPLEMENTED


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path


def certificate(folder: Path, name: str) -> Certificate:
    """One that vouches for itself, for a name or an address."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    kind = "IP" if name[0].isdigit() else "DNS"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    files = ["-addext", f"subjectAltName={kind}:{name}", "-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command + files, check=True, capture_output=True)
    return made


@dataclass(frozen=True)
class Server:
    port: int
    own: Certificate
    client: Certificate

    def code(self, tls: Tls | None, endpoint: str = "127.0.0.1:{}") -> grpc.StatusCode:
        """With which code a call ends."""
        me = Correspondent(NETWORK, Keypair.create_from_uri("//Alice"))
        bob = Keypair.create_from_uri("//Bob").public_key
        with Miner(endpoint.format(self.port), bob, me, tls=tls) as miner, pytest.raises(Failed) as error:
            miner.ping()
        return error.value.code


def start(folder: Path, name: str, mutual: bool) -> Iterator[Server]:
    own, client = certificate(folder, name), certificate(folder, "client")
    root = client.certificate.read_bytes() if mutual else None
    pair = (own.key.read_bytes(), own.certificate.read_bytes())
    server = grpc.server(futures.ThreadPoolExecutor(2))
    node_pb2_grpc.add_MinerServicer_to_server(node_pb2_grpc.MinerServicer(), server)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair], root, mutual))
    server.start()
    yield Server(port, own, client)
    server.stop(None).wait()


@pytest.fixture
def by_address(tmp_path: Path) -> Iterator[Server]:
    yield from start(tmp_path, "127.0.0.1", mutual=False)


@pytest.fixture
def by_name(tmp_path: Path) -> Iterator[Server]:
    yield from start(tmp_path, "miner.example", mutual=True)


def test_a_trusted_server_is_reached_and_no_other(by_address: Server) -> None:
    trusted = Tls(by_address.own.certificate)
    assert by_address.code(trusted) == REACHED
    assert by_address.code(trusted, "https://127.0.0.1:{}") == REACHED
    for wrong in (None, Tls(by_address.client.certificate)):
        assert by_address.code(wrong) == grpc.StatusCode.UNAVAILABLE


def test_a_server_that_wants_certificates_gets_ours(by_name: Server) -> None:
    own, client = by_name.own.certificate, by_name.client
    ours = Tls(own, server_name="miner.example", certificate=client.certificate, key=client.key)
    assert by_name.code(ours) == REACHED
    for wrong in (Tls(own, server_name="miner.example"), Tls(own, certificate=client.certificate, key=client.key)):
        assert by_name.code(wrong) == grpc.StatusCode.UNAVAILABLE


def test_what_contradicts_itself_is_refused(by_address: Server) -> None:
    with pytest.raises(ValueError, match="given together"):
        Tls(by_address.own.certificate, key=by_address.own.key)
    with pytest.raises(ValueError, match="does not go with"):
        by_address.code(None, "https://127.0.0.1:{}")
    with pytest.raises(ValueError, match="does not go with"):
        by_address.code(Tls(by_address.own.certificate), "http://127.0.0.1:{}")
