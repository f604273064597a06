//! The points to fit: from a CSV file, or from a built-in noisy line with known weights.

use super::error::{Error, Result};
use super::line::Line;
use super::table;
use engine::{RandomPurpose, Stream};
use run::{Kind, RunFolder};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Number of points of the built-in line.
const POINTS: usize = 500;
/// Its slope, intercept and the standard deviation of its noise.
const LINE: (f64, f64, f64) = (2.5, -4.0, 1.0);

/// The source of the points: the section `[fit]` of run.toml.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Absolute path of the CSV file; none for the built-in line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The column that is predicted.
    pub target: String,
    /// The columns it is predicted from, in the order of the weights.
    pub columns: Vec<String>,
    /// SHA-256 of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Points in memory.
pub struct Points {
    /// Their source.
    pub source: Source,
    /// Their displayed name.
    pub name: String,
    /// Features, row after row [rows, columns].
    pub x: Vec<f64>,
    /// Targets [rows].
    pub y: Vec<f64>,
    /// The line that generated them, if known.
    pub known: Option<Line>,
}

impl Points {
    /// Reads a CSV file; every column except the target is a feature.
    ///
    /// # Errors
    /// If the file can't be read, a cell isn't a finite number, the target is missing, or there
    /// are too few columns or rows.
    pub fn read(path: &Path, target: &str) -> Result<Points> {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        let mut columns = Vec::new();
        let choose = |names: &[String]| {
            let no_column = || Error::NoColumn {
                path: path.to_path_buf(),
                name: target.to_owned(),
                role: " to predict (--target)",
                columns: table::listed(names),
            };
            let at = names.iter().position(|name| name == target);
            let at = at.ok_or_else(no_column)?;
            if let [name] = names {
                return Err(Error::OneColumn {
                    path: path.to_path_buf(),
                    name: name.clone(),
                });
            }
            let features = (0..names.len()).filter(|&column| column != at);
            let others = names.iter().filter(|name| *name != target);
            columns = others.cloned().collect();
            Ok(features.chain([at]).collect())
        };
        let sha256 = table::read(path, choose, |row| {
            if let [features @ .., target] = row {
                x.extend_from_slice(features);
                y.push(*target);
            }
        })?;
        let (rows, features) = (y.len(), columns.len());
        if rows < features + 1 {
            return Err(Error::FewRows {
                path: path.to_path_buf(),
                rows,
                features,
            });
        }
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Points {
            source: Source {
                file: Some(run::absolute(path)),
                target: target.to_owned(),
                columns,
                sha256: Some(sha256),
            },
            name: name.to_string_lossy().into_owned(),
            x,
            y,
            known: None,
        })
    }

    /// The points of a `fit` run.
    ///
    /// # Errors
    /// If it isn't a `fit` run, or its table can't be read or has changed.
    pub fn of_run(folder: &RunFolder) -> Result<Points> {
        let source: Source = folder.config()?.section(&Kind::Fit)?;
        let Some(file) = &source.file else {
            return Ok(Points::line());
        };
        let points = Points::read(file, &source.target)?;
        if points.source.sha256 == source.sha256 {
            return Ok(points);
        }
        let path = file.clone();
        let reason = "the file has changed since the run; fit it again".into();
        Err(run::Error::Broken { path, reason }.into())
    }

    /// The built-in line, always the same points.
    pub fn line() -> Points {
        let (slope, intercept, noise) = LINE;
        let mut random = Stream::new(1, RandomPurpose::Check, 0);
        let x: Vec<f64> = (0..POINTS).map(|_| 10.0 * random.uniform()).collect();
        let mut y = |x: &f64| slope * x + intercept + noise * random.normal();
        Points {
            source: Source {
                file: None,
                target: "y".into(),
                columns: vec!["x".into()],
                sha256: None,
            },
            name: format!("a built-in line, y = {slope} x - {} + noise", -intercept),
            y: x.iter().map(&mut y).collect(),
            x,
            known: Some(Line {
                weights: vec![slope],
                intercept,
            }),
        }
    }

    /// The file's path for messages.
    pub(super) fn path(&self) -> PathBuf {
        self.source.file.clone().unwrap_or_default()
    }
}
