"""holdfast: proofs that storage is really held. This package talks to its miners and validators."""

from .account import from_ss58, to_ss58
from .client import Miner, Tls, Validator
from .errors import Failed, HoldfastError, Rejected
from .wire import Correspondent

__all__ = ["Correspondent", "Failed", "HoldfastError", "Miner", "Rejected", "Tls", "Validator", "from_ss58", "to_ss58"]
