//! A run on disk.
//!
//! ```text
//! runs/NAME/
//!   run.toml        the run's kind, the complete config as used, the sources of its text
//!   events.jsonl    every event, appended: the source of every screen and report
//!   writer.lock     locked by the process that writes to the run
//!   checkpoints/step-000250/   any files, and manifest.json with their sizes and hashes
//! ```
//!
//! A race is a folder of runs with a `race.toml` ([`RaceFolder`]).
//!
//! Begin with [`RunFolder`], then [`Event`] and [`Follow`]. What always holds: every write goes
//! through [`Files`], so that tests can fail each one in turn ([`Faulty`]); a file is complete or
//! absent; a checkpoint whose hashes don't match is refused.
#![forbid(unsafe_code)]

mod checkpoints;
mod crowd;
mod error;
mod event;
mod faulty;
mod files;
mod folder;
mod follow;
mod hash;
mod inside;
mod json;
mod kind;
mod landscape;
mod lock;
mod log;
mod machine;
mod manifest;
mod originality;
mod output;
mod probe;
mod race;
mod rote;
mod skill;
mod smoothed;

pub use checkpoints::{Checkpoint, Checkpoints, Selection, Which};
pub use crowd::{Connectivity, ConnectivityFinding, CrowdLine, CrowdPair, CrowdRun};
pub use error::{Error, Result};
pub use event::{End, Eval, Event, Helps, Pacing, Sample, Saved, Start, Step, Warning, What};
pub use faulty::Faulty;
pub use files::{
    AppendFile, Content, Disk, Files, NamedFile, absolute, folder_bytes, stream_atomic,
    write_atomic,
};
pub use folder::{Choice, Condition, RunFolder};
pub use follow::{Follow, Followed};
pub use hash::{hex, sha256};
pub use inside::{Embeddings, Head, HeadKind, HeadScores, Inside, LayerLens};
pub use kind::{Kind, RunConfig};
pub use landscape::{CostLandscape, LandscapeFile, PathPoint, PlaneAxes, Walker};
pub use log::{EventLog, read_events};
pub use machine::{available_bytes, now, peak_bytes};
pub use originality::{
    Copied, Extraction, Finding, MarkedText, MatchLengths, Originality, TextFigures, TextPiece,
};
pub use output::{is_output, marked, write_output};
pub use probe::{Canaries, Ladder, Layers, Lens, Passage, Profile};
pub use race::{RaceFolder, Recipe};
pub use rote::Rote;
pub use skill::Skill;
pub use smoothed::Smoothed;
