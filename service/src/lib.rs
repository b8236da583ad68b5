//! The holdfast command and, later, the network service.
