//! An owner's side.
