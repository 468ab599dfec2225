//! A second implementation of the format, slow and plain, from the format page and not from `src/`: what sopskit is held against.
//!
//! Where the page is silent, sops decides, and for sops the documentation of Go's `strconv` and `time`.

pub mod json;
mod leaf;
mod metadata;
mod number;
mod open;
mod seal;
mod shamir;
mod time;

pub use leaf::{Plain, leaf_text, leaf_text_with};
pub use metadata::{ATOMS, FIELDS};
pub use open::{Fault, Step, additional_data, data_key, mend, open};
pub use seal::{Settings, iv, seal, tree};
