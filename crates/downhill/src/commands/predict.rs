//! `downhill predict`: predicts new points with a fitted line.

use crate::arguments::Predict;
use crate::failure::Result;
use run::{Disk, RunFolder};
use std::io::{BufWriter, Write, stdout};
use std::sync::Arc;
use study::fit::Model;

pub fn run(a: &Predict) -> Result<()> {
    let folder = RunFolder::open(Arc::new(Disk), &a.run)?;
    let model = Model::open(&folder)?;
    let predictions = model.predict(&a.file)?;
    let mut out = BufWriter::new(stdout().lock());
    if a.json {
        writeln!(out, "{}", serde_json::json!({ "predictions": predictions }))?;
    } else {
        model.write_csv(&predictions, &mut out)?;
    }
    Ok(out.flush()?)
}
