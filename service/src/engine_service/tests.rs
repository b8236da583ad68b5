mod answering;
mod calls;
mod filling;
mod stalling;
mod support;
mod verifying;
