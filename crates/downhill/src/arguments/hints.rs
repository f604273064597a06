//! What was meant by a command line that can't be read.

use model::Config;
use run::{Disk, RunFolder};
use std::path::Path;
use std::sync::Arc;

/// What other programs call some keys.
const ALIASES: [(&str, &str); 8] = [
    ("learning_rate", "optim.lr"),
    ("batch_size", "train.batch"),
    ("block_size", "model.context"),
    ("n_layer", "model.layers"),
    ("n_head", "model.heads"),
    ("n_embd", "model.width"),
    ("max_iters", "train.steps"),
    ("eval_interval", "eval.every"),
];

/// The key to set instead of an unknown flag.
pub fn key(flag: &str) -> Option<String> {
    let name = flag
        .trim_start_matches('-')
        .split('=')
        .next()?
        .replace('-', "_");
    if ["epochs", "num_epochs", "passes"].contains(&name.as_str()) {
        return Some(
            "  set the number of steps: --steps N; the header shows how many passes that is".into(),
        );
    }
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    let keys = Config::load(None, None, &[]).ok()?.keys();
    let mut keys = keys.into_iter().map(|key| key.key);
    let key = match alias {
        Some((_, key)) => (*key).to_owned(),
        None => keys.find(|key| key.rsplit('.').next() == Some(&name))?,
    };
    Some(format!(
        "  set the key of the config: --set {key}=VALUE (see `downhill config`)"
    ))
}

/// What can be done with a path that stands where a command is expected.
pub fn path(path: &Path) -> String {
    let shown = path.display();
    if RunFolder::open(Arc::new(Disk), path).is_ok() {
        return format!("To look at this run: downhill watch {shown}");
    }
    if RunFolder::newest(Arc::new(Disk), path).is_ok() {
        return format!("To list its runs: downhill list {shown}");
    }
    format!("To train on it: downhill train {shown}")
}
