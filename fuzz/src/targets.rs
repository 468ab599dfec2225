//! A function for each target.

pub(crate) mod config;
pub(crate) mod differential;
pub(crate) mod document;
mod edits;
pub(crate) mod grow;
pub(crate) mod key_path;
pub(crate) mod leaf;
pub(crate) mod round_trip;
