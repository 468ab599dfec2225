//! Whether another provider's name can lead to the files of one.

use std::collections::BTreeSet;
use std::fs as std_fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fs::FileId;
use crate::storage::provider::Provider;

/// How many names are remembered.
const MAX_STEMS: usize = 1024;

/// What is known of this.
#[derive(Default)]
pub(super) struct Namesakes(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The directory in which names of files are two when they differ in case. What a directory makes of case, it does as long as there are files in it.
    directory: Option<FileId>,
    /// The names whose lock file there was seen not to bear another one.
    stems: BTreeSet<String>,
}

impl Namesakes {
    /// Whether files of this provider, in this directory, can be those of another one. The lock file then tells, by the name in it.
    pub(super) fn may_be(&self, provider: &Provider<'_>, directory: Option<FileId>) -> bool {
        let known = self.known();
        let is_known = directory.is_some() && known.directory == directory && known.stems.contains(provider.stem());
        !provider.is_only_one_of_stem() || !is_known
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

    /// Once the lock file of the provider was seen not to bear another name.
    pub(super) fn remember(&self, provider: &Provider<'_>, directory: FileId) {
        let mut known = self.known();
        if known.directory != Some(directory) || known.stems.len() >= MAX_STEMS {
            *known = Known { directory: Some(directory), stems: BTreeSet::new() };
        }
        known.stems.insert(provider.stem().to_owned());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
