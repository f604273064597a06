//! Numbers in readable form.

/// A count: `2,000`, `0.81 M`, `12.4 G`.
pub fn count(value: u64) -> String {
    if value < 100_000 {
        let digits = value.to_string();
        return match digits.len() {
            0..=3 => digits,
            length => format!("{},{}", &digits[..length - 3], &digits[length - 3..]),
        };
    }
    // Below a million too: model sizes are usually given as 0.81 M.
    scaled(value as f64, "", 1e6)
}

/// An amount with a unit prefix: `3.93 GFLOP`, `41.0 MB`.
pub fn amount(value: u64, unit: &str) -> String {
    match value {
        0..1000 => format!("{value} {unit}"),
        _ => scaled(value as f64, unit, 1e3),
    }
}

fn scaled(value: f64, unit: &str, least: f64) -> String {
    const PREFIXES: [(f64, &str); 6] = [
        (1e3, "k"),
        (1e6, "M"),
        (1e9, "G"),
        (1e12, "T"),
        (1e15, "P"),
        (1e18, "E"),
    ];
    let fits = |&&(size, _): &&(f64, &str)| size <= least || size <= value;
    let (size, prefix) = PREFIXES
        .iter()
        .rev()
        .find(fits)
        .copied()
        .unwrap_or((1.0, ""));
    let scaled = value / size;
    let decimals = match scaled {
        x if x < 10.0 => 2,
        x if x < 100.0 => 1,
        _ => 0,
    };
    format!("{scaled:.decimals$} {prefix}{unit}")
}

/// A time span: `3.2s`, `42s`, `2m03s`, `1h02m`, `4d03h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "-".to_string();
    }
    if seconds < 9.95 {
        return format!("{:.1}s", seconds.max(0.0));
    }
    // Saturates, but far beyond any real duration.
    let whole = seconds.round() as u64;
    let (minutes, hours) = (whole / 60, whole / 3600);
    match whole {
        0..60 => format!("{whole}s"),
        60..3_600 => format!("{minutes}m{:02}s", whole % 60),
        3_600..360_000 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{}d{:02}h", hours / 24, hours % 24),
    }
}

/// A number in a format; a dash if it isn't finite.
pub(crate) fn known(value: f64, format: impl FnOnce(f64) -> String) -> String {
    match value.is_finite() {
        true => format(value),
        false => "–".to_string(),
    }
}

/// A number in at most `width` characters if possible: with up to 4 decimals, or in scientific
/// notation if it is too small or too large for that.
pub(crate) fn number(value: f64, width: usize) -> String {
    if !value.is_finite() {
        return "-".to_string();
    }
    if value == 0.0 || value.abs() >= 1e-3 {
        for decimals in (0..=4).rev() {
            let text = format!("{value:.decimals$}");
            if text.len() <= width {
                return text;
            }
        }
    }
    let text = format!("{value:.1e}");
    if text.len() <= width {
        text
    } else {
        format!("{value:.0e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let counts = [0, 999, 2_000, 99_999, 810_432, 1_843_200, 124_000_000].map(count);
        let expected = ["0", "999", "2,000", "99,999", "0.81 M", "1.84 M", "124 M"];
        assert_eq!(counts, expected);
        assert_eq!(amount(3_930_000_000, "FLOP"), "3.93 GFLOP");
        assert_eq!(amount(41_000_000, "B"), "41.0 MB");
        assert_eq!(amount(12, "B"), "12 B");
        assert_eq!(amount(u64::MAX, "B"), "18.4 EB");
        let spans = [-1.0, 3.21, 9.96, 59.6, 123.0, 3_720.0, 356_400.0, 1e6];
        let expected = [
            "0.0s", "3.2s", "10s", "1m00s", "2m03s", "1h02m", "99h00m", "11d13h",
        ];
        assert_eq!(spans.map(duration), expected);
        assert_eq!(duration(f64::INFINITY), "-");
        let numbers = [
            4.18423, 10.39721, 12345.6, 1.5e9, 4.2e-5, 0.0, -1.25, 1e-120,
        ];
        let expected = [
            "4.1842", "10.397", "12346", "1.5e9", "4.2e-5", "0.0000", "-1.250", "1e-120",
        ];
        assert_eq!(numbers.map(|n| number(n, 6)), expected);
        assert_eq!(number(f64::NAN, 6), "-");
    }
}
