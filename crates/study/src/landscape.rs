//! What does descent look like? For a line with two weights, the cost is a paraboloid that can be
//! drawn exactly. Crowds of walkers start at random places and descend with the engine's own
//! optimizer steps, at learning rates that do well, crawl, or diverge.
//!
//! Units: x and y are divided by their standard deviations; y is centered, and x is shifted so that
//! its mean is at most 1.5 deviations from 0. Every table then gives a valley of similar shape, up
//! to four times as long as wide, where plain descent is slow and momentum helps.

use crate::fit::{Error, Points, Result, net};
use engine::{
    Adam, Descent, Device, Field, Host, HostMut, Optimizer, Plan, Purpose, RandomPurpose,
    Reference, Scalars, Stream,
};
use run::RunFolder;
use serde::Serialize;
use std::fmt::Write;

/// The landscape's file in a run's `probes/`.
const FILE: &str = "landscape.json";
/// Walkers per crowd, steps per walker, and the maximum rows they train on.
const WALKERS: usize = 200;
const STEPS: u64 = 60;
const ROWS: usize = 2000;
/// Maximum data points to draw.
const SHOWN: usize = 300;
/// Maximum distance from the best weights: of the walkers' starts, and of the picture's edges.
const START: f64 = 3.0;
const EDGE: f64 = 3.6;
/// Grid lines per direction.
const GRID: usize = 61;
/// Maximum distance of the mean of x from 0, in deviations.
const SHIFT: f64 = 1.5;

/// The surface and the crowds on it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Landscape {
    /// Name of the column.
    pub column: String,
    /// Name of the target.
    pub target: String,
    /// Slopes along the horizontal axis.
    pub w: Vec<f64>,
    /// Intercepts along the vertical axis.
    pub b: Vec<f64>,
    /// The exact cost at a distance (dw, db) from the best weights: best.cost + curve[0]·dw² +
    /// curve[1]·dw·db + curve[2]·db².
    pub curve: [f64; 3],
    /// The least-squares answer.
    pub best: Best,
    /// A sample of the points.
    pub data: Data,
    /// One crowd per rule and rate.
    pub descents: Vec<Crowd>,
}

/// The minimum of the cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Best {
    /// Slope.
    pub w: f64,
    /// Intercept.
    pub b: f64,
    /// Mean squared error there.
    pub cost: f64,
}

/// Points.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Data {
    /// Values of the column.
    pub x: Vec<f64>,
    /// Values of the target.
    pub y: Vec<f64>,
}

/// A crowd with one update rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Crowd {
    /// Its displayed name.
    pub name: String,
    /// Its learning rate.
    pub rate: f64,
    /// Every walker's path.
    pub walkers: Vec<Path>,
}

/// The weights at each step; `null` once they diverge.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Path {
    /// Slopes.
    pub w: Vec<Option<f64>>,
    /// Intercepts.
    pub b: Vec<Option<f64>>,
}

/// The points in the units above.
struct Rows {
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Landscape {
    /// Computes the surface of these points and runs the crowds.
    ///
    /// # Errors
    /// If there isn't exactly one column, a column is constant, or the engine fails.
    pub fn new(points: &Points) -> Result<Landscape> {
        Landscape::of(points, rules)
    }

    /// The surface of these points, and a crowd for each of the rules chosen for its curve.
    pub(crate) fn of(
        points: &Points,
        rules: impl FnOnce([f64; 3]) -> Vec<(&'static str, Optimizer, f64)>,
    ) -> Result<Landscape> {
        let [column] = points.source.columns.as_slice() else {
            let columns = points.source.columns.len();
            return Err(Error::NotTwoWeights { columns });
        };
        let rows = Rows::new(points)?;
        let (best, curve) = rows.surface();
        let side = |middle: f64| -> Vec<f64> {
            let at = |i| middle + EDGE * (2.0 * i as f64 / (GRID - 1) as f64 - 1.0);
            (0..GRID).map(at).map(round).collect()
        };
        let step = rows.x.len().div_ceil(SHOWN).max(1);
        let some = |all: &[f64]| all.iter().step_by(step).copied().map(round).collect();
        let descents = rules(curve).into_iter();
        let descents = descents.map(|(name, by, rate)| rows.descend(best, name, &by, rate));
        Ok(Landscape {
            column: column.clone(),
            target: points.source.target.clone(),
            w: side(best.w),
            b: side(best.b),
            curve,
            best,
            data: Data {
                x: some(&rows.x),
                y: some(&rows.y),
            },
            descents: descents.collect::<Result<_>>()?,
        })
    }

    /// The cost of a walker; infinite once it has diverged.
    pub(crate) fn cost(&self, w: Option<f64>, b: Option<f64>) -> f64 {
        let (Some(w), Some(b)) = (w, b) else {
            return f64::INFINITY;
        };
        let (dw, db) = (w - self.best.w, b - self.best.b);
        let [a, c, d] = self.curve;
        self.best.cost + a * dw * dw + c * dw * db + d * db * db
    }

    /// Computes the landscape of a run, and saves it in the run folder for the page.
    ///
    /// # Errors
    /// As [`Landscape::new`]; also if the points can't be read, or the folder can't be written to.
    pub fn save(run: &RunFolder) -> Result<()> {
        let land = Landscape::new(&Points::of_run(run)?)?;
        let text = serde_json::to_vec(&land);
        let text = text.map_err(|e| train::Error::Task(format!("the landscape: {e}")))?;
        run.write_probe(FILE, &text)?;
        Ok(())
    }

    /// Whether a run has its landscape.
    pub fn is_saved(run: &RunFolder) -> bool {
        run.path().join("probes").join(FILE).is_file()
    }

    /// An SVG of the surface from above with one crowd's paths. The contours of a paraboloid are
    /// ellipses.
    pub fn svg(&self, descent: &Crowd) -> String {
        const SIZE: f64 = 640.0;
        const COLORS: [&str; 9] = [
            "#fde725", "#a8db34", "#5bc863", "#29af7f", "#1f988b", "#287c8e", "#34618d", "#424086",
            "#471365",
        ];
        let scale = SIZE / (2.0 * EDGE);
        let place = |w: f64, b: f64| {
            let x = (w - self.best.w + EDGE) * scale;
            (x, (self.best.b + EDGE - b) * scale)
        };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {SIZE} {SIZE}\" width=\"{SIZE}\" \
             height=\"{SIZE}\">\n<rect width=\"{SIZE}\" height=\"{SIZE}\" fill=\"#440154\"/>\n"
        );
        let [a, c, d] = self.curve;
        let angle = 0.5 * libm::atan2(c, a - d);
        let middle = f64::midpoint(a, d);
        let half = libm::hypot((a - d) / 2.0, c / 2.0);
        let (along, across) = (middle + half, (middle - half).max(1e-9));
        let (x, y) = place(self.best.w, self.best.b);
        for (i, color) in COLORS.iter().rev().enumerate() {
            let height = 30.0 * 0.45f64.powi(i as i32);
            // Writing to a string can't fail.
            let _ = writeln!(
                svg,
                "<ellipse cx=\"{x:.1}\" cy=\"{y:.1}\" rx=\"{:.1}\" ry=\"{:.1}\" fill=\"{color}\" \
                 transform=\"rotate({:.2} {x:.1} {y:.1})\"/>",
                (height / along).sqrt() * scale,
                (height / across).sqrt() * scale,
                -angle.to_degrees(),
            );
        }
        for path in &descent.walkers {
            let known = path.w.iter().zip(&path.b);
            let known = known.map_while(|(w, b)| Some(place((*w)?, (*b)?)));
            let known = known.map(|(x, y)| (x.clamp(-1e4, 1e4), y.clamp(-1e4, 1e4)));
            let points: Vec<String> = known.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"#fff\" stroke-opacity=\".45\" \
                 stroke-width=\".8\"/>",
                points.join(" ")
            );
            if let Some((x, y)) = points.first().and_then(|p| p.split_once(',')) {
                let _ = writeln!(
                    svg,
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"2\" fill=\"#ff7a1a\"/>"
                );
            }
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// The largest and the smallest curvature: the eigenvalues of the second derivatives
/// [[2a, c], [c, 2d]].
pub(crate) fn curvatures([a, c, d]: [f64; 3]) -> [f64; 2] {
    let (middle, half) = (a + d, libm::hypot(a - d, c));
    [middle + half, (middle - half).max(1e-6)]
}

/// Names, rules and rates: good rates for this surface, one that is too low and one too high.
fn rules(curve: [f64; 3]) -> Vec<(&'static str, Optimizer, f64)> {
    let [most, least] = curvatures(curve);
    let (l, m) = (most.sqrt(), least.sqrt());
    let plain = || Optimizer::uniform(Descent::PLAIN, 0.0, None);
    let momentum = Descent {
        momentum: Some(((l - m) / (l + m)).powi(2)),
        nesterov: false,
    };
    let momentum = Optimizer::uniform(momentum, 0.0, None);
    let adam = Adam {
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        decoupled: false,
    };
    let adam = Optimizer::uniform(adam, 0.0, None);
    vec![
        ("SGD", plain(), 2.0 / (most + least)),
        ("SGD, too low", plain(), 0.04 / most),
        ("SGD, too high", plain(), 2.06 / most),
        ("momentum", momentum, 4.0 / ((l + m) * (l + m))),
        ("Adam", adam, 0.25),
    ]
}

impl Rows {
    fn new(points: &Points) -> Result<Rows> {
        let step = points.y.len().div_ceil(ROWS).max(1);
        let some = |all: &[f64]| -> Vec<f64> { all.iter().step_by(step).copied().collect() };
        let (mut x, mut y) = (some(&points.x), some(&points.y));
        let (x_mean, x_deviation) = scale(&x);
        let (y_mean, y_deviation) = scale(&y);
        let constant = [
            (x_deviation, &points.source.columns[0]),
            (y_deviation, &points.source.target),
        ];
        for (deviation, column) in constant {
            if !(deviation > 0.0 && deviation.is_finite()) {
                return Err(Error::Constant {
                    path: points.source.file.clone().unwrap_or_default(),
                    column: column.clone(),
                    advice: "there is nothing to draw",
                });
            }
        }
        let shift = (x_mean / x_deviation).clamp(-SHIFT, SHIFT);
        x.iter_mut()
            .for_each(|x| *x = (*x - x_mean) / x_deviation + shift);
        y.iter_mut().for_each(|y| *y = (*y - y_mean) / y_deviation);
        Ok(Rows { x, y })
    }

    fn surface(&self) -> (Best, [f64; 3]) {
        let count = self.x.len() as f64;
        let pairs = || self.x.iter().zip(&self.y);
        let mean = |of: fn(f64, f64) -> f64| pairs().map(|(x, y)| of(*x, *y)).sum::<f64>() / count;
        let (x, y, xx, xy) = (
            mean(|x, _| x),
            mean(|_, y| y),
            mean(|x, _| x * x),
            mean(|x, y| x * y),
        );
        let w = (xy - x * y) / (xx - x * x);
        let b = y - w * x;
        let cost = pairs().map(|(x, y)| (w * x + b - y).powi(2)).sum::<f64>() / count;
        (Best { w, b, cost }, [xx, 2.0 * x, 1.0])
    }

    /// Runs one crowd with real optimizer steps of the engine.
    fn descend(&self, best: Best, name: &str, by: &Optimizer, rate: f64) -> Result<Crowd> {
        let engine = |error: engine::Error| Error::from(train::Error::from(error));
        let net = net(self.x.len(), 1).map_err(engine)?;
        let purpose = Purpose::Train(by.clone());
        let plan = Plan::new(net.graph.clone(), 1, purpose).map_err(engine)?;
        let mut device = Reference::new();
        let variables = net.graph.variables();
        device.create(variables, Some(by)).map_err(engine)?;
        let ready = device.prepare(plan).map_err(engine)?;
        device
            .write(ready, net.x, Host::Double(&self.x))
            .map_err(engine)?;
        device
            .write(ready, net.target, Host::Double(&self.y))
            .map_err(engine)?;
        let mut random = Stream::new(1, RandomPurpose::Check, 1);
        let mut walk = || -> engine::Result<Path> {
            let middle = [best.w, best.b];
            for (v, middle) in variables.iter().zip(middle) {
                let start = middle + START * (2.0 * random.uniform() - 1.0);
                device.write_variable(&v.name, Field::Weight, Host::Double(&[start]))?;
                for state in 0..by.states(v).len() {
                    device.write_variable(&v.name, Field::State(state), Host::Double(&[0.0]))?;
                }
            }
            let mut path = Path {
                w: Vec::new(),
                b: Vec::new(),
            };
            for step in 0..=STEPS {
                for (v, to) in variables.iter().zip([&mut path.w, &mut path.b]) {
                    let mut value = [0.0f64];
                    device.read_variable(&v.name, Field::Weight, HostMut::Double(&mut value))?;
                    to.push(Some(round(value[0])).filter(|v| v.abs() < 1e6));
                }
                let scalars = Scalars {
                    seed: 0,
                    step,
                    rate,
                    loss_weight: 1.0 / self.x.len() as f64,
                };
                device.run(ready, &scalars)?;
            }
            Ok(path)
        };
        let walkers = (0..WALKERS).map(|_| walk().map_err(engine));
        Ok(Crowd {
            name: name.to_owned(),
            rate,
            walkers: walkers.collect::<Result<_>>()?,
        })
    }
}

/// Mean and standard deviation.
fn scale(all: &[f64]) -> (f64, f64) {
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let square = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
    (mean, (square / all.len() as f64).sqrt())
}

/// Rounds to five digits, enough for a picture.
fn round(x: f64) -> f64 {
    (x * 1e5).round() / 1e5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_rates_arrive_low_ones_crawl_high_ones_blow_up() {
        let l = Landscape::new(&Points::line()).unwrap();
        // The surface is the mean squared error of the drawn points.
        let points = Points::line();
        let rows = Rows::new(&points).unwrap();
        let (w, b) = (0.3, -1.2);
        let each = rows
            .x
            .iter()
            .zip(&rows.y)
            .map(|(x, y)| (w * x + b - y).powi(2));
        let mse = each.sum::<f64>() / rows.x.len() as f64;
        assert!((mse - l.cost(Some(w), Some(b))).abs() < 1e-9);
        let mean = |d: &Crowd, at: usize| {
            let all = d.walkers.iter().map(|p| l.cost(p.w[at], p.b[at]));
            all.sum::<f64>() / d.walkers.len() as f64 - l.best.cost
        };
        let [good, low, high, momentum, adam] = &l.descents[..] else {
            panic!("five crowds");
        };
        let end = STEPS as usize;
        for d in [good, momentum, adam] {
            assert_eq!(d.walkers.len(), WALKERS);
            assert!(
                mean(d, end) < 0.01 * mean(d, 0),
                "{}: {}",
                d.name,
                mean(d, end)
            );
        }
        assert!(mean(momentum, 30) < 0.1 * mean(good, 30));
        let crawl = mean(low, end) / mean(low, 0);
        assert!((0.02..0.7).contains(&crawl), "{crawl}");
        assert!(mean(high, end) > 10.0 * mean(high, 0));
        let svg = l.svg(good);
        assert_eq!(svg.matches("<polyline").count(), WALKERS);
    }
}
