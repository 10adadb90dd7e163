//! Text that a format puts at the end and a fleet produces from the beginning: a few megabytes stay in
//! memory, the rest of a large fleet's goes to a file that has no name and is gone with the process.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

/// Bytes that are kept in memory. Fifty thousand findings.
const IN_MEMORY: usize = 16 * 1024 * 1024;

/// Bytes of a piece. In one text that grows, each would be copied several times.
const PIECE: usize = 256 * 1024;

/// Text on hold.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// What came first, once it was too much for memory.
    file: Option<File>,
    /// What came after it.
    pieces: Vec<String>,
    /// Bytes of `pieces`.
    len: usize,
}

impl Held {
    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.file.is_none() && self.len == 0
    }

    /// Adds to the end.
    pub(crate) fn push(&mut self, more: &str) {
        self.len += more.len();
        match self.pieces.last_mut() {
            Some(last) if last.capacity() - last.len() >= more.len() => last.push_str(more),
            // Most formats hold little, and one repository holds little.
            None => self.pieces.push(more.to_owned()),
            Some(_) => {
                let mut piece = String::with_capacity(more.len().max(PIECE));
                piece.push_str(more);
                self.pieces.push(piece);
            }
        }
        if self.len > IN_MEMORY {
            self.spill();
        }
    }

    /// Without a place for temporary files, or with a full one, memory has to do.
    fn spill(&mut self) {
        if self.file.is_none() {
            self.file = tempfile::tempfile().ok();
        }
        let Some(file) = &mut self.file else { return };
        let Ok(end) = file.stream_position() else {
            return;
        };
        let mut write = |piece: &String| file.write_all(piece.as_bytes());
        if self.pieces.iter().try_for_each(&mut write).is_ok() {
            self.pieces.clear();
            self.len = 0;
        } else {
            // What was written of it is written over, or cut off before it is read.
            let _ = file.seek(io::SeekFrom::Start(end));
        }
    }

    /// Writes all of it.
    pub(crate) fn write_to(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            let end = file.stream_position()?;
            file.rewind()?;
            io::copy(&mut Read::take(&mut *file, end), out)?;
        }
        let mut write = |piece: &String| out.write_all(piece.as_bytes());
        self.pieces.iter().try_for_each(&mut write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_written_in_order_however_much_it_is() {
        let mut held = Held::default();
        assert!(held.is_empty());
        let mut expected = String::new();
        for number in 0..40 {
            for piece in [format!("{number}").repeat(IN_MEMORY / 32), "é".to_owned()] {
                held.push(&piece);
                expected.push_str(&piece);
            }
        }
        assert!(held.file.is_some() && held.len <= IN_MEMORY);
        let mut written = Vec::new();
        held.write_to(&mut written).unwrap();
        assert!(written == expected.as_bytes());
    }
}
