//! How do threads share the work? A team of threads persists across steps: all walk one list of
//! steps, each takes tiles of the current step, and a barrier ends every step. Tiles are cut by the
//! problem's shape, never by the number of threads, so every team computes the same bits.

use crate::cpu::arena::{Cuts, Out, fingerprint};
use crate::cpu::gemm::Arithmetic;
use crate::cpu::machine::Isa;
use crate::error::{Error, Result};
use crate::precision::Precision;
use std::cell::{RefCell, UnsafeCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Scratch memory of a thread, in numbers: packed panels of products, tiles of attention.
pub const SCRATCH: usize = (1 << 19) + (1 << 15);

/// Spins on a bell before a waiting thread starts to yield its core: tens of microseconds.
const SPINS: usize = 1 << 11;

/// The same if there are more threads than cores: the awaited thread may need this core.
const SPINS_CROWDED: usize = 1 << 5;

/// Yields before it parks: a few milliseconds if no other thread wants the core. If one does, each
/// yield lets it run for a while, and a thread that stays ready gets the core back sooner than one
/// that has to be woken (EXPERIMENTS.md).
const YIELDS: usize = 1 << 12;

/// The order in which tiles are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// 0, 1, 2, …
    Rising,
    /// Shuffled by this number: tests check that it doesn't change a bit.
    Shuffled(usize),
}

/// A counter on a cache line of its own.
#[repr(align(64))]
struct Padded(AtomicUsize);

/// A count that threads wait for. They spin first, which needs no lock and no system call; then
/// they yield, so that a waiting thread doesn't hold a core that another one needs; then they park.
struct Bell {
    rung: AtomicUsize,
    parked: AtomicUsize,
    lock: Mutex<()>,
    ringing: Condvar,
    spins: usize,
}

impl Bell {
    fn new(spins: usize) -> Bell {
        Bell {
            rung: AtomicUsize::new(0),
            parked: AtomicUsize::new(0),
            lock: Mutex::new(()),
            ringing: Condvar::new(),
            spins,
        }
    }

    fn count(&self) -> usize {
        self.rung.load(Ordering::Acquire)
    }

    /// Increments the count and wakes parked threads.
    fn ring(&self) {
        // Either this thread sees a parked one, or a thread about to park sees the new count: both
        // read only after they have written, in a single total order (SeqCst).
        self.rung.fetch_add(1, Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.ringing.notify_all();
        }
    }

    /// Waits until `done` holds for the count.
    fn wait(&self, done: impl Fn(usize) -> bool) {
        for _ in 0..self.spins {
            if done(self.count()) {
                return;
            }
            std::hint::spin_loop();
        }
        for _ in 0..YIELDS {
            if done(self.count()) {
                return;
            }
            std::thread::yield_now();
        }
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.parked.fetch_add(1, Ordering::SeqCst);
        while !done(self.rung.load(Ordering::SeqCst)) {
            let woken = self.ringing.wait(guard);
            guard = woken.unwrap_or_else(PoisonError::into_inner);
        }
        self.parked.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    /// Rings when all threads have arrived.
    bell: Bell,
    /// Number of tiles taken from each thread's share.
    taken: Vec<Padded>,
    /// Fingerprint of the cuts being worked on; 0 until a thread has begun.
    cuts: AtomicUsize,
    poisoned: AtomicBool,
}

impl Barrier {
    /// Waits for all threads; the last to arrive resets the tile counters.
    fn wait(&self) {
        let round = self.bell.count();
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.taken
                .iter()
                .for_each(|taken| taken.0.store(0, Ordering::Relaxed));
            self.arrived.store(0, Ordering::Relaxed);
            self.cuts.store(0, Ordering::Relaxed);
            self.bell.ring();
        } else {
            // A thread that failed may have rung before this one read the count.
            let failed = || self.poisoned.load(Ordering::SeqCst);
            self.bell.wait(|rung| rung != round || failed());
        }
        assert!(
            !self.poisoned.load(Ordering::Relaxed),
            "another thread of the team failed"
        );
    }

    /// Marks that a thread failed, so that no other waits for it.
    fn poison(&self) {
        self.poisoned.store(true, Ordering::SeqCst);
        self.bell.ring();
    }
}

/// The team as seen by one of its threads.
pub struct Team {
    barrier: Arc<Barrier>,
    /// Index of this thread.
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

    /// Arithmetic of this team's matrix products in a precision.
    pub fn arithmetic(&self, precision: Precision) -> Arithmetic {
        Arithmetic {
            isa: self.isa,
            precision,
        }
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.barrier.threads
    }

    /// Index of this thread; the caller's is 0.
    pub(crate) fn worker(&self) -> usize {
        self.worker
    }

    /// Waits for all threads of the team.
    pub(crate) fn meet(&self) {
        self.barrier.wait();
    }

    /// Does `work` for every tile of `cuts`, shared among the threads, and ends with a barrier.
    /// `work` gets the tile's index, its patches and the thread's scratch memory.
    ///
    /// # Panics
    /// If a place is cut twice, or another thread of the team passed different cuts.
    pub fn each<C: Cuts>(&self, cuts: C, work: impl Fn(usize, C::Patches<'_>, &mut [f32])) {
        self.each_from([], cuts, |tile, patches, [], scratch| {
            work(tile, patches, scratch);
        });
    }

    /// The same, but `work` also reads places that were written earlier.
    ///
    /// # Panics
    /// As [`Team::each`], and if a place is both read and cut.
    pub fn each_from<const N: usize, C: Cuts>(
        &self,
        read: [&Out; N],
        cuts: C,
        work: impl Fn(usize, C::Patches<'_>, [&[f32]; N], &mut [f32]),
    ) {
        let (count, threads) = (cuts.count(), self.threads());
        let print = fingerprint(&cuts, &read);
        let begun = &self.barrier.cuts;
        let first = begun.compare_exchange(0, print, Ordering::Relaxed, Ordering::Relaxed);
        assert!(
            first.is_ok() || first == Err(print),
            "threads of the team passed different cuts"
        );
        // SAFETY: the previous barrier ended all writes to these places, and what is cut now lies
        // elsewhere, for all threads.
        let read = read.map(|out| unsafe { out.settled() });
        let mut scratch = self.scratch.borrow_mut();
        // Each thread begins with its own share, the same rows in every step, so that they stay in
        // its cache; then it helps the others.
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
                // SAFETY: all threads share these cuts, in which no place occurs twice; the shares
                // are disjoint, each counter hands out a turn once, and `shuffled` is one-to-one.
                // `work` can't keep a patch: its lifetime ends with the call.
                let patches = unsafe { cuts.take(tile) };
                work(tile, patches, read, &mut scratch);
            }
        }
        drop(scratch);
        self.barrier.wait();
    }
}

/// A permutation of 0 … count − 1: multiples of a number coprime to `count`.
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

/// Where workers wait for a job, and the caller for the workers.
struct Office {
    /// The current job; `None` to stop the team. Written only while no worker reads it: before
    /// `posted` rings, and after every worker has rung `done` for the previous job.
    job: UnsafeCell<Option<Borrowed>>,
    posted: Bell,
    done: Bell,
}

// SAFETY: the bells keep the writer and the readers of the job apart.
unsafe impl Sync for Office {}

impl Office {
    /// # Safety
    /// Only the team's owner may call it, once every worker is done with the previous job.
    unsafe fn post(&self, job: Option<Borrowed>) {
        // SAFETY: the caller ensures that no worker reads the job.
        unsafe { *self.job.get() = job };
        self.posted.ring();
    }
}

/// The worker threads. The caller's thread belongs to the team as well.
pub struct Workers {
    office: Arc<Office>,
    own: Team,
    threads: Vec<JoinHandle<()>>,
    /// Why the team isn't complete, if it isn't.
    incomplete: Option<Error>,
}

/// Starts a thread.
type Spawn<'a> = &'a dyn Fn(Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>>;

impl Workers {
    /// A team of `threads` threads (including the caller's) whose kernels use `isa`. If one can't
    /// be started, the team can't be used ([`Workers::check`]).
    pub fn new(threads: usize, isa: Isa, order: Order) -> Workers {
        Workers::started_by(&|work| Builder::new().spawn(work), threads, isa, order)
    }

    fn started_by(spawn: Spawn, threads: usize, isa: Isa, order: Order) -> Workers {
        let threads = threads.max(1);
        let spins = if threads <= crate::cpu::machine::cores() {
            SPINS
        } else {
            SPINS_CROWDED
        };
        let barrier = Arc::new(Barrier {
            threads,
            arrived: AtomicUsize::new(0),
            bell: Bell::new(spins),
            taken: (0..threads).map(|_| Padded(AtomicUsize::new(0))).collect(),
            cuts: AtomicUsize::new(0),
            poisoned: AtomicBool::new(false),
        });
        let office = Arc::new(Office {
            job: UnsafeCell::new(None),
            posted: Bell::new(spins),
            done: Bell::new(spins),
        });
        let start = |number| {
            let (office, barrier) = (office.clone(), barrier.clone());
            let work = move || worker(&office, &Team::new(barrier, number, isa, order));
            spawn(Box::new(work)).map_err(|error| Error::Thread {
                started: number,
                threads,
                reason: error.to_string(),
            })
        };
        let mut incomplete = None;
        let started = (1..threads).map(start);
        let started = started.map_while(|thread| thread.map_err(|e| incomplete = Some(e)).ok());
        Workers {
            threads: started.collect(),
            own: Team::new(barrier, 0, isa, order),
            office,
            incomplete,
        }
    }

    /// # Errors
    /// If not all of the threads could be started.
    pub(crate) fn check(&self) -> Result<()> {
        self.incomplete.clone().map_or(Ok(()), Err)
    }

    /// Number of threads, including the caller's.
    pub(crate) fn threads(&self) -> usize {
        self.threads.len() + 1
    }

    /// Runs `job` once on every thread of the team and waits for all of them.
    ///
    /// # Errors
    /// If a thread panicked, now or earlier, or couldn't be started.
    pub fn run(&mut self, job: &(dyn Fn(&Team) + Sync)) -> Result<()> {
        self.check()?;
        let poisoned = &self.own.barrier.poisoned;
        if poisoned.load(Ordering::Relaxed) {
            return Err(Error::Poisoned);
        }
        // SAFETY: only the lifetime is erased; this function waits until no worker uses the job.
        let borrowed = Borrowed(unsafe {
            std::mem::transmute::<*const (dyn Fn(&Team) + Sync + '_), *const Job>(job)
        });
        let before = self.office.done.count();
        if !self.threads.is_empty() {
            // SAFETY: the previous call waited for every worker.
            unsafe { self.office.post(Some(borrowed)) };
        }
        if catch_unwind(AssertUnwindSafe(|| job(&self.own))).is_err() {
            self.own.barrier.poison();
        }
        let workers = self.threads.len();
        self.office.done.wait(|rung| rung - before == workers);
        if poisoned.load(Ordering::Relaxed) {
            return Err(Error::Poisoned);
        }
        Ok(())
    }
}

fn worker(office: &Office, team: &Team) {
    let mut seen = 0;
    loop {
        office.posted.wait(|rung| rung != seen);
        seen += 1;
        // SAFETY: the bell has rung, and the owner waits for this worker before it posts again.
        let job = unsafe { *office.job.get() };
        let Some(job) = job else {
            return;
        };
        // SAFETY: the job lives until this thread has rung `done`.
        let job = unsafe { &*job.0 };
        if catch_unwind(AssertUnwindSafe(|| job(team))).is_err() {
            team.barrier.poison();
        }
        office.done.ring();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // SAFETY: `run` has waited for every worker.
        unsafe { self.office.post(None) };
        for thread in self.threads.drain(..) {
            // A worker that panicked has already reported it.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::arena::Arena;

    #[test]
    fn every_tile_is_done_once_in_any_order_and_a_panic_is_an_error() {
        let ways = [
            (1, Order::Rising),
            (3, Order::Rising),
            (2, Order::Shuffled(5)),
        ];
        // Several rounds, since a different interleaving may expose a different fault. Miri takes
        // seconds per round.
        let rounds = if cfg!(miri) { 2 } else { 20 };
        for (threads, order) in (0..rounds).flat_map(|_| ways) {
            let arena = Arena::new(35).unwrap();
            let out = arena.out(0, 35);
            let mut workers = Workers::new(threads, Isa::PORTABLE, order);
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

    #[test]
    fn a_thread_that_cannot_be_started_is_an_error() {
        let left = AtomicUsize::new(2);
        let spawn = |work| match left.fetch_sub(1, Ordering::Relaxed) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Builder::new().spawn(work),
        };
        let mut workers = Workers::started_by(&spawn, 4, Isa::PORTABLE, Order::Rising);
        let error = workers.run(&|_| ()).unwrap_err().to_string();
        assert!(error.contains("3 of 4 threads"), "{error}");
    }

    /// Runs a job on two threads whose panics are not printed.
    fn run_quietly(job: &(dyn Fn(&Team) + Sync)) -> Result<()> {
        let mut workers = Workers::new(2, Isa::PORTABLE, Order::Rising);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let result = workers.run(job);
        std::panic::set_hook(hook);
        result
    }

    #[test]
    fn no_place_is_written_twice_at_once_nor_read_while_it_is_written() {
        let arena = Arena::new(24).unwrap();
        let (a, b) = (arena.out(0, 12), arena.out(12, 12));
        let overlapping = arena.out(8, 12);
        let apart = |team: &Team| {
            team.each((a.bands(4, 1), b.bands(4, 1)), |tile, (mut a, mut b), _| {
                a.slice().fill(tile as f32);
                b.slice().fill(-(tile as f32));
            });
            team.each_from([&a], b.bands(4, 1), |_, mut b, [a], _| {
                b.slice().copy_from_slice(&a[8..]);
            });
        };
        assert_eq!(run_quietly(&apart), Ok(()));
        assert_eq!(arena.slice(8, 16), [2.0; 16]);
        let twice = |team: &Team| team.each([a.bands(4, 1), overlapping.bands(4, 1)], |_, _, _| ());
        assert_eq!(run_quietly(&twice), Err(Error::Poisoned));
        let read = |team: &Team| team.each_from([&a], overlapping.bands(4, 1), |_, _, _, _| ());
        assert_eq!(run_quietly(&read), Err(Error::Poisoned));
        // The two threads don't agree on what they share.
        let apart = std::sync::atomic::AtomicUsize::new(1);
        let different = |team: &Team| {
            let band = apart.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            team.each(a.bands(4, band), |_, _, _| ());
        };
        assert_eq!(run_quietly(&different), Err(Error::Poisoned));
    }
}
