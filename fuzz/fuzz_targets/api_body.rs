//! Parses and checks arbitrary bytes as the body of a completion request, of both kinds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for chat in [false, true] {
        if let Err(message) = api::check(data, chat) {
            // The message may quote the body, but never at length.
            assert!(!message.is_empty() && message.len() < 2000);
        }
    }
});
