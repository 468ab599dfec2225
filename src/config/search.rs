//! Where a config file is looked for.
//!
//! Source: `LookupConfigFile` in `config/config.go` of sops, `SOPS_CONFIG` in `cmd/sops/main.go`.

use std::fs;
use std::path::{Path, PathBuf};

use super::path;
use crate::error::Result;
use crate::keys::Environment;

const NAME: &str = ".sops.yaml";
/// A name by which people call it, and sops does not find it.
const OTHER_NAME: &str = ".sops.yml";
const VARIABLE: &str = "SOPS_CONFIG";

/// Which config file counts for somebody who works in a directory.
///
/// It is the file that `SOPS_CONFIG` names, whether or not it exists; else the first regular file `.sops.yaml` in the directory and those
/// above it; else, which sops does not do, the one in the home directory.
///
/// ```
/// use sopskit::{ConfigSearch, Environment};
///
/// let search = ConfigSearch::new("fixtures/cases/key-groups".as_ref(), &Environment::from_iter([("HOME", "")]))?;
/// assert_eq!(search.overlooked(), None);
/// # Ok::<(), sopskit::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSearch {
    config_file: Option<PathBuf>,
    overlooked: Option<PathBuf>,
}

impl ConfigSearch {
    /// Looks for the config file, and does not read it. Links are not followed on the way up.
    ///
    /// # Errors
    /// [`ErrorKind::Read`](crate::ErrorKind::Read) when `start` is empty, or relative and there is no working directory.
    pub fn new(start: &Path, environment: &Environment) -> Result<Self> {
        if let Some(named) = environment.get(VARIABLE) {
            return Ok(ConfigSearch { config_file: Some(named.into()), overlooked: None });
        }
        let start = path::absolute(start)?;
        let mut overlooked = None;
        for directory in start.ancestors().map(Path::to_owned).chain(environment.home()) {
            let file = directory.join(NAME);
            if is_file(&file) {
                return Ok(ConfigSearch { config_file: Some(file), overlooked });
            }
            overlooked = overlooked.or_else(|| Some(directory.join(OTHER_NAME)).filter(|file| is_file(file)));
        }
        Ok(ConfigSearch { config_file: None, overlooked })
    }

    /// The config file; `None` where there is none.
    #[must_use]
    pub fn config_file(&self) -> Option<&Path> {
        self.config_file.as_deref()
    }

    /// A `.sops.yml` on the way to the config file. It is not read, as sops does not read it: somebody should be told.
    #[must_use]
    pub fn overlooked(&self) -> Option<&Path> {
        self.overlooked.as_deref()
    }
}

/// Whether it is a regular file. Anybody can put something else in a directory above, such as a pipe, and whoever read that would wait forever.
fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.is_file())
}
