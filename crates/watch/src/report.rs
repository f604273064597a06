//! A run's report in one HTML file: no scripts, no external resources, also made for printing.

mod copied;
mod crowd;

use crate::landscape::section;
use crate::svg::{Curve, Level, chart, escape, heat};
use crate::units::{amount, count, known};
use run::{
    Canaries, Connectivity, CostLandscape, End, Eval, Event, Kind, Ladder, Layers, Lens,
    Originality, Profile, Rote, Sample, Skill, Smoothed, Start, Step, What,
};
use std::fmt::Write;

/// Surprise at which the color is darkest, in nats.
const DARKEST: f32 = 6.0;

/// The report's colors where the reader prefers dark ones; on paper it stays light. The charts' own
/// colors are meant for pictures on their own.
const DARK: &str = "@media screen and (prefers-color-scheme:dark){body{color:#e8ebf1;background:\
    #12151c}pre,.text{background:#1b2029}svg text{fill:#e8ebf1}svg text.level{fill:#6fd69b}svg \
    path.level{stroke:#6fd69b}svg path.grid{stroke:#343c4a}svg rect.back{fill:#1b2029}svg \
    [stroke=\"#1f5fbf\"]{stroke:#7fb2ff}svg [fill=\"#1f5fbf\"]{fill:#7fb2ff}svg \
    [stroke=\"#b9cff0\"]{stroke:#3c5680}svg [stroke=\"#b4540a\"]{stroke:#ffb067}svg \
    [fill=\"#b4540a\"]{fill:#ffb067}}";

/// The events of a run by kind, with their steps where those matter.
#[derive(Default)]
struct Run<'a> {
    start: Option<&'a Start>,
    end: Option<&'a End>,
    ladder: Option<&'a Ladder>,
    profile: Option<&'a Profile>,
    lens: Option<(u64, &'a Lens)>,
    steps: Vec<(u64, &'a Step)>,
    evals: Vec<(u64, &'a Eval)>,
    samples: Vec<(u64, &'a Sample)>,
    layers: Vec<(u64, &'a Layers)>,
    canaries: Option<(u64, &'a Canaries)>,
    warnings: Vec<&'a str>,
    rote: Rote,
    skill: Skill,
}

impl<'a> Run<'a> {
    fn new(events: &'a [Event]) -> Run<'a> {
        let mut run = Run::default();
        for event in events {
            let step = event.step.unwrap_or_default();
            run.rote.event(event);
            run.skill.event(event);
            match &event.what {
                What::Start(e) => run.start = Some(e),
                What::End(e) => run.end = Some(e),
                What::Ladder(e) => run.ladder = Some(e),
                What::Lens(e) => run.lens = Some((step, e)),
                What::Step(e) => run.steps.push((step, e)),
                What::Eval(e) => run.evals.push((step, e)),
                What::Sample(e) => run.samples.push((step, e)),
                What::Layers(e) => run.layers.push((step, e)),
                What::Warning(e) => run.warnings.push(&e.message),
                What::Canaries(e) => run.canaries = Some((step, e)),
                What::Profile(e) => run.profile = Some(e),
                What::Saved(_) | What::Pacing(_) | What::Inside(_) => {}
            }
        }
        run
    }

    /// Reference lines: the losses of n-gram models, and the entropy floor.
    fn levels(&self) -> Vec<Level> {
        let mut levels = Vec::new();
        if let Some(l) = self.ladder {
            let all = [
                ("random guess", l.uniform),
                ("unigrams", l.unigram),
                ("bigrams", l.bigram),
                ("trigrams", l.trigram),
            ];
            levels.extend(all.map(|(name, nats)| (name.to_owned(), nats)));
        }
        if let Some(start) = self.start
            && let Some(floor) = start.floor_bits_per_byte
        {
            let bytes = start.validation_bytes as f64 / start.validation_tokens as f64;
            levels.push(("floor".into(), floor * std::f64::consts::LN_2 * bytes));
        }
        levels.retain(|(_, nats)| nats.is_finite());
        levels
    }

    /// A curve with one point per step.
    fn curve(
        &self,
        name: &'static str,
        color: &'static str,
        number: impl Fn(&Step) -> f64,
    ) -> Curve {
        let of = |(at, step): &(u64, &Step)| (*at as f64, number(step));
        Curve {
            name,
            color,
            points: self.steps.iter().map(of).collect(),
            marks: false,
        }
    }

    fn loss(&self) -> String {
        let loss = |s: &Step| s.nats_per_token.or(s.mse).unwrap_or(f64::NAN);
        let raw = self.curve("train", "#b9cff0", loss);
        let mut mean = Smoothed::default();
        let finite = raw.points.iter().filter(|p| p.1.is_finite());
        let smooth = finite.filter_map(|&(step, loss)| {
            mean.add(loss);
            Some((step, mean.value()?))
        });
        let smooth = Curve {
            name: "train (smoothed)",
            color: "#1f5fbf",
            points: smooth.collect(),
            marks: false,
        };
        let measured = |(at, e): &(u64, &Eval)| Some((*at as f64, e.val_nats_per_token.or(e.mse)?));
        let validation = Curve {
            name: "validation",
            color: "#b4540a",
            points: self.evals.iter().filter_map(measured).collect(),
            marks: true,
        };
        let curves = [raw, smooth, validation];
        let name = match self.start.map(Start::kind) {
            Some(Kind::Fit) => "mean squared error",
            _ => "nats per token",
        };
        chart(&curves, &self.levels(), "step", name, true)
    }

    /// A chart of one quantity of each step.
    fn single(&self, name: &'static str, log: bool, number: impl Fn(&Step) -> f64) -> String {
        let curve = self.curve(name, "#1f5fbf", number);
        chart(&[curve], &[], "step", name, log)
    }

    /// The section on train and held-out accuracy; `None` if nothing was asked.
    fn accuracy(&self) -> Option<String> {
        let curve = |name, color, share: fn(&Eval) -> Option<f64>| {
            let measured = |(at, e): &(u64, &Eval)| Some((*at as f64, 100.0 * share(e)?));
            Curve {
                name,
                color,
                points: self.evals.iter().filter_map(measured).collect(),
                marks: true,
            }
        };
        let curves = [
            curve("trained on", "#1f5fbf", |e| e.accuracy_train),
            curve("held out", "#b4540a", |e| e.accuracy_held_out),
        ];
        let asked = curves.iter().any(|curve| !curve.points.is_empty());
        asked.then(|| {
            format!(
                "<h2>Questions with known answers</h2><figure>{}</figure><p>{}</p>",
                chart(&curves, &[], "step", "% answered correctly", false),
                escape(&crate::summary::skill(&self.skill))
            )
        })
    }

    fn norm(&self) -> String {
        self.single("gradient norm", true, |s| s.grad_norm)
    }

    fn rate(&self) -> String {
        self.single("learning rate", false, |s| s.lr)
    }

    fn speed(&self) -> String {
        self.single("tokens per second", false, |s| s.tokens_per_second)
    }

    /// Heat maps with their titles.
    fn heats(&self) -> Vec<(&'static str, String)> {
        let Some(names) = self.layers.last().map(|(_, l)| &l.names) else {
            return Vec::new();
        };
        type Of = fn(&Layers) -> &Vec<Option<f32>>;
        let all: [(&str, Of); 4] = [
            ("update / weight", |l| &l.update_ratio),
            ("gradient norm", |l| &l.grad_norm),
            ("weight size", |l| &l.weight_rms),
            ("activation size", |l| &l.activation_rms),
        ];
        let map = |of: Of| {
            let known = self
                .layers
                .iter()
                .filter(|(_, l)| of(l).iter().any(Option::is_some));
            let (steps, values): (Vec<u64>, Vec<_>) =
                known.map(|(step, l)| (*step, of(l).clone())).unzip();
            heat(names, &steps, &values)
        };
        all.map(|(name, of)| (name, map(of))).into()
    }
}

/// The plots of a run, each with a file name.
pub fn pictures(events: &[Event]) -> Vec<(String, String)> {
    let run = Run::new(events);
    let mut all = vec![
        ("loss".to_owned(), run.loss()),
        ("gradient-norm".to_owned(), run.norm()),
        ("learning-rate".to_owned(), run.rate()),
        ("speed".to_owned(), run.speed()),
    ];
    all.extend(run.accuracy().map(|svg| ("accuracy".to_owned(), svg)));
    let heats = run.heats().into_iter();
    let file = |title: &str| title.replace(" / ", " by ").replace(' ', "-");
    all.extend(heats.map(|(title, svg)| (file(title), svg)));
    all
}

/// What other commands found about a run.
#[derive(Debug, Default, Clone, Copy)]
pub struct Findings<'a> {
    /// Of `downhill originality`.
    pub originality: Option<&'a Originality>,
    /// Of `downhill landscape`.
    pub landscape: Option<&'a CostLandscape>,
    /// Of `downhill landscape --crowd`.
    pub crowd: Option<&'a Connectivity>,
}

impl Findings<'_> {
    fn parts(&self, run: &Run) -> impl Iterator<Item = String> {
        let copied = copied::html(run, self.originality).into_iter();
        let lands = self.landscape.map(section);
        copied.chain(lands).chain(self.crowd.map(crowd::html))
    }
}

/// A whole run as one HTML file. `config` is its run.toml.
pub fn report(name: &str, events: &[Event], config: &str, found: &Findings) -> String {
    let run = Run::new(events);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta \
         http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'unsafe-inline'\"><meta name=\"viewport\" content=\"width=device-width\"><title>{0}</title>\
         <style>body{{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2rem auto;padding:0 \
         1rem;color:#1d2330;background:#fff;color-scheme:light dark}}svg{{max-width:100%;height:auto}}pre,.text{{white-space:\
         pre-wrap;overflow-wrap:anywhere;font:13px/1.5 ui-monospace,monospace;background:#f6f7f9;\
         padding:.6rem;border-radius:.4rem}}td{{padding:.1rem 1rem .1rem 0;vertical-align:top}}h2,figure\
         {{break-after:avoid;margin:1.4rem 0 .4rem}}figure,.text{{break-inside:avoid}}.text span\
         {{unicode-bidi:isolate}}{DARK}</style></head>\
         <body><h1>{0}</h1>\n",
        escape(name)
    );
    let mut add = |html: String| {
        page.push_str(&html);
        page.push('\n');
    };
    add(facts(&run));
    for warning in &run.warnings {
        add(format!("<p><b>warning:</b> {}</p>", escape(warning)));
    }
    if run.steps.is_empty() && run.evals.is_empty() {
        add("<p>No data yet.</p>".into());
    } else {
        add(format!("<h2>Loss</h2><figure>{}</figure>", run.loss()));
    }
    for part in found.parts(&run) {
        add(part);
    }
    if let Some(accuracy) = run.accuracy() {
        add(accuracy);
    }
    if !run.samples.is_empty() {
        add("<h2>Samples over time</h2>".into());
    }
    for (step, sample) in &run.samples {
        let (prompt, text) = (escape(&sample.prompt), escape(&sample.text));
        add(format!(
            "<p>step {step}</p><div class=\"text\"><b>{prompt}</b>{text}</div>"
        ));
    }
    if let Some((step, lens)) = run.lens {
        add(lens_html(step, lens));
    }
    if !run.steps.is_empty() {
        add(format!(
            "<h2>Inside the model</h2><figure>{}</figure><figure>{}</figure>",
            run.norm(),
            run.rate()
        ));
    }
    for (name, svg) in run.heats() {
        add(format!("<h3>{name}</h3><figure>{svg}</figure>"));
    }
    if !run.steps.is_empty() {
        add(format!(
            "<h2>Where the time goes</h2><figure>{}</figure>",
            run.speed()
        ));
    }
    if let Some(profile) = run.profile {
        add(profile_html(profile));
    }
    add(format!(
        "<h2>Settings</h2><pre>{}</pre></body></html>",
        escape(config)
    ));
    page
}

fn facts(run: &Run) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    if let Some(s) = run.start {
        if let Kind::Unknown(name) = s.kind() {
            rows.push(("kind", format!("{name}, unknown to this version")));
        }
        rows.push(("corpus", s.corpus.clone()));
        rows.push((
            "model",
            format!("{} · {} parameters", s.family, count(s.parameters)),
        ));
        rows.push((
            "batch",
            format!(
                "{} tokens per step · {} steps",
                count(s.tokens_per_step),
                count(s.steps)
            ),
        ));
        rows.push((
            "machine",
            format!("{} threads · {} · {}", s.threads, s.processor, s.precision),
        ));
        let used = run.end.and_then(|e| e.peak_bytes);
        let used = used.map_or(String::new(), |b| format!(" · {} peak", amount(b, "B")));
        let planned = amount(s.bytes_peak, "B");
        rows.push(("memory", format!("{planned} planned{used}")));
        if let Some(speed) = speed(run, s) {
            rows.push(("speed", speed));
        }
        rows.push(("seed", s.seed.to_string()));
    }
    if let Some((step, e)) = run.evals.last() {
        let quality = match (e.val_nats_per_token, e.val_bits_per_byte, e.mse) {
            (Some(nats), Some(bits), _) => {
                let short = |value| known(value, |value| format!("{value:.4}"));
                format!(
                    "{} nats per token · {} bits per byte",
                    short(nats),
                    short(bits)
                )
            }
            (_, _, Some(mse)) => {
                let mse = known(mse, |mse| format!("{mse:.6e}"));
                format!("mean squared error {mse}")
            }
            _ => "–".into(),
        };
        rows.push(("quality", format!("{quality}, at step {}", count(*step))));
    }
    if run.rote.since().is_some() {
        rows.push(("rote", crate::summary::rote(&run.rote)));
    }
    if let Some(e) = run.end {
        let cost = crate::summary::cost(e, run.start).join(" · ");
        rows.push(("cost", cost));
        let answers = crate::summary::answers(e);
        if !answers.is_empty() {
            rows.push(("answers", answers));
        }
        if let Some(helps) = e.helps {
            rows.push(("advice", crate::summary::helps(helps, e, run.start)));
        }
        rows.push(("end", e.reason.clone()));
    }
    let rows = rows
        .iter()
        .map(|(name, value)| format!("<tr><td>{name}<td>{}", escape(value)));
    format!("<table>{}</table>", rows.collect::<String>())
}

/// Tokens and operations per second, and the share of the peak, of a typical recent step.
fn speed(run: &Run, start: &Start) -> Option<String> {
    const LAST: usize = 100;
    let last = run.steps.len().saturating_sub(LAST);
    let mut seconds: Vec<f64> = run.steps[last..]
        .iter()
        .map(|(_, s)| s.step_seconds)
        .filter(|seconds| seconds.is_finite())
        .collect();
    seconds.sort_by(f64::total_cmp);
    let typical = *seconds.get(seconds.len() / 2)?;
    let computed = start.flops_per_step as f64 / typical;
    let mut text = format!(
        "{} tokens per second · {}",
        count((start.tokens_per_step as f64 / typical) as u64),
        amount(computed as u64, "FLOP/s")
    );
    if let Some(peak) = start.peak_flops_per_second {
        // Writing to a string can't fail.
        let _ = write!(
            text,
            " · {:.0}% of the measured peak",
            100.0 * computed / peak
        );
    }
    Some(text)
}

fn profile_html(profile: &Profile) -> String {
    let longest = profile.seconds.first().map_or(1.0, |(_, s)| *s);
    let row = |(kind, seconds): &(String, f64)| {
        let width = 300.0 * seconds / longest;
        format!(
            "<tr><td>{}<td>{:.3} ms<td><svg width=\"300\" height=\"12\"><rect width=\"{width:.1}\" \
             height=\"12\" fill=\"#1f5fbf\"/></svg>",
            escape(kind),
            1000.0 * seconds
        )
    };
    let rows: String = profile.seconds.iter().map(row).collect();
    format!("<h3>Time per step, by operation</h3><table>{rows}</table>")
}

fn lens_html(step: u64, lens: &Lens) -> String {
    let mut html = format!(
        "<h2>What surprises the model at step {step}</h2><p>Text from the validation set. The \
         stronger the color, the more surprising.</p>"
    );
    for passage in &lens.passages {
        html.push_str("<div class=\"text\">");
        let nats = std::iter::once(Some(0.0)).chain(passage.nats.iter().copied());
        for (token, nats) in passage.tokens.iter().zip(nats) {
            let share = (nats.unwrap_or(DARKEST) / DARKEST).clamp(0.0, 1.0) * 0.75;
            // Writing to a string can't fail.
            let _ = write!(
                html,
                "<span style=\"background:rgba(230,110,30,{share:.2})\" title=\"{} nats\">{}</span>",
                nats.map_or("–".into(), |nats| format!("{nats:.2}")),
                escape(token)
            );
        }
        html.push_str("</div>");
    }
    html
}
