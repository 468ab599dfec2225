//! The doctor: what is wrong is found, with what to do about it; what is sound is left alone.
#![cfg(all(feature = "doctor", unix))]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use sopskit::{Doctor, Environment, Finding, Fix, Token, Topic, Verdict};
use support::tokens::{chmod, mode, open};
use support::{FIXTURES, identity_text, public_key, read};
use tempfile::TempDir;

/// A home with nothing in it but what a test puts there.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Self {
        Home { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, content: &str, bits: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        chmod(&path, bits);
        path
    }

    fn environment(&self) -> Environment {
        Environment::from_iter([("HOME", self.folder.path())])
    }

    fn doctor(&self) -> Doctor {
        Doctor::new(self.environment()).directory(self.folder.path())
    }

    /// With alice's key where sops looks, and a rule for her.
    fn sound() -> Self {
        let home = Home::new();
        home.put(".config/sops/age/keys.txt", &identity_text("alice"), 0o600);
        home.put(".sops.yaml", &format!("creation_rules:\n  - age: {}\n", public_key("alice")), 0o644);
        home
    }
}

#[track_caller]
fn one(findings: &[Finding], topic: Topic, saying: &str) -> Finding {
    let found: Vec<_> =
        findings.iter().filter(|finding| finding.topic == topic && finding.text.contains(saying)).collect();
    assert_eq!(found.len(), 1, "{saying}: {findings:#?}");
    found[0].clone()
}

fn all_good(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.verdict == Verdict::Good)
}

#[test]
fn of_a_sound_set_up_all_is_good() {
    let home = Home::sound();
    open("sops", &home.path(".config/kstlib/auth/tokens")).save("github", &Token::new("a")).unwrap();
    let findings = home.doctor().file(home.path("new.json")).examine();
    assert!(all_good(&findings), "{findings:#?}");
    one(&findings, Topic::Identities, &public_key("alice"));
    one(&findings, Topic::KeyFiles, "for its owner only");
    one(&findings, Topic::Config, ".sops.yaml: it can be read");
    one(&findings, Topic::File, "whose identity is at hand");
    one(&findings, Topic::Tokens, "1 of 1 tokens can be loaded");
    one(&findings, Topic::RoundTrip, "encrypted for 1");
}

#[test]
fn what_is_not_good_says_what_to_do_and_nothing_shows_a_secret() {
    let home = Home::new();
    home.put(
        ".config/sops/age/keys.txt",
        &identity_text("alice").replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2"),
        0o666,
    );
    home.put(".sops.yml", "", 0o600);
    home.put(".config/kstlib/auth/tokens/x.token.sops.json", "{}", 0o666);
    chmod(&home.path(".config/kstlib/auth/tokens"), 0o777);
    let environment =
        home.environment().with("SOPS_AGE_KEY", "AGE-SECRET-KEY-1QQQ").with("SOPS_AGE_KEY_FILE", "/nowhere");
    let findings = Doctor::new(environment).directory(home.folder.path()).file("/nowhere/x.json").examine();
    assert!(findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count() >= 4, "{findings:#?}");
    for finding in &findings {
        assert_eq!(finding.remedy.is_some(), finding.verdict != Verdict::Good, "{finding:?}");
        assert!(!format!("{finding:?}").contains("KEY-1QQQ"), "{finding:?}");
    }
    assert_eq!(one(&findings, Topic::Identities, "/nowhere").verdict, Verdict::Bad);
    assert_eq!(one(&findings, Topic::Config, ".sops.yml").verdict, Verdict::Warning);
}

#[test]
fn without_an_identity_a_key_file_is_offered_and_with_one_a_config_file() {
    let home = Home::new();
    let missing = one(&home.doctor().examine(), Topic::Identities, "there is no identity");
    assert_eq!(missing.verdict, Verdict::Bad);
    let key_file = home.path(".config/sops/age/keys.txt");
    assert_eq!(missing.fix, Some(Fix::KeyFile(key_file.clone())));
    missing.fix.unwrap().apply().unwrap();
    assert_eq!((mode(&key_file), mode(key_file.parent().unwrap())), (0o600, 0o700));
    let no_config = one(&home.doctor().examine(), Topic::Config, "there is no .sops.yaml");
    no_config.fix.unwrap().apply().unwrap();
    let findings = home.doctor().file(home.path("x.json")).examine();
    assert!(all_good(&findings), "{findings:#?}");
}

#[test]
fn modes_that_are_too_wide_are_found_and_mended() {
    let home = Home::sound();
    let tokens = home.path(".config/kstlib/auth/tokens");
    open("sops", &tokens).save("github", &Token::new("a")).unwrap();
    let wide = [
        (home.path(".config/sops/age/keys.txt"), 0o644, 0o600),
        (tokens.join("github.token.sops.json"), 0o444, 0o400),
        (tokens.clone(), 0o755, 0o700),
    ];
    for (path, bits, _) in &wide {
        chmod(path, *bits);
    }
    let fixes: Vec<_> = home.doctor().examine().into_iter().filter_map(|finding| finding.fix).collect();
    assert_eq!(fixes.len(), 3, "{fixes:?}");
    for fix in fixes {
        fix.apply().unwrap();
    }
    for (path, _, narrow) in &wide {
        assert_eq!(mode(path), *narrow, "{}", path.display());
    }
    assert!(all_good(&home.doctor().examine()));
}

#[test]
fn no_mode_is_changed_behind_a_link_and_no_file_is_overwritten() {
    let home = Home::new();
    let target = home.put("target", "x", 0o644);
    std::os::unix::fs::symlink(&target, home.path("link")).unwrap();
    assert!(Fix::Mode(home.path("link"), 0o600).apply().is_err());
    assert_eq!(mode(&target), 0o644);
    for fix in [Fix::KeyFile(target.clone()), Fix::Config(target.clone(), "age1x".into())] {
        assert!(fix.apply().is_err());
        assert_eq!(read(&target), b"x");
    }
}

#[test]
fn a_config_file_is_read_for_faults_and_for_rules_that_can_never_count() {
    let alice = public_key("alice");
    for (text, verdict, saying) in [
        ("creation_rules:\n  - path_regx: x\n".to_owned(), Verdict::Bad, "line 2"),
        ("creation_rules: [".to_owned(), Verdict::Bad, ", line "),
        (format!("creation_rules:\n  - path_regex: '('\n    age: {alice}\n"), Verdict::Bad, "path_regex"),
        (
            format!("creation_rules:\n  - age: {alice}\n  - path_regex: x\n    age: {alice}\n"),
            Verdict::Warning,
            "rule 2, line 3: rule 1 before it",
        ),
        (
            format!("creation_rules:\n  - path_regex: a\n    age: {alice}\n  - path_regex: a\n    age: {alice}\n"),
            Verdict::Warning,
            "the same path_regex",
        ),
        (
            format!("creation_rules:\n  - path_regex: ^\\./a\n    age: {alice}\n"),
            Verdict::Warning,
            "no path begins with ./",
        ),
        (
            format!("creation_rules:\n  - path_regex: ^/a\n    age: {alice}\n"),
            Verdict::Warning,
            "outside of the directory",
        ),
    ] {
        let home = Home::sound();
        home.put(".sops.yaml", &text, 0o644);
        let found = one(&home.doctor().examine(), Topic::Config, saying);
        assert_eq!(found.verdict, verdict, "{text}");
    }
}

#[test]
fn of_many_findings_the_worst_are_told_and_how_many_more_there_are() {
    let rule = format!("  - path_regex: x\n    age: {}\n", public_key("alice"));
    let of_config = |rules: &str| {
        let home = Home::sound();
        home.put(".sops.yaml", &format!("creation_rules:\n{rules}"), 0o644);
        let findings = home.doctor().examine();
        one(&findings, Topic::RoundTrip, "in memory");
        findings.into_iter().filter(|finding| finding.topic == Topic::Config).collect::<Vec<_>>()
    };
    // That it can be read, and all but the first have the same path_regex.
    assert!(!of_config(&rule.repeat(50)).iter().any(|finding| finding.text.starts_with("and ")));
    let findings = of_config(&rule.repeat(2000));
    assert_eq!(findings.len(), 51);
    assert!(findings[0].text.contains("rule 2, ") && findings[49].text.contains("rule 51, "), "{findings:#?}");
    assert_eq!((&*findings[50].text, findings[50].verdict), ("and 1950 more", Verdict::Warning));
    assert!(findings[50].remedy.is_some());
    // What is bad comes first, wherever it was found: here twice, and none of it among those that are not told.
    let bad = "  - path_regex: '('\n".to_owned();
    let findings = of_config(&(rule.repeat(60) + &bad));
    assert_eq!(findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count(), 2, "{findings:#?}");
    assert_eq!((findings.len(), &*findings[50].text), (51, "and 11 more"));
    // As bad as what is not told.
    assert_eq!(of_config(&bad.repeat(60))[50].verdict, Verdict::Bad);
}

#[test]
fn whether_an_identity_fits_a_file_is_told() {
    let home = Home::sound();
    let rules = "creation_rules:\n  - path_regex: ^bob/\n    age: BOB\n  - path_regex: ^both/\n    key_groups: [{age: [ALICE]}, {age: [BOB]}]\n  - path_regex: ^mine/\n    age: BOB,ALICE\n";
    home.put(".sops.yaml", &rules.replace("ALICE", &public_key("alice")).replace("BOB", &public_key("bob")), 0o644);
    let verdict = |file: &Path| {
        let findings = home.doctor().file(file).examine();
        findings.into_iter().find(|finding| finding.topic == Topic::File).unwrap()
    };
    for (file, expected) in [
        ("mine/x.json", Verdict::Good),
        ("bob/x.json", Verdict::Bad),
        ("both/x.json", Verdict::Bad),
        ("elsewhere/x.json", Verdict::Bad),
    ] {
        assert_eq!(verdict(&home.path(file)).verdict, expected, "{file}");
    }
    let sealed = |case: &str| PathBuf::from(format!("{FIXTURES}/3.13.2/{case}/sealed.json"));
    assert_eq!(verdict(&sealed("mixed")).verdict, Verdict::Good);
    assert_eq!(verdict(&sealed("key-groups")).verdict, Verdict::Bad);
    assert_eq!(verdict(&home.put("plain.json", "{}", 0o600)).verdict, Verdict::Bad);
}

#[test]
fn tokens_that_cannot_be_loaded_and_tokens_in_clear_are_told() {
    let home = Home::sound();
    let tokens = home.path("tokens");
    open("sops", &tokens).save("good", &Token::new("a")).unwrap();
    open("file", &tokens).save("clear", &Token::new("a-secret")).unwrap();
    home.put("tokens/broken.token.sops.json", "{\"access_token\": \"b-secret\"}", 0o400);
    let findings = home.doctor().token_directory(&tokens).examine();
    assert_eq!(one(&findings, Topic::Tokens, "broken.token.sops.json").verdict, Verdict::Bad);
    assert_eq!(one(&findings, Topic::Tokens, "1 of 2 tokens can be loaded").verdict, Verdict::Good);
    assert_eq!(one(&findings, Topic::Tokens, "1 tokens are not encrypted").verdict, Verdict::Warning);
    assert!(!format!("{findings:?}").contains("-secret"), "{findings:?}");
}

#[test]
fn a_lock_file_that_cannot_be_read_is_told_and_hides_no_other_token() {
    let home = Home::sound();
    let tokens = home.path("tokens");
    open("sops", &tokens).save("good", &Token::new("a")).unwrap();
    open("sops", &tokens).save("bad", &Token::new("b")).unwrap();
    open("file", &tokens).save("clear", &Token::new("c")).unwrap();
    fs::remove_file(tokens.join(".bad.lock")).unwrap();
    fs::create_dir(tokens.join(".bad.lock")).unwrap();
    let findings = home.doctor().token_directory(&tokens).examine();
    assert_eq!(one(&findings, Topic::Tokens, ".bad.lock").verdict, Verdict::Bad);
    one(&findings, Topic::Tokens, "1 of 2 tokens can be loaded");
    one(&findings, Topic::Tokens, "1 tokens are not encrypted");
}

#[test]
fn a_directory_of_tokens_that_cannot_be_listed_is_told_once() {
    let home = Home::sound();
    // Root can list what nobody may; a directory that others can write is refused to root too.
    for bits in [0o300, 0o777] {
        let tokens = home.path(&format!("tokens{bits:o}"));
        fs::create_dir(&tokens).unwrap();
        chmod(&tokens, bits);
        if bits == 0o300 && fs::read_dir(&tokens).is_ok() {
            continue;
        }
        let findings = home.doctor().token_directory(&tokens).examine();
        let bad: Vec<_> = findings
            .iter()
            .filter(|finding| finding.topic == Topic::Tokens && finding.verdict == Verdict::Bad)
            .collect();
        assert_eq!(bad.len(), 1, "{bits:o}: {findings:#?}");
        chmod(&tokens, 0o700);
    }
}

#[test]
fn to_examine_changes_nothing() {
    let home = Home::sound();
    let list = || {
        let output =
            std::process::Command::new("ls").args(["-laR", "--time-style=full-iso"]).arg(home.folder.path()).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        // The folder around it is everybody's.
        text.lines().filter(|line| !line.ends_with(" ..")).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = list();
    let _ = home.doctor().file(home.path("x.json")).examine();
    let _ = Doctor::new(home.environment()).directory(home.path("nowhere")).examine();
    assert_eq!(list(), before);
}

#[test]
fn sops_is_run_for_its_version_only_with_leave() {
    let home = Home::sound();
    home.put("bin/sops", "#!/bin/sh\necho \"sops 9.9.9 (latest)\"\necho x > \"$0.ran\"\n", 0o755);
    let environment = home.environment().with("PATH", home.path("bin"));
    let doctor = Doctor::new(environment).directory(home.folder.path());
    assert!(doctor.examine().iter().all(|finding| finding.topic != Topic::Sops));
    assert!(!home.path("bin/sops.ran").exists());
    assert_eq!(one(&doctor.with_programs().examine(), Topic::Sops, "sops 9.9.9").verdict, Verdict::Good);
    home.put("bin/sops", "#!/bin/sh\nexit 3\n", 0o755);
    let environment = home.environment().with("PATH", home.path("bin"));
    let findings = Doctor::new(environment).directory(home.folder.path()).with_programs().examine();
    assert_eq!(one(&findings, Topic::Sops, "does not say its version").verdict, Verdict::Warning);
}
