//! The config file of a command.

use std::path::Path;

use sopskit::{Config, ConfigSearch, Environment, Error};

use crate::args::Global;
use crate::exit::{self, Failure};
use crate::files::say;

/// The config file that a flag names, else the one that is found.
pub(crate) fn load(global: &Global) -> Result<Option<Config>, Failure> {
    if let Some(path) = &global.config {
        tracing::info!("the config file is {}", path.display());
        return Config::load(path).map(Some).map_err(|error| unusable(&error));
    }
    let search = ConfigSearch::new(Path::new("."), &Environment::process()).map_err(|error| unusable(&error))?;
    if let Some(path) = search.overlooked() {
        say!("sopskit: {} is not read, its name must be .sops.yaml", path.display());
    }
    match search.config_file() {
        Some(path) => tracing::info!("the config file is {}", path.display()),
        None => tracing::info!("there is no config file"),
    }
    search.config_file().map(Config::load).transpose().map_err(|error| unusable(&error))
}

pub(crate) fn unusable(error: &Error) -> Failure {
    let code = if error.is_not_found() { exit::NO_CONFIG } else { exit::CANNOT_READ_CONFIG };
    Failure::new(code, error.to_string())
}
