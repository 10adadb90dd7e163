//! What an expression is worth before the build runs, because an image written as
//! `python:${{ matrix.v }}` is known all the same, and one written as `app:${{ github.sha }}` is not.
//!
//! A value that cannot be known is a hole that carries the expression (see `text`); it travels
//! through `env`, `inputs` and `format()` like any other text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::context::Context;
use crate::text::{Hole, HoleKind, MAX_VALUE, Text, is_hole};
use crate::variables::Variables;
use crate::yaml::{Document, Node, Style};

use super::event::{Event, Ref};
use super::expression::{Expr, Op, Piece, begins, parse_number, pieces, read};
use super::table::{in_lower_case, is_lower_case};

/// How deep values nest: further down they count as unknown.
const MAX_DEPTH: usize = 40;

/// How often a value is looked at again for what it was made of.
const MAX_LOOKS: u8 = 4;

/// A value of GitHub's expression language. What is unknown is a text with a hole in it.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    /// Nothing, which is also what a missing property is.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text, or an unknown.
    Text(Text),
    /// A list.
    List(Rc<Vec<Value>>),
    /// A mapping, in the order of the file.
    Map(Rc<Vec<(String, Value)>>),
}

impl Value {
    /// A known text.
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// As GitHub writes it into a text.
    pub(super) fn as_text(&self) -> Text {
        match self {
            Self::Null => Text::default(),
            Self::Bool(b) => Text::new(b.to_string()),
            Self::Number(n) => Text::new(n.to_string()),
            Self::Text(text) => text.clone(),
            Self::List(_) => "Array".into(),
            Self::Map(_) => "Object".into(),
        }
    }

    /// Whether it counts as true; `None` when that depends on what is unknown.
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Self::Null => Some(false),
            Self::Bool(b) => Some(*b),
            Self::Number(n) => Some(*n != 0.0 && !n.is_nan()),
            Self::Text(text) if text.is_known() => Some(!text.is_empty()),
            // A text with one known character in it is not empty.
            Self::Text(text) => text.as_str().contains(|c| !is_hole(c)).then_some(true),
            Self::List(_) | Self::Map(_) => Some(true),
        }
    }

    /// Whether nothing in it is unknown, as far as its own text goes.
    pub(super) fn is_known(&self) -> bool {
        !matches!(self, Self::Text(text) if !text.is_known())
    }

    /// A property, by its name in any case; GitHub gives null for one that is missing.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))
                .map(|(_, value)| value),
            _ => None,
        }
    }

    fn number(&self) -> Option<f64> {
        Some(match self {
            Self::Null => 0.0,
            Self::Bool(b) => f64::from(u8::from(*b)),
            Self::Number(n) => *n,
            Self::Text(text) => match text.known()?.trim() {
                "" => 0.0,
                known => parse_number(known).unwrap_or(f64::NAN),
            },
            Self::List(_) | Self::Map(_) => f64::NAN,
        })
    }

    /// A plain scalar as YAML types it.
    fn plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" => Self::Bool(true),
            "false" | "False" | "FALSE" => Self::Bool(false),
            _ => parse_number(text).map_or_else(|| Self::text(text), Self::Number),
        }
    }
}

/// The inputs of a workflow or action.
#[derive(Clone, PartialEq, Default, Debug)]
pub(super) struct Inputs {
    /// Values by lower-case name.
    pub(super) values: BTreeMap<String, Value>,
    /// Whether these are the values for sure. If not they are defaults that whoever starts the
    /// workflow may change: good for naming an image, no ground for leaving a step out.
    pub(super) certain: bool,
}

/// The secrets that a workflow sees.
#[derive(Clone, Debug)]
pub(super) enum Secrets {
    /// The repository's.
    All,
    /// Those that a caller passes, by upper-case name.
    Passed(BTreeMap<String, Value>),
}

/// Outputs by the lower-case `id` of the step, or of the job, and by their own lower-case names: those of
/// which something is known.
pub(super) type Given = BTreeMap<String, Variables>;

/// What expressions of one job, or one composite action in it, can see.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// The events that start the workflow; empty: unknown.
    pub(super) events: Rc<[Event]>,
    /// The `matrix` context; a hole when it could not be expanded.
    pub(super) matrix: Value,
    /// The `inputs` context.
    pub(super) inputs: Rc<Inputs>,
    /// The `secrets` context.
    pub(super) secrets: Rc<Secrets>,
    /// `runner.os`, when the labels tell it.
    pub(super) os: Option<&'static str>,
    /// `github.workspace`: a path relative to the working folder, and in scripts what stands for the root.
    pub(super) workspace: Rc<str>,
    /// The id of the job.
    pub(super) job: Option<Rc<str>>,
    /// Folder of the composite action, relative to the workspace.
    pub(super) action: Option<Rc<str>>,
    /// What the steps so far have given away.
    pub(super) steps: Rc<Given>,
    /// The same of the jobs that the job needs.
    pub(super) needs: Rc<Given>,
}

/// Who starts the run that an expression is evaluated for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Starter {
    /// Whoever may.
    Anyone,
    /// A pull request from a fork, which gets no secrets.
    Fork,
    /// A pull request of the repository's own, with its secrets.
    Insider,
    /// Anyone's pull request, by the event that gives it the secrets of the repository it is for.
    Target,
    /// Another event than a pull request, with the secrets: this one of the workflow's, where they are known.
    Event(usize),
}

impl Starter {
    fn has_secrets(self) -> bool {
        matches!(self, Self::Insider | Self::Target | Self::Event(_))
    }

    fn is_pull_request(self) -> bool {
        matches!(self, Self::Fork | Self::Insider | Self::Target)
    }
}

/// Everything that an expression can see at one place.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    /// The repository.
    pub(super) cx: &'s Context<'s>,
    /// The job's part.
    pub(super) frame: &'s Frame,
    /// The `env` context.
    pub(super) env: &'s Variables,
    /// Evaluate for a run that this starts.
    pub(super) starter: Starter,
    /// How often what was resolved before has been looked at again: `A: ${{ env.A || 'x' }}` has no end.
    pub(super) looked_again: u8,
    /// Evaluate for a decision, where a mere default proves nothing.
    pub(super) deciding: bool,
}

impl Scope<'_> {
    /// The text of a scalar with its expressions replaced by their values.
    pub(super) fn text(&self, node: Node<'_>) -> Text {
        self.value(node).as_text()
    }

    /// The value of a scalar as GitHub reads it: a plain `3.10` is the number 3.1.
    pub(super) fn value(&self, node: Node<'_>) -> Value {
        match node.as_str() {
            Some(text) if begins(text).is_some() => self.template(text),
            Some(text) if node.style() == Style::Plain => Value::plain(text),
            Some(text) => Value::text(text),
            None => self.deep_value(node, 0),
        }
    }

    /// The outputs that are declared as `all`, by lower-case name. What is unknown to the last character
    /// is left out: a reader's own words for it say more. So is what has a secret in it, which GitHub
    /// does not hand on.
    pub(super) fn outputs<'n>(
        &self,
        all: impl Iterator<Item = (Node<'n>, Option<Node<'n>>)>,
    ) -> Variables {
        let mut out = Variables::default();
        for (name, value) in all {
            if let (Some(name), Some(value)) = (name.as_str(), value) {
                let value = self.text(value);
                let secret = |hole: Hole| hole.kind == HoleKind::Secret;
                if says_something(&value) && !value.holes(&self.cx.holes).any(secret) {
                    out.insert(name.to_ascii_lowercase(), value);
                }
            }
        }
        out
    }

    fn deep_value(&self, node: Node<'_>, depth: usize) -> Value {
        if depth > MAX_DEPTH || !self.cx.spend() {
            return self.unknown("...", HoleKind::Expression);
        }
        if node.is_sequence() {
            let items = node.items().map(|item| self.deep_value(item, depth + 1));
            Value::List(Rc::new(items.collect()))
        } else if node.is_mapping() {
            let entries = node.entries().into_iter().filter_map(|entry| {
                let key = entry.key.as_str()?.to_owned();
                Some((key, self.deep_value(entry.value, depth + 1)))
            });
            Value::Map(Rc::new(entries.collect()))
        } else {
            self.value(node)
        }
    }

    /// A text with its expressions replaced by their values. A text that is one expression and
    /// nothing else keeps the value's type.
    pub(super) fn template(&self, text: &str) -> Value {
        let pieces = pieces(text);
        if let [only] = pieces.as_slice()
            && only.start == 0
            && only.end == text.trim_end().len()
        {
            return self.written(only.inner);
        }
        let mut out = Text::default();
        let mut done = 0;
        let mut left = MAX_VALUE;
        for piece in pieces {
            out.push(text.get(done..piece.start).unwrap_or(""));
            out.push(self.placed_within(text, &piece, &mut left).as_str());
            done = piece.end;
        }
        out.push(text.get(done..).unwrap_or(""));
        Value::Text(out)
    }

    /// What stands in a text for an expression, of which no more than so many bytes are `left` for all of the text's.
    pub(super) fn placed_within(&self, text: &str, piece: &Piece<'_>, left: &mut usize) -> Text {
        let value = self.placed(text, piece);
        match left.checked_sub(value.as_str().len()) {
            Some(still) => {
                *left = still;
                value
            }
            None => self.unknown(piece.inner, HoleKind::Expression).as_text(),
        }
    }

    /// What stands in a text for an expression. The empty default of an input says nothing of the tag that is typed.
    fn placed(&self, text: &str, piece: &Piece<'_>) -> Text {
        let value = self.written(piece.inner).as_text();
        let before = text.get(..piece.start).unwrap_or("");
        let of_default = || !self.frame.inputs.certain && piece.inner.contains("inputs.");
        if value.is_empty() && before.ends_with(':') && of_default() {
            return self.unknown(piece.inner, HoleKind::Expression).as_text();
        }
        value
    }

    /// The value of an expression as written between the braces.
    pub(super) fn written(&self, inner: &str) -> Value {
        match &*read(inner) {
            Some(expr) => self.eval(expr),
            None => self.unknown(inner, HoleKind::Expression),
        }
    }

    /// The hole for an expression in words.
    pub(super) fn unknown(&self, words: &str, kind: HoleKind) -> Value {
        self.unknown_in("", words, kind)
    }

    /// The hole for what a context does not tell; `context` ends with a dot.
    fn unknown_in(&self, context: &str, words: &str, kind: HoleKind) -> Value {
        let write = |out: &mut String| {
            out.push_str("${{ ");
            out.push_str(context);
            out.push_str(words);
            out.push_str(" }}");
        };
        Value::Text(self.cx.holes.written(kind, write))
    }

    fn unknown_expr(&self, expr: &Expr, kind: HoleKind) -> Value {
        let write = |out: &mut String| {
            out.push_str("${{ ");
            expr.write(out, 0);
            out.push_str(" }}");
        };
        Value::Text(self.cx.holes.written(kind, write))
    }

    /// The value of an expression.
    pub(super) fn eval(&self, expr: &Expr) -> Value {
        match expr {
            Expr::Null => Value::Null,
            Expr::Bool(b) => Value::Bool(*b),
            Expr::Number(n) => Value::Number(*n),
            Expr::Str(s) => Value::text(s),
            Expr::Name(name) => self
                .context(name)
                .unwrap_or_else(|| self.unknown_expr(expr, HoleKind::Expression)),
            Expr::Key(of, key) => self.property(expr, of, key),
            Expr::Star(_) => self.unknown_expr(expr, HoleKind::Expression),
            Expr::Call(name, args) => self.call(expr, name, args),
            Expr::Not(of) => match self.eval(of).truth() {
                Some(truth) => Value::Bool(!truth),
                None => self.unknown_expr(expr, HoleKind::Expression),
            },
            Expr::Binary(Op::And, left, right) => {
                let value = self.eval(left);
                match value.truth() {
                    Some(false) => value,
                    Some(true) => self.eval(right),
                    None => self.unknown_expr(expr, self.kind(&self.eval(right))),
                }
            }
            Expr::Binary(Op::Or, left, right) => self.either(expr, left, right),
            Expr::Binary(op, left, right) => match self.compare(*op, left, right) {
                Some(truth) => Value::Bool(truth),
                None => self.unknown_expr(expr, HoleKind::Expression),
            },
        }
    }

    fn either(&self, expr: &Expr, left: &Expr, right: &Expr) -> Value {
        let value = self.eval(left);
        match value.truth() {
            Some(true) => value,
            Some(false) => self.eval(right),
            None => {
                let other = self.eval(right);
                // `inputs.tag || 'latest'`: nothing is known of the input but that the author
                // reckons with its absence, so this stands for its default.
                if !self.deciding && is_input(left) && other.truth() == Some(true) {
                    return other;
                }
                let secret = self.kind(&value) == HoleKind::Secret
                    && (other.truth() == Some(false) || self.kind(&other) == HoleKind::Secret);
                let kind = if secret {
                    HoleKind::Secret
                } else {
                    HoleKind::Expression
                };
                self.unknown_expr(expr, kind)
            }
        }
    }

    fn kind(&self, value: &Value) -> HoleKind {
        match value {
            Value::Text(text) if text.is_one_hole() => text
                .holes(&self.cx.holes)
                .next()
                .map_or(HoleKind::Expression, |hole| hole.kind),
            _ => HoleKind::Expression,
        }
    }

    /// A context as a whole; `None` when it cannot be known.
    fn context(&self, name: &str) -> Option<Value> {
        match &*in_lower_case(name) {
            "matrix" => Some(self.frame.matrix.clone()),
            "inputs" if self.frame.inputs.certain => Some(Value::Map(Rc::new(
                self.frame
                    .inputs
                    .values
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect(),
            ))),
            _ => None,
        }
    }

    fn property(&self, expr: &Expr, of: &Expr, key: &Expr) -> Value {
        let key = self.eval(key);
        // Declared first, so that it lives longer than what is borrowed from it.
        let lower: Vec<Cow<'_, str>>;
        if let (Some(mut parts), Some(name)) = (of.path(), key.as_text().known()) {
            if !parts.iter().copied().all(is_lower_case) {
                lower = parts.iter().copied().map(in_lower_case).collect();
                parts = lower.iter().map(|p| &**p).collect();
            }
            parts.push(name);
            if let Some(value) = self.well_known(&parts) {
                let value = self.with_its_secrets(value);
                // Variables are texts, and so are the inputs of an action.
                let text = parts.first() == Some(&"env") || self.frame.action.is_some();
                return match value {
                    Value::Bool(_) if text => Value::Text(value.as_text()),
                    other => other,
                };
            }
        }
        // What is in a context of which nothing is known: most of what expressions name.
        if let Expr::Name(name) = of
            && self.context(name).is_none()
        {
            return self.unknown_expr(expr, HoleKind::Expression);
        }
        let whole = self.eval(of);
        match (&whole, &key) {
            (Value::Map(_), key) => match key.as_text().known() {
                Some(name) => whole.get(name).cloned().unwrap_or(Value::Null),
                None => self.unknown_expr(expr, HoleKind::Expression),
            },
            (Value::List(items), Value::Number(n)) => items
                .iter()
                .enumerate()
                .find(|(i, _)| i.to_string() == n.to_string())
                .map_or(Value::Null, |(_, item)| item.clone()),
            (Value::Text(text), _) if !text.is_known() => {
                // A secret's property does not exist; anything else stays as unknown as it was.
                self.unknown_expr(expr, HoleKind::Expression)
            }
            _ => Value::Null,
        }
    }

    /// Properties of the contexts that do not exist as a whole here.
    fn well_known(&self, path: &[&str]) -> Option<Value> {
        let frame = self.frame;
        match path {
            ["env", name] => Some(match self.env.get(*name) {
                Some(text) => Value::Text(text.clone()),
                None => self.unknown_in("env.", name, HoleKind::Expression),
            }),
            ["secrets", name] => Some(self.secret(name)),
            ["github", "token"] => Some(self.unknown("github.token", HoleKind::Secret)),
            // A pull request brings none along.
            ["inputs", _] | ["github", "event", "inputs", ..]
                if self.starter == Starter::Fork && !frame.inputs.certain =>
            {
                Some(Value::Null)
            }
            ["inputs", name] | ["github", "event", "inputs", name] => {
                let inputs = &frame.inputs;
                let found = inputs.values.get(&name.to_ascii_lowercase());
                match found {
                    Some(value) if inputs.certain || !self.deciding => Some(value.clone()),
                    None if inputs.certain && path.len() == 2 => Some(Value::Null),
                    _ => Some(self.unknown(&path.join("."), HoleKind::Expression)),
                }
            }
            // Like a default, one that was worked out is no ground for leaving a step out.
            [context @ ("steps" | "needs" | "jobs"), id, "outputs", name] if !self.deciding => {
                let given = if *context == "steps" {
                    &frame.steps
                } else {
                    &frame.needs
                };
                let value = given.get(*id)?.get(&*in_lower_case(name))?;
                Some(Value::Text(value.clone()))
            }
            ["runner", "os"] => frame.os.map(Value::text),
            ["github", "workspace"] => Some(Value::text(&frame.workspace)),
            ["github", "action_path"] => frame
                .action
                .as_ref()
                .map(|action| Value::text(&format!("{}/{action}", frame.workspace))),
            ["github", "job"] => frame.job.as_deref().map(Value::text),
            ["github", "server_url"] => Some(Value::text("https://github.com")),
            // An object, which is true.
            ["github", "event", "pull_request"] if self.starter.is_pull_request() => {
                let hole = self.unknown(&path.join("."), HoleKind::Expression);
                let object = format!("?{}", hole.as_text().as_str());
                Some(Value::Text(Text::new(object)))
            }
            ["github", rest @ ..] if self.starter == Starter::Fork => self.of_a_fork(rest),
            ["github", "event", "pull_request", "head", "repo", "fork"]
                if matches!(self.starter, Starter::Insider | Starter::Event(_)) =>
            {
                Some(Value::Bool(false))
            }
            // A repository that is a fork has none of the secrets of the one that it was forked from.
            ["github", "event", "repository", "fork"] if self.starter.has_secrets() => {
                Some(Value::Bool(false))
            }
            ["github", "event", "pull_request", ..]
                if matches!(self.starter, Starter::Event(_)) =>
            {
                Some(Value::Null)
            }
            ["github", "head_ref" | "base_ref"] if matches!(self.starter, Starter::Event(_)) => {
                Some(Value::text(""))
            }
            ["github", name @ ("ref" | "ref_name" | "ref_type")]
                if self.starter == Starter::Insider =>
            {
                self.of_a_fork(&[name])
            }
            ["github", name @ ("ref" | "ref_name" | "ref_type")] => self.of_event(name),
            ["github", "event_name"] if self.starter == Starter::Insider => {
                Some(Value::text("pull_request"))
            }
            ["github", "event_name"] if self.starter == Starter::Target => {
                Some(Value::text("pull_request_target"))
            }
            ["github", "event_name"] => match (self.event(), &*frame.events) {
                (Some(event), _) | (None, [event]) => Some(Value::text(&event.name)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The event that starts the run, where it is one in particular.
    fn event(&self) -> Option<&Event> {
        match self.starter {
            Starter::Event(at) => self.frame.events.get(at),
            _ => None,
        }
    }

    /// What is known of the branch or the tag that an event is about.
    fn of_event(&self, name: &str) -> Option<Value> {
        let of = |kind: &str, prefix: &str, short: Option<&str>| {
            let short = match short {
                Some(short) => Text::from(short),
                None => {
                    let hole = self.unknown("github.ref_name", HoleKind::Expression);
                    hole.as_text()
                }
            };
            Some(match name {
                "ref_type" => Value::text(kind),
                "ref" => Value::Text(Text::new(format!("{prefix}{}", short.as_str()))),
                _ => Value::Text(short),
            })
        };
        match &self.event()?.on {
            Ref::Any => None,
            Ref::Branch => of("branch", "refs/heads/", None),
            Ref::Named(branch) => of("branch", "refs/heads/", Some(branch)),
            Ref::Tag => of("tag", "refs/tags/", None),
        }
    }

    /// What the `github` context holds when a stranger's pull request starts the job.
    fn of_a_fork(&self, rest: &[&str]) -> Option<Value> {
        match rest {
            ["event_name"] => Some(Value::text("pull_request")),
            ["ref_type"] => Some(Value::text("branch")),
            ["ref" | "ref_name"] => {
                let number = self.unknown("github.event.number", HoleKind::Expression);
                let prefix = if rest == ["ref"] { "refs/pull/" } else { "" };
                Some(Value::Text(Text::new(format!(
                    "{prefix}{}/merge",
                    number.as_text().as_str()
                ))))
            }
            ["event", "pull_request", "head", "repo", "fork"] => Some(Value::Bool(true)),
            [
                "event",
                "head_commit" | "schedule" | "release" | "workflow_run",
                ..,
            ] => Some(Value::Null),
            _ => None,
        }
    }

    /// In a run that has the secrets, what is nothing but a secret is not empty, and what was made of
    /// one before (`env: {X: ${{ secrets.Y != '' }}}`) is looked at again.
    fn with_its_secrets(&self, value: Value) -> Value {
        let Value::Text(text) = &value else {
            return value;
        };
        if !self.starter.has_secrets() || !text.is_one_hole() {
            return value;
        }
        let Some(hole) = text.holes(&self.cx.holes).next() else {
            return value;
        };
        if hole.kind == HoleKind::Secret {
            return Value::Text(Text::new(format!("?{}", text.as_str())));
        }
        let written = match pieces(&hole.written).as_slice() {
            [only] => read(only.inner),
            _ => Rc::default(),
        };
        // An expression that is a context's property is as unknown as it was, and would come here again.
        let may = self.looked_again < MAX_LOOKS && self.cx.spend();
        match written
            .as_ref()
            .as_ref()
            .filter(|expr| expr.path().is_none() && may)
        {
            Some(expr) => {
                let again = Scope {
                    looked_again: self.looked_again + 1,
                    ..*self
                };
                again.eval(expr)
            }
            None => value,
        }
    }

    fn secret(&self, name: &str) -> Value {
        match &*self.frame.secrets {
            Secrets::Passed(passed) if !name.eq_ignore_ascii_case("GITHUB_TOKEN") => passed
                .get(&name.to_ascii_uppercase())
                .cloned()
                .unwrap_or_else(|| Value::text("")),
            _ => self.unknown_in("secrets.", name, HoleKind::Secret),
        }
    }

    fn compare(&self, op: Op, left: &Expr, right: &Expr) -> Option<bool> {
        if let Some(same) = self.known_by_event(left, right) {
            return match op {
                Op::Eq => Some(same),
                Op::Ne => Some(!same),
                _ => None,
            };
        }
        let (a, b) = (self.eval(left), self.eval(right));
        match op {
            Op::Eq => equal(&a, &b),
            Op::Ne => equal(&a, &b).map(|same| !same),
            _ => {
                let order = match (&a, &b) {
                    (Value::Text(x), Value::Text(y)) => {
                        Some(x.known()?.to_lowercase().cmp(&y.known()?.to_lowercase()))
                    }
                    _ => a.number()?.partial_cmp(&b.number()?),
                };
                Some(order.is_some_and(|order| match op {
                    Op::Lt => order.is_lt(),
                    Op::Le => order.is_le(),
                    Op::Gt => order.is_gt(),
                    _ => order.is_ge(),
                }))
            }
        }
    }

    /// Comparisons that are decided by which event starts the job, though neither side is known.
    fn known_by_event(&self, left: &Expr, right: &Expr) -> Option<bool> {
        let paths = [left.path(), right.path()].map(|p| {
            p.filter(|p| p.first().is_some_and(|p| p.eq_ignore_ascii_case("github")))
                .map(|p| p.join(".").to_ascii_lowercase())
        });
        let [a, b] = &paths;
        if self.starter != Starter::Anyone {
            // A fork's pull request comes from another repository with another owner.
            let head = |p: &Option<String>| {
                p.as_deref().is_some_and(|p| {
                    p.starts_with("github.event.pull_request.head.repo.")
                        && (p.ends_with("full_name") || p.ends_with("owner.login"))
                        || p == "github.event.pull_request.head.user.login"
                })
            };
            let base = |p: &Option<String>, e: &Expr| {
                matches!(e, Expr::Str(_))
                    || p.as_deref().is_some_and(|p| {
                        matches!(p, "github.repository" | "github.repository_owner")
                            || p.starts_with("github.event.pull_request.base.repo.")
                            || p.starts_with("github.event.repository.")
                    })
            };
            // A pull request goes from one branch to another.
            let of_branches = ["github.head_ref", "github.base_ref"];
            let is_empty = |p: &Option<String>, e: &Expr| {
                p.as_deref().is_some_and(|p| of_branches.contains(&p))
                    && matches!(e, Expr::Str(text) if text.is_empty())
            };
            if self.starter.is_pull_request() && (is_empty(a, right) || is_empty(b, left)) {
                return Some(false);
            }
            let compared = head(a) && base(b, right) || head(b) && base(a, left);
            if compared && self.starter != Starter::Target {
                return Some(self.starter == Starter::Insider);
            }
            if self.starter.has_secrets() {
                return self.known_of_insiders(&paths, left, right);
            }
        } else if !self.frame.events.is_empty() {
            let literal = match (a.as_deref(), b.as_deref(), left, right) {
                (Some("github.event_name"), _, _, Expr::Str(s))
                | (_, Some("github.event_name"), Expr::Str(s), _) => s,
                _ => return None,
            };
            if !self
                .frame
                .events
                .iter()
                .any(|e| e.name.eq_ignore_ascii_case(literal))
            {
                return Some(false);
            }
        }
        None
    }

    /// Comparisons that are decided by the run having secrets: Dependabot did not start it, but by the
    /// event that gives them to whoever starts it.
    fn known_of_insiders(
        &self,
        [a, b]: &[Option<String>; 2],
        left: &Expr,
        right: &Expr,
    ) -> Option<bool> {
        let (path, literal) = match (a, b, left, right) {
            (Some(path), _, _, Expr::Str(literal)) | (_, Some(path), Expr::Str(literal), _) => {
                (path.as_str(), literal.as_str())
            }
            _ => return None,
        };
        let is = |other: &str| literal.eq_ignore_ascii_case(other);
        match path {
            "github.actor" | "github.triggering_actor" | "github.event.pull_request.user.login"
                if is("dependabot[bot]") && self.starter != Starter::Target =>
            {
                Some(false)
            }
            // Its copies have no secrets. What it is called, a checkout does not know.
            "github.repository" | "github.repository_owner" => Some(true),
            "github.event_name"
                if matches!(self.starter, Starter::Event(_)) && is("pull_request") =>
            {
                Some(false)
            }
            _ => None,
        }
    }

    /// `case(condition, value, …, default)`: the value of the first condition that holds.
    fn first_case(&self, expr: &Expr, args: &[Expr]) -> Value {
        let mut rest = args;
        while let [condition, value, others @ ..] = rest {
            match self.eval(condition).truth() {
                Some(true) => return self.eval(value),
                Some(false) => rest = others,
                None => return self.unknown_expr(expr, HoleKind::Expression),
            }
        }
        match rest {
            [default] => self.eval(default),
            _ => self.unknown_expr(expr, HoleKind::Expression),
        }
    }

    fn call(&self, expr: &Expr, name: &str, args: &[Expr]) -> Value {
        if name.eq_ignore_ascii_case("case") {
            return self.first_case(expr, args);
        }
        let values: Vec<Value> = args.iter().map(|arg| self.eval(arg)).collect();
        let texts: Vec<Text> = values.iter().map(Value::as_text).collect();
        let name = name.to_ascii_lowercase();
        let known = match (name.as_str(), values.as_slice(), texts.as_slice()) {
            ("always" | "success", [], _) => Some(Value::Bool(true)),
            ("contains", [Value::List(items), wanted], _) => contains(items, wanted),
            ("contains", [_, _], [text, part]) => text_contains(text, part).map(Value::Bool),
            ("startswith", [_, _], [text, part]) => part
                .known()
                .and_then(|p| edge(text, p, false))
                .map(Value::Bool),
            ("endswith", [_, _], [text, part]) => part
                .known()
                .and_then(|p| edge(text, p, true))
                .map(Value::Bool),
            ("format", [_, ..], [pattern, rest @ ..]) => format(pattern, rest).map(Value::Text),
            ("join", [list, ..], [_, rest @ ..]) => join(list, rest.first()).map(Value::Text),
            ("fromjson", [_], [text]) => text.known().and_then(|_| self.read_json(text)),
            ("tojson", [value], _) => to_json(value, 0).map(Value::Text),
            _ => None,
        };
        known.unwrap_or_else(|| self.unknown_expr(expr, HoleKind::Expression))
    }

    fn read_json(&self, text: &Text) -> Option<Value> {
        let document = self.embedded(text.as_str())?;
        document.root().map(|root| self.deep_value(root, 0))
    }

    /// What the JSON in a scalar says; what is no JSON, or not known, is the text itself.
    pub(super) fn json(&self, node: Node<'_>) -> Value {
        let text = self.text(node);
        match text.as_str().trim() {
            "" | "null" => Value::Null,
            json if json.starts_with('{') => {
                self.read_json(&text).unwrap_or(Value::Text(text.clone()))
            }
            _ => Value::Text(text),
        }
    }

    /// A document that stands in a value (JSON is YAML).
    pub(super) fn embedded(&self, text: &str) -> Option<Document> {
        let source = self
            .cx
            .sources
            .add(crate::source::RepoPath::root(), text.to_owned());
        Document::parse(&source).ok()
    }
}

/// Whether one character of a text is known, or there is none at all.
pub(super) fn says_something(text: &Text) -> bool {
    text.is_empty() || text.as_str().contains(|c| !is_hole(c))
}

fn is_input(expr: &Expr) -> bool {
    matches!(
        expr.path().as_deref(),
        Some(["inputs", _] | ["github", "event", "inputs", _])
    )
}

fn equal(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        (Value::Text(x), Value::Text(y)) => same_text(x, y),
        (Value::List(_), Value::List(_)) | (Value::Map(_), Value::Map(_)) => None,
        _ => Some(a.number()? == b.number()?),
    }
}

/// Whether two texts are the same, in any case. Holes are equal to themselves only, but two texts
/// whose known ends differ are surely not the same.
fn same_text(a: &Text, b: &Text) -> Option<bool> {
    if let (Some(x), Some(y)) = (a.known(), b.known()) {
        return Some(x.to_lowercase() == y.to_lowercase());
    }
    if a == b {
        return Some(true);
    }
    let (unknown, known) = match (a.known(), b.known()) {
        (None, Some(known)) => (a, known),
        (Some(known), None) => (b, known),
        _ => return None,
    };
    let text = unknown.as_str();
    let head = text.split(is_hole).next().unwrap_or("");
    let tail = text.rsplit(is_hole).next().unwrap_or("");
    let known = known.to_lowercase();
    let fits = known.starts_with(&head.to_lowercase()) && known.ends_with(&tail.to_lowercase());
    (!fits).then_some(false)
}

fn contains(items: &[Value], wanted: &Value) -> Option<Value> {
    let mut sure = true;
    for item in items {
        match equal(item, wanted) {
            Some(true) => return Some(Value::Bool(true)),
            Some(false) => {}
            None => sure = false,
        }
    }
    sure.then_some(Value::Bool(false))
}

fn text_contains(text: &Text, part: &Text) -> Option<bool> {
    let part = part.known()?.to_lowercase();
    let found = text.as_str().to_lowercase().contains(&part);
    (found || text.is_known()).then_some(found)
}

/// Whether a text begins (or ends) with `part`.
fn edge(text: &Text, part: &str, at_end: bool) -> Option<bool> {
    let (text, part) = (text.as_str().to_lowercase(), part.to_lowercase());
    let fits = |text: &str, part: &str| {
        if at_end {
            text.ends_with(part)
        } else {
            text.starts_with(part)
        }
    };
    if fits(&text, &part) {
        return Some(true);
    }
    let known = if at_end {
        text.rsplit(is_hole).next()
    } else {
        text.split(is_hole).next()
    };
    match known {
        Some(known) if known.len() < text.len() && fits(&part, known) => None,
        _ => Some(false),
    }
}

/// `format('{0}:{1}', a, b)`; doubled braces stand for one.
fn format(pattern: &Text, args: &[Text]) -> Option<Text> {
    let mut out = Text::default();
    let mut rest = pattern.known()?;
    while let Some(at) = rest.find(['{', '}']) {
        out.push(rest.get(..at)?);
        let tail = rest.get(at..)?;
        if tail.starts_with("{{") || tail.starts_with("}}") {
            out.push(tail.get(..1)?);
            rest = tail.get(2..)?;
        } else {
            let end = tail.find('}')?;
            let index: usize = tail.get(1..end)?.trim().parse().ok()?;
            out.push(args.get(index)?.as_str());
            rest = tail.get(end + 1..)?;
        }
        if out.as_str().len() > MAX_VALUE {
            return None;
        }
    }
    out.push(rest);
    Some(out)
}

fn join(list: &Value, separator: Option<&Text>) -> Option<Text> {
    let separator = separator.map_or(",", Text::as_str);
    match list {
        Value::List(items) => {
            let mut out = Text::default();
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(separator);
                }
                out.push(item.as_text().as_str());
                if out.as_str().len() > MAX_VALUE {
                    return None;
                }
            }
            Some(out)
        }
        Value::Text(text) if text.is_known() => Some(text.clone()),
        _ => None,
    }
}

fn to_json(value: &Value, depth: usize) -> Option<Text> {
    if depth > MAX_DEPTH {
        return None;
    }
    let quoted = |text: &str| {
        format!(
            "\"{}\"",
            text.replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n")
        )
    };
    Some(match value {
        Value::Null => "null".into(),
        Value::Bool(_) | Value::Number(_) => value.as_text(),
        Value::Text(text) if text.is_known() => Text::new(quoted(text.as_str())),
        Value::Text(_) => return None,
        Value::List(items) => {
            let items: Option<Vec<String>> = items
                .iter()
                .map(|item| to_json(item, depth + 1).map(|t| t.as_str().to_owned()))
                .collect();
            Text::new(format!("[{}]", items?.join(",")))
        }
        Value::Map(entries) => {
            let entries: Option<Vec<String>> = entries
                .iter()
                .map(|(key, item)| {
                    to_json(item, depth + 1).map(|t| format!("{}:{}", quoted(key), t.as_str()))
                })
                .collect();
            Text::new(format!("{{{}}}", entries?.join(",")))
        }
    })
}
