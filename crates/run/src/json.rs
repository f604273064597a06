//! Reading numbers from JSON.

use serde::{Deserialize, Deserializer};

/// JSON has no infinities: `null` stands for a number that isn't finite.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
