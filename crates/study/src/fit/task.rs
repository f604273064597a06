//! The trainer's task: one linear layer with mean squared error; the batch is the whole table.
//!
//! It runs on the Reference device in f64: in f32 a gradient's error is about 1e-7 of its terms,
//! too much for weights accurate to 1e-6 when columns are strongly correlated.

use super::error::Result;
use super::least_squares::LeastSquares;
use super::line::Line;
use super::model::{FILE, Model};
use super::points::{Points, Source};
use super::standard::Standardized;
use engine::{Device, Field, Graph, Host, HostMut, Init, Ready, ValueId, Variable};
use run::{Checkpoint, Eval, Kind, NamedFile, Sample, Start, Step, What};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use train::{Measured, Recording, Task};

/// Maximum numbers in a micro-batch's features, so that they stay in the cache between the passes.
const MICRO_NUMBERS: usize = 65_536;
/// Above this condition number, six correct digits aren't guaranteed.
pub const ILL_CONDITIONED: f64 = 100.0;
/// The descent stops at or below this share of the initial gradient norm.
const SETTLED: f64 = 1e-7;
/// A gradient norm in standard units that is only rounding error.
const ROUNDING: f64 = 1e-14;

const WEIGHT: &str = "weight";
const BIAS: &str = "bias";

/// Curvature of the error in its steepest and flattest direction, which determines the learning
/// rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curvature {
    /// Largest second derivative.
    pub largest: f64,
    /// Smallest second derivative that matters.
    pub smallest: f64,
}

impl Curvature {
    /// Learning rate and momentum at which momentum descent converges fastest on a quadratic:
    /// rate = 4/(√L + √m)², momentum = ((√L − √m)/(√L + √m))² (Polyak, "Some methods of speeding
    /// up the convergence of iteration methods", 1964).
    pub fn momentum(&self) -> (f64, f64) {
        let (l, m) = (self.largest.sqrt(), self.smallest.sqrt());
        (4.0 / ((l + m) * (l + m)), ((l - m) / (l + m)).powi(2))
    }

    /// The best learning rate of plain gradient descent: 2/(L + m).
    pub fn plain(&self) -> f64 {
        2.0 / (self.largest + self.smallest)
    }

    /// Learning rate and momentum of Nesterov's method: rate = 1/L, momentum = (√L − √m)/(√L + √m)
    /// (Nesterov, "Introductory Lectures on Convex Optimization", 2004, scheme 2.2.11).
    pub fn nesterov(&self) -> (f64, f64) {
        let (l, m) = (self.largest.sqrt(), self.smallest.sqrt());
        (1.0 / self.largest, (l - m) / (l + m))
    }
}

/// The recorded step.
pub(crate) struct Net {
    pub graph: Arc<Graph>,
    pub x: ValueId,
    pub target: ValueId,
    cost: ValueId,
}

/// Fits a line to points.
pub struct FitTask {
    source: Source,
    name: String,
    data: Standardized,
    answer: LeastSquares,
    micros: usize,
    net: Net,
    /// Whether the points are on the device; they are the same in every step.
    written: bool,
}

/// Records y = x·wᵀ + b and its mean squared error for `rows` rows.
pub(crate) fn net(rows: usize, width: usize) -> engine::Result<Net> {
    let mut graph = Graph::new();
    let x = graph.input("x", rows, width);
    let target = graph.input("target", rows, 1);
    let w = graph.variable(Variable::parameter(WEIGHT, &[1, width], Init::Zeros));
    let b = graph.variable(Variable::parameter(BIAS, &[1], Init::Zeros));
    let y = graph.linear(x, w, Some(b))?;
    let (cost, _) = graph.mse(y, target)?;
    Ok(Net {
        graph: Arc::new(graph),
        x,
        target,
        cost,
    })
}

impl FitTask {
    /// Standardizes the points and solves the fit in closed form, to set the learning rate and to
    /// compare.
    ///
    /// # Errors
    /// If a column has the same value in every row, or its numbers are too large.
    pub fn new(mut points: Points) -> Result<FitTask> {
        let data = Standardized::new(&mut points)?;
        let (rows, width) = (data.y.len(), data.features.len());
        let most = (MICRO_NUMBERS / width.max(1)).max(1);
        let divides = |m: &usize| rows.is_multiple_of(*m);
        let micro = (1..=most.min(rows)).rev().find(divides).unwrap_or(1);
        // Without a suitable divisor, use one batch: thousands of tiny ones are slower.
        let micro = if micro < most / 16 { rows } else { micro };
        Ok(FitTask {
            net: net(micro, width).map_err(train::Error::from)?,
            micros: rows / micro.max(1),
            answer: LeastSquares::new(&data),
            source: points.source,
            name: points.name,
            data,
            written: false,
        })
    }

    /// The least-squares answer in closed form, in the data's own units.
    pub fn closed_form(&self) -> Line {
        self.data.own_units(&self.answer.line)
    }

    /// Condition number of the standardized features; infinite if columns are linearly dependent.
    pub fn condition(&self) -> f64 {
        self.answer.condition()
    }

    /// A warning for the user if the weights are poorly determined.
    pub fn warning(&self) -> Option<String> {
        let condition = self.condition();
        if condition.is_infinite() {
            return Some(
                "some columns are linearly dependent, so many weights fit equally well; \
                 leave one of them out"
                    .into(),
            );
        }
        (condition > ILL_CONDITIONED).then(|| {
            format!(
                "the columns are almost linearly dependent: the condition number of the standardized \
                 features is {condition:.3e}, above {ILL_CONDITIONED}, so the weights are poorly \
                 determined and may differ from the closed form"
            )
        })
    }

    /// Curvature of the mean squared error: twice the eigenvalues of the correlation matrix. The
    /// largest is doubled again, so that the error doesn't rise before it falls: at the edge of its
    /// range, momentum descent first overshoots up to three times. The ratio is clamped between 9
    /// (at a ratio of 1 there is no descent to watch) and 1e6 (which ten thousand steps can
    /// handle).
    pub fn curvature(&self) -> Curvature {
        let largest = 4.0 * self.answer.largest;
        let smallest = 2.0 * self.answer.smallest;
        Curvature {
            largest,
            smallest: smallest.clamp(largest / 1e6, largest / 9.0),
        }
    }

    /// The share of the initial gradient norm at which the descent stops: 1e-7, or less if flat
    /// directions hide an error behind a small gradient. The weights have six correct digits up to
    /// condition number 100.
    fn limit(&self) -> f64 {
        let ratio = self.answer.largest / self.answer.smallest;
        let most = ILL_CONDITIONED * ILL_CONDITIONED;
        SETTLED / (10.0 * ratio.clamp(1.0, most))
    }

    /// The model on the device.
    ///
    /// # Errors
    /// If the device fails.
    pub fn model(&self, device: &dyn Device) -> train::Result<Model> {
        let standard = self.weights(device)?;
        Ok(Model {
            target: self.source.target.clone(),
            columns: self.source.columns.clone(),
            line: self.data.own_units(&standard),
            standard,
            scales: self.data.features.clone(),
            target_scale: self.data.target,
        })
    }

    fn weights(&self, device: &dyn Device) -> train::Result<Line> {
        let mut weights = vec![0.0; self.data.features.len()];
        let mut bias = [0.0];
        device.read_variable(WEIGHT, Field::Weight, HostMut::Double(&mut weights))?;
        device.read_variable(BIAS, Field::Weight, HostMut::Double(&mut bias))?;
        Ok(Line {
            weights,
            intercept: bias[0],
        })
    }

    fn give(&self, device: &mut dyn Device, line: &Line) -> train::Result<()> {
        device.write_variable(WEIGHT, Field::Weight, Host::Double(&line.weights))?;
        device.write_variable(BIAS, Field::Weight, Host::Double(&[line.intercept]))?;
        Ok(())
    }

    /// Mean squared error in standard units.
    fn error(&self, line: &Line) -> f64 {
        let rows = self.data.x.chunks_exact(line.weights.len());
        let squares = rows.zip(&self.data.y).map(|(row, y)| {
            let terms = line.weights.iter().zip(row);
            let found = terms.fold(line.intercept, |sum, (w, x)| sum + w * x);
            (found - y) * (found - y)
        });
        squares.sum::<f64>() / self.data.y.len() as f64
    }

    /// Converts a square of the target from standard units to the data's own.
    fn own_square(&self, square: f64) -> f64 {
        square * self.data.target.deviation * self.data.target.deviation
    }
}

impl Task for FitTask {
    fn record(&self) -> train::Result<Recording> {
        let rows = self.data.y.len();
        let net = net(rows / self.micros, self.data.features.len())?;
        Ok(Recording {
            graph: net.graph,
            micros: self.micros,
            cost: net.cost,
            loss_weight: 1.0 / rows as f64,
            double: true,
        })
    }

    fn prepare(&mut self, _: &mut dyn Device) -> train::Result<()> {
        Ok(())
    }

    fn describe(&self, start: &mut Start) {
        let rows = self.data.y.len() as u64;
        start.kind = Some(Kind::Fit);
        start.corpus = self.name.clone();
        start.family = match self.source.columns.as_slice() {
            [column] => format!("{} = w·{column} + b", self.source.target),
            columns => format!("{} from {} columns", self.source.target, columns.len()),
        };
        start.train_tokens = rows;
        start.batch = rows;
        start.tokens_per_step = rows;
    }

    fn initialize(&mut self, device: &mut dyn Device, _: &Graph) -> train::Result<()> {
        let zero = Line {
            weights: vec![0.0; self.data.features.len()],
            intercept: 0.0,
        };
        self.give(device, &zero)
    }

    fn restore(&mut self, device: &mut dyn Device, from: &Checkpoint) -> train::Result<()> {
        let model = Model::load(from).map_err(|e| train::Error::Task(e.to_string()))?;
        if model.columns != self.source.columns {
            let path = from.path.join(FILE);
            let reason = "its columns differ from the table's".into();
            return Err(run::Error::Broken { path, reason }.into());
        }
        self.give(device, &model.standard)
    }

    fn fill(&mut self, device: &mut dyn Device, ready: Ready, _: u64) -> train::Result<()> {
        if !self.written {
            device.write(ready, self.net.x, Host::Double(&self.data.x))?;
            device.write(ready, self.net.target, Host::Double(&self.data.y))?;
            self.written = true;
        }
        Ok(())
    }

    fn report(&self, cost: f64, event: &mut Step) {
        event.mse = Some(self.own_square(cost));
    }

    fn settled(&mut self, _: u64, norm: f64) -> bool {
        norm <= self.limit() || norm * self.answer.first_gradient <= ROUNDING || norm.is_nan()
    }

    fn evaluate(
        &mut self,
        device: &mut dyn Device,
        _: bool,
        _: &AtomicBool,
    ) -> train::Result<Measured> {
        let from = Instant::now();
        let mse = self.error(&self.weights(device)?);
        let zero = Line {
            weights: vec![0.0; self.data.features.len()],
            intercept: 0.0,
        };
        let own = self.own_square(mse);
        Ok(Measured {
            loss: own,
            event: Eval {
                mse: Some(own),
                r2: Some(1.0 - mse / self.error(&zero)),
                tokens: self.data.y.len() as u64,
                seconds: from.elapsed().as_secs_f64(),
                full: true,
                ..Eval::default()
            },
        })
    }

    fn sample(&mut self, _: &mut dyn Device, _: &AtomicBool) -> train::Result<Option<Sample>> {
        Ok(None)
    }

    fn probe(&mut self, _: &mut dyn Device, _: u64, _: &AtomicBool) -> train::Result<Vec<What>> {
        Ok(Vec::new())
    }

    fn files<'a>(&'a self, device: &'a dyn Device) -> train::Result<Vec<NamedFile<'a>>> {
        let model = serde_json::to_vec_pretty(&self.model(device)?);
        let model =
            model.map_err(|e| train::Error::Task(format!("can't serialize {FILE}: {e}")))?;
        Ok(vec![NamedFile::bytes(FILE, model)])
    }
}
