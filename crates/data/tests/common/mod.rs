//! Helpers shared by the tests.
#![allow(dead_code)]

use data::{Destination, Error, JobControl, Prepared, ReadOptions, scan};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use text::{Tokenizer, TokenizerKind};

/// A folder with files.
pub struct Files(pub TempDir);

impl Files {
    pub fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// Prepares with raw bytes as tokens.
pub fn with_bytes(
    paths: &[PathBuf],
    validation: Option<&Path>,
    o: &ReadOptions,
    to: &Destination,
    control: &JobControl,
) -> Result<Prepared, Error> {
    scan(paths, validation, o, 0, to.clone(), control)?.encode(&TokenizerKind::Bytes, None, control)
}

/// All of the text is training data.
pub fn all() -> ReadOptions {
    ReadOptions {
        validation_bytes: 0,
        ..ReadOptions::default()
    }
}

/// Reads paths into memory.
pub fn read(paths: &[PathBuf], o: &ReadOptions) -> Result<Prepared, Error> {
    with_bytes(paths, None, o, &Destination::Memory, &JobControl::silent())
}

/// The documents of a part.
pub fn documents(tokenizer: &Tokenizer, tokens: &[u32]) -> Vec<String> {
    let end = tokenizer.end_of_text();
    let tokens = tokens.strip_suffix(&[end]).unwrap_or(tokens);
    let each = tokens.split(|&t| t == end);
    each.map(|t| String::from_utf8(tokenizer.decode(t)).unwrap())
        .collect()
}

/// The documents of one path.
pub fn texts(path: &Path, o: &ReadOptions) -> Vec<String> {
    let p = read(&[path.to_owned()], o).unwrap_or_else(|e| panic!("{e}"));
    documents(&p.tokenizer, &p.train.all().unwrap())
}

/// The error of one path.
pub fn error(path: &Path, o: &ReadOptions) -> String {
    read(&[path.to_owned()], o).unwrap_err().to_string()
}

pub fn gz(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

pub fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// A parquet file with an integer column `id` and a nullable text column `text`, in two row groups.
pub fn parquet(texts: &[Option<&[u8]>]) -> Vec<u8> {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    let schema = "message m { required int64 id; optional binary text (UTF8); }";
    let schema = std::sync::Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Default::default()).unwrap();
    for group in texts.chunks(texts.len().div_ceil(2).max(1)) {
        let mut rows = writer.next_row_group().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let ids: Vec<i64> = (0..group.len() as i64).collect();
        column
            .typed::<Int64Type>()
            .write_batch(&ids, None, None)
            .unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let values: Vec<ByteArray> = group.iter().flatten().map(|t| t.to_vec().into()).collect();
        let levels: Vec<i16> = group.iter().map(|t| i16::from(t.is_some())).collect();
        let typed = column.typed::<ByteArrayType>();
        typed.write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
        rows.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// A text in Chinese.
pub const POEM: &str = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。";

/// A text in GBK.
pub fn gbk(text: &str) -> Vec<u8> {
    encoding_rs::GBK.encode(text).0.into_owned()
}

/// An archive of files, without compression for `mimetype`.
pub fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    use std::io::Write;
    use zip::CompressionMethod::{Deflated, Stored};
    let mut to = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        let method = if *name == "mimetype" {
            Stored
        } else {
            Deflated
        };
        let how = zip::write::SimpleFileOptions::default().compression_method(method);
        to.start_file(*name, how).unwrap();
        to.write_all(content.as_bytes()).unwrap();
    }
    to.finish().unwrap().into_inner()
}
