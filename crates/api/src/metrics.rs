//! Counters, in Prometheus' text format.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! metrics {
    ($($field:ident $kind:literal $help:literal,)*) => {
        /// What the server counts.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $(#[doc = $help] pub $field: AtomicU64,)*
        }

        impl Metrics {
            /// All of them as text.
            pub fn text(&self) -> String {
                let mut text = String::new();
                $(
                    let name = concat!("downhill_", stringify!($field));
                    let value = self.$field.load(Ordering::Relaxed);
                    // Writing to a string can't fail.
                    let _ = writeln!(
                        text, "# HELP {name} {}\n# TYPE {name} {}\n{name} {value}", $help, $kind
                    );
                )*
                text
            }
        }
    };
}

metrics! {
    requests_total "counter" "Requests for completions that were accepted.",
    refused_total "counter" "Requests that were refused because the queue was full.",
    texts_total "counter" "Texts that were written to their end.",
    abandoned_total "counter" "Texts whose client went away.",
    prompt_tokens_total "counter" "Tokens of prompts that were read.",
    shared_tokens_total "counter" "Tokens of prompts that another text had read already.",
    written_tokens_total "counter" "Tokens that were written.",
    texts_running "gauge" "Texts that are being written.",
    texts_waiting "gauge" "Texts that wait for a place.",
    cache_pages "gauge" "Pages of the cache.",
    cache_pages_free "gauge" "Pages of the cache that are free.",
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

/// Sets a gauge.
pub fn set(gauge: &AtomicU64, value: usize) {
    gauge.store(value as u64, Ordering::Relaxed);
}
