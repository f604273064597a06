//! Run folders: creating them and finding them again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use std::{fs, io};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files::parent;
use crate::lock::{self, Lock};
use crate::{AppendFile, Checkpoints, Error, EventLog, Files, Result, RunConfig, write_atomic};

const CONFIG: &str = "run.toml";
const EVENTS: &str = "events.jsonl";

/// Where to create a new run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// `root/name`, or `root/name-2`, `root/name-3` … if that is taken.
    Next {
        /// The folder of all runs, such as `runs`.
        root: PathBuf,
        /// The base name; characters that don't suit a folder name become `-`.
        name: String,
    },
    /// Exactly this folder.
    Exact {
        /// The folder.
        path: PathBuf,
        /// Whether to remove an existing run there.
        overwrite: bool,
    },
}

/// How a run is doing, whatever its last event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// A process is training it.
    Live,
    /// Its last session ended as it should.
    #[default]
    Ended,
    /// Its last session stopped without an `end` event: it was killed, or its machine went down.
    Stopped,
    /// Its folder is gone.
    Gone,
}

/// The folder of one run.
#[derive(Clone)]
pub struct RunFolder {
    path: PathBuf,
    files: Arc<dyn Files>,
    /// The right to write to it, which this process holds until the last clone is dropped; `None`
    /// in a folder opened for reading.
    writer: Option<Arc<Writer>>,
}

struct Writer {
    _lock: Lock,
    /// Which folder it is, wherever it is moved to.
    identity: (u64, u64),
    /// The text of run.toml as last written.
    config: Mutex<String>,
}

impl RunFolder {
    /// Creates the folder of a new run and locks it for writing.
    ///
    /// # Errors
    /// If it exists and may not be replaced, or another process is writing to it.
    pub fn create(files: Arc<dyn Files>, choice: &Choice) -> Result<Self> {
        Self::create_chosen(files, choice).map_err(|error| error.chosen_with("--run"))
    }

    fn create_chosen(files: Arc<dyn Files>, choice: &Choice) -> Result<Self> {
        let path = match choice {
            Choice::Next { root, name } => next(files.as_ref(), root, &plain(name))?,
            Choice::Exact { path, overwrite } => {
                if fs::symlink_metadata(path).is_ok() {
                    if !overwrite {
                        return Err(Error::Exists { path: path.clone() });
                    }
                    remove_old(files.as_ref(), path)?;
                }
                // Another process may have created it in the meantime.
                if !files.create_folder(path)? {
                    return Err(Error::Exists { path: path.clone() });
                }
                path.clone()
            }
        };
        files.sync_folder(parent(&path))?;
        Self::locked(files, path)
    }

    /// Opens the folder of an existing run for writing: everything that a session writes there is
    /// written under this lock.
    ///
    /// # Errors
    /// If there is no run, or another process is writing to it.
    pub fn open_to_write(files: Arc<dyn Files>, path: &Path) -> Result<Self> {
        let Self { path, files, .. } = Self::open(files, path)?;
        Self::locked(files, path)
    }

    fn locked(files: Arc<dyn Files>, path: PathBuf) -> Result<Self> {
        let lock = Lock::take(files.as_ref(), &path)?;
        let identity = lock::identity(&path).map_err(|e| Error::at("reading", &path, e))?;
        let writer = Arc::new(Writer {
            _lock: lock,
            identity,
            config: Mutex::default(),
        });
        Ok(Self {
            path,
            files,
            writer: Some(writer),
        })
    }

    /// Opens the folder of an existing run for reading.
    pub fn open(files: Arc<dyn Files>, path: &Path) -> Result<Self> {
        if is_run(path) {
            let path = path.to_path_buf();
            return Ok(Self {
                path,
                files,
                writer: None,
            });
        }
        let reason = if !path.exists() {
            "doesn't exist"
        } else if path.is_dir() {
            "isn't a run folder (it has no run.toml)"
        } else {
            "is a file, not a run folder"
        };
        let mut near = runs_in(path);
        near.extend(runs_in(parent(path)));
        near.extend(runs_in(Path::new("runs")));
        near.sort();
        near.dedup();
        Err(no_run(path, reason, near))
    }

    /// The most recently written run in `root`.
    pub fn newest(files: Arc<dyn Files>, root: &Path) -> Result<Self> {
        let newest = Self::list(files, root)?.into_iter().next();
        newest.ok_or_else(|| no_run(root, "contains no runs", Vec::new()))
    }

    /// All runs in `root`, the most recently written first; none if `root` doesn't exist.
    pub fn list(files: Arc<dyn Files>, root: &Path) -> Result<Vec<Self>> {
        if let Err(error) = fs::read_dir(root)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(Error::at("reading", root, error));
        }
        let mut runs = runs_in(root);
        runs.sort_by_cached_key(|path| std::cmp::Reverse((written(path), path.clone())));
        let open = |path| Self {
            path,
            files: files.clone(),
            writer: None,
        };
        Ok(runs.into_iter().map(open).collect())
    }

    /// The folder's path, as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of its event log.
    pub fn events_path(&self) -> PathBuf {
        self.path.join(EVENTS)
    }

    /// Whether the folder locked by this process is still in its place: `false` once it was moved
    /// or removed, so that writing would create another one.
    pub fn in_place(&self) -> bool {
        let own = |writer: &Arc<Writer>| {
            lock::identity(&self.path).is_ok_and(|found| found == writer.identity)
        };
        self.writer.as_ref().is_none_or(own)
    }

    /// A new folder beside this one with the same run.toml, for a run whose folder isn't in its
    /// place any more.
    pub fn beside(&self) -> Result<Self> {
        let name = self.path.file_name().unwrap_or_default();
        let choice = Choice::Next {
            root: parent(&self.path).to_path_buf(),
            name: name.to_string_lossy().into_owned(),
        };
        let new = Self::create_chosen(self.files.clone(), &choice)?;
        if let Some(writer) = &self.writer {
            let config = writer.config.lock().unwrap_or_else(PoisonError::into_inner);
            new.write_config(&config)?;
        }
        Ok(new)
    }

    /// Opens its event log for appending.
    pub fn event_log(&self) -> Result<EventLog> {
        let log = EventLog::open(self.files.as_ref(), &self.events_path())?;
        // A power cut must not take the log's entry in the folder.
        self.files.sync_folder(&self.path)?;
        Ok(log)
    }

    /// How the run is doing. `ended` is whether the last session has an `end` event. If it hasn't,
    /// the run is live as long as a process holds its lock.
    pub fn condition(&self, ended: bool) -> Condition {
        if !is_run(&self.path) {
            return Condition::Gone;
        }
        if ended {
            return Condition::Ended;
        }
        match self.writer.is_none() && lock::is_free(&self.path) {
            true => Condition::Stopped,
            false => Condition::Live,
        }
    }

    /// Its checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.path.join("checkpoints"), self.files.clone())
    }

    /// Opens a file in the folder for appending, creating it if needed.
    pub fn append(&self, name: &str) -> Result<Box<dyn AppendFile>> {
        self.files.append(&self.path.join(name))
    }

    /// Writes run.toml atomically. The keys that the user set stay as they are recorded.
    pub fn write_config(&self, text: &str) -> Result<()> {
        let known = self.config().ok().and_then(|config| config.given);
        let new = RunConfig::parse(&self.path.join(CONFIG), text);
        let has = new.is_ok_and(|config| config.given.is_some());
        match known.filter(|_| !has) {
            Some(given) => self.write_with(text, &given),
            None => self.write_text(text),
        }
    }

    /// The same, and records the keys that the user set: in addition to those known, if there are.
    pub fn write_config_given(&self, text: &str, keys: &[String]) -> Result<()> {
        let known = self.config().ok().and_then(|config| config.given);
        let mut given = known.unwrap_or_default();
        given.extend(keys.iter().cloned());
        given.sort();
        given.dedup();
        self.write_with(text, &given)
    }

    /// Writes run.toml with these keys in its second line.
    fn write_with(&self, text: &str, given: &[String]) -> Result<()> {
        let (kind, rest) = text.split_once('\n').unwrap_or((text, ""));
        let keys: Vec<String> = given.iter().map(|key| format!("{key:?}")).collect();
        self.write_text(&format!("{kind}\ngiven = [{}]\n{rest}", keys.join(", ")))
    }

    fn write_text(&self, text: &str) -> Result<()> {
        write_atomic(
            self.files.as_ref(),
            &self.path.join(CONFIG),
            text.as_bytes(),
        )?;
        if let Some(writer) = &self.writer {
            let mut config = writer.config.lock().unwrap_or_else(PoisonError::into_inner);
            text.clone_into(&mut config);
        }
        Ok(())
    }

    /// Atomically writes a file that an event or a plot needs to the run's `probes/`.
    pub fn write_probe(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let folder = self.path.join("probes");
        if self.files.create_folder(&folder)? {
            self.files.sync_folder(&self.path)?;
        }
        let path = folder.join(name);
        write_atomic(self.files.as_ref(), &path, bytes)?;
        Ok(path)
    }

    /// Reads a JSON file of the run's `probes/`; `None` if there is none.
    ///
    /// # Errors
    /// If it can't be read or is damaged; then `command` makes it again.
    pub(crate) fn read_probe<T: DeserializeOwned>(
        &self,
        name: &str,
        command: &str,
    ) -> Result<Option<T>> {
        let path = self.path.join("probes").join(name);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| Error::at("reading", &path, error))?,
        };
        let read = serde_json::from_slice(&text).map_err(|error| Error::Broken {
            path,
            reason: format!("{error}. Make it again with {command}"),
        })?;
        Ok(Some(read))
    }

    /// Writes a JSON file to the run's `probes/`.
    pub(crate) fn save_probe(&self, name: &str, content: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec(content).map_err(|error| Error::Broken {
            path: self.path.join("probes").join(name),
            reason: error.to_string(),
        })?;
        self.write_probe(name, &text).map(drop)
    }

    /// The text of run.toml.
    pub fn read_config(&self) -> Result<String> {
        let path = self.path.join(CONFIG);
        fs::read_to_string(&path).map_err(|error| Error::at("reading", &path, error))
    }

    /// The content of run.toml.
    pub fn config(&self) -> Result<RunConfig> {
        RunConfig::parse(&self.path.join(CONFIG), &self.read_config()?)
    }
}

/// A name in a folder; one in the current folder isn't shown as `./name`.
fn inside(folder: &Path, name: impl AsRef<Path>) -> PathBuf {
    match folder == Path::new(".") {
        true => name.as_ref().to_path_buf(),
        false => folder.join(name),
    }
}

fn is_run(path: &Path) -> bool {
    path.join(CONFIG).is_file()
}

/// When a run was last written to.
fn written(path: &Path) -> Option<SystemTime> {
    let time = |name| fs::metadata(path.join(name)).and_then(|m| m.modified());
    time(CONFIG).ok().max(time(EVENTS).ok())
}

/// The run folders directly in a folder.
fn runs_in(folder: &Path) -> Vec<PathBuf> {
    folders_in(folder, is_run)
}

/// The folders of one kind directly in a folder, by name; none if it can't be read.
pub(crate) fn folders_in(folder: &Path, is_kind: fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = inside(folder, entry.ok()?.file_name());
            is_kind(&path).then_some(path)
        })
        .collect();
    found.sort();
    found
}

fn no_run(path: &Path, reason: &'static str, near: Vec<PathBuf>) -> Error {
    const SHOWN: usize = 6;
    let advice = if near.is_empty() {
        "Start a run first: downhill train".to_string()
    } else {
        let shown: Vec<String> = near
            .iter()
            .take(SHOWN)
            .map(|run| run.display().to_string())
            .collect();
        let more = match near.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("Existing runs: {}{more}", shown.join(", "))
    };
    Error::NoRun {
        path: path.to_path_buf(),
        reason,
        advice,
    }
}

/// Creates the first of `root/name`, `root/name-2` … that doesn't exist.
pub(crate) fn next(files: &dyn Files, root: &Path, name: &str) -> Result<PathBuf> {
    let mut number = 1;
    loop {
        let name = match number {
            1 => name.to_owned(),
            _ => format!("{name}-{number}"),
        };
        let path = inside(root, &name);
        let taken = fs::symlink_metadata(&path).is_ok();
        if !taken && files.create_folder(&path)? {
            return Ok(path);
        }
        number += 1;
    }
}

/// Removes the path if it is a run that nobody writes to, or an empty folder.
fn remove_old(files: &dyn Files, path: &Path) -> Result<()> {
    // A start that was killed before it wrote run.toml leaves the lock alone.
    let own = |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|e| e.file_name() == lock::NAME);
    let empty = fs::read_dir(path).is_ok_and(|mut entries| entries.all(own));
    let link = fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink());
    if link || !(is_run(path) || empty) {
        let path = path.to_path_buf();
        return Err(Error::NotReplaced { path });
    }
    let lock = Lock::take(files, path)?;
    if cfg!(windows) {
        // Windows doesn't remove files that are open.
        drop(lock);
        return files.remove_folder(path);
    }
    files.remove_folder(path)
}

/// A name that is valid as a folder name on every system.
pub(crate) fn plain(name: &str) -> String {
    const LONGEST: usize = 60;
    let keep = |c: char| match c.is_alphanumeric() || "-_.".contains(c) {
        true => c,
        false => '-',
    };
    let plain: String = name.chars().take(LONGEST).map(keep).collect();
    match plain.trim_matches(['.', '-']) {
        "" => "run".to_string(),
        plain => plain.to_string(),
    }
}
