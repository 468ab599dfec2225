//! Runs a target on files, without a fuzzer: `cargo run --example run -- <target> <file>…`.

use std::{env, fs};

fn main() -> std::io::Result<()> {
    let mut arguments = env::args_os().skip(1);
    let name = arguments.next().unwrap_or_default();
    let target = sopskit_fuzz::TARGETS.into_iter().find(|(target, _)| name == *target);
    let (_, run) = target.ok_or_else(|| std::io::Error::other("the first argument is the name of a target"))?;
    for file in arguments {
        println!("{}", file.display());
        run(&fs::read(file)?);
    }
    Ok(())
}
