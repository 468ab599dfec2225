//! `.sops.yaml`.

use std::path::Path;

use sopskit::{Config, Format};

use crate::checks::check_error;

const CONFIG: &str = "/repo/.sops.yaml";

/// A file below the directory of the config file.
const INSIDE: &str = "/repo/secrets/a.json";

/// The path that is looked up up to the first NUL, behind it the text of the config file.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (path, text) = text.split_once('\0').unwrap_or(("secrets/a.json", &text));
    match Config::parse(text, Path::new(CONFIG)) {
        Ok(config) => check_config(&config.clone().match_windows_paths(true), path, data.len()),
        Err(error) => check_error(&error, data.len()),
    }
    if let Ok(config) = Config::parse(text, Path::new(CONFIG)) {
        check_config(&config, path, data.len());
    }
}

fn check_config(config: &Config, path: &str, input: usize) {
    let faults = config.check();
    faults.iter().for_each(|error| check_error(error, input));
    let dead = config.dead_rules();
    let _ = (config.indent(Format::Json), config.indent(Format::Binary), format!("{dead:?} {config:?}"));
    for path in [path, INSIDE, "/elsewhere/b.json", "a.json"] {
        let explanation = config.explain(Path::new(path));
        let skipped: Vec<_> = explanation.skipped().iter().map(|rule| rule.number).collect();
        assert_eq!(skipped, (1..=skipped.len()).collect::<Vec<_>>(), "rules are tried one after the other");
        let _ = explanation.to_string();
        let rule = config.creation_rule(Path::new(path));
        match (&rule, explanation.rule()) {
            (Ok(rule), Ok(explained)) => {
                assert_eq!((rule.number(), rule.line()), (explained.number(), explained.line()));
                assert_eq!(rule.number(), skipped.len() + 1);
                // Elsewhere, and for names with line breaks, they may count.
                let counts = |dead: &sopskit::DeadRule| path == INSIDE && dead.number == rule.number();
                assert!(!dead.iter().any(counts), "a dead rule counts for {path:?}: {dead:?}");
                match rule.recipients() {
                    Ok(recipients) => assert!(recipients.groups().iter().all(|group| !group.is_empty())),
                    Err(error) => {
                        check_error(&error, input);
                        assert!(!faults.is_empty(), "check sees nothing, but {error}");
                    }
                }
                let _ = format!("{rule:?} {:?} {:?}", rule.options(Format::Json), rule.rule());
            }
            (Err(one), Err(other)) => {
                assert_eq!(one.to_string(), other.to_string());
                check_error(one, input + path.len());
            }
            (rule, explained) => panic!("{rule:?} and {explained:?}"),
        }
    }
}
