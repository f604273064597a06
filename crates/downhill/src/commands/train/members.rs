//! Members: models that differ in their seed, trained one after another, which then teach the model
//! of the run. Each is a run of its own in the folder `members` of that run.

use super::{At, Member};
use crate::failure::Result;
use crate::output::out;
use crate::session::{MEMBERS, begun, enough_memory};
use ::train::{Deadline, Job, LanguageTask, Outcome, Resumed, Settings, planner};
use model::Config;
use run::{Choice, Disk, RunFolder};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Trains the members of a job that aren't trained yet; returns the job with them as teachers, or
/// `None` if the user stopped.
pub fn train(mut job: Job, at: &At) -> Result<Option<Job>> {
    let members = job.settings.config.train.members;
    if members == 1 {
        return Ok(Some(job));
    }
    // Before the first is trained.
    let vocabulary = job.task.corpus().tokenizer.vocabulary_size();
    enough_memory(
        ::train::memory(&job.settings.config, vocabulary)?,
        &format!("distilling {members} members"),
        "take fewer (--members), or a smaller model",
    )?;
    let told = !(at.flags.json || at.flags.quiet);
    let began = at.began.elapsed().as_secs_f64();
    let mut teachers = Vec::new();
    for member in 1..=members {
        let path = job.folder.path().join(MEMBERS).join(member.to_string());
        let deadline = job.deadline.map(|whole| {
            let each = (whole.seconds - began) * planner::share(members);
            Deadline {
                seconds: began + each * member as f64,
                forecast: None,
                ..whole
            }
        });
        let Some(mut one) = one(&job, at, &path, member, deadline)? else {
            teachers.push(RunFolder::open(Arc::new(Disk), &path)?);
            continue;
        };
        if told {
            let seed = one.settings.config.train.seed;
            let mut out = out();
            writeln!(out, "member {member} of {members} · seed {seed}")?;
        }
        let which = Member {
            number: member,
            of: members,
        };
        let save = Arc::new(AtomicBool::new(false));
        let outcome = super::train(&mut one, at, &save, Some(which));
        if outcome? == Outcome::Interrupted {
            if told {
                let run = job.folder.path().display();
                writeln!(out(), "stopped; to resume: downhill train --resume {run}")?;
            }
            return Ok(None);
        }
        teachers.push(one.folder);
    }
    job.task = job.task.taught_by(teachers);
    job.deadline = job.deadline.map(|deadline| Deadline {
        step_seconds: deadline.step_seconds * planner::slowness(members),
        ..deadline
    });
    if told {
        writeln!(out(), "the {members} members are distilled into one model")?;
    }
    Ok(Some(job))
}

/// A member as a job, new or resumed; `None` if it is trained.
fn one(
    job: &Job,
    at: &At,
    path: &Path,
    member: usize,
    deadline: Option<Deadline>,
) -> Result<Option<Job>> {
    let corpus = job.task.corpus().clone();
    if path.is_dir() {
        let folder = RunFolder::open_to_write(Arc::new(Disk), path)?;
        let resumed = Resumed::new(&folder, None, &[], None)?;
        return match resumed.is_finished(&folder)? {
            true => Ok(None),
            false => Ok(Some(Job::resumed(resumed, folder, corpus)?)),
        };
    }
    let settings = Settings {
        config: member_config(job, at, member)?,
        source: job.settings.source.clone(),
    };
    let task = LanguageTask::new(&settings.config, corpus)?;
    let choice = Choice::Exact {
        path: path.to_path_buf(),
        overwrite: false,
    };
    let given = job.folder.config()?.given.unwrap_or_default();
    let folder = begun(&choice, &settings, &given)?;
    Ok(Some(Job::new(settings, task, folder, deadline)))
}

/// The config of a member: that of the run with another seed. Where a run is repeated from its
/// run.toml, it is that of its own member, which may have taken another number of steps.
fn member_config(job: &Job, at: &At, member: usize) -> Result<Config> {
    let run = at.flags.configured.config.as_deref().and_then(Path::parent);
    let recorded = run.map(|run| run.join(MEMBERS).join(member.to_string()));
    if let Some(recorded) = recorded.filter(|path| path.is_dir()) {
        let folder = RunFolder::open(Arc::new(Disk), &recorded)?;
        return Ok(Settings::read(&folder, &[])?.config);
    }
    let mut config = job.settings.config.clone();
    let train = &mut config.train;
    train.members = 1;
    train.pace = None;
    train.seed = train.seed.wrapping_add(member as u64);
    Ok(config)
}
