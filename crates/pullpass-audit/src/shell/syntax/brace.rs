//! Image names and paths in CI scripts are often written with braces, as in
//! `docker pull app:{web,api}`; a rule that compares words has to see each of
//! them. The number of results is capped, as `{1..9}{1..9}{1..9}...` is cheap
//! to write.

use ecow::EcoString;

use super::ast::{Part, PartKind, Pieces, Word};

/// More results than this, and the word is returned as it is.
const MAX_RESULTS: usize = 256;
/// Longer words are returned as they are.
const MAX_TOKENS: usize = 4096;
/// Braces nested deeper are returned as they are.
const MAX_NESTING: u32 = 16;

#[derive(Clone, Copy)]
enum Token<'w> {
    Char(char),
    Part(&'w Part),
}

struct Brace {
    close: usize,
    commas: Vec<usize>,
}

/// The words that brace expansion makes of `word`; `None` when it stays as it
/// is, for it has no braces to expand, or they are too many. Literal parts of
/// the results carry the span of the whole word.
#[must_use]
pub fn expand_braces(word: &Word) -> Option<Vec<Word>> {
    let has_brace = |part: &Part| match &part.kind {
        PartKind::Literal(text) => text.as_bytes().contains(&b'{'),
        _ => false,
    };
    if !word.parts.iter().any(has_brace) {
        return None;
    }
    let mut tokens = Vec::new();
    for part in &word.parts {
        match &part.kind {
            PartKind::Literal(text) => {
                if tokens.len() + text.len() > MAX_TOKENS {
                    return None;
                }
                tokens.extend(text.chars().map(Token::Char));
            }
            _ => tokens.push(Token::Part(part)),
        }
    }
    if tokens.len() > MAX_TOKENS {
        return None;
    }
    let braces = find_braces(&tokens);
    if braces.iter().all(Option::is_none) {
        return None;
    }
    let results = combine(&tokens, &braces, 0, tokens.len(), 0)?;
    Some(
        results
            .into_iter()
            .map(|tokens| rebuild(&tokens, word))
            .collect(),
    )
}

/// For every `{` that has a partner, its partner and its own commas.
fn find_braces(tokens: &[Token<'_>]) -> Vec<Option<Brace>> {
    let mut found: Vec<Option<Brace>> = tokens.iter().map(|_| None).collect();
    let mut stack: Vec<(usize, Vec<usize>)> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Char('{') => stack.push((at, Vec::new())),
            Token::Char(',') => {
                if let Some((_, commas)) = stack.last_mut() {
                    commas.push(at);
                }
            }
            Token::Char('}') => {
                if let Some((open, commas)) = stack.pop()
                    && let Some(slot) = found.get_mut(open)
                {
                    *slot = Some(Brace { close: at, commas });
                }
            }
            _ => {}
        }
    }
    found
}

fn combine<'w>(
    tokens: &[Token<'w>],
    braces: &[Option<Brace>],
    start: usize,
    end: usize,
    depth: u32,
) -> Option<Vec<Vec<Token<'w>>>> {
    if depth > MAX_NESTING {
        return None;
    }
    let mut results: Vec<Vec<Token<'w>>> = vec![Vec::new()];
    let mut at = start;
    while at < end {
        let token = *tokens.get(at)?;
        let brace = braces.get(at).and_then(Option::as_ref);
        let choices = match brace {
            Some(brace) if !brace.commas.is_empty() => {
                let mut choices = Vec::new();
                let mut from = at + 1;
                for &to in brace.commas.iter().chain([&brace.close]) {
                    choices.extend(combine(tokens, braces, from, to, depth + 1)?);
                    if choices.len() > MAX_RESULTS {
                        return None;
                    }
                    from = to + 1;
                }
                Some((choices, brace.close))
            }
            Some(brace) => {
                sequence(tokens.get(at + 1..brace.close)?)?.map(|choices| (choices, brace.close))
            }
            None => None,
        };
        match choices {
            Some((choices, close)) => {
                if results.len() * choices.len() > MAX_RESULTS {
                    return None;
                }
                let mut product = Vec::with_capacity(results.len() * choices.len());
                for head in &results {
                    for tail in &choices {
                        let mut joined = head.clone();
                        joined.extend_from_slice(tail);
                        product.push(joined);
                    }
                }
                results = product;
                at = close + 1;
            }
            None => {
                for result in &mut results {
                    result.push(token);
                }
                at += 1;
            }
        }
    }
    Some(results)
}

/// `1..3`, `a..e`, `01..10..2`. `Some(None)` when it is no sequence, `None`
/// when it is too long.
#[allow(clippy::option_option, clippy::type_complexity)]
fn sequence<'w>(inside: &[Token<'w>]) -> Option<Option<Vec<Vec<Token<'w>>>>> {
    let mut text = String::new();
    for token in inside {
        match token {
            Token::Char(c) => text.push(*c),
            Token::Part(_) => return Some(None),
        }
    }
    let mut pieces = text.split("..");
    let (Some(from), Some(to), step, None) =
        (pieces.next(), pieces.next(), pieces.next(), pieces.next())
    else {
        return Some(None);
    };
    let Ok(step) = step.unwrap_or("1").parse::<i32>() else {
        return Some(None);
    };
    let step = i64::from(step.unsigned_abs().max(1));
    let (low, high, letters) = match (from.parse::<i32>(), to.parse::<i32>()) {
        (Ok(low), Ok(high)) => (i64::from(low), i64::from(high), false),
        _ => match (single_letter(from), single_letter(to)) {
            (Some(low), Some(high)) => (i64::from(low), i64::from(high), true),
            _ => return Some(None),
        },
    };
    if (high - low).abs() / step >= i64::try_from(MAX_RESULTS).unwrap_or(i64::MAX) {
        return None;
    }
    let padded = |s: &str| s.trim_start_matches('-').starts_with('0') && s.len() > 1;
    let width = if padded(from) || padded(to) {
        from.len().max(to.len())
    } else {
        0
    };
    if width > 32 {
        return None;
    }
    let mut results = Vec::new();
    let mut value = low;
    while (low <= high && value <= high) || (low > high && value >= high) {
        let item = if letters {
            u8::try_from(value)
                .map(|b| char::from(b).to_string())
                .ok()?
        } else {
            format!("{value:0width$}")
        };
        results.push(item.chars().map(Token::Char).collect());
        value += if low <= high { step } else { -step };
    }
    Some(Some(results))
}

fn single_letter(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(*letter),
        _ => None,
    }
}

fn rebuild(tokens: &[Token<'_>], word: &Word) -> Word {
    let mut parts = Pieces::new();
    for token in tokens {
        match token {
            Token::Part(part) => parts.push((*part).clone()),
            Token::Char(c) => {
                if let Some(Part {
                    kind: PartKind::Literal(text),
                    ..
                }) = parts.last_mut()
                {
                    text.push(*c);
                } else {
                    parts.push(Part {
                        kind: PartKind::Literal(EcoString::from(*c)),
                        span: word.span,
                    });
                }
            }
        }
    }
    Word {
        parts,
        span: word.span,
    }
}
