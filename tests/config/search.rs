//! Where a config file is looked for.

use std::fs;

use sopskit::{Config, ConfigSearch, Environment, ErrorKind};

const EMPTY: &str = "creation_rules: []\n";

#[test]
fn the_nearest_config_file_counts_and_the_one_at_home_last() {
    let tree = tempfile::tempdir().unwrap();
    let [root, work, inner, home] = ["", "work", "work/a/b", "home"].map(|path| tree.path().join(path));
    fs::create_dir_all(&inner).unwrap();
    fs::create_dir_all(&home).unwrap();
    let environment = Environment::from_iter([("HOME", &home), ("USERPROFILE", &home)]);
    let find = || Config::find(&inner, &environment).unwrap().map(|config| config.path().to_owned());
    // Whatever lies above the folder for temporary files is not this test's.
    let above = find();
    assert!(above.is_none_or(|path| !path.starts_with(&root)));
    for folder in [home.clone(), root, work, inner.clone()] {
        let file = folder.join(".sops.yaml");
        fs::write(&file, EMPTY).unwrap();
        assert_eq!(find().unwrap(), file);
    }
}

#[test]
fn the_config_file_that_the_environment_names_counts_before_all_others() {
    let tree = tempfile::tempdir().unwrap();
    let named = tree.path().join("named.yaml");
    fs::write(tree.path().join(".sops.yaml"), EMPTY).unwrap();
    let environment = Environment::from_iter([("SOPS_CONFIG", &named)]);
    let error = Config::find(tree.path(), &environment).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(error.file(), Some(named.as_path()));
    fs::write(&named, EMPTY).unwrap();
    assert_eq!(Config::find(tree.path(), &environment).unwrap().unwrap().path(), named);
    let environment = Environment::from_iter([("SOPS_CONFIG", "")]);
    assert_eq!(Config::find(tree.path(), &environment).unwrap().unwrap().path(), tree.path().join(".sops.yaml"));
}

#[test]
fn a_config_file_with_the_other_ending_is_not_read_but_told_of() {
    let tree = tempfile::tempdir().unwrap();
    let inner = tree.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join(".sops.yml"), EMPTY).unwrap();
    let environment = Environment::from_iter([("HOME", tree.path()), ("USERPROFILE", tree.path())]);
    fs::write(tree.path().join(".sops.yaml"), EMPTY).unwrap();
    let search = ConfigSearch::new(&inner, &environment).unwrap();
    assert_eq!(search.config_file(), Some(tree.path().join(".sops.yaml").as_path()));
    assert_eq!(search.overlooked(), Some(inner.join(".sops.yml").as_path()));
}

#[test]
fn what_cannot_be_read_is_an_error_with_the_name_of_the_file() {
    let tree = tempfile::tempdir().unwrap();
    let file = tree.path().join(".sops.yaml");
    for (bytes, kind) in [
        (&b"creation_rules: []\n# \xff\n"[..], ErrorKind::NotUtf8),
        (b"\xff\xfec\0r\0", ErrorKind::NotUtf8),
        (&vec![b'\n'; 1024 * 1024 + 1], ErrorKind::Read),
        (b"creation_rules: {}", ErrorKind::InvalidConfig),
    ] {
        fs::write(&file, bytes).unwrap();
        let error = Config::load(&file).unwrap_err();
        assert_eq!((error.kind(), error.file()), (kind, Some(file.as_path())), "{error}");
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(Config::load(&file).unwrap_err().kind(), ErrorKind::Read);
}

#[test]
#[cfg(unix)]
fn what_is_no_regular_file_is_passed_over_on_the_way_up_and_nothing_waits_for_it() {
    let tree = tempfile::tempdir().unwrap();
    let [work, inner] = ["work", "work/inner"].map(|path| tree.path().join(path));
    fs::create_dir_all(inner.join(".sops.yaml")).unwrap();
    for name in [".sops.yaml", ".sops.yml"] {
        assert!(std::process::Command::new("mkfifo").arg(work.join(name)).status().unwrap().success());
    }
    let real = tree.path().join("real.yaml");
    fs::write(&real, EMPTY).unwrap();
    std::os::unix::fs::symlink(&real, tree.path().join(".sops.yaml")).unwrap();
    let environment = Environment::from_iter([("HOME", "")]);
    let search = ConfigSearch::new(&inner, &environment).unwrap();
    assert_eq!(search.config_file(), Some(tree.path().join(".sops.yaml").as_path()), "a link to a file is one");
    assert_eq!(search.overlooked(), None);
    assert!(Config::find(&inner, &environment).unwrap().is_some());
}
