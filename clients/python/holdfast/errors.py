"""What goes wrong, told apart: their bytes were refused, or they could not do it."""

from __future__ import annotations

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

DOMAIN = "holdfast.v1"


class HoldfastError(Exception):
    """Anything that this package raises on its own account."""


class Rejected(HoldfastError):
    """Bytes were refused, by us or by the peer; `class_name` is one of challenge-v1 §8."""

    def __init__(self, class_name: str, message: str) -> None:
        super().__init__(f"{class_name}: {message}")
        self.class_name = class_name


class Failed(HoldfastError):
    """The peer could not do it; `advice` says what to do, if it knows."""

    def __init__(self, code: grpc.StatusCode, reason: str, message: str, advice: str | None) -> None:
        super().__init__(message if advice is None else f"{message} ({advice})")
        self.code = code
        self.reason = reason
        self.advice = advice


def of_rpc_error(error: grpc.RpcError) -> HoldfastError:
    """The typed error in the details of a status."""
    assert isinstance(error, grpc.Call)
    message = error.details() or ""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            if info.metadata.get("kind") == "rejection":
                return Rejected(info.reason, message.removeprefix(f"{info.reason}: "))
            return Failed(error.code(), info.reason, message, info.metadata.get("advice"))
    return Failed(error.code(), error.code().name.lower(), message, None)
