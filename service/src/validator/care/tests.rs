mod registering;
mod tending;
