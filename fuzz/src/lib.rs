//! What the fuzz targets do. See the README.
#![forbid(unsafe_code)]

pub mod checks;
pub mod reference;
pub mod seeds;
pub mod service;
mod targets;

pub use targets::config::config;
pub use targets::differential::differential;
pub use targets::document::{document, metadata};
pub use targets::key_path::key_path;
pub use targets::leaf::leaf;
pub(crate) use targets::round_trip::CHOICES;
pub use targets::round_trip::round_trip;

/// One target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("document", document),
    ("leaf", leaf),
    ("metadata", metadata),
    ("config", config),
    ("key_path", key_path),
    ("round_trip", round_trip),
    ("differential", differential),
];
