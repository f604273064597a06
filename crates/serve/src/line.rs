//! A fast parser for the lines of steps: a run may have a million of them, and its page should open
//! immediately.

use run::{Event, Step};

/// Parses a step as the program writes it: only numbers, in any order. `None` for any other line,
/// which is left to the JSON parser.
pub fn step(line: &[u8]) -> Option<Event> {
    let text = std::str::from_utf8(line).ok()?;
    let fields = text
        .strip_prefix(r#"{"event":"step","#)?
        .strip_suffix('}')?;
    let (mut time, mut done, mut step) = (0.0, 0, Step::default());
    let mut known = 0u32;
    for field in fields.split(',') {
        let (key, value) = field.split_once(':')?;
        let plain = |b: u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        if !value.bytes().all(plain) {
            return None;
        }
        let number = value.parse::<f64>().ok()?;
        let (place, bit) = match key {
            r#""time""# => (&mut time, 1),
            r#""grad_norm""# => (&mut step.grad_norm, 2),
            r#""lr""# => (&mut step.lr, 4),
            r#""step_seconds""# => (&mut step.step_seconds, 8),
            r#""tokens_per_second""# => (&mut step.tokens_per_second, 16),
            r#""nats_per_token""# => (step.nats_per_token.insert(0.0), 0),
            r#""mse""# => (step.mse.insert(0.0), 0),
            r#""step""# => {
                done = value.parse().ok()?;
                known |= 32;
                continue;
            }
            _ => return None,
        };
        *place = number;
        known |= bit;
    }
    (known == 63).then(|| Event::new(time, done, step))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_line_is_parsed_as_json_would_be_or_left_to_it() {
        let what = Step {
            nats_per_token: Some(0.1 + 0.2),
            grad_norm: 5e-324,
            lr: 1e-3,
            step_seconds: 0.123_456_789,
            tokens_per_second: 1.0 / 3.0 * 1e6,
            ..Step::default()
        };
        let written = |what| Event::new(1_764_054_000.25, 1_234_567, what);
        let line = serde_json::to_vec(&written(what.clone())).unwrap();
        assert_eq!(step(&line), Some(written(what.clone())));
        let odd = Step {
            grad_norm: f64::NAN,
            ..what
        };
        let odd = serde_json::to_string(&written(odd)).unwrap();
        for line in [
            odd.as_str(),
            r#"{"event":"step","time":1,"step":2}"#,
            r#"{"event":"step","time":inf,"step":2}"#,
            r#"{"event":"step","time":1,"step":2,"new":[1,2]}"#,
            "",
        ] {
            assert_eq!(step(line.as_bytes()), None, "{line}");
        }
    }
}
