//! `downhill export`: a trained model as files for other programs.

use crate::arguments::Export;
use crate::failure::{Failure, Result};
use crate::output::{self, out, tell};
use crate::session::open;
use model::TensorFiles;
use model::gguf::{Gguf, Quantization};
use model::hugging_face::{CONFIG, GENERATION_CONFIG, INDEX};
use run::{Disk, Files, folder_bytes, stream_atomic, write_atomic};
use session::{ModelFiles, TOKENIZER, TOKENIZER_CONFIG};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use text::{Split, Tokenizer};
use watch::amount;

/// What Ollama reads beside a GGUF file.
const MODELFILE: &str = "Modelfile";
/// The first line of ours, by which it is known again.
const MARK: &str = "# Written by downhill export.";

pub fn run(a: &Export) -> Result<()> {
    let gguf = is_gguf(a)?;
    if !a.overwrite && taken(&a.output) {
        let path = a.output.display();
        let text = format!("{path} exists: choose another name, or replace it with --overwrite");
        return Err(Failure::Usage(text));
    }
    let path = match &a.run {
        Some(path) => path.clone(),
        None => open(None)?.path().to_path_buf(),
    };
    let files = ModelFiles::find(&path, a.checkpoint)?;
    for skipped in &files.skipped {
        tell(&format!("warning: {skipped}"));
    }
    warn_of_merges(&files.tokenizer, gguf);
    let kind = a.quantize.map_or(Quantization::F32, Quantization::from);
    let (size, kind, f16) = match gguf {
        true => {
            let (size, f16) = write_gguf(&files, &path, &a.output, kind)?;
            (size, kind.to_string(), f16)
        }
        false => (copy(&files, &a.output)?, stored_type(&files)?, Vec::new()),
    };
    let mut out = out();
    if a.json {
        let object = serde_json::json!({
            "path": a.output.display().to_string(), "bytes": size, "type": kind, "f16": f16,
            "step": files.step,
        });
        writeln!(out, "{}", output::json(&object)?)?;
    } else {
        let name = a.output.display();
        writeln!(out, "{name}: {}, {kind}", amount(size, "B"))?;
        if !f16.is_empty() {
            let (count, first) = (f16.len(), &f16[0]);
            tell(&format!(
                "{count} matrices are stored as f16, since their rows don't divide into blocks of 32 ({first}, …)"
            ));
        }
    }
    Ok(())
}

/// Whether the output is a GGUF file rather than a folder.
fn is_gguf(a: &Export) -> Result<bool> {
    let extension = a.output.extension().map(|e| e.to_ascii_lowercase());
    let slash = a.output.to_string_lossy().ends_with('/');
    let gguf = extension.as_ref().is_some_and(|e| e == "gguf") && !slash;
    let name = a.output.display();
    if !gguf && extension.is_some() && !slash && !a.output.is_dir() {
        return Err(Failure::Usage(format!(
            "--output {name}: end the name of a file in .gguf, and that of a folder in /"
        )));
    }
    if !gguf && a.quantize.is_some() {
        return Err(Failure::Usage(format!(
            "--quantize is for GGUF files, and {name} is a folder: leave it out, or end the name in .gguf"
        )));
    }
    Ok(gguf)
}

/// Whether something stands at a path that an export would replace.
fn taken(path: &Path) -> bool {
    let empty = || std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    path.symlink_metadata().is_ok() && !empty()
}

/// Writes a GGUF file, and a Modelfile beside it. Returns the file's size, and the matrices that
/// aren't quantized.
fn write_gguf(
    files: &ModelFiles,
    source: &Path,
    to: &Path,
    kind: Quantization,
) -> Result<(u64, Vec<String>)> {
    let failed = |error: String| Failure::Failed(format!("{}: {error}", files.folder.display()));
    let named = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
    let name = named.file_name().unwrap_or_default().to_string_lossy();
    let gguf = Gguf::new(&files.described, &files.tokenizer, &name, kind)
        .map_err(|error| failed(error.to_string()))?;
    if let Some(folder) = to.parent().filter(|p| !p.as_os_str().is_empty()) {
        Disk.create_folder(folder)?;
    }
    stream_atomic(&Disk, to, &|to| {
        let mut weights = TensorFiles::open(&files.weights)?;
        gguf.write(&mut weights, to).map_err(io::Error::other)
    })?;
    let size = std::fs::metadata(to).map_or(0, |m| m.len());
    let modelfile = to.with_file_name(MODELFILE);
    let ours = |path: &Path| std::fs::read_to_string(path).is_ok_and(|text| text.starts_with(MARK));
    if modelfile.exists() && !ours(&modelfile) {
        let path = modelfile.display();
        tell(&format!(
            "warning: {path} wasn't written by downhill and is left as it is"
        ));
    } else {
        let file = to.file_name().unwrap_or_default().to_string_lossy();
        let context = files.described.model.context;
        let text = format!(
            "{MARK} To use the model in Ollama: ollama create NAME -f {MODELFILE}\n\
             FROM ./{file}\n\
             TEMPLATE \"{{{{ .Prompt }}}}\"\n\
             PARAMETER num_ctx {context}\n"
        );
        write_atomic(&Disk, &modelfile, text.as_bytes())?;
    }
    let f16 = gguf.not_quantized().into_iter().map(String::from);
    Ok((size, f16.collect()))
}

/// Warns where llama.cpp would apply merges and this tokenizer doesn't, or the other way round: it
/// decides by the name of the split alone. No tokenizer learned here is concerned.
fn warn_of_merges(tokenizer: &Tokenizer, gguf: bool) {
    let level = tokenizer.byte_level();
    if gguf && level.ignore_merges != (level.split == Split::Llama3) {
        tell(
            "warning: llama.cpp may give other tokens for some words: it applies this tokenizer's merges differently (ignore_merges)",
        );
    }
}

/// The type of the weights in a model's files.
fn stored_type(files: &ModelFiles) -> Result<String> {
    let weights = TensorFiles::open(&files.weights)
        .map_err(|error| Failure::Failed(format!("{}: {error}", files.folder.display())))?;
    let first = weights.names().next().and_then(|name| weights.info(name));
    Ok(first.map_or(String::new(), |info| {
        format!("{:?}", info.dtype).to_lowercase()
    }))
}

/// Copies the model's files to a folder: they are a Hugging Face folder already. Returns its size.
fn copy(files: &ModelFiles, to: &Path) -> Result<u64> {
    Disk.create_folder(to)?;
    let small = [TOKENIZER, TOKENIZER_CONFIG, GENERATION_CONFIG, INDEX];
    let small = small.map(|name| files.folder.join(name)).into_iter();
    let small = small.filter(|path| path.is_file());
    // Without a config.json a folder isn't a model: it comes last.
    let last = [files.folder.join(CONFIG)];
    let all: Vec<PathBuf> = files
        .weights
        .iter()
        .cloned()
        .chain(small)
        .chain(last)
        .collect();
    for path in all {
        let target = to.join(path.file_name().unwrap_or_default());
        stream_atomic(&Disk, &target, &|to| {
            io::copy(&mut File::open(&path)?, to).map(drop)
        })?;
    }
    Ok(folder_bytes(to))
}
