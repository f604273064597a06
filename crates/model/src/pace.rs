//! How far has a run come? A function of its steps, even if the clock decides how many there are.
//!
//! A run that ends on time doesn't know its number of steps in advance. It starts with an estimate
//! and corrects it if the machine is faster or slower. Each correction is a mark: from this step
//! on, the run has that many steps in all. Progress never jumps: after a mark, the remaining
//! progress is spread evenly over the remaining steps. Every learning rate is a function of the
//! marks, so a run repeated with the marks in its config has the same bits.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The marks. In the config, `0:600 240:580` stands for an estimate of 600 steps, corrected to 580
/// after step 240.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Pace {
    /// (first step, steps in all), in rising order of first steps, which begin at 0.
    marks: Vec<(u64, u64)>,
}

impl Pace {
    /// The pace of a run whose number of steps is known.
    pub fn steps(steps: u64) -> Pace {
        Pace {
            marks: vec![(0, steps)],
        }
    }

    /// The number of steps in all, as known now.
    pub fn total(&self) -> u64 {
        self.marks.last().map_or(0, |mark| mark.1)
    }

    /// Whether there was a correction.
    pub fn corrected(&self) -> bool {
        self.marks.len() > 1
    }

    /// Corrects the number of steps after `step` of them.
    pub fn correct(&mut self, step: u64, total: u64) {
        self.marks.retain(|mark| mark.0 < step.max(1));
        self.marks.push((step, total.max(step)));
    }

    /// The first step at `place` or beyond, and the number of steps in all as it was known then.
    pub fn first_at(&self, place: f64) -> (u64, u64) {
        let (mut low, mut high) = (0, self.total());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.place(middle) >= place {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let known = self.marks.iter().rev().find(|mark| mark.0 < low.max(1));
        (low, known.map_or(0, |mark| mark.1))
    }

    /// Progress after `step` steps, in steps of the first estimate: `step` itself until the first
    /// correction.
    pub fn place(&self, step: u64) -> f64 {
        let (mut from, mut place) = (0, 0.0);
        let first = self.marks.first().map_or(0, |mark| mark.1) as f64;
        for (mark, next) in self.marks.iter().zip(self.marks.iter().skip(1)) {
            if step <= next.0 {
                return advance(place, (from, step, mark.1), first);
            }
            place = advance(place, (from, next.0, mark.1), first);
            from = next.0;
        }
        advance(place, (from, step, self.total()), first)
    }

    /// Number of steps that [`Pace::place`] counts in.
    pub fn places(&self) -> u64 {
        self.marks.first().map_or(0, |mark| mark.1)
    }
}

/// The place after the steps from `from` to `to`, of which there are `total`.
fn advance(place: f64, (from, to, total): (u64, u64, u64), places: f64) -> f64 {
    // Exact where nothing was corrected.
    if from == 0 && total as f64 == places {
        return to as f64;
    }
    let left = (total.max(from) - from).max(1) as f64;
    place + (places - place) * ((to - from) as f64 / left).min(1.0)
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks = self
            .marks
            .iter()
            .map(|(step, total)| format!("{step}:{total}"));
        f.write_str(&marks.collect::<Vec<_>>().join(" "))
    }
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Pace, String> {
        let mark = |mark: &str| {
            let (step, total) = mark.split_once(':')?;
            Some((step.parse::<u64>().ok()?, total.parse::<u64>().ok()?))
        };
        let marks: Option<Vec<(u64, u64)>> = text.split_whitespace().map(mark).collect();
        let marks = marks.filter(|marks| {
            marks.first().is_some_and(|first| first.0 == 0)
                && marks
                    .iter()
                    .all(|(step, total)| step <= total && *total > 0)
                && marks.is_sorted_by(|a, b| a.0 < b.0)
        });
        let marks = marks.ok_or("it must be marks STEP:STEPS in rising order, as 0:600 240:580")?;
        Ok(Pace { marks })
    }
}

impl From<Pace> for String {
    fn from(pace: Pace) -> String {
        pace.to_string()
    }
}

impl TryFrom<String> for Pace {
    type Error = String;

    fn try_from(text: String) -> Result<Pace, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_never_jumps_and_ends_where_it_should() {
        let mut pace = Pace::steps(100);
        assert_eq!(pace.place(37), 37.0);
        pace.correct(40, 160);
        assert_eq!((pace.place(40), pace.place(100)), (40.0, 70.0));
        pace.correct(100, 110);
        assert_eq!(
            (pace.place(37), pace.place(100), pace.place(110)),
            (37.0, 70.0, 100.0)
        );
        assert_eq!(
            (pace.first_at(37.0), pace.first_at(85.0)),
            ((37, 100), (105, 110))
        );
        assert_eq!(pace.to_string(), "0:100 40:160 100:110");
        assert_eq!(pace.to_string().parse(), Ok(pace));
        for bad in ["", "1:5", "0:5 3", "0:5 3:2", "0:5 4:6 4:7", "0:-1"] {
            assert!(bad.parse::<Pace>().is_err(), "{bad}");
        }
    }
}
