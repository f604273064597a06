//! The same training gives the same bits for any number of threads, any instruction set, any order
//! of tiles, and on any processor.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{FAMILIES, Recorded, adamw, shape, shared, tokens};
use engine::{Cpu, CpuSettings, Device, Field, HostMut, Isa, Order, Precision, Purpose};
use model::{Mode, initialize};

const VOCABULARY: usize = 37;

/// Hash of each family's weights after 20 steps, with products in f32 and in bf16. A change that is
/// meant to change the bits updates these, and says so in CHANGELOG.md.
const EXPECTED: [[u64; 2]; 3] = [
    [0x4d77_d122_00a1_9cc0, 0x2c70_194a_0463_acde],
    [0x7a5a_8f90_1623_391d, 0x73e6_2a0c_5866_d92d],
    [0x91c3_9cd0_3871_bcfd, 0x985f_c338_3d9b_8d7c],
];

/// FNV-1a of 64 bits (Fowler, Noll and Vo) over the weights' little-endian bytes.
fn hash(device: &Cpu, model: &Recorded) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for variable in model.graph.variables() {
        let mut numbers = vec![0.0_f32; variable.len()];
        let host = HostMut::Real(&mut numbers);
        let name = &variable.name;
        device.read_variable(name, Field::Weight, host).unwrap();
        for byte in numbers.iter().flat_map(|x| x.to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

fn train(family: &str, settings: CpuSettings, precision: Precision) -> u64 {
    let sets = format!(
        "layers=2,heads=4,kv_heads={},width=40,hidden=72,context=36,dropout=0.1",
        shared(family)
    );
    let shape = shape(family, &sets);
    let model = Recorded::new(&shape, VOCABULARY, (2, 2, 35), Mode::Train);
    let mut device = Cpu::new(settings);
    let variables = model.graph.variables();
    device.create(variables, Some(&adamw())).unwrap();
    initialize(&mut device, variables, 1).unwrap();
    let ready = model.prepare_in(&mut device, Purpose::Train(adamw()), precision);
    for step in 0..20 {
        let batch = tokens(model.rows() + 1, VOCABULARY, step);
        let (inputs, targets) = (&batch[..model.rows()], &batch[1..]);
        model.feed(&mut device, ready, inputs, targets);
        device.run(ready, &model.scalars(step, 1e-2)).unwrap();
    }
    assert!(device.norm().is_finite());
    hash(&device, &model)
}

/// One thread with each instruction set; more threads and other orders with the best one.
fn ways() -> Vec<CpuSettings> {
    let best = CpuSettings::with_threads(1);
    let each = Isa::available().into_iter();
    let mut ways: Vec<CpuSettings> = each.map(|isa| CpuSettings { isa, ..best }).collect();
    ways.extend([2, 3].map(CpuSettings::with_threads));
    let order = Order::Shuffled(5);
    ways.extend([1, 3].map(|threads| CpuSettings {
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
