//! A training step allocates nothing once it is prepared: no pauses and no growth in long runs.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Case, adamw, block, scalars};
use engine::{Cpu, CpuSettings, Device, Purpose, Scalars};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is forwarded to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's obligation.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligation.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_steady_step_allocates_nothing() {
    let (graph, cost) = block(4, 24, 0.1);
    let case = Case::new(graph, cost, 2, 1);
    let mut device = Cpu::new(CpuSettings::with_threads(2));
    let ready = case.prepare(&mut device, Purpose::Train(adamw()));
    // The first step doesn't count: threads are still starting.
    device.run(ready, &scalars(4 * 24 * 2)).unwrap();
    let before = COUNT.load(Ordering::SeqCst);
    for step in 0..30 {
        let targets = scalars(4 * 24 * 2);
        device.run(ready, &Scalars { step, ..targets }).unwrap();
    }
    assert_eq!(COUNT.load(Ordering::SeqCst) - before, 0);
    assert!(device.norm().is_finite());
}
