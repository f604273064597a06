//! The report's section on runs from other random starts: what `downhill landscape --crowd` found.

use crate::svg::{Curve, chart, escape};
use run::{Connectivity, CrowdPair};
use std::fmt::Write;

pub(super) fn html(found: &Connectivity) -> String {
    let mut page = format!(
        "<h2>Different random starts</h2><p>{}</p>",
        escape(&found.verdict)
    );
    // Writing to a string can't fail, here and below.
    let _ = write!(
        page,
        "<table><tr><td><td>run<td>seed<td>step<td>nats per token"
    );
    for (number, run) in found.runs.iter().enumerate() {
        let (number, folder) = (number + 1, escape(&run.folder));
        let (seed, step, cost) = (run.seed, run.step, run.cost);
        let _ = write!(
            page,
            "<tr><td>{number}<td>{folder}<td>{seed}<td>{step}<td>{cost:.4}"
        );
    }
    let _ = write!(
        page,
        "<tr><td><td>mean of their predictions<td><td><td>{:.4}</table><table><tr><td>runs<td>same \
         top token<td>divergence<td>barrier<td>after matching",
        found.ensemble
    );
    for pair in &found.pairs {
        let (a, b, share) = (pair.a + 1, pair.b + 1, 100.0 * pair.agreement);
        let (before, after) = (pair.barrier_before, pair.barrier_after);
        let _ = write!(
            page,
            "<tr><td>{a} and {b}<td>{share:.1}%<td>{:.4}<td>{before:.4}<td>{after:.4}",
            pair.divergence
        );
    }
    page.push_str("</table>");
    let high = |a: &&CrowdPair, b: &&CrowdPair| a.barrier_after.total_cmp(&b.barrier_after);
    if let Some(pair) = found.pairs.iter().max_by(high) {
        let curve = |name, color, costs: &[f64]| Curve {
            name,
            color,
            points: pair
                .line
                .x
                .iter()
                .copied()
                .zip(costs.iter().copied())
                .collect(),
            marks: true,
        };
        let curves = [
            curve("as they are", "#b4540a", &pair.line.before),
            curve(
                "after matching heads and neurons",
                "#1f5fbf",
                &pair.line.after,
            ),
        ];
        let (a, b) = (pair.a + 1, pair.b + 1);
        let chart = chart(
            &curves,
            &[],
            &format!("from run {a} to run {b}"),
            "nats per token",
            false,
        );
        let _ = write!(
            page,
            "<p>Cost on the straight line between the two with the highest barrier after matching, on \
             {} validation tokens:</p><figure>{chart}</figure>",
            found.tokens
        );
    }
    page
}
