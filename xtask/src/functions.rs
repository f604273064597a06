//! exp, tanh, log and rsqrt of the engine on every f32 number there is.

use engine::cpu::functions::{FUNCTIONS, Function, Worst};
use engine::{Isa, cores, processor, tolerance::FUNCTION_ULP};
use std::thread::scope;
use std::time::Instant;

/// All bits of an f32.
const ALL: u64 = 1 << 32;

/// Goes through all numbers and fails where a function exceeds its bound.
pub fn run() -> Result<(), String> {
    println!("{}: all 2^32 numbers, some minutes", processor());
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
        _ => Err(format!("{over} beyond {FUNCTION_ULP} ulp")),
    }
}

/// The worst of every thread's share.
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
