//! The config: merging, presets, and reporting all mistakes together.

use std::path::Path;

use model::{Config, Family, Mistake, Mlp, Norm, Position};

fn load(preset: &str, sets: &[&str]) -> Result<Config, String> {
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    Config::load(Some(preset), None, &sets).map_err(|error| error.to_string())
}

fn load_file(text: &str) -> Result<Config, String> {
    Config::load(None, Some((Path::new("my.toml"), text)), &[]).map_err(|error| error.to_string())
}

/// Asserts that a load fails and that the message has every part.
fn refused(result: Result<Config, String>, parts: &[&str]) {
    let message = result.expect_err("the config should be refused");
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
    assert!(message.lines().count() <= 12, "too long:\n{message}");
}

/// Scripts and saved configs depend on these names: adding one is a decision, renaming one breaks
/// them.
#[test]
fn key_names_are_stable() {
    let promised = [
        "model: family layers heads kv_heads head_size width hidden context dropout",
        "model: norm position mlp qk_norm bias tied rope_theta norm_epsilon output_std",
        "optim: name lr matrix_lr matrix_block lr_min schedule schedule_steps warmup decay momentum beta1 beta2 half_life epsilon weight_decay cautious clip",
        "train: batch steps seed average short_context short_share pace members patience improvement stable threads precision",
        "eval: every tokens",
        "checkpoint: every keep",
        "data: tokenizer validation_bytes encoding lossy field delimiter quotes separator raw skip_bad gitignore merge_dropout canaries canary_tokens",
        "sample: prompt tokens temperature top_k top_p seed",
    ];
    let promised: Vec<String> = promised
        .iter()
        .flat_map(|line| {
            let (section, keys) = line.split_once(": ").unwrap();
            keys.split(' ').map(move |key| format!("{section}.{key}"))
        })
        .collect();
    let keys: Vec<String> = load("default", &[])
        .unwrap()
        .keys()
        .into_iter()
        .map(|key| key.key)
        .collect();
    assert_eq!(keys, promised);
}

#[test]
fn every_key_has_a_value_prose_and_an_enforced_range() {
    for preset in Config::presets() {
        for key in load(preset, &[]).unwrap().keys() {
            let (prose, allowed) = key.comment.split_once(" Allowed: ").unwrap();
            assert!(prose.len() > 15 && allowed.ends_with('.'), "{}", key.key);
            let of_a_preset = load(preset, &[&format!("{}={}", key.key, key.value)]);
            assert_eq!(of_a_preset, load(preset, &[]), "{} in {preset}", key.key);
            if ![
                "sample.prompt",
                "data.field",
                "data.encoding",
                "data.separator",
            ]
            .contains(&key.key.as_str())
            {
                refused(
                    load(preset, &[&format!("{}=nonsense", key.key)]),
                    &[&key.key],
                );
                refused(load(preset, &[&format!("{}=-1", key.key)]), &[&key.key]);
                refused(load(preset, &[&format!("{}=nan", key.key)]), &[&key.key]);
                refused(load(preset, &[&format!("{}=1e300", key.key)]), &[&key.key]);
            }
        }
    }
}

#[test]
fn the_size_of_a_head_is_derived_or_given() {
    let size = |sets: &[&str]| load("tiny", sets).map(|config| config.model.head_size);
    let of = |sets: &[&str]| size(&[&["model.heads=3", "model.kv_heads=3"], sets].concat());
    assert_eq!(of(&["model.width=192"]), Ok(64));
    assert_eq!(of(&["model.width=192", "model.head_size=10"]), Ok(10));
    assert_eq!(
        of(&["model.width=100", "model.head_size=33", "model.family=gpt2"]).ok(),
        None
    );
    assert_eq!(of(&["model.width=100", "model.head_size=34"]), Ok(34));
    let message = |sets: &[&str]| load("tiny", sets).unwrap_err().to_string();
    for (sets, part) in [
        (
            vec!["model.heads=3", "model.kv_heads=3"],
            "doesn't divide model.width = 64",
        ),
        (
            vec!["model.heads=1", "model.kv_heads=1", "model.width=1024"],
            "at most 512",
        ),
        (vec!["model.head_size=514"], "from 1 to 512"),
        (vec!["model.head_size=7"], "head_size = 7, an odd number"),
        (
            vec!["model.heads=4", "model.width=4"],
            "a head size of 1, an odd number",
        ),
        (
            vec!["model.head_size=8", "model.family=gpt2"],
            "llama or qwen3 has it",
        ),
    ] {
        let message = message(&sets);
        assert!(
            message.contains(part) && message.lines().count() == 1,
            "{message}"
        );
    }
}

/// The commented lines of default.toml show the derived values.
#[test]
fn the_derived_values_shown_are_true() {
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => Some(key.to_string()),
        _ => None,
    };
    let shown: Vec<String> = include_str!("../src/default.toml")
        .lines()
        .filter_map(uncommented)
        .collect();
    let default = load("default", &[]).unwrap();
    let file = format!("[model]\n{}", shown.join("\n"));
    assert_eq!(load_file(&file).unwrap(), default);
    let keys = default.keys();
    let derived: Vec<&str> = keys
        .iter()
        .filter(|key| key.derived)
        .filter_map(|key| key.key.strip_prefix("model."))
        .collect();
    let names: Vec<&str> = shown
        .iter()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(derived, names);
}

#[test]
fn a_written_config_loads_equal() {
    let odd = [
        "sample.prompt=\"say \\\"hi\\\"\\n\\t\u{4f60}\u{597d} # = [x]\"",
        "optim.clip=none",
        "train.threads=3",
        "sample.top_k=40",
        "optim.lr=0.1",
        "optim.lr_min=0.030000000000000002",
        "model.tied=true",
    ];
    for preset in Config::presets() {
        for family in ["gpt2", "llama", "qwen3"] {
            let mut sets = odd.to_vec();
            let family = format!("model.family={family}");
            sets.push(&family);
            let config = load(preset, &sets).unwrap();
            assert_eq!(config.optim.clip, None);
            assert_eq!(load_file(&config.to_toml()).unwrap(), config);
        }
    }
}

#[test]
fn later_sources_win() {
    let file = "model.layers = 7\n[optim]\nlr = 1\nwarmup = 3\n";
    let sets = ["optim.warmup=4".to_string(), "train.seed = 12".to_string()];
    let path = Path::new("my.toml");
    let config = Config::load(Some("gpt2-cpu"), Some((path, file)), &sets).unwrap();
    assert_eq!(config.model.layers, 7);
    assert_eq!(config.optim.lr, 1.0);
    assert_eq!(config.optim.warmup, 4);
    assert_eq!(config.train.seed, 12);
    assert_eq!(config.train.batch, 12, "from the preset");
    assert_eq!(config.checkpoint.keep, 3, "from the defaults");
}

#[test]
fn the_family_alone_suffices() {
    for preset in Config::presets() {
        let shape = load(preset, &["model.family=gpt2"]).unwrap().model;
        assert_eq!(shape.family, Family::Gpt2);
        assert_eq!(shape.norm, Norm::LayerNorm);
        assert_eq!(shape.position, Position::Learned);
        assert_eq!((shape.mlp, shape.hidden), (Mlp::Gelu, 4 * shape.width));
        assert_eq!((shape.qk_norm, shape.tied), (false, true));
        assert_eq!(shape.kv_heads, shape.heads);
        assert_eq!(shape.norm_epsilon, 1e-5);
        let shape = load(preset, &["model.family=llama"]).unwrap().model;
        assert_eq!(shape.norm, Norm::RmsNorm);
        assert_eq!(shape.position, Position::Rope);
        assert_eq!(shape.mlp, Mlp::Swiglu);
        let flags = (shape.qk_norm, shape.bias, shape.tied);
        assert_eq!(flags, (false, false, false));
        let shape = load(preset, &["model.family=qwen3"]).unwrap().model;
        let flags = (shape.qk_norm, shape.bias, shape.tied);
        assert_eq!(flags, (true, false, true));
        assert_eq!(shape.hidden % 32, 0);
        assert!((8 * shape.width).div_ceil(3) <= shape.hidden);
        assert!(shape.hidden < 8 * shape.width / 3 + 33);
    }
    assert!(load("default", &["model.family=gpt2"]).unwrap().model.bias);
    assert!(!load("gpt2-cpu", &[]).unwrap().model.bias);
}

#[test]
fn values_of_a_preset_give_way_and_given_ones_do_not() {
    let model = load("default", &["model.heads=1"]).unwrap().model;
    assert_eq!(model.kv_heads, 1);
    let model = load("default", &["model.heads=8"]).unwrap().model;
    assert_eq!(model.kv_heads, 2);
    let optim = load("default", &["optim.lr=1e-5"]).unwrap().optim;
    assert!(optim.lr_min < 1e-5);
    let short = |sets: &[&str]| load("tales", sets).unwrap().train.short_context;
    assert_eq!(
        (short(&["model.context=100"]), short(&["model.context=256"])),
        (0, 128)
    );
    assert_eq!(short(&["model.family=gpt2"]), 0);
    let given = load("tales", &["model.context=100", "train.short_context=64"]);
    assert!(given.is_err(), "the user's own value stays");
    let given = load("default", &["model.heads=8", "model.kv_heads=3"]);
    refused(given, &["model.kv_heads = 3", "model.heads = 8"]);
    let given = load("default", &["model.family=gpt2", "model.kv_heads=2"]);
    refused(given, &["model.kv_heads = 2", "llama or qwen3 has it"]);
    let given = load("default", &["optim.lr=1e-5", "optim.lr_min=1"]);
    refused(given, &["optim.lr_min = 1", "optim.lr = 0.00001"]);
}

#[test]
fn a_layout_that_no_file_can_hold_names_the_family_that_has_it() {
    let cases = [
        ("gpt2", "model.norm=rms_norm", "llama or qwen3 has it"),
        ("gpt2", "model.position=rope", "llama or qwen3 has it"),
        ("gpt2", "model.mlp=swiglu", "llama or qwen3 has it"),
        ("gpt2", "model.qk_norm=true", "; qwen3 has it"),
        ("llama", "model.qk_norm=true", "; qwen3 has it"),
        ("llama", "model.norm=layer_norm", "; gpt2 has it"),
        ("llama", "model.position=learned", "; gpt2 has it"),
        ("qwen3", "model.qk_norm=false", "gpt2 or llama has it"),
        ("qwen3", "model.bias=true", "gpt2 or llama has it"),
    ];
    for (family, set, has_it) in cases {
        let result = load("default", &[&format!("model.family={family}"), set]);
        refused(result, &[&set.replace('=', " = "), has_it]);
    }
    for family in ["gpt2", "llama"] {
        for set in ["model.bias=true", "model.bias=false", "model.tied=false"] {
            load("default", &[&format!("model.family={family}"), set]).unwrap();
        }
    }
}

#[test]
fn all_mistakes_are_reported_with_their_places() {
    let file = "[model]\nlayers = \"four\"\nwidht = 3\n\n[train]\nbatch = 0\nsteps = 10.5\n[trian]\nseed=1\n";
    let sets: Vec<String> = ["model.width=100", "model.heads=3", "lr=1", "optim.beta1"]
        .map(String::from)
        .to_vec();
    let error = Config::load(Some("tinny"), Some((Path::new("my.toml"), file)), &sets).unwrap_err();
    assert_eq!(error.mistakes.len(), 9, "{error}");
    let text = error.to_string();
    for part in [
        "no preset \"tinny\"; the presets are tiny, default, gpt2-cpu, gpt2-char, gpt2-124m",
        "model.layers = \"four\" (my.toml, line 2): must be a whole number from 1 to 1024",
        "no key model.widht (my.toml, line 3); did you mean model.width?",
        "train.batch = 0 (my.toml, line 6)",
        "train.steps = 10.5 (my.toml, line 7)",
        "no key trian.seed (my.toml, line 9); did you mean train.seed?",
        "no key lr (--set); did you mean optim.lr?",
        "--set \"optim.beta1\" has no value",
        "model.heads = 3 doesn't divide model.width = 100",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

/// Checks that depend on a refused value are not run on the value that it would have replaced.
#[test]
fn one_mistake_is_reported_once() {
    let sets = ["model.heads=0".to_string(), "model.width=130".to_string()];
    let error = Config::load(Some("default"), None, &sets).unwrap_err();
    assert_eq!(error.mistakes.len(), 1, "{error}");
}

#[test]
fn bounds_match_the_descriptions() {
    for (inside, outside) in [
        ("model.dropout=0", "model.dropout=1"),
        ("model.layers=1024", "model.layers=1025"),
        (
            "train.seed=9223372036854775807",
            "train.seed=9223372036854775808",
        ),
        ("optim.lr=1e-12", "optim.lr=0"),
        ("sample.top_p=1", "sample.top_p=0"),
        ("sample.temperature=0", "sample.temperature=inf"),
    ] {
        load("default", &[inside]).unwrap();
        refused(load("default", &[outside]), &["must be a"]);
    }
}

#[test]
fn a_long_list_of_mistakes_is_cut() {
    let many: String = (0..40).map(|i| format!("zzzzzzzz{i} = {i}\n")).collect();
    refused(load_file(&many), &["has 40 mistakes", "and 30 more"]);
    let all = Config::load(None, Some((Path::new("f"), &many)), &[]).unwrap_err();
    let unknown = |mistake: &Mistake| matches!(mistake, Mistake::UnknownKey { nearest: None, .. });
    assert!(all.mistakes.iter().all(unknown));
}

#[test]
fn broken_files_and_assignments_are_refused() {
    refused(
        load_file("[model]\nlayers = = 4\n"),
        &["my.toml, line 2", "TOML"],
    );
    refused(
        load_file("model = 3\n"),
        &["no key model (my.toml, line 1)"],
    );
    refused(
        load_file("[model.layers]\nx = 3\n"),
        &["no key model.layers.x"],
    );
    refused(load_file("[modle]\n"), &["no key modle"]);
    refused(
        load_file("model.layers = {}\n"),
        &["model.layers", "must be"],
    );
    refused(
        load_file("train.seed = [1,\n2]\n"),
        &["train.seed = [1, 2]"],
    );
    refused(
        load("default", &["model.family=bert"]),
        &["gpt2, llama or qwen3"],
    );
    refused(load("default", &["=3"]), &["no key"]);
    refused(
        load("default", &["model.width=6", "model.heads=2"]),
        &["odd"],
    );
    let huge = [
        "model.context=1000000",
        "train.batch=65536",
        "model.layers=1024",
        "model.width=65536",
    ];
    refused(load("default", &huge), &["tokens per step", "parameters"]);
    load_file("[model]\n[optim]\n").unwrap();
    load_file("").unwrap();
}

#[test]
fn an_assignment_is_toml_or_else_text() {
    let prompt = |set| load("default", &[set]).unwrap().sample.prompt;
    assert_eq!(prompt("sample.prompt=ROMEO: a=b"), "ROMEO: a=b");
    assert_eq!(prompt("sample.prompt=\"two\\nlines\""), "two\nlines");
    assert_eq!(prompt("sample.prompt=1984"), "1984");
    assert_eq!(prompt("sample.prompt="), "");
    assert_eq!(prompt("sample.prompt=1\ntrain.seed=2"), "1\ntrain.seed=2");
}

#[test]
fn differences_name_the_keys() {
    let mine = load("default", &["train.steps=10"]).unwrap();
    let theirs = load("default", &["train.steps=20", "model.dropout=0.5"]).unwrap();
    let found: Vec<_> = mine
        .differences(&theirs)
        .into_iter()
        .map(|d| (d.key, d.mine, d.theirs))
        .collect();
    let expected = [("model.dropout", "0.0", "0.5"), ("train.steps", "10", "20")];
    assert_eq!(
        found,
        expected.map(|(k, m, t)| (k.into(), m.into(), t.into()))
    );
    assert!(mine.differences(&mine).is_empty());
}

#[test]
fn a_half_life_in_tokens_gives_the_decay_of_a_step() {
    let beta2 = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let config = Config::load(None, None, &sets).unwrap();
        format!("{:?}", config.optimizer())
    };
    let half = ["optim.half_life=2048", "train.batch=2", "model.context=512"];
    let twice = ["optim.half_life=4096", "train.batch=4", "model.context=512"];
    assert!(beta2(&half).contains(&format!("beta2: {:?}", 0.5f64.sqrt())));
    assert_eq!(beta2(&half), beta2(&twice), "twice the tokens per step");
}
