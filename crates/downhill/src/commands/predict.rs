//! `downhill predict`: predicts new points with a fitted line.

use crate::arguments::Predict;
use crate::failure::Result;
use crate::output::{self, out};
use crate::session::open_at;
use std::io::{BufWriter, Write};
use study::fit::Model;

pub fn run(a: &Predict) -> Result<()> {
    let folder = open_at(&a.run)?;
    let model = Model::open(&folder)?;
    let predictions = model.predict(&a.file)?;
    let mut out = BufWriter::new(out());
    if a.json {
        let object = serde_json::json!({ "predictions": predictions });
        writeln!(out, "{}", output::json(&object)?)?;
    } else {
        model.write_csv(&predictions, &mut out)?;
    }
    Ok(out.flush()?)
}
