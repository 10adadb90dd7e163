#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pullpass_fuzz::fix_github(text));
