//! Compares every derivative with central differences, every fast path with the reference.

use engine::{CpuSettings, verify};

#[test]
fn every_operation_on_twenty_random_shapes() {
    let checks = verify::operations(20, CpuSettings::with_threads(2), |_| {}).unwrap();
    let failed: Vec<_> = checks.iter().filter(|c| !c.ok).collect();
    assert!(
        failed.is_empty(),
        "{} of {} failed: {failed:#?}",
        failed.len(),
        checks.len()
    );
}
