//! SHA-256 and hexadecimal.

use sha2::{Digest, Sha256};
use std::io::{self, Write};

/// Bytes in hexadecimal, two lowercase digits each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A writer that counts and hashes the bytes passing through it.
pub(crate) struct Hasher<W> {
    to: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Hasher<W> {
    pub(crate) fn new(to: W) -> Self {
        Self {
            to,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// The number of bytes and their SHA-256.
    pub(crate) fn finish(self) -> (u64, String) {
        (self.bytes, hex(&self.hash.finalize()))
    }
}

impl<W: Write> Write for Hasher<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256() {
        // The test vector of FIPS 180 for "abc".
        let golden = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), golden);
        let mut hasher = Hasher::new(Vec::new());
        hasher.write_all(b"abc").unwrap();
        assert_eq!(hasher.finish(), (3, golden.to_string()));
    }
}
