//! `filters: {branches:{ignore: [main]}}`: a colon that a bracket follows ends a plain key in a flow collection
//! (<https://yaml.org/spec/1.2.2/#733-plain-style>, `ns-plain-char`), and the readers that CI systems use take it
//! so. `granit-parser` refuses it. It is given such a text with a blank behind the colon, and the places are
//! those without it.

use std::rc::Rc;

use crate::source::Source;

use super::{Data, Document, YamlError};

/// What the parser says of such a colon.
const REFUSED: &str = "':' may not precede any of";

/// Colons of one file, and the longest file in bytes: it is read once for each. More is hostile.
const MAX_COLONS: usize = 64;
const MAX_TEXT: usize = 256 * 1024;

/// Reads a text that was refused for that, or says what else is wrong with it.
pub(super) fn read(source: &Source, error: YamlError) -> Result<Document, YamlError> {
    let mut text = source.text.clone();
    // Where blanks were put, in the text that has them.
    let mut blanks: Vec<u32> = Vec::new();
    let mut last = error;
    while last.message.contains(REFUSED)
        && blanks.len() < MAX_COLONS
        && text.len() <= MAX_TEXT
        && let Some(at) = colon(&text, last.offset as usize)
    {
        text.insert(at + 1, ' ');
        blanks.push(super::narrow(at + 1));
        let padded = Rc::new(source.with_text(text.clone()));
        match Document::parse_whole(&padded) {
            Ok(mut document) => {
                document.take_out(&blanks);
                return Ok(document);
            }
            Err(other) => last = other,
        }
    }
    last.offset = without(&blanks, last.offset);
    Err(last)
}

/// Where a place is without the blanks.
fn without(blanks: &[u32], offset: u32) -> u32 {
    offset - super::narrow(blanks.partition_point(|blank| *blank < offset))
}

/// The colon before a bracket at an offset, or the next one behind it.
fn colon(text: &str, offset: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let from = offset.saturating_sub(1);
    let mut pairs = bytes.get(from..)?.windows(2);
    let found = pairs.position(|pair| matches!(pair, [b':', b'[' | b'{']))?;
    Some(from + found)
}

impl Document {
    /// Moves all places to where they are without the blanks.
    fn take_out(&mut self, blanks: &[u32]) {
        let back = |offset: &mut u32| *offset = without(blanks, *offset);
        for node in &mut self.nodes {
            back(&mut node.start);
            back(&mut node.end);
            if let Data::Written(start, end) = &mut node.data {
                back(start);
                back(end);
            }
        }
        for (start, end) in self.anchors.values_mut() {
            back(start);
            back(end);
        }
        let spans = self
            .duplicates
            .iter_mut()
            .map(|duplicate| &mut duplicate.span);
        for span in spans
            .chain(self.strange_key.as_mut())
            .chain(self.unseen.as_mut())
        {
            back(&mut span.start);
            back(&mut span.end);
        }
    }
}
