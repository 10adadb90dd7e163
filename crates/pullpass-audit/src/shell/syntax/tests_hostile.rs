//! The input is chosen by whoever opens a pull request. These tests have no
//! time limits of their own: quadratic or exponential work on a megabyte shows
//! as a test run that does not end, unbounded recursion as a crash.

use super::*;

/// Half of what Rust gives threads: callers need some of it themselves.
const STACK: usize = 1024 * 1024;

fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

fn survives(text: &str) {
    let script = parse(text);
    check_spans(text, &script);
    // Dropping, cloning and comparing are recursive too.
    let copy = script.clone();
    assert!(copy == script);
    assert!(script.errors.len() <= 256);
}

const MEGABYTE: usize = 1024 * 1024;

#[test]
fn a_megabyte_of_one_opener_terminates() {
    on_small_stack(|| {
        for unit in [
            "(",
            "((",
            "$(",
            "$((",
            "$(($(",
            "`",
            "\\`",
            "`\\",
            "'",
            "\"",
            "\"$(",
            "\"${a:-",
            "${",
            "${a:-",
            "${a[",
            "${#",
            "${!a//",
            "${{",
            "$'",
            "$'\\",
            "<(",
            ">(",
            "a=(",
            "a=(b ",
            "declare a=(",
            "{ ",
            "if ",
            "if a; then ",
            "while ",
            "while a; do ",
            "for x in a; do ",
            "for x ",
            "case x in ",
            "case x in a) ",
            "case ",
            "f() ",
            "f() { ",
            "function f ",
            "[[ ",
            "[[ a =~ (",
            "! ",
            "time ",
            "coproc ",
            "<<A ",
            "<<A\n",
            "<<-A\n\t",
            "$(cat <<A\n",
            "`cat <<A\n",
            "<<'",
            "<<<",
            ">",
            "&",
            "|",
            "&&",
            "a|",
            "a&&",
            ";",
            ";;",
            ")",
            "} ",
            "fi ",
            "done ",
            "esac ",
            "\\",
            "\\\n",
            "\\\r\n",
            "\r",
            "\r\n",
            "\n",
            "#",
            "# \n",
            "a;",
            "a ",
            "$",
            "$a",
            "$1",
            "*",
            "[",
            "@(",
            "x@(",
            "a[",
            "a[1",
            "{",
            "{a,",
            "}",
            "~",
            "=",
            "a=",
            "a+=",
            "1>",
            "{a}>",
            "\u{F0000}",
            "\u{F0000}=",
            "é",
            "\u{0}",
            "\"`",
            "`\"",
            "'\"",
            "$(\"`",
            "\"$(\"",
            "((\"",
            "(('",
            "[[ (\n",
            "$(case x in ",
            "<<A <<B <<C\n",
            "${a:",
            "${a/",
            "${a^",
            "select x in a\ndo ",
            "until ",
            "elif ",
            "then ",
            "{% if %}\n",
            "[[\n",
            "[[ a\n",
        ] {
            let count = MEGABYTE / unit.len() / if cfg!(debug_assertions) { 8 } else { 1 };
            survives(&unit.repeat(count));
        }
    });
}

#[test]
fn openers_in_front_of_quotes_terminate() {
    on_small_stack(|| {
        let half = 100_000;
        for (head, tail) in [
            ("$(", "'"),
            ("\"$(", "`"),
            ("((", "\n"),
            ("((", "))"),
            ("$((", "))"),
            ("$(", ")"),
            ("\"$(", ")\""),
            ("${a:-", "}"),
            ("{ ", "; }"),
            ("if a; then ", "; fi"),
            ("<<A ", "\n"),
            ("<<A\n", "\""),
            ("(\n", "((\n"),
            ("[[ a\n", "\n"),
            ("f() { ", "\n"),
            ("`\\`", "\\``"),
            ("\"`", "\"\n"),
            ("$(a\n", "\"${b\n"),
        ] {
            survives(&(head.repeat(half) + &tail.repeat(half)));
            let mixed = format!("{head}{tail}").repeat(half);
            survives(&mixed);
        }
    });
}

#[test]
fn nested_backticks_terminate() {
    on_small_stack(|| {
        let mut text = "x".to_owned();
        for _ in 0..14 {
            let escaped = text.replace('\\', "\\\\").replace('`', "\\`");
            text = format!("a `{escaped}`");
        }
        survives(&text);
    });
}

#[test]
fn what_is_nested_too_deeply_is_opaque_and_the_rest_is_kept() {
    on_small_stack(|| {
        let deep = format!("{}x{}\ndocker login", "( ".repeat(200), " )".repeat(200));
        let script = parse(&deep);
        assert!(script.items.len() >= 2, "{}", script.items.len());
        assert!(super::tests::dump(&deep).contains("OPAQUE<"));
        assert!(super::tests::dump(&deep).contains("[docker login]"));
        for open in ["$(", "\"$(", "<("] {
            let close = if open == "\"$(" { ")\"" } else { ")" };
            let deep = format!("a {}x{}\ndocker login", open.repeat(100), close.repeat(100));
            assert!(
                super::tests::dump(&deep).contains("[docker login]"),
                "{open}"
            );
        }
    });
}

#[test]
fn brace_expansion_is_capped() {
    for text in [
        "{".repeat(4000),
        "{a,".repeat(1300),
        "{a,b}".repeat(800),
        "{a,b}".repeat(3),
        format!("{}a,b{}", "{".repeat(100), "}".repeat(100)),
        "{1..999999999}".to_owned(),
        "{-2147483648..2147483647..-2147483648}".to_owned(),
        "{000000000000000000000000000000000000000000001..2}".to_owned(),
    ] {
        let script = parse(&text);
        let CommandKind::Simple { words, .. } = &script.items[0].first.commands[0].kind else {
            continue;
        };
        assert!(expand_braces(&words[0]).is_none_or(|words| words.len() <= 256));
    }
}

// Every span has to be usable for slicing, or a report panics later.

fn check_spans(text: &str, script: &Script) {
    let checker = Checker { text };
    for error in &script.errors {
        checker.span(error.span);
    }
    checker.items(&script.items);
}

struct Checker<'t> {
    text: &'t str,
}

impl Checker<'_> {
    fn span(&self, span: Span) {
        let range = span.start as usize..span.end as usize;
        assert!(
            self.text.get(range).is_some(),
            "{span:?} in {:?}",
            self.text
        );
    }

    fn list(&self, list: &List) {
        self.span(list.span);
        self.items(&list.items);
    }

    fn items(&self, items: &[AndOr]) {
        for item in items {
            self.span(item.span);
            for pipeline in std::iter::once(&item.first).chain(item.rest.iter().map(|(_, p)| p)) {
                self.span(pipeline.span);
                for command in &pipeline.commands {
                    self.command(command);
                }
            }
        }
    }

    fn command(&self, command: &Command) {
        self.span(command.span);
        for redirect in &command.redirects {
            self.span(redirect.span);
            match &redirect.target {
                RedirectTarget::Word(word) => self.word(word),
                RedirectTarget::HereDoc(doc) => {
                    self.span(doc.body_span);
                    self.parts(&doc.body);
                }
            }
        }
        match &command.kind {
            CommandKind::Simple { assignments, words } => {
                for assignment in assignments {
                    self.span(assignment.span);
                    assignment.index.iter().for_each(|w| self.word(w));
                    match &assignment.value {
                        AssignValue::Scalar(word) => self.word(word),
                        AssignValue::Array(words) => words.iter().for_each(|w| self.word(w)),
                    }
                }
                words.iter().for_each(|w| self.word(w));
            }
            CommandKind::Subshell(list) | CommandKind::Group(list) => self.list(list),
            CommandKind::If {
                branches,
                otherwise,
            } => {
                for branch in branches {
                    self.list(&branch.cond);
                    self.list(&branch.body);
                }
                otherwise.iter().for_each(|l| self.list(l));
            }
            CommandKind::While { cond, body, .. } => {
                self.list(cond);
                self.list(body);
            }
            CommandKind::For { words, body, .. } | CommandKind::Select { words, body, .. } => {
                words.iter().flatten().for_each(|w| self.word(w));
                self.list(body);
            }
            CommandKind::ForArith { body, .. } => self.list(body),
            CommandKind::Case { word, arms } => {
                self.word(word);
                for arm in arms {
                    self.span(arm.span);
                    arm.patterns.iter().for_each(|w| self.word(w));
                    self.list(&arm.body);
                }
            }
            CommandKind::Function { body, .. } => self.command(body),
            CommandKind::Coproc { body, .. } => self.command(body),
            CommandKind::Test(words) => words.iter().for_each(|w| self.word(w)),
            CommandKind::Arith { parts, .. } => self.parts(parts),
            CommandKind::Opaque { .. } => {}
        }
    }

    fn word(&self, word: &Word) {
        self.span(word.span);
        self.parts(&word.parts);
    }

    fn parts(&self, parts: &[Part]) {
        for part in parts {
            self.span(part.span);
            match &part.kind {
                PartKind::DoubleQuoted(parts) | PartKind::Arith { parts, .. } => self.parts(parts),
                PartKind::Command { list, .. } | PartKind::ProcessSubst { list, .. } => {
                    self.list(list)
                }
                PartKind::Array(words) => words.iter().for_each(|w| self.word(w)),
                PartKind::Param(param) => {
                    param.index.iter().for_each(|w| self.word(w));
                    match &param.op {
                        ParamOp::Default { word, .. }
                        | ParamOp::AssignDefault { word, .. }
                        | ParamOp::Error { word, .. }
                        | ParamOp::Alternative { word, .. } => self.word(word),
                        ParamOp::RemovePrefix { pattern, .. }
                        | ParamOp::RemoveSuffix { pattern, .. }
                        | ParamOp::Case { pattern, .. } => self.word(pattern),
                        ParamOp::Replace { pattern, with, .. } => {
                            self.word(pattern);
                            self.word(with);
                        }
                        ParamOp::Substring { offset, length } => {
                            self.word(offset);
                            length.iter().for_each(|w| self.word(w));
                        }
                        ParamOp::None | ParamOp::Length | ParamOp::Other(_) => {}
                    }
                }
                _ => {}
            }
        }
    }
}

/// xorshift64*: the same inputs on every run, without a dependency.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit
    }
}

const TOKENS: [&str; 88] = [
    "(",
    ")",
    "((",
    "))",
    "$(",
    "$((",
    "`",
    "\\`",
    "'",
    "\"",
    "${",
    "}",
    "{",
    "{ ",
    "; }",
    "$",
    "$'",
    "$\"",
    "<(",
    ">(",
    "<<A",
    "<<-A",
    "<<'A'",
    "\nA\n",
    "\n\tA\n",
    "A",
    "<<<",
    ">",
    ">>",
    "<",
    "&>",
    "2>&1",
    "|",
    "||",
    "&",
    "&&",
    ";",
    ";;",
    ";&",
    "\n",
    "\r\n",
    "\r",
    " ",
    " ",
    " ",
    "\t",
    "\\",
    "\\\n",
    "\\\r\n",
    "#",
    "if ",
    "then ",
    "elif ",
    "else ",
    "fi",
    "while ",
    "do ",
    "done",
    "for x in ",
    "for ((",
    "case x in ",
    "a) ",
    "esac",
    "select y",
    "function f ",
    "f() ",
    "[[ ",
    " ]]",
    "=~ ",
    "! ",
    "time ",
    "coproc ",
    "x=(",
    "x=",
    "x+=",
    "x[",
    "]=",
    "export y=(",
    "${{ a }}",
    "{% if %}",
    ":-",
    "//",
    "*",
    "@(",
    "~",
    "é",
    "\u{F0001}",
    "docker pull a",
];

#[test]
fn random_tokens_never_panic_and_spans_stay_valid() {
    on_small_stack(|| {
        let mut random = Random(0x5eed_1234_abcd_0001);
        for _ in 0..30_000 {
            let mut text = String::new();
            for _ in 0..random.below(40) {
                text.push_str(TOKENS[random.below(TOKENS.len())]);
            }
            survives(&text);
        }
    });
}

#[test]
fn random_bytes_never_panic_and_spans_stay_valid() {
    on_small_stack(|| {
        let mut random = Random(0x5eed_9876_0000_0007);
        for _ in 0..20_000 {
            let length = random.below(60);
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    let byte = random.next().to_le_bytes()[3];
                    if random.below(8) == 0 {
                        byte
                    } else {
                        byte & 0x7f
                    }
                })
                .collect();
            survives(&String::from_utf8_lossy(&bytes));
        }
    });
}

#[test]
fn long_random_scripts_terminate() {
    on_small_stack(|| {
        let mut random = Random(0x5eed_0000_1111_2222);
        for _ in 0..4 {
            let mut text = String::new();
            while text.len() < 300_000 {
                text.push_str(TOKENS[random.below(TOKENS.len())]);
            }
            survives(&text);
        }
    });
}

#[test]
fn every_cut_of_a_script_is_survived() {
    let text = "set -e\nf() { local a=(x \"y $z\"); docker run \"${a[@]:-$(b `c \\`d\\``)}\" <<-'E' | t\n\tq\n\tE\n}\n\
        if [[ $x =~ ^(a|b)$ ]]; then case $y in p|q) (( i++ )) ;; *) x=$(cat <<E\n$h\nE\n) ;; esac; fi é\u{F0001}";
    for (at, _) in text.char_indices() {
        survives(&text[..at]);
        survives(&text[at..]);
    }
}
