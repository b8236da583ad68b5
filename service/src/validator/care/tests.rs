mod by_hand;
mod counting;
mod doubting;
mod registering;
mod tending;
