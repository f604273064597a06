//! A lesson as text for the terminal: what it is about, its numbers, and its question.

use crate::output::out;
use std::io::{self, Write};
use study::lesson::{
    ChainLesson, CopiedLesson, CostLesson, CrowdLesson, LessonStage, NextLesson, Outline,
    RatesLesson, SlopeLesson, StepLesson, Told,
};

/// Title, text, question, what a right answer means, and what to do after a wrong one.
type Script = [&'static str; 5];

const SCRIPTS: [Script; 9] = [
    [
        "The next token",
        "A language model does one thing: it reads a text and says, for every token, how likely it\n\
         is to come next. Here a token is a letter. This model trains now, for a few seconds.",
        "Which letter does the model expect after \"Soon they all walked hom\"? 1: m  2: e  3: a space",
        "Nobody told the model how to spell. It found out by guessing again and again.",
        "Give it exactly this text, and look at the first line.",
    ],
    [
        "What a mistake costs",
        "For a line, a mistake costs the square of its distance. For the next token it costs\n\
         -ln p, where p is the probability of the right token: the cross-entropy.",
        "At p = 0.001, which cost still pulls strongly? 1: cross-entropy  2: mean squared error",
        "Its pull is 1 - p, here almost 1. The squared error hardly pulls at its worst mistake.",
        "Compare the two pulls at --probability 0.001.",
    ],
    [
        "The slope",
        "Four points and a line, y = w*x. The slope says how fast the cost, the mean squared\n\
         error, rises when w grows a little. Positive: the way down is to the left.",
        "At which w is the ground flat, with slope 0?",
        "There the cost is lowest. All training looks for such a place.",
        "If the slope is positive, make w smaller; if it is negative, larger.",
    ],
    [
        "One step down",
        "Training repeats one small step: new w = w - rate * slope. We start at w = 5 and take a\n\
         single step.",
        "With which learning rate does a single step land exactly on the lowest point?",
        "When w changes by 1, the slope changes by 10, and 1 / 10 leads straight to the bottom.",
        "A cost above 1 with a positive slope: raise the rate. A negative slope: lower it.",
    ],
    [
        "A crowd on the mountain",
        "Now the line has two weights. 200 walkers start at random places and step downhill. One\n\
         has arrived when its cost is at most 1% above the lowest.",
        "What is the smallest number of steps after which all 200 have arrived?",
        "Wherever they start, all meet at the same place: the cost of a line has one valley.",
        "Go up until 200 have arrived, then back to the first number for which that is true.",
    ],
    [
        "Rate too high, rate too low",
        "The same mountain and the same walkers, 60 steps. Too low a learning rate, and they\n\
         crawl; too high, and every step jumps across the valley.",
        "Above which learning rate does the cost rise instead of falling?",
        "The limit is 2 / the largest curvature of the mountain, here 2 / 8.",
        "If the cost falls, try a higher rate; if it rises, a lower one. Halve the gap each time.",
    ],
    [
        "Backpropagation",
        "h = w1 * x, then y = w2 * h, and the cost is (y - target)^2. The backward pass asks of\n\
         each number how the cost changes when it grows; the last column checks that by moving it.",
        "At which w1 do both weights stay where they are, because both slopes are 0?",
        "Now y is exactly the target, and nothing has to change.",
        "Look for the w1 that makes y equal to the target.",
    ],
    [
        "From noise to words",
        "A model with about 100,000 weights reads children's stories, here and now.",
        "How large is the loss before the first step, in nats per token?",
        "Knowing nothing, a model gives each of N tokens the probability 1/N: a loss of ln N.",
        "Train it for any number of steps, and look at step 0.",
    ],
    [
        "Learned or copied?",
        "A model with plenty of room and little text can learn it by heart. How much of what it\n\
         writes appears word for word in that text?",
        "Which model writes something of its own? 1: one that read 3 lines  2: one that read 500",
        "3 lines can be remembered. Of 500, only what they have in common helps.",
        "Train it with 3 lines and with 500, and compare the shares of what is copied.",
    ],
];

fn script(number: usize) -> Script {
    number
        .checked_sub(1)
        .and_then(|at| SCRIPTS.get(at).copied())
        .unwrap_or_default()
}

/// Title and text.
pub fn opening(outline: &Outline) -> String {
    let [title, text, ..] = script(outline.number);
    format!("Lesson {}: {title}\n\n{text}\n", outline.number)
}

/// The question, and how to find the answer.
pub fn question(outline: &Outline) -> String {
    let [.., question, _, _] = script(outline.number);
    let (number, knob) = (outline.number, outline.knob);
    format!(
        "\nquestion  {question}\n          Change --{knob} to find out, then check: downhill lesson \
         {number} --answer ANSWER"
    )
}

/// What an answer is worth.
pub fn verdict(number: usize, right: bool) -> String {
    let [.., yes, no] = script(number);
    match right {
        true => format!("Right. {yes}"),
        false => format!("Not quite. {no}"),
    }
}

/// Prints what a lesson tells.
pub fn show(told: &Told) -> io::Result<()> {
    match told {
        Told::Training(..) => Ok(()),
        Told::Next(told) => next(told),
        Told::Cost(told) => cost(told),
        Told::Slope(told) => slope(told),
        Told::Step(told) => step(told),
        Told::Crowd(told) => crowd(told),
        Told::Rates(told) => rates(told),
        Told::Backpropagation(told) => chain(told),
        Told::Stage(told) => stage(told),
        Told::Words(told) => writeln!(
            out(),
            "{} parameters, {} different tokens, {} tokens read",
            watch::count(told.parameters),
            told.vocabulary,
            watch::count(told.tokens)
        ),
        Told::Copied(told) => copied(told),
    }
}

/// A number with at most six digits.
fn short(x: f64) -> String {
    let size = x.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) {
        return format!("{x:.3e}");
    }
    let text = format!("{x:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    (if text == "-0" { "0" } else { text }).to_owned()
}

/// A row of cells, each of 14 columns.
fn row(name: &str, cells: &[String]) -> io::Result<()> {
    let cells: String = cells.iter().map(|cell| format!("{cell:>14}")).collect();
    writeln!(out(), "{}", format!("{name:22}{cells}").trim_end())
}

fn numbers(name: &str, cells: &[f64]) -> io::Result<()> {
    let cells: Vec<String> = cells.iter().map(|x| short(*x)).collect();
    row(name, &cells)
}

fn head(cells: &[&str]) -> io::Result<()> {
    let cells: Vec<String> = cells.iter().map(|c| (*c).to_owned()).collect();
    row("", &cells)
}

fn next(told: &NextLesson) -> io::Result<()> {
    writeln!(out(), "text      {}", told.tokens.concat())?;
    for guess in &told.guesses {
        let share = format!("{:.1}%", 100.0 * guess.probability);
        writeln!(out(), "{:>8}  {share:>7}", format!("{:?}", guess.token))?;
    }
    writeln!(
        out(),
        "It chooses among {} tokens. It was trained for {} steps.",
        told.vocabulary,
        told.steps
    )
}

fn cost(told: &CostLesson) -> io::Result<()> {
    let here = told.here;
    let of = |pick: fn(&study::lesson::Miss) -> f64| -> Vec<f64> {
        told.line.iter().map(pick).collect()
    };
    numbers("a line: distance", &of(|miss| miss.error))?;
    numbers("cost", &of(|miss| miss.cost))?;
    numbers("pull", &of(|miss| miss.slope))?;
    writeln!(out())?;
    let p = format!("next token, p = {}", short(here.probability));
    row(&p, &["squared".into(), "cross-entropy".into()])?;
    numbers("cost", &[here.squared, here.cross_entropy])?;
    let pulls = [here.squared_slope, here.cross_entropy_slope];
    numbers("pull", &pulls.map(f64::abs))
}

fn slope(told: &SlopeLesson) -> io::Result<()> {
    let here = told.here;
    numbers("w", &[here.weight])?;
    numbers("cost", &[here.cost])?;
    numbers("slope", &[here.slope])?;
    writeln!(out())?;
    head(&["run", "rise", "rise / run"])?;
    let walked = told.walked.iter();
    walked
        .into_iter()
        .try_for_each(|w| numbers("to the right", &[w.run, w.rise, w.ratio]))
}

fn step(told: &StepLesson) -> io::Result<()> {
    let (before, after) = (told.before, told.after);
    head(&["before", "after"])?;
    numbers("w", &[before.weight, after.weight])?;
    numbers("cost", &[before.cost, after.cost])?;
    numbers("slope", &[before.slope, after.slope])?;
    writeln!(
        out(),
        "\nw = {} - {} * {} = {}",
        short(before.weight),
        short(told.rate),
        short(before.slope),
        short(after.weight)
    )
}

fn crowd(told: &CrowdLesson) -> io::Result<()> {
    row("steps", &[told.steps.to_string()])?;
    row(
        "arrived",
        &[format!("{} of {}", told.arrived, told.walkers)],
    )?;
    numbers("mean cost", &[told.mean_cost])?;
    numbers("lowest cost", &[told.land.best.cost])
}

fn rates(told: &RatesLesson) -> io::Result<()> {
    row("rate", &[short(told.rate)])?;
    row(
        "arrived",
        &[format!("{} of {}", told.arrived, told.walkers)],
    )?;
    let cost = |cost: &Option<f64>| cost.map_or("too large".into(), short);
    for (step, found) in told.costs.iter().enumerate().step_by(10) {
        row(&format!("mean cost, step {step}"), &[cost(found)])?;
    }
    Ok(())
}

fn chain(told: &ChainLesson) -> io::Result<()> {
    head(&["forward", "slope", "check"])?;
    for link in &told.links {
        let known = |x: Option<f64>| x.map_or(String::new(), short);
        let cells = [short(link.value), known(link.slope), known(link.walked)];
        row(link.name, &cells)?;
    }
    writeln!(out(), "target    {}", short(told.target))
}

fn stage(told: &LessonStage) -> io::Result<()> {
    let (step, loss) = (told.step, told.loss);
    let mut out = out();
    writeln!(
        out,
        "step {step}  loss {loss:.3} nats per token\n{}\n",
        told.text.trim_start()
    )?;
    out.flush()
}

fn copied(told: &CopiedLesson) -> io::Result<()> {
    let found = &told.originality;
    let share = |of: &run::TextFigures| {
        let new = of.new_ngrams.get(&8).copied().unwrap_or(1.0);
        format!("{:.0}%", 100.0 * (1.0 - new))
    };
    row("lines", &[told.lines.to_string()])?;
    row("copied 8-grams", &[share(&found.model)])?;
    row("in unread stories", &[share(&found.human)])?;
    numbers("loss, text it read", &[told.losses.0])?;
    numbers("loss, unread text", &[told.losses.1])?;
    writeln!(out(), "\n{}", found.verdict)?;
    for text in found.texts.iter().take(1) {
        let marked = text.pieces.iter().map(|piece| match piece.copy {
            Some(_) => format!("[{}]", piece.text),
            None => piece.text.clone(),
        });
        writeln!(
            out(),
            "\nWhat it writes; copies are in brackets:\n{}",
            marked.collect::<String>()
        )?;
    }
    Ok(())
}
