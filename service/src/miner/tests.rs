mod objects;
mod rounds;
mod scene;
