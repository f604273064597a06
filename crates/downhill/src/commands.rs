//! One file per command.

mod bench;
mod chat;
mod config;
mod data;
mod eval;
mod export;
mod fit;
mod graph;
mod inside;
mod landscape;
mod lesson;
mod list;
mod originality;
mod plan;
mod play;
mod predict;
mod program;
mod race;
mod report;
mod sample;
mod serve;
mod teacher;
mod tokenize;
mod train;
mod verify;
mod watch;

use crate::arguments::Command;
use crate::failure::Result;

/// Runs a command.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Train(a) => train::run(&a),
        Command::Chat(a) => chat::run(&a),
        Command::Play(a) => play::run(&a),
        Command::Sample(a) => sample::run(&a),
        Command::Serve(a) => serve::run(&a),
        Command::Export(a) => export::run(&a),
        Command::Eval(a) => eval::run(&a),
        Command::Originality(a) => originality::run(&a),
        Command::Inside(a) => inside::run(&a),
        Command::Watch(a) => watch::run(&a),
        Command::Report(a) => report::run(&a),
        Command::Compare(a) => watch::compare(&a),
        Command::Race(a) => race::run(&a),
        Command::Fit(a) => fit::run(&a),
        Command::Landscape(a) => landscape::run(&a),
        Command::Lesson(a) => lesson::run(&a),
        Command::Plan(a) => plan::run(&a),
        Command::Predict(a) => predict::run(&a),
        Command::Verify(a) => verify::run(&a),
        Command::Graph(a) => graph::run(&a),
        Command::Bench(a) => bench::run(&a),
        Command::Config(a) => config::run(&a),
        Command::Data(a) => data::run(&a),
        Command::Tokenize(a) => tokenize::run(&a),
        Command::List(a) => list::list(&a),
        Command::Rm(a) => list::remove(&a),
        Command::Completions(a) => program::completions(&a),
        Command::Man(a) => program::man(&a),
    }
}
