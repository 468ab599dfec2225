//! Paths as text: what a `path_regex` is held against.

use std::path::{Component, Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// The path from the root, without `.` and `..`. Links are not followed: as in sops, the spelling counts.
pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(|error| Error::io(ErrorKind::Read, path, error))?;
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(clean.pop()),
            component => clean.push(component),
        }
    }
    Ok(clean)
}

/// A file's path from the directory of the config file; its absolute path where it lies elsewhere.
///
/// With `slashes`, a `\` in either path separates as `/` does, and the answer has none.
pub(super) fn matched(config: &Path, file: &Path, slashes: bool) -> Result<String> {
    let [config, file] = [config, file].map(|path| match slashes {
        true => PathBuf::from(path.to_string_lossy().replace('\\', "/")),
        false => path.to_owned(),
    });
    let (config, file) = (absolute(&config)?, absolute(&file)?);
    // sops takes nothing away where the directory is the root.
    let directory = config.parent().filter(|directory| directory.parent().is_some());
    let relative = directory.and_then(|directory| file.strip_prefix(directory).ok());
    let text = relative.unwrap_or(&file).to_string_lossy();
    Ok(if slashes { text.replace('\\', "/") } else { text.into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_the_directory_of_the_config_file() {
        for (config, file, expected) in [
            ("/repo/.sops.yaml", "/repo/a.json", "a.json"),
            ("/repo/.sops.yaml", "/repo/x/../y//./a.json", "y/a.json"),
            ("/repo/x/../.sops.yaml", "/repo/a.json", "a.json"),
            ("/repo/conf/sops.yaml", "/repo/a.json", "/repo/a.json"),
            ("/repo/.sops.yaml", "/repo2/a.json", "/repo2/a.json"),
            ("/.sops.yaml", "/a.json", "/a.json"),
            (".sops.yaml", "a.json", "a.json"),
            ("conf/sops.yaml", "./conf/x/a.json", "x/a.json"),
        ] {
            let text = matched(Path::new(config), Path::new(file), true).unwrap();
            // On Windows an absolute path has the letter of a drive.
            assert_eq!(text.split_once(':').map_or(text.as_str(), |(_, path)| path), expected, "{config} {file}");
        }
    }

    #[test]
    fn a_backslash_separates_when_asked_for() {
        let [config, file] = [r"C:\repo\.sops.yaml", r"C:\repo\secrets\a.json"].map(Path::new);
        assert_eq!(matched(config, file, true).unwrap(), "secrets/a.json");
        assert_eq!(matched(Path::new("/repo/.sops.yaml"), Path::new(r"/repo/x\a.json"), true).unwrap(), "x/a.json");
        #[cfg(unix)]
        assert_eq!(matched(Path::new("/repo/.sops.yaml"), Path::new(r"/repo/x\a.json"), false).unwrap(), r"x\a.json");
    }

    #[test]
    fn an_empty_path_is_an_error() {
        assert_eq!(matched(Path::new("/repo/.sops.yaml"), Path::new(""), false).unwrap_err().kind(), ErrorKind::Read);
    }
}
