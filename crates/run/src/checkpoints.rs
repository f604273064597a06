//! Checkpoints: written to a temporary folder, synced, checked, then renamed into place.
//!
//! A checkpoint appears as `step-000250` only once it is complete. Hidden folders next to it hold
//! intermediate states: `.step-000250.partial` is being written, `.step-000250.removed` is being
//! removed, and `.step-000250.old` is being replaced and still counts as the checkpoint until the
//! new one is in place.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use crate::files::{open_regular, parent, write_atomic};
use crate::hash::Hasher;
use crate::manifest::{Entry, MANIFEST, Manifest, check_names};
use crate::{Content, Error, Files, NamedFile, Result};

/// The checkpoints of a run.
#[derive(Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    files: Arc<dyn Files>,
}

/// Which checkpoint of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one with the lowest validation loss, the earliest on a tie; the last if no loss was
    /// measured.
    Best,
    /// The one with the most steps.
    Last,
    /// The one saved at this step.
    Step(u64),
}

/// A checkpoint whose manifest has been read.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Training steps done.
    pub step: u64,
    /// Validation loss, where measured: nats per token, or mean squared error for `fit`.
    pub loss: Option<f64>,
    /// Its folder.
    pub path: PathBuf,
    manifest: Manifest,
    /// Files whose hashes have been checked.
    verified: Vec<String>,
}

/// A checkpoint, and what was passed over to find it.
#[derive(Debug)]
pub struct Selection {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Why each checkpoint that would have been preferred isn't it.
    pub skipped: Vec<String>,
}

impl Checkpoints {
    /// The checkpoints in this folder, which doesn't have to exist yet.
    pub fn new(folder: impl Into<PathBuf>, files: Arc<dyn Files>) -> Self {
        let folder = folder.into();
        Self { folder, files }
    }

    /// Saves a checkpoint with these files and returns its folder. A checkpoint of the same step is
    /// replaced. If anything fails, older checkpoints are unchanged.
    pub fn save(&self, step: u64, loss: Option<f64>, contents: Vec<NamedFile>) -> Result<PathBuf> {
        check_names(&contents)?;
        if self.files.create_folder(&self.folder)? {
            self.files.sync_folder(parent(&self.folder))?;
        }
        self.sweep()?;
        let partial = self.hidden(step, "partial");
        let written = self
            .write(&partial, step, loss, &contents)
            .and_then(|()| self.publish(step, &partial));
        if written.is_err() {
            // Frees the space now; if this fails too, the next save cleans up.
            let _ = self.files.remove_folder(&partial);
        }
        written
    }

    /// All checkpoints with a valid manifest, in order of step.
    pub fn list(&self) -> Result<Vec<Checkpoint>> {
        let all = self.all()?.into_iter();
        Ok(all.filter_map(|(_, checkpoint)| checkpoint.ok()).collect())
    }

    /// All checkpoints in order of step, those whose manifest is damaged too.
    pub fn all(&self) -> Result<Vec<(u64, Result<Checkpoint>)>> {
        let found = find(&self.folder)?.into_iter();
        Ok(found
            .map(|(step, path)| (step, Checkpoint::load(step, &path)))
            .collect())
    }

    /// Opens a checkpoint and reads its manifest; its files are checked when they are read. Instead
    /// of one whose manifest is damaged the next best or next older one is opened.
    pub fn open(&self, which: Which) -> Result<Checkpoint> {
        Ok(self.choose(which, &|_| Ok(()))?.checkpoint)
    }

    /// Chooses the first checkpoint that is `sound`: from the best or from the last, or the one of
    /// a step and no other.
    ///
    /// # Errors
    /// If there is none, or none is sound: then what is wrong with the preferred one.
    pub fn choose(
        &self,
        which: Which,
        sound: &dyn Fn(&mut Checkpoint) -> Result<()>,
    ) -> Result<Selection> {
        let found = find(&self.folder)?;
        let mut loaded: Vec<Result<Checkpoint>> = match which {
            Which::Step(asked) => match found.get(&asked) {
                Some(path) => vec![Checkpoint::load(asked, path)],
                None => return Err(self.missing(format!(" at step {asked}"), &found)),
            },
            _ => {
                let all = found.iter().rev();
                all.map(|(&step, path)| Checkpoint::load(step, path))
                    .collect()
            }
        };
        if which == Which::Best {
            // The damaged ones first, so that they are told; then by loss, the earlier on a tie;
            // then those without a loss, the latest first.
            loaded.sort_by(|a, b| match (a, b) {
                (Ok(a), Ok(b)) => better(a, b),
                (a, b) => a.is_ok().cmp(&b.is_ok()),
            });
        }
        let (mut skipped, mut first) = (Vec::new(), None);
        for checkpoint in loaded {
            let checked = checkpoint.and_then(|mut c| sound(&mut c).map(|()| c));
            match checked {
                Ok(checkpoint) => {
                    return Ok(Selection {
                        checkpoint,
                        skipped,
                    });
                }
                Err(error) => {
                    skipped.push(error.what());
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| self.missing(String::new(), &found)))
    }

    /// Records the validation loss of a checkpoint that was saved before it was measured.
    ///
    /// # Errors
    /// If there is no such checkpoint, or its manifest can't be written; then it is unchanged.
    pub fn mark(&self, step: u64, loss: f64) -> Result<()> {
        let checkpoint = self.open(Which::Step(step))?;
        let manifest = Manifest::new(step, Some(loss), checkpoint.manifest.files);
        let path = checkpoint.path.join(MANIFEST);
        let text = manifest.text();
        let text = text.map_err(|error| Error::at("writing", &path, error))?;
        write_atomic(self.files.as_ref(), &path, &text)
    }

    /// Removes the checkpoints above `step` except the one of `kept`: they belong to a course of
    /// the run that was left when it went back to `step`.
    pub fn remove_above(&self, step: u64, kept: u64) -> Result<()> {
        for (&above, path) in find(&self.folder)?.range(step + 1..) {
            if above != kept {
                self.remove(above, path)?;
            }
        }
        Ok(())
    }

    /// Removes a checkpoint, hidden first by one atomic rename: a part of one is never visible.
    fn remove(&self, step: u64, path: &Path) -> Result<()> {
        let removed = self.hidden(step, "removed");
        self.files.rename(path, &removed)?;
        self.files.remove_folder(&removed)
    }

    /// Removes all but the last `keep` checkpoints and the best. Damaged ones are left to the user.
    pub fn prune(&self, keep: usize) -> Result<()> {
        self.sweep()?;
        let all = self.list()?;
        let best = best(&all);
        for (index, checkpoint) in all.iter().enumerate() {
            if index + keep < all.len() && Some(index) != best {
                self.remove(checkpoint.step, &checkpoint.path)?;
            }
        }
        Ok(())
    }

    fn write(
        &self,
        partial: &Path,
        step: u64,
        loss: Option<f64>,
        contents: &[NamedFile],
    ) -> Result<()> {
        self.files.create_folder(partial)?;
        let mut entries = Vec::new();
        for file in contents {
            let (bytes, sha256) = self.write_checked(&partial.join(&file.name), &file.content)?;
            entries.push(Entry {
                name: file.name.clone(),
                bytes,
                sha256,
            });
        }
        let manifest = Manifest::new(step, loss, entries);
        let path = partial.join(MANIFEST);
        let text = manifest.text();
        let text = text.map_err(|error| Error::at("writing", &path, error))?;
        self.write_checked(&path, &|to| to.write_all(&text))?;
        self.files.sync_folder(partial)
    }

    /// Writes a file and returns its size and hash.
    fn write_checked(&self, path: &Path, content: Content) -> Result<(u64, String)> {
        let hashed = Cell::new((0, String::new()));
        self.files.write(path, &|to| {
            let mut hasher = Hasher::new(to);
            content(&mut hasher)?;
            hashed.set(hasher.finish());
            Ok(())
        })?;
        let (bytes, sha256) = hashed.into_inner();
        let written = fs::metadata(path).map_err(|error| Error::at("reading", path, error))?;
        if written.len() != bytes {
            let message = format!("only {} of {bytes} bytes were written", written.len());
            let error = io::Error::other(message);
            return Err(Error::at("writing", path, error));
        }
        Ok((bytes, sha256))
    }

    /// Moves a complete partial folder into place.
    fn publish(&self, step: u64, partial: &Path) -> Result<PathBuf> {
        let place = self.folder.join(name(step));
        let old = self.hidden(step, "old");
        let replaced = place.exists();
        if replaced {
            self.files.rename(&place, &old)?;
        }
        if let Err(error) = self.files.rename(partial, &place) {
            if replaced {
                // If this fails too, `old` still counts, and the next save restores it.
                let _ = self.files.rename(&old, &place);
            }
            return Err(error);
        }
        self.files.sync_folder(&self.folder)?;
        if replaced {
            // The new checkpoint is in place; the next save removes what is left of the old one.
            let _ = self.files.remove_folder(&old);
        }
        Ok(place)
    }

    /// Cleans up after an interrupted save or removal.
    fn sweep(&self) -> Result<()> {
        for (hidden, step, suffix) in entries(&self.folder)? {
            let place = self.folder.join(name(step));
            match suffix.as_str() {
                "old" if !place.exists() => self.files.rename(&hidden, &place)?,
                "old" | "partial" | "removed" => self.files.remove_folder(&hidden)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn hidden(&self, step: u64, suffix: &str) -> PathBuf {
        self.folder.join(format!(".{}.{suffix}", name(step)))
    }

    fn missing(&self, asked: String, found: &BTreeMap<u64, PathBuf>) -> Error {
        let steps: Vec<String> = found.keys().map(u64::to_string).collect();
        let advice = match steps.as_slice() {
            [] => "Continue training until the run saves one".to_string(),
            steps => format!(
                "Available steps: {}; choose one with --checkpoint",
                steps.join(", ")
            ),
        };
        Error::NoCheckpoint {
            path: self.folder.clone(),
            asked,
            advice,
        }
    }
}

impl Checkpoint {
    /// The checkpoint in this folder; `None` if the folder isn't a checkpoint.
    pub fn at(path: &Path) -> Result<Option<Self>> {
        let folder = parent(path);
        let own = |path: &Path| fs::canonicalize(path).ok();
        let found = find(folder)?.into_iter();
        let mut same = found.filter(|(_, other)| own(other) == own(path));
        same.next()
            .map(|(step, path)| Self::load(step, &path))
            .transpose()
    }

    /// Checks the size and hash of a file and returns its path.
    pub fn check(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let damaged = |reason: String| Self::damaged(&path, self.step, reason);
        let entry = self.manifest.files.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| damaged("the manifest doesn't list it".to_string()))?;
        let size = fs::metadata(&path).map_err(|error| damaged(error.to_string()))?;
        if size.len() != entry.bytes {
            return Err(damaged(format!(
                "it has {} bytes, but the manifest says {}",
                size.len(),
                entry.bytes
            )));
        }
        if self.verified.iter().any(|known| known == name) {
            return Ok(path);
        }
        let hash = || {
            let mut hasher = Hasher::new(io::sink());
            io::copy(&mut open_regular(&path)?, &mut hasher)?;
            Ok::<_, io::Error>(hasher.finish().1)
        };
        if hash().map_err(|error| damaged(error.to_string()))? != entry.sha256 {
            return Err(damaged("its hash doesn't match the manifest".to_string()));
        }
        Ok(path)
    }

    /// Checks the size and hash of every file that is `wanted`; afterwards reading one doesn't hash
    /// it again.
    ///
    /// # Errors
    /// If a file is missing or damaged.
    pub fn verify(&mut self, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let names: Vec<String> = self
            .names()
            .filter(|name| wanted(name))
            .map(String::from)
            .collect();
        names
            .iter()
            .try_for_each(|name| self.check(name).map(drop))?;
        self.verified = names;
        Ok(())
    }

    /// The hash of a file, as the manifest says.
    pub fn sha256(&self, name: &str) -> Option<&str> {
        let entry = self.manifest.files.iter().find(|entry| entry.name == name);
        entry.map(|entry| entry.sha256.as_str())
    }

    /// The size of all its files in bytes.
    pub fn bytes(&self) -> u64 {
        self.manifest.files.iter().map(|entry| entry.bytes).sum()
    }

    /// Reads a file and checks its size and hash.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.check(name)?;
        fs::read(&path).map_err(|error| Self::damaged(&path, self.step, error.to_string()))
    }

    /// The names of its files, in the order they were saved.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.manifest.files.iter().map(|entry| entry.name.as_str())
    }

    fn load(step: u64, path: &Path) -> Result<Self> {
        match Manifest::read(path, step) {
            Ok(manifest) => Ok(Self {
                step,
                loss: manifest.loss,
                path: path.to_path_buf(),
                manifest,
                verified: Vec::new(),
            }),
            Err(reason) => Err(Self::damaged(&path.join(MANIFEST), step, reason)),
        }
    }

    /// Whether the manifest is readable and every file has the expected size.
    fn looks_sound(step: u64, path: &Path) -> bool {
        Manifest::read(path, step).is_ok_and(|manifest| {
            manifest.files.iter().all(|entry| {
                fs::metadata(path.join(&entry.name)).is_ok_and(|m| m.len() == entry.bytes)
            })
        })
    }

    /// The error of a file in this checkpoint that can't be used.
    pub fn unusable(&self, name: &str, reason: String) -> Error {
        Self::damaged(&self.path.join(name), self.step, reason)
    }

    fn damaged(file: &Path, step: u64, reason: String) -> Error {
        let folder = parent(parent(file));
        let others = find(folder).unwrap_or_default();
        let other = others
            .iter()
            .rev()
            .find(|(other, path)| **other != step && Self::looks_sound(**other, path));
        let advice = match other {
            Some((step, _)) => format!("Use another checkpoint: --checkpoint {step}"),
            None => "The run has no other checkpoint".to_string(),
        };
        Error::Damaged {
            path: file.to_path_buf(),
            reason,
            advice,
        }
    }
}

/// The index of the lowest loss; the first on a tie.
fn best(all: &[Checkpoint]) -> Option<usize> {
    let measured = all.iter().enumerate().filter(|(_, c)| c.loss.is_some());
    let best = measured.min_by(|(_, a), (_, b)| better(a, b));
    best.map(|(index, _)| index)
}

/// Less is better: the lower loss, the earlier on a tie; of those without a loss, which come last,
/// the later.
fn better(a: &Checkpoint, b: &Checkpoint) -> Ordering {
    match (a.loss, b.loss) {
        (Some(one), Some(other)) => one.total_cmp(&other).then(a.step.cmp(&b.step)),
        (None, None) => b.step.cmp(&a.step),
        (one, other) => one.is_none().cmp(&other.is_none()),
    }
}

fn name(step: u64) -> String {
    format!("step-{step:06}")
}

/// Checkpoint folders by step: those in place, and those whose replacement was interrupted.
fn find(folder: &Path) -> Result<BTreeMap<u64, PathBuf>> {
    let mut found = BTreeMap::new();
    for (path, step, suffix) in entries(folder)? {
        if suffix.is_empty() {
            found.insert(step, path);
        } else if suffix == "old" {
            found.entry(step).or_insert(path);
        }
    }
    Ok(found)
}

/// Entries named like a checkpoint: path, step, and the suffix if hidden.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, u64, String)>> {
    let fail = |error| Error::at("reading", folder, error);
    let listing = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.map_err(fail)?,
    };
    let mut found = Vec::new();
    for entry in listing {
        let path = entry.map_err(fail)?.path();
        let text = path.file_name().unwrap_or_default().to_string_lossy();
        let (visible, suffix) = match text.strip_prefix('.') {
            Some(hidden) => hidden.rsplit_once('.').unwrap_or((hidden, "?")),
            None => (text.as_ref(), ""),
        };
        let step: Option<u64> = visible.strip_prefix("step-").and_then(|n| n.parse().ok());
        if let Some(step) = step.filter(|&step| step < u64::MAX && name(step) == visible) {
            let suffix = suffix.to_string();
            found.push((path, step, suffix));
        }
    }
    found.sort();
    Ok(found)
}
