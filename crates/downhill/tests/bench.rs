//! `downhill bench`: every part at a tiny size. No test depends on timing.
#![allow(clippy::unwrap_used)]

mod common;

use common::Place;
use serde_json::Value;

/// Names of the fields of an object, nested ones too, in order; a list counts as its first entry.
fn fields(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let at = format!("{at}{name}");
                found.push(at.clone());
                fields(inner, &format!("{at}."), found);
            }
        }
        Value::Array(list) => {
            if let Some(first) = list.first() {
                fields(first, at, found);
            }
        }
        _ => {}
    }
}

/// The fields of an object without those of a spread, which are the same everywhere.
fn own(value: &Value) -> String {
    let mut found = Vec::new();
    fields(value, "", &mut found);
    let spread = ["median", "low", "high", "least", "most", "count"];
    let inner = |name: &&String| {
        let last = name.rsplit('.').next().unwrap();
        !name.contains('.') || !spread.contains(&last)
    };
    let own: Vec<&str> = found.iter().filter(inner).map(String::as_str).collect();
    own.join(" ")
}

const READING: &str = "threads f32_flops bf16_flops read_bytes triad_bytes barrier_seconds";

#[test]
fn json_has_every_part_with_its_fields() {
    let place = Place::new();
    let all = place
        .run("bench --only tiny --threads 2 --json")
        .fine()
        .json();
    let parts: Vec<&String> = all.as_object().unwrap().keys().collect();
    let expected = "processor threads machine ops step gemm generate";
    assert_eq!(parts, expected.split(' ').collect::<Vec<_>>());
    let counts: Vec<u64> = all["machine"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["threads"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [1, 2]);
    assert_eq!(own(&all["machine"]), READING);
    let ops = &all["ops"];
    assert_eq!(own(&ops["machine"]), READING);
    let expected = "model operation pass shape flops bytes seconds flops_per_second share_of_peak \
                    bytes_per_second bound_seconds times_bound";
    assert_eq!(own(&ops["measured"]), expected);
    assert_eq!(ops["measured"].as_array().unwrap().len(), 32);
    let step = &all["step"]["measured"];
    let part = |kind: &str| {
        let names = "operation pass shape flops bytes bound_seconds seconds";
        let each = names.split(' ').map(|name| format!(" {kind}.{name}"));
        format!("{kind}{}", each.collect::<String>())
    };
    let expected = format!(
        "name family precision parameters batch context flops bytes seconds flops_per_second \
         share_of_peak tokens_per_second peak_bytes bound_seconds times_bound {} {}",
        part("parts"),
        part("shapes")
    );
    assert_eq!(own(step), expected);
    for kind in ["parts", "shapes"] {
        let parts = step[0][kind].as_array().unwrap();
        let sum = |field: &str| {
            parts
                .iter()
                .map(|p| p[field].as_u64().unwrap())
                .sum::<u64>()
        };
        assert_eq!(sum("flops"), step[0]["flops"], "{kind}");
        assert_eq!(sum("bytes"), step[0]["bytes"], "{kind}");
    }
    let gemm = "shapes shapes.model shapes.layer shapes.product shapes.m shapes.n shapes.k \
                shapes.counted rungs rungs.rung rungs.threads rungs.precision \
                rungs.peak_flops_per_second rungs.flops_per_second rungs.share_of_peak \
                rungs.seconds machine machine.threads machine.f32_flops machine.bf16_flops \
                machine.read_bytes machine.triad_bytes machine.barrier_seconds";
    assert_eq!(own(&all["gemm"]), gemm);
    assert_eq!(all["gemm"]["shapes"].as_array().unwrap().len(), 15);
    let writing =
        "name prompt written prompt_tokens_per_second tokens_per_second bound_seconds times_bound";
    assert_eq!(own(&all["generate"]["measured"]), writing);
}

#[test]
fn tables_fit_a_page_and_unknown_names_are_refused() {
    let place = Place::new();
    let found = place
        .run("bench --only tiny,gelu,linear --threads 1")
        .fine()
        .out;
    assert!(found.lines().all(|l| l.chars().count() <= 100), "{found}");
    for words in [
        "f32 products",
        "tiny gelu",
        "bound",
        "three plain loops",
        "prompt",
    ] {
        assert!(found.contains(words), "{words} is not in: {found}");
    }
    assert!(!found.contains("tiny rope") && !found.contains('\r'));
    let refused = ["unknown model or operation XL", "L-qwen3", "attention"];
    place.run("bench --only XL").fails(2, &refused);
    place.run("bench nothing").fails(2, &["nothing", "machine"]);
}
