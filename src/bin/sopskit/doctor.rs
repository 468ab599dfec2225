//! `sopskit doctor`.

use std::io::{self, IsTerminal as _};

use sopskit::{Doctor, Environment, Finding, Format, Indent, Map, Value, Verdict};

use crate::args::{DoctorCommand, Global};
use crate::exit::{self, Failure};
use crate::files::{print, printable, say, tell};

pub(crate) fn run(command: &DoctorCommand, global: &Global) -> Result<(), Failure> {
    let mut doctor = Doctor::new(environment(global)).with_programs();
    if let Some(file) = &command.file {
        doctor = doctor.file(file);
    }
    if let Some(directory) = &command.dir {
        doctor = doctor.token_directory(directory);
    }
    let mut findings = doctor.examine();
    let fixes = command.fix && findings.iter().any(|finding| finding.fix.is_some());
    // One document, where it is for a program.
    if !(fixes && command.json) {
        show(&findings, command.json)?;
    }
    let mut all_mended = true;
    if fixes {
        all_mended = mend(&findings, command.yes);
        findings = doctor.examine();
        if !command.json {
            print(b"\n")?;
        }
        show(&findings, command.json)?;
    }
    match all_mended && findings.iter().all(|finding| finding.verdict != Verdict::Bad) {
        true => Ok(()),
        false => Err(Failure::silent(exit::GENERIC)),
    }
}

/// The variables of this process, with the config file that a flag names.
fn environment(global: &Global) -> Environment {
    match &global.config {
        None => Environment::process(),
        Some(config) => Environment::process().with("SOPS_CONFIG", config),
    }
}

fn show(findings: &[Finding], json: bool) -> Result<(), Failure> {
    if json {
        let list = Value::from(findings.iter().map(|finding| Value::from(as_json(finding))).collect::<Vec<_>>());
        return print(&Format::Json.write(&Map::from_iter([("findings", list)]), Indent::Spaces(2))?);
    }
    let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines: Vec<_> = findings.iter().map(|finding| as_text(finding, colour)).collect();
    print(lines.concat().as_bytes())
}

fn as_text(finding: &Finding, colour: bool) -> String {
    let (mark, code) = match finding.verdict {
        Verdict::Good => ("✓", 32),
        Verdict::Warning => ("!", 33),
        Verdict::Bad => ("✗", 31),
    };
    let mark = if colour { format!("\x1b[{code}m{mark}\x1b[0m") } else { mark.to_owned() };
    let remedy =
        finding.remedy.as_ref().map(|remedy| format!("{:14}→ {}\n", "", printable(remedy))).unwrap_or_default();
    format!("{mark} {:<11} {}\n{remedy}", finding.topic.as_str(), printable(&finding.text))
}

fn as_json(finding: &Finding) -> Map {
    let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
    Map::from_iter([
        ("topic", Value::from(finding.topic.as_str())),
        ("verdict", Value::from(finding.verdict.as_str())),
        ("text", Value::from(finding.text.as_str())),
        ("remedy", text(finding.remedy.clone())),
        ("fix", text(finding.fix.as_ref().map(ToString::to_string))),
    ])
}

/// Asks for each thing that can be mended from here, and mends it. Says whether all went well that was agreed to.
fn mend(findings: &[Finding], yes: bool) -> bool {
    let mut went_well = true;
    for fix in findings.iter().filter_map(|finding| finding.fix.as_ref()) {
        if !yes {
            tell(&format!("{}? [y/N] ", printable(&fix.to_string())));
            let mut answer = String::new();
            let read = io::stdin().read_line(&mut answer);
            if read.is_err() || !["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
                continue;
            }
        }
        if let Err(error) = fix.apply() {
            say!("sopskit: {error}");
            went_well = false;
        }
    }
    went_well
}
