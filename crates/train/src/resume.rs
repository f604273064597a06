//! How a run is resumed: from which checkpoint, and with which settings.

use crate::error::{Error, Result};
use crate::saved::Settings;
use crate::schedule::rate;
use crate::state;
use model::Config;
use run::{Checkpoint, Event, RunFolder, What, Which, read_events};
use session::check_sound;

/// Keys, and sections of keys, that may change when a run is resumed.
const FREE: [&str; 13] = [
    "optim.lr",
    "optim.lr_min",
    "optim.matrix_lr",
    "optim.schedule_steps",
    "train.steps",
    "train.pace",
    "train.patience",
    "train.improvement",
    "train.stable",
    "train.threads",
    "eval.",
    "checkpoint.",
    "sample.",
];

/// Steps at which two courses of the learning rate are compared.
const LOOKS: u64 = 1000;

/// What happens to the schedule of the learning rate when the number of steps changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// It ends where it would have ended, and the rate stays as it was then.
    Keep,
    /// It covers all steps.
    Extend,
}

/// Where a run is resumed.
pub struct Resumed {
    /// The run's settings, with those given now.
    pub settings: Settings,
    /// The checkpoint to go on from; `None` begins again at step 0.
    pub from: Option<Checkpoint>,
    /// What the user should know before the first step: checkpoints passed over, settings that
    /// changed, the course of the learning rate.
    pub notes: Vec<String>,
}

impl Resumed {
    /// Decides how a run is resumed: from a step, or from the newest sound checkpoint; with
    /// assignments on top of its config. Writes nothing.
    ///
    /// # Errors
    /// If no checkpoint is sound or a setting can't change.
    pub fn new(
        folder: &RunFolder,
        step: Option<u64>,
        sets: &[String],
        extension: Option<Extension>,
    ) -> Result<Resumed> {
        let recorded = Settings::read(folder, &[])?;
        let (from, mut notes) = choose(folder, step)?;
        let then = match &from {
            Some(checkpoint) => saved_config(checkpoint)?,
            None => recorded.config.clone(),
        };
        let mut settings = Settings::read(folder, &with_pace(sets, &then))?;
        let span = then.optim.schedule_steps.unwrap_or(then.train.steps);
        match extension {
            Some(Extension::Keep) => settings.config.optim.schedule_steps = Some(span),
            Some(Extension::Extend) => settings.config.optim.schedule_steps = None,
            None => {}
        }
        check_fixed(&recorded.config, &settings.config)?;
        notes.extend(check_unchanged(
            folder,
            &settings.config,
            &then,
            from.as_ref(),
        )?);
        let at = from.as_ref().map_or(0, |checkpoint| checkpoint.step);
        notes.extend(course(&then, &settings.config, at));
        Ok(Resumed {
            settings,
            from,
            notes,
        })
    }

    /// Whether nothing is left to do: all steps are done or the model was at its best, and the end
    /// was reported.
    ///
    /// # Errors
    /// If the event log or the checkpoint can't be read.
    pub fn is_finished(&self, folder: &RunFolder) -> Result<bool> {
        let train = &self.settings.config.train;
        let steps = train.steps as u64;
        let Some(checkpoint) = self.from.as_ref() else {
            return Ok(false);
        };
        let best = state::load(checkpoint)?.patience.is_over(train);
        if checkpoint.step < steps && !best {
            return Ok(false);
        }
        let ended = |event: &Event| {
            let What::End(end) = &event.what else {
                return false;
            };
            event.step == Some(checkpoint.step) && end.reason != "interrupted"
        };
        Ok(checkpoint.step > steps || read_events(&folder.events_path())?.iter().any(ended))
    }
}

/// The assignments, and the number of steps that the clock of a timed run had allowed by the
/// checkpoint, unless they give another.
fn with_pace(sets: &[String], then: &Config) -> Vec<String> {
    let mut all = sets.to_vec();
    if sets.iter().any(|set| set.starts_with("train.steps=")) {
        all.push("train.pace=none".into());
    } else if let Some(pace) = &then.train.pace {
        all.push(format!("train.pace={pace}"));
        all.push(format!("train.steps={}", then.train.steps));
    }
    all
}

/// Checks all files of a language model's checkpoint.
///
/// # Errors
/// What is wrong with the first that isn't sound.
pub fn check_checkpoint(checkpoint: &mut Checkpoint) -> run::Result<()> {
    check_sound(checkpoint, |_| true)?;
    match state::load(checkpoint) {
        Ok(_) => Ok(()),
        Err(Error::Run(error)) => Err(error),
        Err(other) => Err(checkpoint.unusable(state::TRAINER, other.to_string())),
    }
}

/// The checkpoint to go on from, and notes on those passed over.
fn choose(folder: &RunFolder, step: Option<u64>) -> Result<(Option<Checkpoint>, Vec<String>)> {
    let which = step.map_or(Which::Last, Which::Step);
    match folder.checkpoints().choose(which, &check_checkpoint) {
        Ok(chosen) => {
            let step = chosen.checkpoint.step;
            let mut notes = chosen.skipped;
            if let Some(first) = notes.first_mut() {
                first.push_str(&format!(
                    "; resuming from the checkpoint of step {step} instead"
                ));
            }
            Ok((Some(chosen.checkpoint), notes))
        }
        // The first steps give the same bits again.
        Err(run::Error::NoCheckpoint { .. }) if step.is_none_or(|step| step == 0) => {
            let note = "no checkpoint to resume from: starting again at step 0".to_owned();
            Ok((None, vec![note]))
        }
        Err(error @ run::Error::Damaged { .. }) if step.is_none() => Err(Error::Fixed(format!(
            "{}, and no other checkpoint is sound. Start again at step 0 with --checkpoint 0",
            error.what()
        ))),
        Err(error) => Err(error.into()),
    }
}

fn saved_config(checkpoint: &Checkpoint) -> Result<Config> {
    let text = state::load(checkpoint)?.config;
    let path = checkpoint.path.join(state::TRAINER);
    let config = Config::load(None, Some((&path, &text)), &[]);
    config.map_err(|error| Error::Config { path, error })
}

fn is_free(key: &str) -> bool {
    FREE.iter()
        .any(|free| *free == key || (free.ends_with('.') && key.starts_with(free)))
}

/// Refuses assignments that a resumed run can't take, by name.
fn check_fixed(recorded: &Config, wanted: &Config) -> Result<()> {
    let fixed = wanted.differences(recorded).into_iter();
    let fixed: Vec<String> = fixed
        .filter(|difference| !is_free(&difference.key))
        .map(|difference| format!("{} (it is {})", difference.key, difference.theirs))
        .collect();
    if fixed.is_empty() {
        return Ok(());
    }
    let free: Vec<String> = FREE
        .iter()
        .map(|key| match key.strip_suffix('.') {
            Some(section) => format!("{section}.*"),
            None => (*key).to_owned(),
        })
        .collect();
    Err(Error::Fixed(format!(
        "a resumed run can't change {}. It can change: {}",
        fixed.join(", "),
        free.join(", ")
    )))
}

/// Refuses a config that changed since the checkpoint in a way that the run can't take; otherwise
/// says what changed.
fn check_unchanged(
    folder: &RunFolder,
    now: &Config,
    then: &Config,
    from: Option<&Checkpoint>,
) -> Result<Vec<String>> {
    let (free, fixed): (Vec<_>, Vec<_>) = now
        .differences(then)
        .into_iter()
        .partition(|difference| is_free(&difference.key));
    let told: Vec<String> = fixed
        .iter()
        .map(|d| format!("{} was {} and is {}", d.key, d.theirs, d.mine))
        .collect();
    if told.is_empty() {
        let changed = free.iter().filter(|d| d.key != "train.threads");
        return Ok(changed
            .map(|d| format!("resumed with {} = {} (was {})", d.key, d.mine, d.theirs))
            .collect());
    }
    Err(Error::Changed {
        run: folder.path().to_path_buf(),
        what: format!(
            "its config changed since step {}: {}",
            from.map_or(0, |checkpoint| checkpoint.step),
            told.join("; ")
        ),
        advice: "Restore run.toml, or start a new run",
    })
}

/// What the learning rate does from step `at` on, where that changed.
fn course(then: &Config, now: &Config, at: u64) -> Option<String> {
    let steps = now.train.steps as u64;
    let rate_of = |config: &Config, step: u64| rate(&config.optim, step, &config.train.pace());
    let looks = (0..=LOOKS).map(|look| at + (steps.saturating_sub(at)) * look / LOOKS);
    if looks
        .clone()
        .all(|step| rate_of(then, step) == rate_of(now, step))
    {
        return None;
    }
    let before = rate_of(then, at.saturating_sub(1));
    let most = looks
        .clone()
        .map(|step| rate_of(now, step))
        .fold(0.0, f64::max);
    let last = rate_of(now, steps);
    let shown = |rate: f64| match rate {
        0.0 => "0".to_owned(),
        rate => format!("{rate:.1e}"),
    };
    let mut text = format!("the learning rate was {} at step {at}: it ", shown(before));
    if most > before {
        text.push_str(&format!("rises again to {}", shown(most)));
    } else {
        text.push_str("continues from there");
    }
    match last < most {
        true => text.push_str(&format!(", then falls to {} at step {steps}", shown(last))),
        false => text.push_str(&format!(" and stays until step {steps}")),
    }
    let longer = now.train.steps > then.train.steps && now.optim.schedule_steps.is_none();
    if longer && most > before {
        text.push_str("; --schedule keep leaves it at the end of the old schedule");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(sets: &[&str]) -> Config {
        let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
        Config::load(Some("tiny"), None, &sets).unwrap()
    }

    #[test]
    fn the_course_of_the_rate_is_told_where_it_changes() {
        let sets = [
            "train.steps=200",
            "optim.lr=1e-3",
            "optim.lr_min=0",
            "optim.schedule=cosine",
        ];
        let then = config(&sets);
        assert_eq!(course(&then, &then.clone(), 100), None);
        let mut now = then.clone();
        now.train.steps = 400;
        let text = course(&then, &now, 200).unwrap();
        for words in [
            "rises again to 5.",
            "then falls to 0 at step 400",
            "--schedule keep",
        ] {
            assert!(text.contains(words), "{text}");
        }
        now.optim.schedule_steps = Some(200);
        assert_eq!(course(&then, &now, 200), None, "it stays as it was");
    }

    #[test]
    fn some_keys_may_change_and_others_are_refused_by_name() {
        let then = config(&[]);
        let free = [
            "optim.lr=0.01",
            "eval.every=7",
            "train.threads=1",
            "sample.tokens=3",
        ];
        check_fixed(&then, &config(&free)).unwrap();
        let fixed = config(&["train.batch=3", "optim.lr=0.01"]);
        let error = check_fixed(&then, &fixed).unwrap_err().to_string();
        assert!(
            error.contains("train.batch (it is ") && error.contains("eval.*"),
            "{error}"
        );
    }
}
