//! Space: stacked-expander windows (space-v1).

pub mod label;
pub mod record;
pub mod response;
pub mod seal;
pub mod security;
pub mod strata;
pub mod verify;
pub mod window;
