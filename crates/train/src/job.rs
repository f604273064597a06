//! What is trained, and where it starts: what a command hands to the trainer.

use crate::corpus::Corpus;
use crate::error::Result;
use crate::language::LanguageTask;
use crate::resume::Resumed;
use crate::saved::Settings;
use crate::trainer::Deadline;
use engine::dry_run;
use model::{Config, Training};
use run::{Checkpoint, RunFolder};

/// A run of a language model, new or resumed.
pub struct Job {
    /// Its settings; with those of the clock after it ended.
    pub settings: Settings,
    /// Its task.
    pub task: LanguageTask,
    /// Its folder.
    pub folder: RunFolder,
    /// The checkpoint it resumes from.
    pub from: Option<Checkpoint>,
    /// What the user should know before the first step.
    pub notes: Vec<String>,
    /// When it has to be over, if it ends on time.
    pub deadline: Option<Deadline>,
}

impl Job {
    /// A new run.
    pub fn new(
        settings: Settings,
        task: LanguageTask,
        folder: RunFolder,
        deadline: Option<Deadline>,
    ) -> Job {
        Job {
            settings,
            task,
            folder,
            from: None,
            notes: Vec::new(),
            deadline,
        }
    }

    /// A run to resume.
    ///
    /// # Errors
    /// As [`LanguageTask::new`].
    pub fn resumed(resumed: Resumed, folder: RunFolder, corpus: Corpus) -> Result<Job> {
        Ok(Job {
            task: LanguageTask::new(&resumed.settings.config, corpus)?,
            settings: resumed.settings,
            folder,
            from: resumed.from,
            notes: resumed.notes,
            deadline: None,
        })
    }
}

/// Bytes that training needs: weights, gradients, the optimizer's state, the average and all
/// intermediate values.
///
/// # Errors
/// If the model's numbers don't fit together.
pub fn memory(config: &Config, vocabulary: usize) -> Result<u64> {
    let totals = dry_run(&Training::record(config, vocabulary)?.plan(config)?);
    let average = match config.train.average > 0.0 {
        true => 4 * totals.parameters,
        false => 0,
    };
    Ok(totals.bytes + average)
}
