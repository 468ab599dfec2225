//! An encrypted file as it was read.

use super::tape::{Measured, Members, Planting, Read, Tape};
use super::{Indent, check_mark, read, text_of};
use crate::error::Result;
use crate::secret::{Bytes, Shared};
use crate::tree::Map;

/// The text of an encrypted file, and where everything stands in it.
pub(crate) struct Sealed {
    text: Shared,
    tape: Tape,
}

impl Sealed {
    pub(crate) fn read(bytes: &[u8], of_text: fn(&str) -> usize) -> Result<Self> {
        let text = text_of(bytes)?;
        let tape = read(text, of_text)?;
        Ok(Sealed { text: Shared::from(text), tape })
    }

    /// As [`read`](Self::read), without a copy of the bytes.
    pub(crate) fn take(bytes: Bytes, of_text: fn(&str) -> usize) -> Result<Self> {
        check_mark(&bytes)?;
        match bytes.into_text() {
            Ok(text) => {
                let tape = read(&text, of_text)?;
                Ok(Sealed { text: Shared::from(text), tape })
            }
            // It fails there too, and tells the place.
            Err(bytes) => Sealed::read(&bytes, of_text),
        }
    }

    /// All of the text.
    pub(crate) fn text(&self) -> Shared {
        self.text.clone()
    }

    /// The members, but not the one called `without`.
    pub(crate) fn members(&self, without: &str) -> Members<'_> {
        self.tape.root(&self.text).members_without(Some(without))
    }

    /// How much all of it is to write, with what is left out.
    pub(crate) fn measure(&self, indent: Indent) -> Measured {
        self.tape.measure(indent, &self.text)
    }

    /// Members as a tree, whose strings are parts of the text.
    pub(crate) fn plant(&self, members: Members<'_>) -> Map {
        Planting::public(&self.text).map(members)
    }

    /// Where the member called `key` stands.
    pub(crate) fn place(&self, key: &str) -> Option<Read<'_>> {
        let mut members = self.tape.root(&self.text).members_without(None);
        Some(members.find(|member| member.0 == key)?.1)
    }
}
