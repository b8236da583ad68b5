mod doubting;
mod registering;
mod tending;
