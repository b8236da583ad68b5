"""Miners and validators as Python objects. Every request is sealed, every answer checked, every byte verified."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypeVar

import grpc
from blake3 import blake3
from google.protobuf.message import Message

from .errors import Rejected, of_rpc_error
from .v1 import node_pb2, node_pb2_grpc, types_pb2
from .wire import Correspondent

PART_BYTES = 256 * 1024
_OPTIONS: list[tuple[str, Any]] = [("grpc.max_receive_message_length", 8 << 20)]
_Response = TypeVar("_Response", bound=Message)


@dataclass(frozen=True)
class Tls:
    """How nodes that speak TLS are connected to; files are PEM.

    `ca` has the authorities that vouch for nodes. `server_name` is the name in their certificates, if it is not the address. With
    `certificate` and `key` nodes that ask for a certificate get one. There is no way to take any certificate: gRPC has none.
    """

    ca: Path
    server_name: str | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are given together")

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files."""
        return grpc.ssl_channel_credentials(
            root_certificates=self.ca.read_bytes(),
            private_key=None if self.key is None else self.key.read_bytes(),
            certificate_chain=None if self.certificate is None else self.certificate.read_bytes(),
        )


def _channel(endpoint: str, tls: Tls | None) -> grpc.Channel:
    scheme, separator, target = endpoint.rpartition("://")
    if separator and scheme != ("http" if tls is None else "https"):
        raise ValueError(f"{endpoint} does not go with tls={tls}: http:// is without TLS, https:// with it")
    if tls is None:
        return grpc.insecure_channel(target, options=_OPTIONS)
    named = [] if tls.server_name is None else [("grpc.ssl_target_name_override", tls.server_name)]
    return grpc.secure_channel(target, tls.credentials(), options=_OPTIONS + named)


class _Peer:
    _service: str

    def __init__(
        self,
        endpoint: str,
        account: bytes,
        correspondent: Correspondent,
        *,
        tls: Tls | None = None,
        timeout_seconds: float = 30.0,
    ) -> None:
        self.account = account
        self._correspondent = correspondent
        self._timeout_seconds = timeout_seconds
        self._channel = _channel(endpoint, tls)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _call(self, method: str, call: Callable[..., _Response], request: Message) -> _Response:
        asked = self._correspondent.ask(f"holdfast.v1.{self._service}/{method}", self.account, request)
        try:
            response = call(request, timeout=self._timeout_seconds)
        except grpc.RpcError as error:
            raise of_rpc_error(error) from error
        self._correspondent.hear_answer(asked, response)
        return response

    def _stream(self, method: str, call: Callable[..., Iterator[_Response]], request: Message) -> Iterator[_Response]:
        self._correspondent.ask(f"holdfast.v1.{self._service}/{method}", self.account, request)
        try:
            yield from call(request)
        except grpc.RpcError as error:
            raise of_rpc_error(error) from error


class Miner(_Peer):
    """A miner, for validators and for owners of what it keeps."""

    _service = "Miner"

    @property
    def _stub(self) -> node_pb2_grpc.MinerStub:
        return node_pb2_grpc.MinerStub(self._channel)

    def ping(self) -> types_pb2.PingResponse:
        """Who is there."""
        return self._call("Ping", self._stub.Ping, types_pb2.PingRequest())

    def allocation(self) -> node_pb2.AllocationResponse:
        """What it keeps for the caller."""
        return self._call("Allocation", self._stub.Allocation, node_pb2.AllocationRequest())

    def store(self, source: BinaryIO, ticket: bytes, signature: bytes) -> node_pb2.StoreResponse:
        """Uploads an object under a validator's ticket, from where an interrupted upload ended. Durable when it returns."""
        permission = node_pb2.Ticket(ticket=ticket, signature=signature)
        progress = self._call("StoreProgress", self._stub.StoreProgress, node_pb2.StoreProgressRequest(ticket=permission))
        start = 0 if progress.complete else progress.kept_bytes
        opening = node_pb2.StoreOpen(ticket=permission, offset_bytes=start)
        asked = self._correspondent.ask("holdfast.v1.Miner/Store", self.account, opening)

        def messages() -> Iterator[node_pb2.StoreRequest]:
            yield node_pb2.StoreRequest(open=opening)
            source.seek(start)
            offset = start
            while part := source.read(PART_BYTES):
                yield node_pb2.StoreRequest(part=types_pb2.Part(offset_bytes=offset, bytes=part))
                offset += len(part)

        try:
            response = self._stub.Store(messages())
        except grpc.RpcError as error:
            raise of_rpc_error(error) from error
        self._correspondent.hear_answer(asked, response)
        return response

    def retrieve(self, root: bytes, length_bytes: int, path: Path) -> None:
        """Downloads an object whole, checks it against its root, and only then gives it the name `path`."""
        request = node_pb2.RetrieveRequest(object=types_pb2.ObjectName(root=root, length_bytes=length_bytes))
        hasher, incoming = blake3(), path.with_name(path.name + ".incoming")
        offset = 0
        with incoming.open("wb") as file:
            for event in self._stream("Retrieve", self._stub.Retrieve, request):
                offset += len(event.blocks)
                if offset > length_bytes:
                    incoming.unlink()
                    raise Rejected("wrong-length", f"more than {length_bytes} bytes came")
                hasher.update(event.blocks)
                file.write(event.blocks)
            file.flush()
            os.fsync(file.fileno())
        if offset != length_bytes or hasher.digest() != root:
            incoming.unlink()
            raise Rejected("wrong-root", f"{offset} bytes came that are not the object {root.hex()}")
        incoming.rename(path)

    def delete(self, root: bytes, length_bytes: int) -> int:
        """Deletes an object of the caller; returns the bytes freed."""
        request = node_pb2.DeleteRequest(object=types_pb2.ObjectName(root=root, length_bytes=length_bytes))
        return self._call("Delete", self._stub.Delete, request).freed_bytes

    def status(self) -> str:
        """The status page as JSON."""
        return self._call("Status", self._stub.Status, node_pb2.StatusRequest()).json


class Validator(_Peer):
    """A validator, for owners and for other validators."""

    _service = "Validator"

    @property
    def _stub(self) -> node_pb2_grpc.ValidatorStub:
        return node_pb2_grpc.ValidatorStub(self._channel)

    def ping(self) -> types_pb2.PingResponse:
        """Who is there."""
        return self._call("Ping", self._stub.Ping, types_pb2.PingRequest())

    def files(self, page: int = 256) -> Iterator[node_pb2.FileSummary]:
        """The caller's files, in the order of their roots."""
        after = b""
        while True:
            request = node_pb2.ListRequest(after=after, limit=page)
            found = self._call("List", self._stub.List, request).files
            yield from found
            if len(found) < page:
                return
            after = found[-1].file_root

    def locate(self, file_root: bytes) -> node_pb2.LocateResponse:
        """Where the pieces of a file are, best first."""
        return self._call("Locate", self._stub.Locate, node_pb2.LocateRequest(file_root=file_root))

    def release(self, file_root: bytes) -> node_pb2.ReleaseResponse:
        """Ends the care of a file."""
        return self._call("Release", self._stub.Release, node_pb2.ReleaseRequest(file_root=file_root))

    def audit(self, file_root: bytes) -> node_pb2.AuditResponse:
        """Audits a file now."""
        return self._call("Audit", self._stub.Audit, node_pb2.AuditRequest(file_root=file_root))

    def status(self) -> str:
        """Scores, tiers and rounds as JSON."""
        return self._call("Status", self._stub.Status, node_pb2.StatusRequest()).json

    def history(self, first_height: int, end_height: int, miner: bytes = b"") -> Iterator[bytes]:
        """Receipts of 312 bytes, of one miner or of all."""
        request = node_pb2.HistoryRequest(first_height=first_height, end_height=end_height, miner=miner)
        for event in self._stream("History", self._stub.History, request):
            yield event.receipt
