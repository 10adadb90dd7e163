//! The tree exists so that rules look at words, quoting and data flow rather
//! than at text: `echo "docker login"` and `docker login` differ only here.
//!
//! What words become values of is an `EcoString`, as values are: most are short
//! and need no memory of their own, and the others are shared, not copied.

use std::rc::Rc;

use ecow::EcoString;
use smallvec::SmallVec;

/// A byte range of the parsed text; both ends lie on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The part of `text` this span covers; empty when `text` is another text.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or("")
    }
}

/// Something the parser could not make sense of, and stepped over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Where it was noticed.
    pub span: Span,
    /// What was wrong.
    pub message: &'static str,
}

/// A whole parsed text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// The top-level commands.
    pub items: Vec<AndOr>,
    /// What was stepped over; only the first few hundred are kept.
    pub errors: Vec<ParseError>,
    /// Something in it is nested too deep to be read.
    pub too_deep: bool,
}

/// Commands in sequence: the inside of a group, body, or substitution.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct List {
    /// The commands.
    pub items: Vec<AndOr>,
    /// The text between the delimiters.
    pub span: Span,
}

/// How a pipeline depends on the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AndOrOp {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// `a && b || c`, perhaps ended by `&`.
#[derive(Debug, Clone, PartialEq)]
pub struct AndOr {
    /// The pipeline that always runs.
    pub first: Pipeline,
    /// The conditional ones.
    pub rest: Vec<(AndOrOp, Pipeline)>,
    /// Ended by a single `&`.
    pub background: bool,
    /// The whole of it, without the separator.
    pub span: Span,
}

/// `a | b |& c`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// An odd number of `!` in front.
    pub negated: bool,
    /// `time` in front.
    pub timed: bool,
    /// The members; empty only after a syntax error or a lone `!` or `time`.
    pub commands: Vec<Command>,
    /// The whole of it, prefixes included.
    pub span: Span,
}

/// One command with its redirections.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What sort of command, and its content.
    pub kind: CommandKind,
    /// Redirections, in order.
    pub redirects: Vec<Redirect>,
    /// The whole of it, redirections included.
    pub span: Span,
}

/// The sorts of command.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandKind {
    /// `A=1 name arg ...`; both lists are empty for a bare redirection.
    Simple {
        /// Leading assignments.
        assignments: Vec<Assignment>,
        /// Command name and arguments.
        words: Vec<Word>,
    },
    /// `( ... )`
    Subshell(List),
    /// `{ ...; }`
    Group(List),
    /// `if ...; then ...; elif ...; else ...; fi`
    If {
        /// `if` and `elif`, in order.
        branches: Vec<IfBranch>,
        /// `else`
        otherwise: Option<List>,
    },
    /// `while` or `until`
    While {
        /// It is `until`.
        until: bool,
        /// The condition.
        cond: List,
        /// The body.
        body: List,
    },
    /// `for x in ...; do ...; done`
    For {
        /// The variable.
        var: String,
        /// `None` when there is no `in`: the positional parameters.
        words: Option<Vec<Word>>,
        /// The body.
        body: List,
    },
    /// `select x in ...; do ...; done`
    Select {
        /// The variable.
        var: String,
        /// `None` when there is no `in`.
        words: Option<Vec<Word>>,
        /// The body.
        body: List,
    },
    /// `for ((a; b; c)); do ...; done`
    ForArith {
        /// What stands between the double parentheses.
        text: String,
        /// The body.
        body: List,
    },
    /// `case w in a|b) ... ;; esac`
    Case {
        /// The subject.
        word: Word,
        /// The arms.
        arms: Vec<CaseArm>,
    },
    /// `name() ...` or `function name ...`
    Function {
        /// Its name as written.
        name: String,
        /// Its body, usually a group; shared with whoever keeps the function.
        body: Rc<Command>,
    },
    /// `[[ ... ]]`: the words inside; operators are words too.
    Test(Vec<Word>),
    /// `(( ... ))`
    Arith {
        /// What stands between the double parentheses.
        text: String,
        /// The same, with its expansions taken apart.
        parts: Vec<Part>,
    },
    /// `coproc ...`
    Coproc {
        /// The name, if one was given.
        name: Option<String>,
        /// The command.
        body: Box<Command>,
    },
    /// Text that was not taken apart.
    Opaque {
        /// The text.
        text: String,
        /// The reason.
        why: &'static str,
    },
}

/// `if` or `elif` with its body.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IfBranch {
    /// The condition.
    pub cond: List,
    /// The body.
    pub body: List,
}

/// One arm of a `case`.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseArm {
    /// The patterns; empty for commands found where a pattern should stand.
    pub patterns: Vec<Word>,
    /// The body.
    pub body: List,
    /// The whole arm.
    pub span: Span,
}

/// `NAME=value` before a command name.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// `NAME[index]=`
    pub index: Option<Word>,
    /// `NAME+=`
    pub append: bool,
    /// The value.
    pub value: AssignValue,
    /// The whole of it.
    pub span: Span,
}

/// The right-hand side of an assignment.
#[derive(Debug, Clone, PartialEq)]
pub enum AssignValue {
    /// `NAME=word`; the word has no parts for `NAME=`.
    Scalar(Word),
    /// `NAME=(a b)`
    Array(Vec<Word>),
}

/// The pieces of a word. Most words have one.
pub type Pieces = SmallVec<[Part; 1]>;

/// A shell word: pieces with nothing between them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Word {
    /// The pieces.
    pub parts: Pieces,
    /// The whole word, quotes included.
    pub span: Span,
}

/// A piece of a word.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// Where it stands.
    pub span: Span,
}

/// The sorts of word piece.
#[derive(Debug, Clone, PartialEq)]
pub enum PartKind {
    /// Unquoted text, or text inside `DoubleQuoted`/here-documents with its
    /// escapes resolved.
    Literal(EcoString),
    /// `\c` outside quotes: quoting, unlike `Literal`.
    Escaped(char),
    /// `'...'`
    SingleQuoted(EcoString),
    /// `$'...'`, with its escapes resolved.
    AnsiQuoted(EcoString),
    /// `"..."` and `$"..."`
    DoubleQuoted(Vec<Part>),
    /// `$x` and `${x...}`
    Param(Box<ParamExpansion>),
    /// `$(...)` and backticks.
    Command {
        /// The commands.
        list: List,
        /// Which spelling.
        style: SubstStyle,
    },
    /// `$((...))`
    Arith {
        /// What stands between the double parentheses.
        text: String,
        /// The same, with its expansions taken apart.
        parts: Vec<Part>,
    },
    /// `<(...)` and `>(...)`
    ProcessSubst {
        /// Which way the data flows.
        dir: ProcessDir,
        /// The commands.
        list: List,
    },
    /// An unquoted `*`, `?` or `[` that may match file names.
    Glob(char),
    /// `@(a|b)` and its kin, as written.
    ExtGlob(EcoString),
    /// `~` or `~user` where the shell expands it; holds the user.
    Tilde(String),
    /// `(a b)` after `NAME=` as an argument of `declare` and its kin.
    Array(Vec<Word>),
    /// Text that was not taken apart.
    Opaque {
        /// The text.
        text: String,
        /// The reason.
        why: &'static str,
    },
}

/// Spelling of a command substitution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubstStyle {
    /// `$(...)`
    Dollar,
    /// Backticks.
    Backtick,
}

/// Direction of a process substitution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessDir {
    /// `<(...)`: the commands' output is read.
    In,
    /// `>(...)`: the commands read.
    Out,
}

/// `$name` or `${name...}`.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamExpansion {
    /// Variable, digit, or special character; empty when not understood.
    pub name: String,
    /// `${name[index]}`
    pub index: Option<Word>,
    /// `${!name}`
    pub indirect: bool,
    /// What is done to the value.
    pub op: ParamOp,
}

/// Operation of a parameter expansion.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamOp {
    /// The plain value.
    None,
    /// `${#name}`
    Length,
    /// `${name-word}`, `${name:-word}`
    Default {
        /// Also when empty.
        colon: bool,
        /// The fallback.
        word: Word,
    },
    /// `${name=word}`
    AssignDefault {
        /// Also when empty.
        colon: bool,
        /// The fallback.
        word: Word,
    },
    /// `${name?word}`
    Error {
        /// Also when empty.
        colon: bool,
        /// The message.
        word: Word,
    },
    /// `${name+word}`
    Alternative {
        /// Also when empty.
        colon: bool,
        /// The replacement.
        word: Word,
    },
    /// `${name#pattern}`
    RemovePrefix {
        /// `##`
        longest: bool,
        /// The pattern.
        pattern: Word,
    },
    /// `${name%pattern}`
    RemoveSuffix {
        /// `%%`
        longest: bool,
        /// The pattern.
        pattern: Word,
    },
    /// `${name/pattern/with}`
    Replace {
        /// `//`
        all: bool,
        /// `/#` or `/%`
        anchor: Anchor,
        /// The pattern.
        pattern: Word,
        /// The replacement.
        with: Word,
    },
    /// `${name:offset:length}`; both are arithmetic.
    Substring {
        /// The offset.
        offset: Word,
        /// The length.
        length: Option<Word>,
    },
    /// `${name^pattern}`, `${name,,}`, `${name~}`
    Case {
        /// `^`, `,` or `~`.
        op: char,
        /// Doubled.
        all: bool,
        /// Usually empty.
        pattern: Word,
    },
    /// Anything else, as written after the name: `@Q`, `*`, `{ x }`.
    Other(String),
}

/// Where a `Replace` pattern must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Anywhere.
    None,
    /// `/#`
    Start,
    /// `/%`
    End,
}

/// A redirection.
#[derive(Debug, Clone, PartialEq)]
pub struct Redirect {
    /// The descriptor in front of the operator.
    pub fd: Option<Fd>,
    /// The operator.
    pub op: RedirectOp,
    /// What it points at.
    pub target: RedirectTarget,
    /// Operator and target, without a here-document's body.
    pub span: Span,
}

/// Explicit descriptor of a redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fd {
    /// `2>`
    Number(u32),
    /// `{name}>`
    Variable(String),
}

/// Redirection operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectOp {
    /// `<`
    In,
    /// `>`
    Out,
    /// `>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `>|`
    Clobber,
    /// `&>`
    OutErr,
    /// `&>>`
    AppendErr,
    /// `<&`
    DupIn,
    /// `>&`
    DupOut,
    /// `<<`
    HereDoc,
    /// `<<-`
    HereDocDash,
    /// `<<<`
    HereString,
}

/// Target of a redirection.
#[derive(Debug, Clone, PartialEq)]
pub enum RedirectTarget {
    /// A file, a descriptor, `-`, or a here-string.
    Word(Word),
    /// A here-document.
    HereDoc(HereDoc),
}

/// A here-document.
#[derive(Debug, Clone, PartialEq)]
pub struct HereDoc {
    /// The delimiter without its quotes.
    pub delimiter: String,
    /// The delimiter was quoted, so nothing in the body is expanded.
    pub quoted: bool,
    /// Its content; one `Literal` when `quoted`.
    pub body: Vec<Part>,
    /// The body's lines, without the delimiter line.
    pub body_span: Span,
    /// The delimiter line was found.
    pub terminated: bool,
}
