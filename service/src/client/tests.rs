mod getting;
mod liar;
mod putting;
