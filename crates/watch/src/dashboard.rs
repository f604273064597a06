//! The terminal screen, drawn from the events so far. It reads neither the clock nor the terminal,
//! so the same events at the same size always give the same screen.

use crate::left::TimeLeft;
use crate::table::share;
use crate::text::{argument, line, lines};
use crate::units::{amount, duration, known};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph, Wrap};
use run::{Condition, Eval, Event, Ladder, Profile, Rote, Start, Step, What};

/// Maximum points kept per curve; beyond that, only the min and max of every four points are kept.
const MOST: usize = 8192;
/// Below this size only the metrics are shown; from this width on there are two columns.
const SMALL: (u16, u16) = (44, 14);
const WIDE: u16 = 110;
/// Kinds of work whose time is shown.
const KINDS: usize = 3;

/// The state of a run after the events so far.
#[derive(Default)]
pub struct Dashboard {
    name: String,
    start: Option<Start>,
    last: Option<(u64, Step)>,
    eval: Option<(u64, Eval)>,
    ladder: Option<Ladder>,
    profile: Option<Profile>,
    train: Vec<(f64, f64)>,
    validation: Vec<(f64, f64)>,
    sample: Option<(u64, String)>,
    warning: Option<String>,
    end: Option<String>,
    condition: Condition,
    rote: Rote,
    left: TimeLeft,
}

impl Dashboard {
    /// A screen for the run of this name.
    pub fn new(name: &str) -> Dashboard {
        Dashboard {
            name: name.to_owned(),
            condition: Condition::Live,
            ..Dashboard::default()
        }
    }

    /// Updates the state with an event.
    pub fn event(&mut self, event: &Event) {
        let done = event.step.unwrap_or_default();
        self.rote.event(event);
        match &event.what {
            What::Start(e) => {
                let undone = |step: u64| event.undoes(Some(step));
                self.train.retain(|p| !undone(p.0 as u64));
                self.validation.retain(|p| !undone(p.0 as u64));
                self.last.take_if(|(step, _)| undone(*step));
                self.eval.take_if(|(step, _)| undone(*step));
                self.sample.take_if(|(step, _)| undone(*step));
                self.start = Some((**e).clone());
                self.left.start(e);
                self.end = None;
            }
            What::Step(e) => {
                if let Some(loss) = e.nats_per_token.or(e.mse) {
                    push(&mut self.train, (done as f64, loss));
                }
                self.left.step(done, event.time);
                self.last = Some((done, e.clone()));
            }
            What::Eval(e) => {
                if let Some(loss) = e.val_nats_per_token.or(e.mse) {
                    push(&mut self.validation, (done as f64, loss));
                }
                self.left.eval(e);
                self.eval = Some((done, e.clone()));
            }
            What::Pacing(e) => {
                if let Some(start) = &mut self.start {
                    start.steps = e.steps;
                }
                self.left.paced(e.steps);
            }
            What::Sample(e) => self.sample = Some((done, format!("{}{}", e.prompt, e.text))),
            What::Warning(e) => self.warning = Some(e.message.clone()),
            What::Ladder(e) => self.ladder = Some(e.clone()),
            What::End(e) => self.end = Some(e.reason.clone()),
            What::Profile(e) => self.profile = Some(e.clone()),
            _ => {}
        }
    }

    /// Whether the last session has an `end` event.
    pub fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Says how the run is doing; until then, it is taken to be live unless it has ended.
    pub fn set_condition(&mut self, condition: Condition) {
        self.condition = condition;
    }

    /// Draws the screen.
    pub fn draw(&self, frame: &mut Frame) {
        let area = frame.area();
        if area.width < SMALL.0 || area.height < SMALL.1 {
            let lines: Vec<Line> = self.numbers().into_iter().map(Line::from).collect();
            frame.render_widget(Paragraph::new(lines), area);
            return;
        }
        let rows = [
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Min(8),
            Constraint::Length(1),
        ];
        let [head, progress, body, foot] = Layout::vertical(rows).areas(area);
        frame.render_widget(self.head(), head);
        frame.render_widget(self.progress(), progress);
        frame.render_widget(Line::from(self.foot()).style(Modifier::DIM), foot);
        let numbers = self.numbers();
        let height = numbers.len() as u16 + 2;
        let (chart, side, text) = if area.width >= WIDE {
            let columns = [Constraint::Percentage(62), Constraint::Percentage(38)];
            let [chart, right] = Layout::horizontal(columns).areas(body);
            let rows = [Constraint::Length(height), Constraint::Min(3)];
            let [side, text] = Layout::vertical(rows).areas(right);
            (chart, Some(side), Some(text))
        } else if area.height >= 26 {
            let rows = [
                Constraint::Min(10),
                Constraint::Length(height),
                Constraint::Length(7),
            ];
            let [chart, side, text] = Layout::vertical(rows).areas(body);
            (chart, Some(side), Some(text))
        } else {
            let brief = self.brief();
            let rows = [
                Constraint::Min(7),
                Constraint::Length(u16::from(!brief.is_empty())),
                Constraint::Length(4),
            ];
            let [chart, line, text] = Layout::vertical(rows).areas(body);
            frame.render_widget(Line::from(brief), line);
            (chart, None, Some(text))
        };
        self.chart(frame, chart);
        if let Some(side) = side {
            let lines: Vec<Line> = numbers.into_iter().map(Line::from).collect();
            frame.render_widget(
                Paragraph::new(lines).block(Block::bordered().title("metrics")),
                side,
            );
        }
        if let Some(text) = text {
            frame.render_widget(self.text(), text);
        }
    }

    fn head(&self) -> Line<'_> {
        let step = self.last.as_ref().map_or(0, |(step, _)| *step);
        let state = match (&self.end, self.condition) {
            (_, Condition::Gone) => "its folder is gone".into(),
            (Some(reason), _) => line(reason),
            (None, _) if self.start.is_none() => "no events yet".into(),
            (None, Condition::Stopped) => format!("stopped unexpectedly at step {step}"),
            (None, _) => "training".into(),
        };
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let mut spans = vec![
            Span::styled("downhill ", bold),
            Span::raw(line(&self.name)),
            Span::raw(format!(" · {state}")),
        ];
        if let Some(start) = &self.start {
            let corpus = line(&start.corpus);
            spans.push(Span::raw(format!(" · {corpus} · {}", line(&start.family))));
        }
        if let Some(warning) = &self.warning {
            let yellow = Style::new().fg(Color::Yellow);
            spans.push(Span::styled(format!(" · {}", line(warning)), yellow));
        }
        Line::from(spans)
    }

    fn foot(&self) -> String {
        match self.condition {
            Condition::Stopped if self.start.is_some() => {
                let run = argument(&self.name);
                format!("q: quit · resume: downhill train --resume {run}")
            }
            _ => "q: quit".into(),
        }
    }

    fn progress(&self) -> Gauge<'_> {
        let (first, steps) = self
            .start
            .as_ref()
            .map_or((0, 0), |s| (s.first_step, s.steps));
        let done = self.last.as_ref().map_or(first, |(step, _)| *step);
        let ratio = (done as f64 / steps.max(1) as f64).clamp(0.0, 1.0);
        let style = Style::new().fg(Color::Blue);
        Gauge::default()
            .gauge_style(style)
            .ratio(ratio)
            .label(format!("step {done} of {steps}"))
    }

    /// The metrics that matter most, in one line: those at its end may be cut off.
    fn brief(&self) -> String {
        let mut items = Vec::new();
        if let Some((_, eval)) = &self.eval {
            let loss = eval.val_nats_per_token.or(eval.mse).unwrap_or(f64::NAN);
            items.push(format!("val {}", fixed(loss, 4)));
        }
        items.extend(self.seconds_left().map(|s| format!("left {}", duration(s))));
        if let Some((_, step)) = &self.last {
            let loss = step.nats_per_token.or(step.mse).unwrap_or(f64::NAN);
            items.push(format!("lr {}", rate(step)));
            items.push(format!("train {}", fixed(loss, 4)));
            items.push(format!("{} tok/s", fixed(step.tokens_per_second, 0)));
        }
        items.join(" · ")
    }

    /// How long the run still takes, while it is live.
    fn seconds_left(&self) -> Option<f64> {
        let (done, step) = self.last.as_ref()?;
        let live = self.end.is_none() && self.condition == Condition::Live;
        live.then(|| self.left.after(*done, step.step_seconds))
    }

    /// The run's current metrics, one per line.
    fn numbers(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let (Some(start), last) = (&self.start, &self.last) else {
            return vec!["no events in this run yet".into()];
        };
        if let Some((done, step)) = last {
            let loss = step.nats_per_token.or(step.mse).unwrap_or(f64::NAN);
            lines.push(format!("step     {done} of {}", start.steps));
            lines.push(format!("train    {}", fixed(loss, 4)));
        }
        if let Some((_, eval)) = &self.eval {
            let loss = eval.val_nats_per_token.or(eval.mse).unwrap_or(f64::NAN);
            lines.push(format!("val      {}{}", fixed(loss, 4), self.stage(loss)));
            if let (Some(train), Some(held)) = (eval.accuracy_train, eval.accuracy_held_out) {
                let (train, held) = (share(train), share(held));
                lines.push(format!("answers  {train} trained on · {held} held out"));
            }
        }
        if let Some((_, step)) = last {
            lines.push(format!(
                "speed    {} tok/s",
                fixed(step.tokens_per_second, 0)
            ));
            let computed = start.flops_per_step as f64 / step.step_seconds;
            let peak = start.peak_flops_per_second.map(|peak| computed / peak);
            let peak = peak.map_or(String::new(), |s| format!(" · {:.0}% of peak", 100.0 * s));
            let computed = known(computed, |c| {
                format!("{}{peak}", amount(c as u64, "FLOP/s"))
            });
            lines.push(format!("         {computed}"));
            lines.push(format!(
                "memory   {} planned",
                amount(start.bytes_peak, "B")
            ));
            lines.push(format!(
                "gradient {} · lr {}",
                fixed(step.grad_norm, 3),
                rate(step)
            ));
            lines.extend(
                self.seconds_left()
                    .map(|s| format!("left     {}", duration(s))),
            );
        }
        if let Some(profile) = &self.profile {
            let whole: f64 = profile.seconds.iter().map(|(_, s)| s).sum();
            for (at, (kind, seconds)) in profile.seconds.iter().take(KINDS).enumerate() {
                let head = if at == 0 { "time" } else { "" };
                let share = known(100.0 * seconds / whole, |share| format!("{share:2.0}%"));
                lines.push(format!("{head:8} {share} {}", line(kind)));
            }
        }
        lines
    }

    /// Whether the model learns by rote, or else the best n-gram model that this loss beats.
    fn stage(&self, loss: f64) -> String {
        if let Some(step) = self.rote.since() {
            return format!(" · by rote since step {step}");
        }
        let Some(ladder) = &self.ladder else {
            return String::new();
        };
        match loss {
            l if l < ladder.trigram => " · better than trigrams",
            l if l < ladder.bigram => " · better than bigrams",
            l if l < ladder.unigram => " · better than unigrams",
            _ => "",
        }
        .into()
    }

    fn text(&self) -> Paragraph<'_> {
        let (title, text) = match &self.sample {
            Some((step, text)) => (format!("sample at step {step}"), lines(text)),
            None => ("sample".into(), String::new()),
        };
        Paragraph::new(text)
            .wrap(Wrap { trim: false })
            .block(Block::bordered().title(title))
    }

    fn chart(&self, frame: &mut Frame, area: Rect) {
        let log = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            let known = points.iter().filter(|p| p.1 > 0.0 && p.1.is_finite());
            known.map(|&(x, y)| (x, y.ln())).collect()
        };
        let (train, validation) = (log(&self.train), log(&self.validation));
        let heights = || train.iter().chain(&validation).map(|p| p.1);
        let low = heights().fold(f64::INFINITY, f64::min);
        let high = heights().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = match low < high {
            true => (low - 0.02, high + 0.02),
            false if low.is_finite() && high.is_finite() => (low - 0.5, high + 0.5),
            false => (0.0, 1.0),
        };
        let right = train
            .iter()
            .chain(&validation)
            .map(|p| p.0)
            .fold(1.0, f64::max);
        let set = |name, points, color, kind| {
            let set = Dataset::default()
                .name(name)
                .data(points)
                .style(Style::new().fg(color));
            set.marker(Marker::Braille).graph_type(kind)
        };
        let sets = vec![
            set("train", &train, Color::Blue, GraphType::Line),
            set("val", &validation, Color::Yellow, GraphType::Line),
        ];
        let at = |share: f64| format!("{:.3}", (low + share * (high - low)).exp());
        let y = Axis::default()
            .bounds([low, high])
            .labels([at(0.0), at(0.5), at(1.0)]);
        let x = Axis::default()
            .bounds([0.0, right])
            .labels(["0".into(), format!("{right:.0}")]);
        let block = Block::bordered().title("loss (log scale)");
        frame.render_widget(Chart::new(sets).block(block).x_axis(x).y_axis(y), area);
    }
}

/// A number with so many decimals; a dash if it isn't finite.
fn fixed(number: f64, decimals: usize) -> String {
    known(number, |number| format!("{number:.decimals$}"))
}

fn rate(step: &Step) -> String {
    known(step.lr, |lr| format!("{lr:.2e}"))
}

/// Adds a point. When there are too many, half are dropped, but no minimum or maximum.
fn push(points: &mut Vec<(f64, f64)>, point: (f64, f64)) {
    points.push(point);
    if points.len() < MOST {
        return;
    }
    let halves = points.chunks(4).flat_map(|four| {
        let least = four.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        let most = four.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut both: Vec<(f64, f64)> = least.into_iter().chain(most).copied().collect();
        both.sort_by(|a, b| a.0.total_cmp(&b.0));
        both
    });
    *points = halves.collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_its_spikes_and_little_else() {
        let mut points = Vec::new();
        for step in 0..200_000 {
            let loss = if step == 4_321 { 99.0 } else { 1.0 };
            push(&mut points, (f64::from(step), loss));
        }
        assert!(points.len() < MOST && points.contains(&(4_321.0, 99.0)));
        assert!(points.is_sorted_by(|a, b| a.0 <= b.0));
    }
}
