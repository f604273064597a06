//! Describes a run: its config compared with the defaults, and its model as a graph of operations.

use model::hugging_face::{CONFIG, describe};
use model::{Config, Mode, SampleConfig, decoder};
use run::{Disk, Kind, RunFolder, Which};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// The config of a run, from run.toml, and its kind; `None` if this program can't read it.
fn config(folder: &Path) -> Option<(Config, Kind)> {
    let folder = RunFolder::open(Arc::new(Disk), folder).ok()?;
    let run = folder.config().ok()?;
    let config = Config::load(None, Some((&run.path, &run.config)), &[]).ok()?;
    Some((config, run.kind))
}

/// A run's sampling settings; the defaults if its config can't be read.
pub fn sampling(folder: &Path) -> SampleConfig {
    let own = config(folder).map(|(config, _)| config);
    let config = own.or_else(|| Config::load(None, None, &[]).ok());
    config.map_or_else(SampleConfig::default, |config| config.sample)
}

/// The language models in a folder: those of a run's checkpoints, or the folder's own.
///
/// # Errors
/// Why there are none.
pub fn models(folder: &Path) -> Result<Value, String> {
    let shape = |config: &Path| {
        let described = std::fs::read(config)
            .map_err(|error| format!("{}: {error}", config.display()))
            .and_then(|text| {
                describe(&text, None).map_err(|error| format!("{}: {error}", config.display()))
            })?;
        let model = described.model;
        Ok::<_, String>(json!({
            "family": model.family.name(),
            "context": model.context,
            "vocabulary": described.vocabulary,
        }))
    };
    let own = folder.join(CONFIG);
    if own.is_file() {
        return Ok(json!({"shape": shape(&own)?, "run": false, "checkpoints": []}));
    }
    let run = RunFolder::open(Arc::new(Disk), folder).map_err(|e| e.to_string())?;
    let kind = run.config().map_err(|e| e.to_string())?;
    kind.expect(&Kind::Language).map_err(|e| e.to_string())?;
    let list = run.checkpoints().list().map_err(|e| e.to_string())?;
    let Some(last) = list.last() else {
        return Err("the run has no checkpoint yet".into());
    };
    let best = run.checkpoints().open(Which::Best).map(|best| best.step);
    let each = list.iter().map(|c| json!({"step": c.step, "loss": c.loss}));
    Ok(json!({
        "shape": shape(&last.path.join(CONFIG))?,
        "run": true,
        "checkpoints": each.collect::<Value>(),
        "best": best.unwrap_or(last.step),
    }))
}

/// Every key with its value, and its default if that differs because the user set it. Runs of
/// earlier versions don't know what the user set.
pub fn settings(folder: &Path) -> Value {
    let (Some((config, _)), Ok(default)) = (config(folder), Config::load(None, None, &[])) else {
        return json!([]);
    };
    let given = RunFolder::open(Arc::new(Disk), folder).and_then(|folder| folder.config());
    let given = given.ok().and_then(|config| config.given);
    let mut differences = config.differences(&default);
    differences.retain(|d| given.as_ref().is_none_or(|given| given.contains(&d.key)));
    let keys = config.keys().into_iter().map(|key| {
        let differs = differences.iter().find(|d| d.key == key.key);
        json!({
            "key": key.key,
            "value": key.value,
            "comment": key.comment,
            "default": differs.map(|d| d.theirs.clone()),
        })
    });
    keys.collect()
}

/// The operations of one forward pass, each with its shape, inputs and parameters.
pub fn graph(folder: &Path, vocabulary: usize) -> Value {
    let Some((config, Kind::Language)) = config(folder) else {
        return json!([]);
    };
    let shape = config.model;
    let Ok(model) = decoder(&shape, vocabulary.max(1), (1, shape.context), Mode::Score) else {
        return json!([]);
    };
    let g = &model.graph;
    let nodes = g.nodes().iter().enumerate().map(|(number, node)| {
        let mut inputs = Vec::new();
        let mut parameters = Vec::new();
        for x in &node.x {
            let value = g.value(*x);
            match value.origin {
                engine::Origin::Node(from) => inputs.push(json!(from.index())),
                engine::Origin::Stored(at) => {
                    let v = &g.variables()[at];
                    parameters.push(json!({"name": v.name, "shape": v.shape}));
                }
                _ => inputs.push(json!(value.name)),
            }
        }
        let out = node.y.first().map(|y| g.value(*y));
        json!({
            "number": number,
            "operation": node.op.name(),
            "shape": out.map(|out| [out.spec.rows, out.spec.width]),
            "inputs": inputs,
            "parameters": parameters,
        })
    });
    nodes.collect()
}
