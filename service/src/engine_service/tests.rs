mod answering;
mod calls;
mod filling;
mod support;
mod verifying;
