//! The report's section on what the model learned and what it copied: the gap between training and
//! validation loss, planted strings, and what `downhill originality` found.

use super::Run;
use crate::svg::{Curve, chart, escape};
use run::{Canaries, Copied, MarkedText, Originality, Smoothed};
use std::fmt::Write;

/// Samples that are shown.
const SHOWN: usize = 5;

/// The parts of the section; none if there is nothing to show.
pub(super) fn html(run: &Run, originality: Option<&Originality>) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(gap(run));
    parts.extend(run.canaries.map(|(step, c)| canaries(step, c)));
    if let Some(found) = originality {
        parts.push(table(found));
        parts.extend(found.texts.iter().take(SHOWN).map(sample));
    }
    if !parts.is_empty() {
        parts.insert(0, "<h2>Learned or copied</h2>".into());
    }
    parts
}

/// The validation loss above the smoothed training loss at each evaluation, with the best step.
fn gap(run: &Run) -> Option<String> {
    let mut mean = Smoothed::default();
    let mut steps = run.steps.iter().peekable();
    let mut points = Vec::new();
    let mut best: Option<(u64, f64)> = None;
    // The last evaluation may be of more of the text, and can't be compared.
    let part = run.evals.first()?.1.tokens;
    for (at, eval) in run.evals.iter().filter(|(_, e)| e.tokens == part) {
        while let Some((_, step)) = steps.next_if(|(step, _)| step <= at) {
            step.nats_per_token
                .into_iter()
                .for_each(|loss| mean.add(loss));
        }
        let loss = eval.val_nats_per_token.filter(|loss| loss.is_finite());
        if let (Some(loss), Some(train)) = (loss, mean.value()) {
            points.push((*at as f64, loss - train));
            if best.is_none_or(|(_, least)| loss < least) {
                best = Some((*at, loss));
            }
        }
    }
    let (best, _) = best.filter(|_| points.len() > 1)?;
    let here = points.iter().find(|(step, _)| *step == best as f64)?.1;
    let rote = match run.rote.since() {
        Some(_) => ": after it the model only learned by rote",
        None => "",
    };
    let curves = [
        Curve {
            name: "validation − training",
            color: "#1f5fbf",
            points,
            marks: true,
        },
        Curve {
            name: "best step",
            color: "#b4540a",
            points: vec![(best as f64, here)],
            marks: true,
        },
    ];
    let chart = chart(&curves, &[], "step", "nats per token", false);
    Some(format!(
        "<p>Validation is best at step {best}{rote}.</p><figure>{chart}</figure>"
    ))
}

fn canaries(step: u64, canaries: &Canaries) -> String {
    let mut rows = String::new();
    let each = canaries.repetitions.iter();
    for ((times, share), rank) in each.zip(&canaries.recall).zip(&canaries.rank) {
        // Writing to a string can't fail.
        let _ = write!(rows, "<tr><td>{times}<td>{:.0}%<td>{rank}", 100.0 * share);
    }
    format!(
        "<h3>Planted strings at step {step}</h3><table><tr><td>planted<td>known by heart<td>median \
         rank among {} never planted{rows}</table>",
        canaries.never
    )
}

fn table(found: &Originality) -> String {
    let percent = |share: f64| format!("{:.1}%", 100.0 * share);
    let mut rows = String::new();
    let mut row = |name: &str, all: [String; 3]| {
        let [model, human, train] = all;
        // Writing to a string can't fail.
        let _ = write!(rows, "<tr><td>{name}<td>{model}<td>{human}<td>{train}");
    };
    let (model, human) = (&found.model, &found.human);
    for (n, share) in &model.new_ngrams {
        let theirs = human.new_ngrams.get(n).copied().unwrap_or_default();
        let all = [percent(*share), percent(theirs), String::new()];
        row(&format!("new {n}-grams"), all);
    }
    let (ours, theirs) = (model.longest_match, human.longest_match);
    for (name, ours, theirs) in [
        ("longest match, median", ours.median, theirs.median),
        ("longest match, 90% have at most", ours.p90, theirs.p90),
        ("longest match, largest", ours.largest, theirs.largest),
    ] {
        let [ours, theirs] = [ours, theirs].map(|tokens| format!("{tokens} tokens"));
        row(name, [ours, theirs, String::new()]);
    }
    for (name, ours, theirs, train) in found.by_heart() {
        row(name, [ours, theirs, train].map(percent));
    }
    let step = found
        .step
        .map_or(String::new(), |step| format!(" at step {step}"));
    format!(
        "<h3>Samples{step} against the training text</h3><p>{}</p><table><tr><td><td>model<td>\
         held-out<td>training{rows}</table><p>Marked: what stands in the training text and is \
         longer than {} tokens, which 90% of held-out matches are not. Hold the pointer over it to \
         see where.</p>",
        escape(&found.verdict),
        found.marked_beyond
    )
}

fn sample(marked: &MarkedText) -> String {
    let mut html = String::from("<div class=\"text\">");
    for piece in &marked.pieces {
        let text = escape(&piece.text);
        // Writing to a string can't fail.
        let _ = match piece.copy.and_then(|number| marked.copies.get(number)) {
            Some(copy) => write!(html, "<u title=\"{}\">{text}</u>", escape(&place(copy))),
            None => write!(html, "{text}"),
        };
    }
    html + "</div>"
}

/// Where a match stands, and the text around it.
fn place(copy: &Copied) -> String {
    let place = match (copy.document, copy.offset) {
        (Some(document), Some(offset)) => format!("document {document}, token {offset}"),
        _ => format!("token {}", copy.token),
    };
    format!(
        "{} tokens, {place}: …{}[{}]{}…",
        copy.tokens, copy.before, copy.text, copy.after
    )
}
