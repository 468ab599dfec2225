//! Writes the inputs that each target begins with to `fuzz/corpus/<target>`.

use std::fs;

fn main() -> std::io::Result<()> {
    for (target, _) in sopskit_fuzz::TARGETS {
        let folder = format!("{}/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        fs::create_dir_all(&folder)?;
        let mut seeds = sopskit_fuzz::seeds::seeds(target);
        seeds.sort();
        seeds.dedup();
        for (index, seed) in seeds.iter().enumerate() {
            fs::write(format!("{folder}/seed-{index:05}"), seed)?;
        }
        println!("{target}: {} inputs", seeds.len());
    }
    Ok(())
}
