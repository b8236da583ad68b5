mod committing;
mod getting;
mod liar;
mod meddler;
mod putting;
