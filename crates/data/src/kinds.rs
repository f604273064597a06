//! Files that aren't text, told by their first bytes.

/// Where a kind's bytes stand, the bytes, and what it is and what to do.
type Kind = (usize, &'static [u8], &'static str);

const IMAGE: &str = "an image, not text";
const SOUND: &str = "a sound or video file, not text";
const ARCHIVE: &str = "an archive: unpack it first";

/// The magic numbers of formats that people have beside their texts.
const KINDS: [Kind; 35] = [
    (
        0,
        b"%PDF-",
        "a PDF, not text: extract its text first, as pdftotext does",
    ),
    (0, b"{\\rtf", "an RTF document: save it as plain text first"),
    (
        0,
        b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
        "an old Office document: save it as plain text first",
    ),
    (0, b"\x89PNG\r\n\x1A\n", IMAGE),
    (0, b"\xFF\xD8\xFF", IMAGE),
    (0, b"GIF87a", IMAGE),
    (0, b"GIF89a", IMAGE),
    (0, b"II*\0", IMAGE),
    (0, b"MM\0*", IMAGE),
    (8, b"WEBP", IMAGE),
    (4, b"ftypheic", IMAGE),
    (4, b"ftypavif", IMAGE),
    (4, b"ftyp", SOUND),
    (8, b"WAVEfmt ", SOUND),
    (8, b"AVI LIST", SOUND),
    (0, b"ID3\x02", SOUND),
    (0, b"ID3\x03", SOUND),
    (0, b"ID3\x04", SOUND),
    (0, b"OggS\0", SOUND),
    (0, b"fLaC\0", SOUND),
    (0, b"\x1A\x45\xDF\xA3", SOUND),
    (257, b"ustar", ARCHIVE),
    (0, b"7z\xBC\xAF\x27\x1C", ARCHIVE),
    (0, b"Rar!\x1A\x07", ARCHIVE),
    (
        0,
        b"\xFD7zXZ\0",
        "compressed by xz: unpack it first, or use gz or zst",
    ),
    (
        0,
        b"BZh91AY&SY",
        "compressed by bzip2: unpack it first, or use gz or zst",
    ),
    (
        0,
        b"\x04\x22\x4D\x18",
        "compressed by lz4: unpack it first, or use gz or zst",
    ),
    (0, b"\x1F\x8B", "compressed: unpack it first"),
    (0, b"\x28\xB5\x2F\xFD", "compressed: unpack it first"),
    (
        0,
        b"PAR1",
        "a compressed parquet file: unpack it first (parquet compresses inside)",
    ),
    (
        0,
        b"SQLite format 3\0",
        "a database, not text: export its texts first",
    ),
    (0, b"\x7FELF", "a program, not text"),
    (0, b"MZ\x90\0", "a program, not text"),
    (0, b"\0asm", "a program, not text"),
    (0, b"\x93NUMPY", "an array of numbers, not text"),
];

/// What an archive of the kind zip is, by the name of a file in it.
const IN_ZIP: [(&[u8], &str); 5] = [
    (b"word/", "a Word document: save it as plain text first"),
    (b"xl/", "an Excel table: save it as csv first"),
    (b"ppt/", "a PowerPoint document: save its text first"),
    (
        b"application/vnd.oasis.opendocument",
        "an OpenDocument file: save it as plain text first",
    ),
    (b"META-INF/MANIFEST.MF", "a program, not text"),
];

/// The first bytes of an archive of the kind zip.
const ZIP: &[u8] = b"PK\x03\x04";

/// What the file is, if it is no text.
pub(crate) fn not_text(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(ZIP) {
        let inside = IN_ZIP
            .iter()
            .find(|(name, _)| memchr::memmem::find(head, name).is_some());
        return Some(inside.map_or(ARCHIVE, |(_, what)| what));
    }
    let is = |(at, magic, _): &&Kind| head.get(*at..).is_some_and(|rest| rest.starts_with(magic));
    KINDS.iter().find(is).map(|(_, _, what)| *what)
}

/// Whether it is a book in the format EPUB: the first file of the archive says so (EPUB 3.3,
/// section 4.3).
pub(crate) fn is_epub(head: &[u8]) -> bool {
    head.starts_with(ZIP) && head.get(30..58) == Some(b"mimetypeapplication/epub+zip")
}
