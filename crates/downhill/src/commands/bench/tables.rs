//! The tables of `downhill bench`, at most 100 columns wide.

use bench::step::{StepShare, StepTime};
use bench::{Found, Limits, Reading, Spread, gemm, generate, ops};
use engine::Precision;
use std::io::{Result, Write};
use watch::{amount, count};

/// Maximum rows of the table by shape.
const SHAPES: usize = 12;

/// `574 GFLOP/s ±0.3%`
fn rate(s: &Spread, unit: &str) -> String {
    format!(
        "{} ±{:.1}%",
        amount(s.median as u64, unit),
        100.0 * s.relative()
    )
}

/// The machine's limits, one row per number of threads.
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

/// Prints and returns the limits measured in the same run.
fn limits(out: &mut dyn Write, machine: &Reading, precision: Precision) -> Result<Limits> {
    let best = machine.limits(precision);
    let (flops, bytes) = (
        amount(best.flops as u64, "FLOP/s"),
        amount(best.bytes as u64, "B/s"),
    );
    writeln!(
        out,
        "peak {flops}, bandwidth {bytes} (triad), measured in the same run"
    )?;
    Ok(best)
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// Each operation alone.
pub fn ops(
    out: &mut dyn Write,
    precision: Precision,
    found: &Found<ops::OperationTime>,
) -> Result<()> {
    limits(out, &found.machine, precision)?;
    let row = |out: &mut dyn Write, cells: [String; 8]| {
        let [name, shape, pass, took, flops, peak, bytes, bound] = cells;
        let left = format!("{name:<23} {shape:<19} {pass:<8}");
        writeln!(
            out,
            "{left} {took:>13} {flops:>8} {peak:>6} {bytes:>9} {bound:>7}"
        )
    };
    let titles = [
        "operation",
        "inputs",
        "pass",
        "time µs",
        "FLOP/s",
        "peak",
        "bytes/s",
        "× bound",
    ];
    row(out, titles.map(String::from))?;
    for m in &found.measured {
        let took = format!(
            "{:.1} ±{:.1}%",
            1e6 * m.seconds.median,
            100.0 * m.seconds.relative()
        );
        let cells = [
            format!("{} {}", m.model, m.operation),
            m.shape.clone(),
            m.pass.into(),
            took,
            amount(m.flops_per_second as u64, ""),
            percent(m.share_of_peak),
            amount(m.bytes_per_second as u64, "B"),
            format!("{:.2}", m.times_bound),
        ];
        row(out, cells)?;
    }
    Ok(())
}

/// The ladder, and each shape on its two highest rungs.
pub fn gemm(out: &mut dyn Write, ladder: &gemm::RungTimes) -> Result<()> {
    let counted = ladder.shapes.iter().filter(|s| s.counted).count();
    writeln!(
        out,
        "geometric means over {counted} shapes, packing included; all f32 rungs"
    )?;
    writeln!(out, "give the same bits (checked)")?;
    writeln!(
        out,
        "{:<50} {:>7} {:>13} {:>6}",
        "rung", "threads", "FLOP/s", "peak"
    )?;
    for r in &ladder.rungs {
        let flops = amount(r.flops_per_second as u64, "");
        let peak = percent(r.share_of_peak);
        writeln!(out, "{:<50} {:>7} {flops:>13} {peak:>6}", r.rung, r.threads)?;
    }
    let all = ladder.rungs.iter().map(|r| r.threads).max();
    for top in ladder.rungs.iter().rev() {
        if Some(top.threads) == all && top.rung.starts_with("packed") {
            by_shape(out, ladder, top)?;
        }
    }
    Ok(())
}

/// Each shape on one rung.
fn by_shape(out: &mut dyn Write, ladder: &gemm::RungTimes, rung: &gemm::RungTime) -> Result<()> {
    let name = format!("{}, threads: {}", rung.rung, rung.threads);
    writeln!(
        out,
        "\n{name:<47} {:>18} {:>13} {:>6}",
        "m × n × k", "FLOP/s", "peak"
    )?;
    for (s, seconds) in ladder.shapes.iter().zip(&rung.seconds) {
        let extra = if s.counted { "" } else { " (not in the mean)" };
        let product = format!("{:?}", s.product).to_lowercase();
        let name = format!("{} {} {product}{extra}", s.model, s.layer);
        let size = format!("{} × {} × {}", s.m, s.n, s.k);
        let speed = s.flops() as f64 / seconds.median;
        let peak = percent(speed / rung.peak_flops_per_second);
        writeln!(
            out,
            "{name:<47} {size:>18} {:>13} {peak:>6}",
            amount(speed as u64, "")
        )?;
    }
    Ok(())
}

/// Each model's generation speed.
pub fn generate(out: &mut dyn Write, found: &Found<generate::GenerationTime>) -> Result<()> {
    limits(out, &found.machine, Precision::F32)?;
    let head = "model      prompt  generated  prompt tokens/s   tokens/s        spread   ms/token  × bound";
    writeln!(out, "{head}")?;
    for m in &found.measured {
        let (reads, writes) = (&m.prompt_tokens_per_second, &m.tokens_per_second);
        writeln!(
            out,
            "{:<10} {:>6} {:>10} {:>16} {:>10} {:>13} {:>10.3} {:>8.2}",
            m.name,
            m.prompt,
            m.written,
            count(reads.median as u64),
            count(writes.median as u64),
            format!("±{:.1}%", 100.0 * writes.relative()),
            1e3 / writes.median,
            m.times_bound,
        )?;
    }
    Ok(())
}

/// The generation speed of the user's own model.
pub fn own(out: &mut dyn Write, found: &Found<generate::OwnTime>) -> Result<()> {
    for m in &found.measured {
        writeln!(
            out,
            "prompt of {} tokens   {:>9} tokens/s",
            m.prompt,
            count(m.prompt_tokens_per_second as u64)
        )?;
        writeln!(
            out,
            "{} tokens generated   {:>9} tokens/s",
            m.written,
            count(m.tokens_per_second as u64)
        )?;
        writeln!(
            out,
            "weights             {} per token, {}/s: {:.0}% of {}/s, the read bandwidth",
            amount(m.weight_bytes, "B"),
            amount(m.bytes_per_second as u64, "B"),
            100.0 * m.share_of_bandwidth,
            amount(found.machine.read_bytes.median as u64, "B"),
        )?;
    }
    Ok(())
}

/// Each model's step, and where its time goes.
pub fn steps(out: &mut dyn Write, precision: Precision, found: &Found<StepTime>) -> Result<()> {
    let best = limits(out, &found.machine, precision)?;
    for step in &found.measured {
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

fn head(out: &mut dyn Write, s: &StepTime) -> Result<()> {
    writeln!(
        out,
        "{}: {}, {}, {} parameters, {} × {} tokens, {} per step",
        s.name,
        s.family,
        s.precision,
        count(s.parameters),
        s.batch,
        s.context,
        amount(s.flops, "FLOP")
    )?;
    let memory = s.peak_bytes.map_or("-".into(), |b| amount(b, "B"));
    writeln!(
        out,
        "  {:.2} ms per step (quartiles {:.2} to {:.2}, {} steps), {} tokens/s, peak memory {memory}",
        1e3 * s.seconds.median,
        1e3 * s.seconds.low,
        1e3 * s.seconds.high,
        s.seconds.count,
        count(s.tokens_per_second as u64),
    )?;
    writeln!(
        out,
        "  {}, {} of peak; {:.2} times the bound of {:.2} ms",
        amount(s.flops_per_second as u64, "FLOP/s"),
        percent(s.share_of_peak),
        s.times_bound,
        1e3 * s.bound_seconds,
    )
}

fn titles(out: &mut dyn Write, first: &str) -> Result<()> {
    writeln!(
        out,
        "  {first:<40} {:>5} {:>9} {:>9} {:>9} {:>6} {:>7} {:>6}",
        "count", "time ms", "bound ms", "gap ms", "share", "× bound", "peak"
    )
}

fn line(out: &mut dyn Write, p: &StepShare, name: &str, total: f64, peak: f64) -> Result<()> {
    let seconds = p.seconds.median;
    writeln!(
        out,
        "  {name:<40} {:>5} {:>9.3} {:>9.3} {:>9.3} {:>6} {:>7.2} {:>6}",
        p.count,
        1e3 * seconds,
        1e3 * p.bound_seconds,
        1e3 * p.gap(),
        percent(seconds / total),
        seconds / p.bound_seconds,
        percent(p.flops as f64 / seconds / peak),
    )
}
