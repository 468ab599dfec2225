//! Whether another provider's name can lead to the files of one.

use std::fs as std_fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fs::FileId;
use crate::storage::provider::Provider;

/// What is known of this: the directory in which names of files are two when they differ in case. What a directory makes of case, it does as long as there
/// are files in it.
#[derive(Default)]
pub(super) struct Namesakes(Mutex<Option<FileId>>);

impl Namesakes {
    /// Whether files of this provider, in this directory, can be those of another one. The lock file then tells, by the name in it.
    pub(super) fn may_be(&self, provider: &Provider<'_>, directory: Option<FileId>) -> bool {
        !provider.is_only_one_of_stem() || directory.is_none() || *self.known() != directory
    }

    /// Finds out what the directory of an existing file makes of case; `None` where that cannot be told.
    ///
    /// It counts only if the file is there afterwards too.
    pub(super) fn directory_of_two_cases(path: &Path) -> Option<FileId> {
        let directory = path.parent()?;
        let swap = |c: char| if c.is_ascii_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
        let swapped: String = path.file_name()?.to_str()?.chars().map(swap).collect();
        let before = FileId::of(directory);
        let error = std_fs::symlink_metadata(directory.join(swapped)).err()?;
        // Not one that took its place meanwhile.
        before.filter(|_| error.kind() == io::ErrorKind::NotFound && FileId::of(directory) == before)
    }

    pub(super) fn remember(&self, directory: FileId) {
        *self.known() = Some(directory);
    }

    fn known(&self) -> MutexGuard<'_, Option<FileId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
