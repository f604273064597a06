//! The saved result of a fit: one file with the line in the data's own units and in the standard
//! units of the descent.

use super::error::{Error, Result};
use super::line::Line;
use super::points::Source;
use super::standard::Scale;
use super::table;
use run::{Checkpoint, Kind, RunFolder, Which};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// The file's name in a checkpoint.
pub(super) const FILE: &str = "fit.json";

/// A fitted line with its column names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The column that is predicted.
    pub target: String,
    /// The columns it is predicted from.
    pub columns: Vec<String>,
    /// The line in the data's own units.
    pub line: Line,
    /// The line in standard units.
    pub standard: Line,
    /// The scale of each column.
    pub scales: Vec<Scale>,
    /// The scale of the target.
    pub target_scale: Scale,
}

impl Model {
    /// Opens the last checkpoint of a `fit` run.
    ///
    /// # Errors
    /// If it isn't a `fit` run, or its checkpoint is missing or damaged.
    pub fn open(folder: &RunFolder) -> Result<Model> {
        folder.config()?.section::<Source>(&Kind::Fit)?;
        Model::load(&folder.checkpoints().open(Which::Last)?)
    }

    /// Reads the model from a checkpoint.
    pub(super) fn load(from: &Checkpoint) -> Result<Model> {
        let broken = |reason: String| run::Error::Broken {
            path: from.path.join(FILE),
            reason,
        };
        let bytes = from.read(FILE)?;
        let model: Model = serde_json::from_slice(&bytes).map_err(|e| broken(e.to_string()))?;
        let width = model.columns.len();
        let lengths = [
            model.line.weights.len(),
            model.standard.weights.len(),
            model.scales.len(),
        ];
        if lengths.iter().any(|length| *length != width) {
            return Err(broken(format!("the number of weights or scales isn't {width}")).into());
        }
        Ok(model)
    }

    /// Predicts each row of a CSV file. Columns are matched by name; others are ignored.
    ///
    /// # Errors
    /// If a column is missing or one of its cells isn't a finite number.
    pub fn predict(&self, path: &Path) -> Result<Vec<f64>> {
        let choose = |names: &[String]| {
            let find = |name: &String| {
                let at = names.iter().position(|n| n == name);
                at.ok_or_else(|| Error::NoColumn {
                    path: path.to_path_buf(),
                    name: name.clone(),
                    role: ", which the model needs",
                    columns: table::listed(names),
                })
            };
            self.columns.iter().map(find).collect()
        };
        let mut predictions = Vec::new();
        table::read(path, choose, |row| {
            let terms = self.line.weights.iter().zip(row);
            predictions.push(terms.fold(self.line.intercept, |sum, (w, x)| sum + w * x));
        })?;
        Ok(predictions)
    }

    /// Writes predictions as a CSV file whose header is the target's name.
    ///
    /// # Errors
    /// If `to` can't be written.
    pub fn write_csv(&self, predictions: &[f64], to: &mut dyn Write) -> std::io::Result<()> {
        let mut writer = csv::Writer::from_writer(to);
        writer.write_record([&self.target])?;
        for prediction in predictions {
            writer.write_record([format!("{prediction:?}")])?;
        }
        writer.flush()
    }
}
