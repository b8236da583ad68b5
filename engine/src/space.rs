//! Space: stacked-expander windows (space-v1).

pub mod label;
