//! `downhill verify`: checks every gradient on this machine, or every file of a run's checkpoints.

mod checkpoints;

use crate::arguments::Verify;
use crate::failure::{Failure, Result};
use crate::output::out;
use engine::{CpuSettings, cores, processor, verify};
use serde_json::json;
use std::io::Write;

/// Random shapes per operation.
const SHAPES: u64 = 20;

pub fn run(a: &Verify) -> Result<()> {
    match &a.run {
        Some(run) => checkpoints::run(run, a.json),
        None => gradients(a),
    }
}

fn gradients(a: &Verify) -> Result<()> {
    let checks = verify::operations(SHAPES, CpuSettings::with_threads(cores()), |_| {})?;
    let failed = checks.iter().filter(|c| !c.ok).count();
    let passed = checks.len() - failed;
    let mut out = out();
    if a.json {
        let each = checks
            .iter()
            .map(|c| json!({"name": c.name, "error": c.error, "bound": c.bound, "ok": c.ok}));
        let each: Vec<_> = each.collect();
        let object = json!({
            "checks": each, "passed": passed, "failed": failed, "processor": processor(),
        });
        writeln!(out, "{object}")?;
    } else {
        print(&mut out, &checks)?;
        writeln!(out, "{passed} passed, {failed} failed on {}", processor())?;
    }
    if failed > 0 {
        Err(Failure::Reported)
    } else {
        Ok(())
    }
}

/// The worst error of each operation and kind of check, and every failure.
fn print(out: &mut impl Write, checks: &[verify::Check]) -> std::io::Result<()> {
    writeln!(
        out,
        "{:<15} {:<32} {:>6} {:>12} {:>9}",
        "operation", "check", "shapes", "worst error", "bound"
    )?;
    let kind = |c: &verify::Check| (c.operation, c.pass);
    let mut seen = Vec::new();
    for check in checks {
        if seen.contains(&kind(check)) {
            continue;
        }
        seen.push(kind(check));
        let same = checks.iter().filter(|c| kind(c) == kind(check));
        let (count, worst) = same.fold((0, 0.0f64), |(n, worst), c| (n + 1, worst.max(c.error)));
        let (operation, pass) = kind(check);
        writeln!(
            out,
            "{operation:<15} {pass:<32} {count:>6} {worst:>12.1e} {:>9.0e}",
            check.bound
        )?;
    }
    for c in checks.iter().filter(|c| !c.ok) {
        writeln!(
            out,
            "FAILED: {}: error {:.1e}, allowed {:.0e}",
            c.name, c.error, c.bound
        )?;
    }
    Ok(())
}
