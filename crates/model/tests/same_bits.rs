//! The same training gives the same bits: for any number of threads, any instruction set, any
//! order of tiles, and on any processor.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{ADAMW, FAMILIES, Recorded, shape, shared, tokens};
use engine::{Cpu, Device, HostMut, Isa, Order, Part, Precision, Purpose, Settings};
use model::{Mode, initialise};

const VOCABULARY: usize = 37;

/// Hash of each family's weights after 20 steps, with products in f32 and in bf16. A change that is
/// meant to change the bits changes these, and says so in CHANGELOG.md.
const EXPECTED: [[u64; 2]; 3] = [
    [0x4d77_d122_00a1_9cc0, 0xef94_5ba7_15db_5e0e],
    [0x7a5a_8f90_1623_391d, 0x222e_a979_9c5e_0d45],
    [0x91c3_9cd0_3871_bcfd, 0x8a3c_eaa8_c599_000e],
];

/// FNV-1a of 64 bits (Fowler, Noll and Vo) over the weights' little-endian bytes.
fn hash(device: &Cpu, model: &Recorded) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for row in &model.graph.rows {
        let mut numbers = vec![0.0_f32; row.len()];
        let host = HostMut::Real(&mut numbers);
        device.read_row(&row.name, Part::Weight, host).unwrap();
        for byte in numbers.iter().flat_map(|x| x.to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

fn train(family: &str, settings: Settings, precision: Precision) -> u64 {
    let sets = format!(
        "layers=2,heads=4,kv_heads={},width=40,hidden=72,context=36,dropout=0.1",
        shared(family)
    );
    let shape = shape(family, &sets);
    let model = Recorded::new(&shape, VOCABULARY, (2, 2, 35), Mode::Train);
    let mut device = Cpu::new(settings);
    device.create(&model.graph.rows, Some(ADAMW)).unwrap();
    initialise(&mut device, &model.graph.rows, 1).unwrap();
    let ready = model.prepare_in(&mut device, Purpose::Train(ADAMW), precision);
    for step in 0..20 {
        let batch = tokens(model.rows() + 1, VOCABULARY, step);
        let (inputs, targets) = (&batch[..model.rows()], &batch[1..]);
        model.feed(&mut device, ready, inputs, targets);
        device.run(ready, &model.scalars(step, 1e-2)).unwrap();
    }
    assert!(device.norm().is_finite());
    hash(&device, &model)
}

/// One thread with each instruction set, and more threads and other orders with the best.
fn ways() -> Vec<Settings> {
    let best = Settings::with_threads(1);
    let each = Isa::available().into_iter();
    let mut ways: Vec<Settings> = each.map(|isa| Settings { isa, ..best }).collect();
    ways.extend([2, 3].map(Settings::with_threads));
    let order = Order::Shuffled(5);
    ways.extend([1, 3].map(|threads| Settings {
        threads,
        order,
        ..best
    }));
    ways
}

#[test]
fn weights_have_one_hash_however_they_are_computed() {
    for (family, expected) in FAMILIES.iter().zip(EXPECTED) {
        for (precision, expected) in [Precision::F32, Precision::Bf16].into_iter().zip(expected) {
            for way in ways() {
                let found = train(family, way, precision);
                assert_eq!(
                    found, expected,
                    "{family}, {precision:?}: {found:#018x} with {way:?}"
                );
            }
        }
    }
}
