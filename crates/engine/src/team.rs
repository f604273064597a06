//! Who does the work? A team of threads that stays together: all walk one list of steps, each
//! takes tiles of the step at hand, and a barrier ends every step. Tiles are cut by the problem's
//! shape, never by the number of threads, so the same bits come out of any team.

use crate::arena::Cuts;
use crate::error::{Error, Result};
use crate::machine::Isa;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Scratch memory of a thread, in numbers: packed panels of products, tiles of attention.
pub const SCRATCH: usize = 1 << 18;

/// Spins before a waiting thread begins to yield its core, and yields before it parks.
const SPINS: usize = 1 << 12;
const YIELDS: usize = 1 << 8;

/// In which order tiles are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// 0, 1, 2, …
    Rising,
    /// Shuffled by this number: for tests, which want the same bits.
    Shuffled(usize),
}

/// A counter with a cache line to itself.
#[repr(align(64))]
struct Padded(AtomicUsize);

struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    /// How many tiles of each thread's share are taken.
    taken: Vec<Padded>,
    poisoned: AtomicBool,
}

impl Barrier {
    /// Waits for all; the last to come opens the next step's tiles.
    fn wait(&self) {
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.taken
                .iter()
                .for_each(|taken| taken.0.store(0, Ordering::Relaxed));
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round + 1, Ordering::Release);
            return;
        }
        let mut spins = 0;
        while self.round.load(Ordering::Acquire) == round {
            assert!(
                !self.poisoned.load(Ordering::Relaxed),
                "another thread of the team failed"
            );
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}

/// What one thread of the team sees of it.
pub struct Team {
    barrier: Arc<Barrier>,
    /// Number of this thread.
    worker: usize,
    isa: Isa,
    order: Order,
    scratch: RefCell<Vec<f32>>,
}

impl Team {
    fn new(barrier: Arc<Barrier>, worker: usize, isa: Isa, order: Order) -> Team {
        Team {
            barrier,
            worker,
            isa,
            order,
            scratch: RefCell::new(vec![0.0; SCRATCH]),
        }
    }

    /// Instruction set of the kernels.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Threads of the team.
    pub fn threads(&self) -> usize {
        self.barrier.threads
    }

    /// Whether this is the team's first thread, which keeps the time.
    pub fn leads(&self) -> bool {
        self.worker == 0
    }

    /// Does `work` for every tile of `cuts`, shared among the threads, and ends with a barrier.
    /// `work` gets the tile's number, its patches and the thread's scratch memory.
    pub fn each<C: Cuts>(&self, cuts: C, work: impl Fn(usize, C::Patches<'_>, &mut [f32])) {
        let (count, threads) = (cuts.count(), self.threads());
        let mut scratch = self.scratch.borrow_mut();
        // Each thread begins with its own share, the same rows in step after step, so that they
        // stay in its cache; then it helps the others.
        for share in (self.worker..threads).chain(0..self.worker) {
            let (first, end) = (count * share / threads, count * (share + 1) / threads);
            loop {
                let turn = first + self.barrier.taken[share].0.fetch_add(1, Ordering::Relaxed);
                if turn >= end {
                    break;
                }
                let tile = match self.order {
                    Order::Rising => turn,
                    Order::Shuffled(by) => shuffled(turn, count, by),
                };
                // SAFETY: the shares are disjoint, each counter gives a turn to one thread once,
                // and `shuffled` is one to one.
                let patches = unsafe { cuts.take(tile) };
                work(tile, patches, &mut scratch);
            }
        }
        drop(scratch);
        self.barrier.wait();
    }
}

/// A one-to-one map of 0 … count − 1: a step that has no common divisor with `count`.
fn shuffled(turn: usize, count: usize, by: usize) -> usize {
    let common = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let step = (by % count..).find(|&s| common(s, count) == 1).unwrap_or(1);
    (turn * step + by) % count
}

type Job = dyn Fn(&Team) + Sync;

/// A job that workers borrow while the caller waits for them.
#[derive(Clone, Copy)]
struct Borrowed(*const Job);

// SAFETY: the job is `Sync`, and `Workers::run` does not return before every worker is done.
unsafe impl Send for Borrowed {}

struct Post {
    round: usize,
    job: Option<Borrowed>,
    stop: bool,
}

struct Office {
    post: Mutex<Post>,
    posted: Condvar,
    round: AtomicUsize,
    done: AtomicUsize,
}

impl Office {
    fn lock(&self) -> MutexGuard<'_, Post> {
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the job after `seen`: spins, yields, then parks.
    fn wait(&self, seen: usize) -> Option<(usize, Borrowed)> {
        for spin in 0..SPINS + YIELDS {
            if self.round.load(Ordering::Acquire) != seen {
                break;
            }
            if spin < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        let mut post = self.lock();
        while post.round == seen && !post.stop {
            post = self
                .posted
                .wait(post)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if post.stop {
            None
        } else {
            Some((post.round, post.job?))
        }
    }
}

/// The threads themselves. The caller's thread is one of the team.
pub struct Workers {
    office: Arc<Office>,
    own: Team,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// A team of `threads` threads (the caller's among them) whose kernels use `isa`.
    pub fn new(threads: usize, isa: Isa, order: Order) -> Workers {
        let threads = threads.max(1);
        let barrier = Arc::new(Barrier {
            threads,
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            taken: (0..threads).map(|_| Padded(AtomicUsize::new(0))).collect(),
            poisoned: AtomicBool::new(false),
        });
        let office = Arc::new(Office {
            post: Mutex::new(Post {
                round: 0,
                job: None,
                stop: false,
            }),
            posted: Condvar::new(),
            round: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        });
        let spawn = |number| {
            let (office, barrier) = (office.clone(), barrier.clone());
            std::thread::spawn(move || worker(&office, &Team::new(barrier, number, isa, order)))
        };
        Workers {
            threads: (1..threads).map(spawn).collect(),
            own: Team::new(barrier, 0, isa, order),
            office,
        }
    }

    /// Lets every thread of the team run `job` once and waits for all.
    ///
    /// # Errors
    /// Where a thread panicked, now or earlier.
    pub fn run(&mut self, job: &(dyn Fn(&Team) + Sync)) -> Result<()> {
        let poisoned = &self.own.barrier.poisoned;
        if poisoned.load(Ordering::Relaxed) {
            return Err(Error::Poisoned);
        }
        // SAFETY: only the lifetime is erased; this function waits until no worker has the job.
        let borrowed = Borrowed(unsafe {
            std::mem::transmute::<*const (dyn Fn(&Team) + Sync + '_), *const Job>(job)
        });
        if !self.threads.is_empty() {
            let mut post = self.office.lock();
            post.round += 1;
            post.job = Some(borrowed);
            self.office.done.store(0, Ordering::Relaxed);
            self.office.round.store(post.round, Ordering::Release);
            self.office.posted.notify_all();
        }
        if catch_unwind(AssertUnwindSafe(|| job(&self.own))).is_err() {
            poisoned.store(true, Ordering::Relaxed);
        }
        while self.office.done.load(Ordering::Acquire) < self.threads.len() {
            std::thread::yield_now();
        }
        if poisoned.load(Ordering::Relaxed) {
            return Err(Error::Poisoned);
        }
        Ok(())
    }
}

fn worker(office: &Office, team: &Team) {
    let mut seen = 0;
    while let Some((round, job)) = office.wait(seen) {
        seen = round;
        // SAFETY: the job lives until `Workers::run` has seen this thread's `done`.
        let job = unsafe { &*job.0 };
        if catch_unwind(AssertUnwindSafe(|| job(team))).is_err() {
            team.barrier.poisoned.store(true, Ordering::Relaxed);
        }
        office.done.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.office.lock().stop = true;
        self.office.round.fetch_add(1, Ordering::Release);
        self.office.posted.notify_all();
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;

    #[test]
    fn every_tile_is_done_once_in_any_order_and_a_panic_is_an_error() {
        for (threads, order) in [
            (1, Order::Rising),
            (3, Order::Rising),
            (2, Order::Shuffled(5)),
        ] {
            let arena = Arena::new(35).unwrap();
            let out = arena.out(0, 35);
            let mut workers = Workers::new(threads, Isa::Portable, order);
            for _ in 0..50 {
                let job = |team: &Team| {
                    team.each(out.grid(7, 2, 3), |_, mut p, _| {
                        for r in 0..p.rows {
                            p.row(r).iter_mut().for_each(|x| *x += 1.0);
                        }
                    });
                };
                workers.run(&job).unwrap();
            }
            assert_eq!(arena.slice(0, 35), [50.0; 35]);
            let job = |team: &Team| {
                team.each(out.bands(7, 1), |tile, _, _| assert!(tile != 3, "planted"));
            };
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| {}));
            let failed = workers.run(&job);
            std::panic::set_hook(hook);
            assert_eq!(failed, Err(Error::Poisoned));
        }
    }
}
