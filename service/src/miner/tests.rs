mod disks;
mod objects;
mod rounds;
mod scene;
mod stalling;
