//! The head and the end of the log.

use run::{Canaries, End, Helps, Kind, Rote, Skill, Start};

use crate::table::{percent, share};
use crate::text::{argument, line, wrap};
use crate::units::{amount, count, duration, known};

/// Maximum width of the head and the end.
const WIDEST: usize = 100;
const LABEL: usize = 9;
/// From this time on, the header tells how long a step takes, in seconds.
const SLOW: f64 = 3.0;

/// The first lines of the log: data, model, batch, machine.
pub(crate) fn head(start: &Start, width: usize) -> Vec<String> {
    let kind = start.kind();
    let mut lines = vec![format!("downhill {}", line(&start.version))];
    let mut add = |label, items: &[String]| lines.extend(labeled(label, items, width));
    if let Kind::Unknown(name) = &kind {
        add(
            "kind",
            &[format!("{}, unknown to this version", line(name))],
        );
    }
    if kind == Kind::Fit {
        add(
            "data",
            &[
                line(&start.corpus),
                format!("{} rows", count(start.train_tokens)),
            ],
        );
        let parameters = format!("{} parameters", count(start.parameters));
        add("model", &[line(&start.family), parameters]);
    } else {
        add("corpus", &corpus(start));
        add("model", &model(start));
        add("batch", &batch(start));
    }
    let mut machine = vec![
        plural(start.threads, "thread"),
        line(&start.processor),
        line(&start.precision),
    ];
    if start.bytes_peak > 0 {
        machine.push(format!("{} planned", amount(start.bytes_peak, "B")));
    }
    if let Some(seconds) = step_seconds(start).filter(|s| *s >= SLOW) {
        machine.push(format!("about {} per step", duration(seconds)));
    }
    add("machine", &machine);
    let mut run = vec![line(&start.run), format!("seed {}", start.seed)];
    if start.first_step > 0 {
        run.push(format!("resumes after step {}", count(start.first_step)));
    }
    add("run", &run);
    if let Some(floor) = start.floor_bits_per_byte {
        let floor = known(floor, |floor| format!("{floor:.4}"));
        add(
            "floor",
            &[format!("{floor} bits/byte, the lowest any model can reach")],
        );
    }
    lines
}

/// The time of a step by the processor's peak, of which training reaches about half.
fn step_seconds(start: &Start) -> Option<f64> {
    let peak = start.peak_flops_per_second?;
    Some(2.0 * start.flops_per_step as f64 / peak)
}

fn corpus(start: &Start) -> Vec<String> {
    vec![
        line(&start.corpus),
        format!("{} training tokens", count(start.train_tokens)),
        format!("{} validation", count(start.validation_tokens)),
        format!("vocabulary {}", count(start.vocabulary)),
        start.train_questions.zip(start.held_out_questions).map_or(
            String::new(),
            |(train, held)| {
                format!(
                    "asks {} questions trained on, {} held out",
                    count(train),
                    count(held)
                )
            },
        ),
    ]
}

fn model(start: &Start) -> Vec<String> {
    let flops = amount(start.flops_per_step, "FLOP");
    vec![
        line(&start.family),
        format!("{} parameters", count(start.parameters)),
        format!("{flops} per step"),
    ]
}

fn batch(start: &Start) -> Vec<String> {
    vec![
        format!("{} × {} tokens", count(start.batch), count(start.context)),
        format!("{} per step", count(start.tokens_per_step)),
        plural(start.steps, "step"),
        short_windows(start),
        passes(start),
    ]
}

/// The windows of the run's first part; empty if all of them have the same length.
fn short_windows(start: &Start) -> String {
    match (start.short_context, start.short_share) {
        (Some(short), Some(share)) if short > 0 => format!(
            "{} × {} for the first {:.0}% of steps",
            count(start.tokens_per_step / short),
            count(short),
            100.0 * share
        ),
        _ => String::new(),
    }
}

/// How often the training text is read; empty if it isn't known.
fn passes(start: &Start) -> String {
    let tokens = start.steps as f64 * start.tokens_per_step as f64;
    match tokens / start.train_tokens as f64 {
        passes if !passes.is_finite() || start.train_tokens == 0 => String::new(),
        passes if passes < 9.95 => format!("{passes:.1} passes over the text"),
        passes => format!("{} passes over the text", count(passes as u64)),
    }
}

/// The last lines of the log: run, quality, cost, and the commands to run next.
pub(crate) fn end(
    (done, end): (u64, &End),
    start: Option<&Start>,
    prompt: Option<&str>,
    (rote, skill): (&Rote, &Skill),
    width: usize,
) -> Vec<String> {
    let fit = start.is_some_and(|start| start.kind() == Kind::Fit);
    let step = count(done);
    let what = match end.reason.as_str() {
        "interrupted" => format!("stopped after step {step}; everything is saved"),
        "target" => format!("reached its target at step {step}"),
        "best" => format!("stopped after step {step}: the model is at its best"),
        "finished" => format!("finished after step {step}"),
        other => format!("ended after step {step} ({})", line(other)),
    };
    let mut lines = wrap(&what, width);
    let mut add = |label, items: &[String]| lines.extend(labeled(label, items, width));
    let mut run = vec![line(&end.run)];
    run.extend(
        end.best_step
            .map(|s| format!("best checkpoint: step {}", count(s))),
    );
    add(if fit { "run" } else { "model" }, &run);
    let quality = quality(end);
    if !quality.is_empty() {
        add("quality", &quality);
    }
    if rote.since().is_some() {
        add("rote", &[self::rote(rote)]);
    }
    let answers = answers(end);
    if !answers.is_empty() {
        add("answers", &[answers, self::skill(skill)]);
    }
    if let Some(helps) = end.helps {
        add("advice", &[self::helps(helps, end, start)]);
    }
    let mut cost = cost(end, start);
    cost.extend(
        end.peak_bytes
            .map(|b| format!("{} peak memory", amount(b, "B"))),
    );
    add("cost", &cost);
    lines.push("next".to_string());
    let steps = start.map_or(done, |start| start.steps.max(done));
    let commands = commands(end, steps, prompt, fit);
    lines.extend(commands.into_iter().map(|command| format!("  {command}")));
    lines
}

/// What would improve the model most.
pub(crate) fn helps(helps: Helps, end: &End, start: Option<&Start>) -> String {
    let each = start.map_or(0.0, |s| s.parameters as f64 / s.train_tokens.max(1) as f64);
    let read = times(end.epochs);
    match helps {
        Helps::Time => format!("more time would help most: the text has been read only {read}"),
        Helps::Text if each >= MANY => format!(
            "more text would help most: the model has {each:.0} parameters for each token of this \
             text, which it has read {read}"
        ),
        Helps::Text => format!("more text would help most: this one has been read {read}"),
        Helps::Size => {
            "a larger model would help most: this one's loss no longer improves and its \
                        weights are stable"
                .to_owned()
        }
        Helps::Nothing => "nothing would help much: the loss is close to the floor".to_owned(),
    }
}

/// Parameters per token of the text that are worth telling.
const MANY: f64 = 3.0;

fn times(epochs: f64) -> String {
    match epochs {
        few if few < 9.95 => format!("{few:.1} times"),
        many => format!("{} times", count(many as u64)),
    }
}

/// Seconds of training and of everything. Those of a resumed run are of different sessions.
pub(crate) fn cost(end: &End, start: Option<&Start>) -> Vec<String> {
    let (training, all) = match start.is_some_and(|start| start.first_step > 0) {
        true => ("training in all sessions", "in this session"),
        false => ("training", "total"),
    };
    vec![
        format!("{} {training}", duration(end.train_seconds)),
        format!("{} {all}", duration(end.wall_seconds)),
    ]
}

/// How many of the planted strings a model knows by heart, by how often they were planted.
pub(crate) fn canaries(canaries: &Canaries) -> String {
    let each = canaries.repetitions.iter().zip(&canaries.recall);
    let each = each.map(|(times, share)| format!("{times}× {:.0}%", 100.0 * share));
    let each: Vec<String> = each.collect();
    format!("planted strings known by heart: {}", each.join(" · "))
}

/// What is said of a run that learns by rote; empty otherwise.
pub(crate) fn rote(rote: &Rote) -> String {
    rote.since().map_or(String::new(), |step| {
        format!(
            "learning by rote since step {}: validation rises while training falls",
            count(step)
        )
    })
}

/// The accuracies; empty if nothing is asked.
pub(crate) fn answers(end: &End) -> String {
    match (end.accuracy_train, end.accuracy_held_out) {
        (Some(train), Some(held_out)) => format!(
            "{} of the questions trained on, {} of those held out",
            share(train),
            share(held_out)
        ),
        _ => String::new(),
    }
}

/// Since when questions are answered; empty if they aren't.
pub(crate) fn skill(skill: &Skill) -> String {
    match (skill.train.map(count), skill.held_out.map(count)) {
        (_, Some(held_out)) => format!(
            "held-out questions are answered since step {held_out}: the model has found the rule"
        ),
        (Some(train), None) => {
            format!("knows what it was trained on since step {train}, but not the rule")
        }
        _ => String::new(),
    }
}

fn quality(end: &End) -> Vec<String> {
    let mut items = Vec::new();
    let short = |value: f64| known(value, |value| format!("{value:.4}"));
    if let Some(nats) = end.val_nats_per_token {
        items.push(format!("{} nats/token", short(nats)));
    }
    if let Some(bits) = end.val_bits_per_byte {
        let of = format!("{} bits/byte", short(bits));
        items.push(match end.floor_bits_per_byte {
            Some(floor) => {
                let above = percent(bits / floor - 1.0);
                format!("{of}, floor {}, {above}", short(floor))
            }
            None => of,
        });
    }
    if let Some(nats) = end.val_nats_per_token {
        let perplexity = known(nats.exp(), |value| format!("{value:.2}"));
        items.push(format!("perplexity {perplexity}"));
    }
    let mse = |mse| known(mse, |mse| format!("{mse:.6e}"));
    items.extend(end.mse.map(|e| format!("mean squared error {}", mse(e))));
    let r2 = |r2| known(r2, |r2| format!("{r2:.6}"));
    items.extend(end.r2.map(|r| format!("R² {}", r2(r))));
    items
}

/// The commands aren't wrapped at any width, so that they can be copied.
fn commands(end: &End, steps: u64, prompt: Option<&str>, fit: bool) -> Vec<String> {
    let run = argument(&end.run);
    if fit {
        return vec![format!("downhill predict {run} FILE.csv")];
    }
    let sample = match prompt.filter(|prompt| !prompt.chars().any(char::is_control)) {
        Some(prompt) if !prompt.is_empty() => {
            format!("downhill sample {run} --prompt {}", quoted(prompt))
        }
        _ => format!("downhill sample {run}"),
    };
    if end.reason == "interrupted" {
        return vec![format!("downhill train --resume {run}"), sample];
    }
    let mut commands = vec![
        sample,
        format!("downhill watch {run}"),
        format!("downhill eval {run}"),
    ];
    // A model at its best is not trained further.
    if end.reason != "best" {
        let steps = steps.saturating_mul(2);
        commands.push(format!("downhill train --resume {run} --steps {steps}"));
    }
    commands
}

/// A prompt in double quotes, which are easier to read, unless the shell would expand it there.
fn quoted(prompt: &str) -> String {
    match prompt.contains(['"', '$', '`', '\\', '!']) {
        true => argument(prompt),
        false => format!("\"{}\"", line(prompt)),
    }
}

/// A label and its items: as many per line as fit, with continuation lines aligned.
fn labeled(label: &str, items: &[String], width: usize) -> Vec<String> {
    let room = width.min(WIDEST).saturating_sub(LABEL).max(8);
    let mut rows: Vec<String> = Vec::new();
    for item in items.iter().filter(|item| !item.is_empty()) {
        match rows.last_mut() {
            Some(row) if crate::text::columns(row) + 3 + crate::text::columns(item) <= room => {
                row.push_str(" · ");
                row.push_str(item);
            }
            _ => rows.extend(wrap(item, room)),
        }
    }
    let label = |at: usize| if at == 0 { label } else { "" };
    let rows = rows.iter().enumerate();
    rows.map(|(at, row)| format!("{:LABEL$}{row}", label(at)))
        .collect()
}

fn plural(number: u64, unit: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {unit}{ending}", count(number))
}
