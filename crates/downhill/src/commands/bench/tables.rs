//! The tables of `downhill bench`, at most 100 columns wide.

use bench::step::{Measured, Part};
use bench::{Reading, Spread};
use std::io::{Result, Write};
use watch::{amount, count};

/// Rows of the table by shape.
const SHAPES: usize = 12;

/// `574 GFLOP/s ±0.3%`
fn rate(s: &Spread, unit: &str) -> String {
    format!(
        "{} ±{:.1}%",
        amount(s.median as u64, unit),
        100.0 * s.relative()
    )
}

/// The machine's limits, a row for each number of threads.
pub fn machine(out: &mut dyn Write, readings: &Vec<Reading>) -> Result<()> {
    let row = |out: &mut dyn Write, cells: [String; 6]| {
        let [threads, f32, bf16, read, triad, barrier] = cells;
        writeln!(
            out,
            "{threads:>7}  {f32:>20}  {bf16:>20}  {read:>17}  {triad:>17} {barrier:>9}"
        )
    };
    row(
        out,
        [
            "threads",
            "f32 products",
            "bf16 products",
            "read",
            "triad",
            "barrier",
        ]
        .map(String::from),
    )?;
    for r in readings {
        let bf16 = r.bf16_flops.as_ref();
        let cells = [
            r.threads.to_string(),
            rate(&r.f32_flops, "FLOP/s"),
            bf16.map_or("-".into(), |s| rate(s, "FLOP/s")),
            rate(&r.read_bytes, "B/s"),
            rate(&r.triad_bytes, "B/s"),
            format!("{:.0} ns", 1e9 * r.barrier_seconds.median),
        ];
        row(out, cells)?;
    }
    Ok(())
}

/// Every model's step, and where its time goes.
pub fn steps(out: &mut dyn Write, limits: &Reading, steps: &Vec<Measured>) -> Result<()> {
    let best = limits.limits();
    let (flops, bytes) = (
        amount(best.flops as u64, "FLOP/s"),
        amount(best.bytes as u64, "B/s"),
    );
    writeln!(
        out,
        "peak {flops}, bandwidth {bytes} (triad), measured between the steps"
    )?;
    for step in steps {
        writeln!(out)?;
        head(out, step)?;
        let total = step.seconds.median;
        titles(out, "operation")?;
        for part in &step.parts {
            line(
                out,
                part,
                &format!("{} {}", part.operation, part.pass),
                total,
                best.flops,
            )?;
        }
        titles(out, "the largest gaps by shape")?;
        let shapes = step.shapes.iter().filter(|p| p.shape.is_some());
        for part in shapes.take(SHAPES) {
            let shape = part.shape.as_deref().unwrap_or_default();
            let name = format!("{} {} {shape}", part.operation, part.pass);
            line(out, part, &name, total, best.flops)?;
        }
    }
    Ok(())
}

fn head(out: &mut dyn Write, s: &Measured) -> Result<()> {
    writeln!(
        out,
        "{}: {}, {} parameters, {} × {} tokens, {} a step",
        s.name,
        s.family,
        count(s.parameters),
        s.batch,
        s.context,
        amount(s.flops, "FLOP")
    )?;
    let memory = s.peak_bytes.map_or("-".into(), |b| amount(b, "B"));
    writeln!(
        out,
        "  {:.2} ms a step (quarters {:.2} to {:.2}, {} steps), {}, {:.1}% of peak, {} tokens/s, {memory}",
        1e3 * s.seconds.median,
        1e3 * s.seconds.low,
        1e3 * s.seconds.high,
        s.seconds.count,
        amount(s.flops_per_second as u64, "FLOP/s"),
        100.0 * s.share_of_peak,
        count(s.tokens_per_second as u64),
    )?;
    writeln!(
        out,
        "  bound {:.2} ms = Σ max(FLOPs / peak, bytes / bandwidth); the step takes {:.2} times that",
        1e3 * s.bound_seconds,
        s.times_bound
    )
}

fn titles(out: &mut dyn Write, first: &str) -> Result<()> {
    writeln!(
        out,
        "  {first:<40} {:>5} {:>9} {:>9} {:>9} {:>6} {:>7} {:>6}",
        "count", "took ms", "bound ms", "gap ms", "share", "× bound", "peak"
    )
}

fn line(out: &mut dyn Write, p: &Part, name: &str, total: f64, peak: f64) -> Result<()> {
    let seconds = p.seconds.median;
    let share = |x: f64| format!("{:.1}%", 100.0 * x);
    writeln!(
        out,
        "  {name:<40} {:>5} {:>9.3} {:>9.3} {:>9.3} {:>6} {:>7.2} {:>6}",
        p.count,
        1e3 * seconds,
        1e3 * p.bound_seconds,
        1e3 * p.gap(),
        share(seconds / total),
        seconds / p.bound_seconds,
        share(p.flops as f64 / seconds / peak),
    )
}
