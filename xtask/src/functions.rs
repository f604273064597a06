//! Checks the engine's exp, tanh, log and rsqrt on every f32 number.

use engine::cpu::functions::{FUNCTIONS, Function, Worst};
use engine::{Isa, cores, processor, tolerance::FUNCTION_ULP};
use std::thread::scope;
use std::time::Instant;

/// The number of f32 bit patterns.
const ALL: u64 = 1 << 32;

/// Checks all numbers; fails if a function exceeds its error bound.
pub fn run() -> Result<(), String> {
    println!("{}: all 2^32 numbers; takes a few minutes", processor());
    let mut over = 0;
    for function in &FUNCTIONS {
        let from = Instant::now();
        let worst = worst(function, cores() as u64);
        let seconds = from.elapsed().as_secs_f64();
        let (name, Worst { ulp, x }) = (function.name, worst);
        println!(
            "{name:<5} at most {ulp:.4} ulp, at {x:e} ({:#010x}); {seconds:.0} s",
            x.to_bits()
        );
        over += usize::from(ulp > FUNCTION_ULP);
    }
    match over {
        0 => Ok(()),
        _ => Err(format!("{over} above {FUNCTION_ULP} ulp")),
    }
}

/// The largest error over all threads' shares.
fn worst(function: &Function, threads: u64) -> Worst {
    let isa = Isa::detect();
    scope(|s| {
        let shares = (0..threads).map(|i| (ALL * i / threads, ALL * (i + 1) / threads));
        let running: Vec<_> = shares
            .map(|(first, end)| s.spawn(move || function.worst(isa, first, end, 1)))
            .collect();
        let none = Worst {
            ulp: f64::INFINITY,
            x: f32::NAN,
        };
        let each = running.into_iter().map(|r| r.join().unwrap_or(none));
        each.fold(Worst::default(), |a, b| if b.ulp <= a.ulp { a } else { b })
    })
}
