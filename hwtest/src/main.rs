//! One binary to carry to a machine with real hardware.
fn main() {}
