//! Silencing: a finding can be silenced where it stands, or in `pullpass.toml`.
//!
//! `# pullpass: ignore[rule] reason` works on the line of the finding, on a line of comments right
//! above it, and at every place of the finding's story: a pull in a Dockerfile can be silenced there
//! or at the CI step that builds it.

use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::context::Context;
use crate::finding::{Finding, Ignore, Policy};
use crate::rules;
use crate::source::{RepoPath, Source};

/// Lines of comments above a finding that are searched.
const LINES_ABOVE: u32 = 5;

/// Drops what is silenced, and counts it.
#[must_use]
pub fn apply(cx: &Context<'_>, found: Vec<Finding>, policy: &Policy) -> (Vec<Finding>, usize) {
    let before = found.len();
    // By where their names are in memory, which places share.
    let mut files: HashMap<usize, Option<Rc<Source>>> = HashMap::new();
    let kept: Vec<Finding> = found
        .into_iter()
        .filter(|finding| {
            let places = std::iter::once(&finding.place)
                .chain(finding.related.iter().map(|(place, _)| place));
            !policy.ignores.iter().any(|ignore| matches(ignore, finding))
                && !places.into_iter().any(|place| {
                    files
                        .entry(Arc::as_ptr(&place.file).addr())
                        .or_insert_with(|| with_comments(cx, &place.file))
                        .as_deref()
                        .is_some_and(|source| commented(source, place.line, finding.rule))
                })
        })
        .collect();
    let silenced = before - kept.len();
    (kept, silenced)
}

fn matches(ignore: &Ignore, finding: &Finding) -> bool {
    let rule = ignore.rule.as_deref().is_none_or(|r| r == finding.rule);
    let file = ignore
        .file
        .as_deref()
        .is_none_or(|f| glob(f, &finding.place.file));
    let job = ignore
        .job
        .as_deref()
        .is_none_or(|j| finding.jobs.iter().any(|name| name == j));
    let image = ignore
        .image
        .as_deref()
        .is_none_or(|i| finding.image.as_deref().is_some_and(|image| glob(i, image)));
    rule && file && job && image
}

/// The file, when a comment in it may be meant for us; next to none has one.
fn with_comments(cx: &Context<'_>, file: &str) -> Option<Rc<Source>> {
    // It was read when the finding was made, so this costs a look-up.
    let source = cx.sources.load(&RepoPath::new(file)?).ok()?;
    memchr::memmem::find(source.text.as_bytes(), b"pullpass:")?;
    note_unknown(cx, &source);
    Some(source)
}

/// A comment that names no rule there is would silence nothing, and nobody would know.
fn note_unknown(cx: &Context<'_>, source: &Source) {
    for (number, line) in source.text.lines().enumerate() {
        let Comment::Rules(rules) = comment(line) else {
            continue;
        };
        for name in rules
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            if rules::ALL.iter().all(|rule| rule.id != name) {
                let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
                let message = format!(
                    "the comment silences nothing: there is no rule `{name}` (`pullpass rules` lists them)"
                );
                cx.note_unread_at(source.path.as_str(), number, message);
            }
        }
    }
}

fn commented(source: &Source, line: u32, rule: &str) -> bool {
    if comment_names(source.line(line), rule) {
        return true;
    }
    (1..=LINES_ABOVE)
        .map_while(|up| line.checked_sub(up).filter(|&line| line > 0))
        .map(|line| source.line(line))
        .take_while(|text| text.trim_start().starts_with('#'))
        .any(|text| comment_names(text, rule))
}

/// What the comment of a line says to us.
enum Comment<'l> {
    Nothing,
    /// `ignore`: every rule is meant.
    All,
    /// `ignore[…]`
    Rules(&'l str),
}

fn comment(line: &str) -> Comment<'_> {
    let after = line
        .split_once('#')
        .and_then(|(_, comment)| comment.split_once("pullpass:"));
    let Some(rest) = after.and_then(|(_, after)| after.trim_start().strip_prefix("ignore")) else {
        return Comment::Nothing;
    };
    match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((rules, _)) => Comment::Rules(rules),
        None if rest.is_empty() || rest.starts_with(char::is_whitespace) => Comment::All,
        None => Comment::Nothing,
    }
}

fn comment_names(line: &str, rule: &str) -> bool {
    match comment(line) {
        Comment::Nothing => false,
        Comment::All => true,
        Comment::Rules(rules) => rules.split(',').any(|r| r.trim() == rule),
    }
}

/// `*` within a path part, `**` across parts, `?` one character, `{a,b}` either.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    fast_glob::glob_match(pattern, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_people_expect() {
        for (pattern, text, expected) in [
            ("*", "a", true),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("**/ci.yml", "ci.yml", true),
            ("**/ci.yml", ".github/workflows/ci.yml", true),
            (".github/**/*.yml", ".github/workflows/ci.yml", true),
            ("cimg/*", "cimg/go:1.2", true),
            ("cimg/??:*", "cimg/go:1.2", true),
            ("cimg/go", "cimg/go:1.2", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_comment_names_rules_or_means_all() {
        assert!(comment_names(
            "x: y # pullpass: ignore[anonymous-pull] mirror is down",
            "anonymous-pull"
        ));
        assert!(comment_names("# pullpass: ignore[a, b]", "b"));
        assert!(comment_names("# pullpass: ignore", "b"));
        assert!(!comment_names("# pullpass: ignore[a]", "b"));
        assert!(!comment_names("pullpass: ignore[a]", "a"));
        assert!(!comment_names("# pullpass: ignored", "a"));
    }
}
