#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sopskit_fuzz::key_path(data));
