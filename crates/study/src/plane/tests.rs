//! On a small model with random weights: the costs, slopes and grids of a plane.

use super::axes::Plane;
use super::cost::{ModelCost, StudiedRun};
use super::grid::{Grid, LEVELS, curvature};
use super::survey::muon;
use super::walkers::{Terrain, WalkerRule};
use engine::{RandomPurpose, Stream};
use model::Config;
use run::{Choice, Disk, RunFolder};
use std::sync::Arc;
use tempfile::TempDir;
use text::BuiltIn;
use train::Corpus;

/// The cost of a model that doesn't exist on disk, and random weights for it.
fn model() -> (TempDir, StudiedRun, ModelCost, Vec<f32>) {
    let sets = [
        "model.width=16",
        "model.layers=1",
        "model.heads=2",
        "model.kv_heads=2",
    ];
    let config = Config::load(Some("copy"), None, &sets.map(String::from)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let choice = Choice::Exact {
        path: place.path().join("run"),
        overwrite: false,
    };
    let run = StudiedRun {
        folder: RunFolder::create(Arc::new(Disk), &choice).unwrap(),
        corpus: Corpus::built_in(BuiltIn::Copy, &config).unwrap(),
        config,
        checkpoints: Vec::new(),
    };
    let cost = ModelCost::new(&run, 500, 1, Some(&muon(&run.config))).unwrap();
    let mut random = Stream::new(1, RandomPurpose::Check, 0);
    let weights = (0..cost.weights()).map(|_| (0.3 * random.normal()) as f32);
    let weights = weights.collect();
    (place, run, cost, weights)
}

#[test]
fn the_cost_is_that_of_answers_and_knows_how_many_weights_it_has() {
    let (_place, run, mut cost, weights) = model();
    // Whole windows, of which only answers count.
    let line = run.corpus.questions.as_ref().unwrap().line.unwrap();
    assert_eq!(cost.tokens(), 500 / line.tokens * line.answer());
    let (again, _) = cost.gradient(&weights).unwrap();
    assert_eq!(cost.at(&weights).unwrap(), again);
    assert!(cost.at(&weights[1..]).is_err());
    assert!(cost.at(&[&weights[..], &[0.0]].concat()).is_err());
    // All weights 0: every token is as likely as any other.
    let equal = cost.at(&vec![0.0; weights.len()]).unwrap();
    let vocabulary = run.corpus.tokenizer.vocabulary_size() as f64;
    assert!((equal - vocabulary.ln()).abs() < 1e-6);
    // Without an optimizer there is a cost, but no gradient.
    let mut plain = ModelCost::new(&run, 500, 1, None).unwrap();
    assert_eq!(plain.at(&weights).unwrap(), again);
    assert!(plain.gradient(&weights).is_err());
}

#[test]
fn the_slope_on_the_plane_is_that_of_its_cost() {
    let (_place, _run, mut cost, weights) = model();
    let plane = Plane::random(weights, cost.variables(), 5);
    let sides = [[-1.0, 1.0]; 2];
    let mut terrain = Terrain {
        plane: &plane,
        cost: &mut cost,
        sides: &sides,
    };
    for at in [[0.0, 0.0], [0.4, -0.2], [-0.5, 0.7]] {
        let (here, slope) = terrain.slope(&at).unwrap();
        assert!((here - terrain.cost.at(&plane.weights(&at)).unwrap()).abs() < 1e-9);
        for axis in 0..2 {
            const STEP: f64 = 2e-3;
            let mut beside = |by: f64| {
                let mut at = at;
                at[axis] += by;
                terrain.cost.at(&plane.weights(&at)).unwrap()
            };
            let by_difference = (beside(STEP) - beside(-STEP)) / (2.0 * STEP);
            let (exact, near) = (slope[axis], by_difference);
            assert!(
                (exact - near).abs() < 2e-3 * (1.0 + exact.abs()),
                "{exact} {near}"
            );
            assert!(exact.abs() > 0.02, "too flat for a test: {exact}");
        }
    }
}

#[test]
fn every_walker_goes_down_by_its_rule() {
    let (_place, _run, mut cost, weights) = model();
    let plane = Plane::random(weights, cost.variables(), 5);
    let sides = [[-1.0, 1.0]; 2];
    let mut grid = Grid {
        sides: sides.into(),
        known: Default::default(),
    };
    for place in grid.missing(9) {
        let there = cost.at(&plane.weights(&grid.at(place))).unwrap();
        grid.known.insert(place, Some(there));
    }
    let (x, y) = (grid.coordinates(9, 0), grid.coordinates(9, 1));
    let mut terrain = Terrain {
        plane: &plane,
        cost: &mut cost,
        sides: &sides,
    };
    let strongest = curvature(&x, &y, &grid.costs(9)).unwrap();
    let start = [0.6, 0.6];
    for rule in WalkerRule::ALL {
        let rate = terrain.rate(rule, &start, strongest).unwrap();
        let walk = |terrain: &mut Terrain| {
            let walker = terrain.walk(rule, &start, rate, 8, &mut || false);
            walker.unwrap().unwrap()
        };
        let walker = walk(&mut terrain);
        assert_eq!(
            (walker.x.len(), walker.optimizer.as_str()),
            (9, rule.name())
        );
        assert_eq!((walker.x[0], walker.y[0]), (0.6, 0.6));
        // The part of Muon's step in a random plane may lead up; it is as long as was asked for.
        match rule {
            WalkerRule::Muon => {
                let length = (walker.x[1] - 0.6).hypot(walker.y[1] - 0.6);
                assert!((length - 1.0 / 12.0).abs() < 1e-3, "{length}");
            }
            _ => assert!(walker.cost[8] < walker.cost[0] - 0.01, "{walker:?}"),
        }
        // Each cost is that of the place: the walker is on the plane.
        for (i, told) in walker.cost.iter().enumerate() {
            let there = plane.weights(&[walker.x[i], walker.y[i]]);
            assert!((told - terrain.cost.at(&there).unwrap()).abs() < 1e-6);
        }
        assert_eq!(walk(&mut terrain), walker, "the second walk begins anew");
        let stopped = terrain.walk(rule, &start, rate, 8, &mut || true);
        assert!(stopped.unwrap().is_none());
    }
    // Plain descent is x ← x − rate · slope.
    let (_, slope) = terrain.slope(&start).unwrap();
    let walker = terrain.walk(WalkerRule::Sgd, &start, 0.01, 1, &mut || false);
    let walker = walker.unwrap().unwrap();
    for (to, slope) in [walker.x[1], walker.y[1]].iter().zip(slope) {
        assert!((to - (0.6 - 0.01 * slope)).abs() < 1e-12);
    }
    // A walker that leaves is lost, and its path ends.
    let lost = terrain.walk(WalkerRule::Sgd, &start, 1e6, 8, &mut || false);
    assert_eq!(lost.unwrap().unwrap().x.len(), 1);
}

#[test]
fn a_finer_grid_keeps_the_points_of_the_coarser() {
    let mut grid = Grid {
        sides: vec![[-1.5, 3.0], [2.0, 2.5]],
        known: Default::default(),
    };
    let cost = |at: &[f64]| 10.0 * at[0] + at[1];
    let mut computed = 0;
    for level in LEVELS {
        let missing = grid.missing(level);
        computed += missing.len();
        for place in missing {
            let there = cost(&grid.at(place));
            assert!(grid.known.insert(place, Some(there)).is_none());
        }
        assert_eq!(computed, level * level, "no point is computed twice");
        assert_eq!(grid.complete(33), Some(level));
        // As if every point had been computed for this level.
        let (x, y) = (grid.coordinates(level, 0), grid.coordinates(level, 1));
        assert_eq!(
            (x[0], x[level - 1], y[0], y[level - 1]),
            (-1.5, 3.0, 2.0, 2.5)
        );
        for (row, y) in grid.costs(level).iter().zip(&y) {
            for (found, x) in row.iter().zip(&x) {
                assert_eq!(*found, Some(cost(&[*x, *y])));
            }
        }
    }
    let line = Grid {
        sides: vec![[0.0, 1.0]],
        known: Default::default(),
    };
    assert_eq!(line.missing(9).len(), 9);
    assert_eq!(line.coordinates(9, 1), [0.0]);
}

#[test]
fn the_strongest_curvature_is_found_in_any_direction() {
    // 3u² + v²/2 in directions turned by 30 degrees: the second derivatives are 6 and 1.
    let (x, y) = ([-1.0, 0.0, 1.0], [-0.5, 0.0, 0.5]);
    let (cosine, sine) = (0.75f64.sqrt(), 0.5);
    let height = |x: f64, y: f64| {
        let (u, v) = (cosine * x + sine * y, cosine * y - sine * x);
        Some(3.0 * u * u + v * v / 2.0)
    };
    let cost: Vec<Vec<Option<f64>>> = y
        .iter()
        .map(|y| x.iter().map(|x| height(*x, *y)).collect())
        .collect();
    assert!((curvature(&x, &y, &cost).unwrap() - 6.0).abs() < 1e-9);
    let flat = vec![vec![Some(1.0); 3]; 3];
    assert_eq!(curvature(&x, &y, &flat), None);
}
