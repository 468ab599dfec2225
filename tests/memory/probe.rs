//! Looks through the memory of its own process.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Found, WORK};

/// What each byte of a secret is masked with.
pub(super) const MASK: u8 = 0x55;
/// A secret counts as found where this many of its bytes are: the allocator overwrites the first 16 of freed memory.
pub(super) const PIECE: usize = 8;
const WINDOW: usize = 256 * 1024;
const MAX_LOOKS: usize = 4;

struct Secret {
    name: String,
    masked: Vec<u8>,
}

/// All that it needs is allocated before the scenario, so that looking does not overwrite what there is to find.
pub(super) struct Probe {
    world: PathBuf,
    secrets: Vec<Secret>,
    memory: File,
    maps: File,
    map: String,
    window: Vec<u8>,
    looks: Vec<(&'static str, [Found; 64])>,
    shows: bool,
    shown: Vec<(u64, usize, bool)>,
}

impl Probe {
    pub(super) fn new(world: &Path) -> Self {
        let mut secrets: Vec<_> = fs::read_dir(world.join("secrets"))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                Secret { name: entry.file_name().into_string().unwrap(), masked: fs::read(entry.path()).unwrap() }
            })
            .collect();
        secrets.sort_by(|a, b| a.name.cmp(&b.name));
        secrets.reserve(4);
        Probe {
            world: world.to_owned(),
            secrets,
            memory: File::open("/proc/self/mem").unwrap(),
            maps: File::open("/proc/self/maps").unwrap(),
            map: String::with_capacity(256 * 1024),
            window: vec![0; WINDOW + PIECE],
            looks: Vec::with_capacity(MAX_LOOKS),
            shows: std::env::var_os("SOPSKIT_MEMORY_SHOW").is_some(),
            shown: Vec::with_capacity(1 << 16),
        }
    }

    /// Counts the secrets while they are in use.
    pub(super) fn alive(&mut self) {
        self.look("alive");
    }

    /// Has another process find out the data key of a file that was made here, and looks for it from now on.
    pub(super) fn learn_data_key(&mut self, sealed: &str) {
        let path = self.world.join("made.json");
        fs::write(&path, sealed).unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "mask_the_data_key", "--ignored"])
            .env(WORK, &self.world)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        let masked = fs::read(self.world.join("made.masked")).unwrap();
        self.secrets.push(Secret { name: "new-data-key".to_owned(), masked });
    }

    pub(super) fn look(&mut self, when: &'static str) {
        let here = std::ptr::from_ref(&when) as u64;
        self.map.clear();
        self.maps.rewind().unwrap();
        self.maps.read_to_string(&mut self.map).unwrap();
        let own = self.window.as_ptr() as u64..self.window.as_ptr() as u64 + self.window.len() as u64;
        let mut found = [Found::default(); 64];
        let mut guard_end = 0;
        for line in self.map.lines() {
            let (range, rest) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let (start, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
            if rest.starts_with("---p") && end - start <= 64 * 1024 {
                guard_end = end;
            }
            if !rest.starts_with("rw-p") {
                continue;
            }
            // Stacks of threads begin behind a page that nobody may touch.
            let is_stack = rest.ends_with("[stack]") || (start..end).contains(&here) || start == guard_end;
            let parts = match (start..end).contains(&own.start) {
                true => [start..own.start, own.end..end],
                false => [start..end, end..end],
            };
            for part in parts {
                let mut at = part.start;
                while at < part.end {
                    // Pieces at the edge of a window are seen in the next one.
                    let length = usize::try_from(part.end - at).unwrap().min(WINDOW + PIECE - 1);
                    let Ok(()) = self.memory.read_exact_at(&mut self.window[..length], at) else { break };
                    for (index, secret) in self.secrets.iter().enumerate() {
                        for piece in secret.masked.chunks_exact(PIECE) {
                            for hit in memchr::memchr_iter(piece[0] ^ MASK, &self.window[..length]) {
                                let Some(there) = self.window[..length].get(hit..hit + PIECE) else { continue };
                                if there.iter().zip(piece).all(|(byte, masked)| byte ^ MASK == *masked) {
                                    *(if is_stack { &mut found[index].stack } else { &mut found[index].heap }) += 1;
                                    if self.shows && when == "after" {
                                        self.shown.push((at + hit as u64, index, is_stack));
                                    }
                                }
                            }
                        }
                    }
                    at += length.min(WINDOW) as u64;
                }
            }
        }
        self.looks.push((when, found));
    }

    /// Prints what was found, `alive`, `after` or `show` first.
    pub(super) fn tell(&mut self) {
        // The name of the test stands on a line that has no end yet.
        println!();
        for (when, found) in &self.looks {
            for (secret, found) in self.secrets.iter().zip(found) {
                println!("{when} {} {} {}", secret.name, found.heap, found.stack);
            }
        }
        for (at, index, is_stack) in self.shown.iter().take(60) {
            let mut around = [0; 96];
            let _ = self.memory.read_at(&mut around, at - 32);
            let text = around.escape_ascii().to_string();
            println!("show {} {} {at:x} {text}", self.secrets[*index].name, if *is_stack { "stack" } else { "heap" });
        }
    }
}
