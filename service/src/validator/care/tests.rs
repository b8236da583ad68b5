mod counting;
mod doubting;
mod registering;
mod tending;
