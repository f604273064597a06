//! `downhill export`. Whether llama.cpp loads the files is checked by `scripts/check_llama_cpp.sh`.
#![allow(clippy::unwrap_used)]

mod common;

use common::Place;

fn trained() -> Place {
    let place = Place::with_story();
    let line = "train story.txt --preset tiny --steps 2 --quiet --set data.tokenizer=chars --run r";
    place.run(line).fine();
    place
}

#[test]
fn a_run_becomes_a_file_with_a_modelfile_or_a_folder() {
    let place = trained();
    let line = "export r -o out/mine.gguf --json";
    let json = place.run(line).fine().json();
    assert_eq!(
        (&json["path"], &json["type"]),
        (&"out/mine.gguf".into(), &"f32".into())
    );
    let whole = place.read("out/mine.gguf");
    assert_eq!(json["bytes"], whole.len());
    assert!(whole.starts_with(b"GGUF\x03\0\0\0"));
    let modelfile = String::from_utf8(place.read("out/Modelfile")).unwrap();
    for line in ["\nFROM ./mine.gguf\n", "\nTEMPLATE \"{{ .Prompt }}\"\n"] {
        assert!(modelfile.contains(line), "{modelfile}");
    }
    let json = place.run("export r -o folder/ --json").fine().json();
    assert_eq!(
        (&json["path"], &json["type"]),
        (&"folder/".into(), &"f32".into())
    );
    for name in ["model.safetensors", "config.json", "tokenizer.json"] {
        let (from, to) = (
            format!("r/checkpoints/step-000002/{name}"),
            format!("folder/{name}"),
        );
        assert_eq!(place.read(&from), place.read(&to));
    }
    // The folder is the same model, and the same model gives the same file.
    place
        .run("export folder -o folder.gguf --quantize q8_0")
        .fine();
    place
        .run("export r -o out/mine.gguf --overwrite --quantize q8_0")
        .fine();
    let quantized = place.read("out/mine.gguf");
    assert!(quantized.len() < whole.len() / 2);
    // Only the names differ: `r` and `folder`.
    assert!(place.read("folder.gguf").len().abs_diff(quantized.len()) <= 32);
}

#[test]
fn nothing_is_replaced_and_mistakes_are_named() {
    let place = trained();
    place.write("kept.gguf", b"a novel");
    place.write("Modelfile", b"FROM somewhere");
    place
        .run("export r -o kept.gguf")
        .fails(2, &["kept.gguf exists", "--overwrite"]);
    assert_eq!(place.read("kept.gguf"), b"a novel");
    let warned = place.run("export r -o new.gguf");
    assert!(warned.error.contains("Modelfile"), "{}", warned.error);
    assert_eq!(place.read("Modelfile"), b"FROM somewhere");
    place.run("export r -o r").fails(2, &["r exists"]);
    place
        .run("export r -o mine.bin")
        .fails(2, &["mine.bin", ".gguf"]);
    place
        .run("export r -o mine/ --quantize f16")
        .fails(2, &["--quantize", "mine/"]);
    place
        .run("export r -o a.gguf --quantize q4")
        .fails(2, &["q4", "q8_0"]);
    place.run("export nowhere -o a.gguf").fails(1, &["nowhere"]);
    // A matrix whose rows don't divide into blocks is reported.
    let line = "train story.txt --preset tiny --steps 2 --quiet --set model.width=48 --run narrow";
    place.run(line).fine();
    let narrow = place.run("export narrow -o narrow.gguf --quantize q8_0");
    assert!(narrow.error.contains("f16"), "{}", narrow.error);
    // A number beyond f16 is an error, not an infinity, and leaves nothing behind.
    let weights = "r/checkpoints/step-000002/model.safetensors";
    std::fs::create_dir(place.path("large")).unwrap();
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        let file = place.read(&format!("r/checkpoints/step-000002/{name}"));
        place.write(&format!("large/{name}"), &file);
    }
    let mut bytes = place.read(weights);
    // The first tensor is the embedding.
    let from = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[from..from + 4].copy_from_slice(&1e5f32.to_le_bytes());
    place.write("large/model.safetensors", &bytes);
    place
        .run("export large -o large.gguf --quantize f16")
        .fails(1, &["1e5", "f16"]);
    assert!(!place.has("large.gguf"));
}
