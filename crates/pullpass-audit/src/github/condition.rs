//! When a job or step runs: `if:` to guards, because a login under a condition helps only the
//! pulls that stand under the same one.
//!
//! What can be decided before the build is decided; what is left of the condition is spelled in one
//! way and split at `&&`, so that two conditions compare equal when they are equal.

use crate::effect::Guard;
use crate::text::Text;

use super::evaluate::{Scope, Starter, Value};
use super::expression::{Expr, Op, pieces, read};

/// What an `if:` comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    /// It holds in every run that gets this far.
    Always,
    /// It holds in none.
    Never,
    /// It holds when all of these do.
    When(Vec<Guard>),
}

/// Whether a condition asks for nothing but what started the run: whose repository it is, and whether a secret is there, is
/// only taken for granted.
fn is_about_the_event(expr: &Expr) -> bool {
    let text = expr.spelled().to_ascii_lowercase();
    let others = [
        "env.",
        "secrets.",
        "inputs.",
        "needs.",
        "steps.",
        "matrix.",
        "vars.",
        "runner.",
        "github.actor",
        "github.triggering_actor",
        "github.repository",
        "github.event.repository",
        ".login",
    ];
    !others.iter().any(|other| text.contains(other))
}

/// Runs of a workflow.
enum Runs {
    All,
    None,
    /// All that get the secrets.
    WithSecrets,
}

impl Condition {
    fn of(truth: bool) -> Self {
        if truth { Self::Always } else { Self::Never }
    }
}

impl Scope<'_> {
    /// What the text of an `if:` comes to.
    pub(super) fn condition(&self, written: &str) -> Condition {
        let text = written.trim();
        let inner = match pieces(text).as_slice() {
            [] => text,
            [only] if only.start == 0 && only.end == text.len() => only.inner,
            // `${{ a }} && b` is a text for GitHub, and a text that is not empty is true.
            _ => return Condition::Always,
        };
        if inner.is_empty() {
            return Condition::Always;
        }
        let scope = Scope {
            deciding: true,
            ..*self
        };
        match &*read(inner) {
            Some(expr) => scope.conjuncts(expr),
            None => Condition::When(vec![Guard::when(inner)]),
        }
    }

    /// The same, with a word on each part of `a && b`: whether it holds wherever there are secrets.
    fn conjuncts(&self, expr: &Expr) -> Condition {
        if let Expr::Binary(Op::And, left, right) = expr {
            return both(self.conjuncts(left), self.conjuncts(right));
        }
        let mut guards = match self.reduce(expr) {
            Condition::When(guards) => guards,
            decided => return decided,
        };
        match self.runs(expr) {
            Some(Runs::All) => Condition::Always,
            Some(Runs::None) => Condition::Never,
            Some(Runs::WithSecrets) => {
                for guard in &mut guards {
                    guard.with_secrets = true;
                }
                Condition::When(guards)
            }
            None => Condition::When(guards),
        }
    }

    /// In which runs a condition holds, by what starts them.
    fn runs(&self, expr: &Expr) -> Option<Runs> {
        if self.starter != Starter::Anyone {
            return None;
        }
        let holds = |starter: Starter| {
            let scope = Scope { starter, ..*self };
            scope.eval(expr).truth()
        };
        let events = &self.frame.events;
        if events.is_empty() {
            let unknown = [Starter::Insider, Starter::Event(usize::MAX)];
            let all = unknown
                .into_iter()
                .all(|starter| holds(starter) == Some(true));
            return all.then_some(Runs::WithSecrets);
        }
        let (mut all, mut none, mut with_secrets) = (true, true, true);
        for (at, event) in events.iter().enumerate() {
            // One of these has its secrets whoever starts it, and the others where no stranger does.
            let starters = match event.name.as_str() {
                "pull_request_target" => &[Starter::Target][..],
                _ if event.is_of_pull_request() => &[Starter::Insider, Starter::Fork],
                _ => &[Starter::Event(at)],
            };
            for starter in starters {
                let holds = holds(*starter);
                all &= holds == Some(true);
                none &= holds == Some(false);
                with_secrets &= holds == Some(true) || *starter == Starter::Fork;
                if !none && !with_secrets {
                    return None;
                }
            }
        }
        match is_about_the_event(expr) {
            true if all => Some(Runs::All),
            true if none => Some(Runs::None),
            _ => with_secrets.then_some(Runs::WithSecrets),
        }
    }

    fn reduce(&self, expr: &Expr) -> Condition {
        match expr {
            Expr::Binary(Op::And, left, right) => both(self.reduce(left), self.reduce(right)),
            Expr::Binary(Op::Or, left, right) => match (self.reduce(left), self.reduce(right)) {
                (Condition::Always, _) | (_, Condition::Always) => Condition::Always,
                (Condition::Never, other) | (other, Condition::Never) => other,
                (Condition::When(a), Condition::When(b)) => either(a, &b),
            },
            Expr::Not(of) => match &**of {
                // What runs "unless something failed" runs whenever it matters to a pull.
                Expr::Call(name, args)
                    if args.is_empty()
                        && ["failure", "cancelled"]
                            .iter()
                            .any(|n| name.eq_ignore_ascii_case(n)) =>
                {
                    Condition::Always
                }
                of => not(self.reduce(of)),
            },
            Expr::Binary(op @ (Op::Eq | Op::Ne), left, right) => {
                if let Some(truth) = self.eval(expr).truth() {
                    return Condition::of(truth);
                }
                // `'push' == x` is `x == 'push'`, and `x != y` is its opposite.
                let (a, b) = if matches!(**left, Expr::Str(_)) {
                    (right, left)
                } else {
                    (left, right)
                };
                if let Some(condition) = self.truth_in_words(a, b) {
                    return match op {
                        Op::Eq => condition,
                        _ => not(condition),
                    };
                }
                let text = [&*self.side(a), " == ", &*self.side(b)].concat();
                let guard = Guard::when(text);
                Condition::When(vec![if *op == Op::Eq { guard } else { guard.not() }])
            }
            _ => match self.eval(expr).truth() {
                Some(truth) => Condition::of(truth),
                None => Condition::When(vec![Guard::when(self.side(expr))]),
            },
        }
    }

    /// `inputs.push == 'true'` where `push: ${{ a == 'b' }}` was passed: the text of a truth, so that `a == 'b'` is asked.
    fn truth_in_words(&self, given: &Expr, literal: &Expr) -> Option<Condition> {
        let wanted = match literal {
            Expr::Str(text) if text.eq_ignore_ascii_case("true") => true,
            Expr::Str(text) if text.eq_ignore_ascii_case("false") => false,
            _ => return None,
        };
        let path = given.path()?;
        let first = path.first()?;
        if !["inputs", "env"]
            .iter()
            .any(|context| first.eq_ignore_ascii_case(context))
        {
            return None;
        }
        let Value::Text(text) = self.eval(given) else {
            return None;
        };
        let text = Some(text).filter(Text::is_one_hole)?;
        let hole = self.cx.holes.get(text.as_str().chars().next()?)?;
        let pieces = pieces(&hole.written);
        let [only] = pieces.as_slice() else {
            return None;
        };
        let read = read(only.inner);
        let asked = (*read).as_ref().filter(|expr| is_truth(expr))?;
        // What these mean where the value was passed is not what they mean here.
        let words = only.inner.to_ascii_lowercase();
        let elsewhere = ["inputs.", "env.", "steps.", "needs.", "matrix."];
        let condition = match elsewhere.iter().any(|context| words.contains(context)) {
            true => Condition::When(vec![Guard::when(asked.spelled())]),
            false => self.reduce(asked),
        };
        Some(if wanted { condition } else { not(condition) })
    }

    /// One side of a condition in words: an input in the words of whoever passed it, so that two
    /// uses of one composite action are two conditions.
    fn side(&self, expr: &Expr) -> String {
        match self.eval(expr) {
            Value::Text(text) if text.is_one_hole() => {
                let words = self.cx.holes.show(text.as_str());
                words
                    .strip_prefix("${{")
                    .and_then(|w| w.strip_suffix("}}"))
                    .map_or_else(|| expr.spelled(), |w| w.trim().to_owned())
            }
            _ => expr.spelled(),
        }
    }

    /// The values that a text can have, each with its conditions: `${{ x && 'a' || 'b' }}` is `a`
    /// when `x` holds and `b` when not. One value without conditions for everything else.
    pub(super) fn choices(&self, written: &str) -> Vec<(Vec<Guard>, Value)> {
        let value = self.template(written);
        let open = match &value {
            Value::Text(text) => text.is_one_hole(),
            _ => false,
        };
        let trimmed = written.trim();
        if open
            && let [only] = pieces(trimmed).as_slice()
            && let Some(expr) = &*read(only.inner)
            && let Some((cases, otherwise)) = self.cases(expr)
        {
            let scope = Scope {
                deciding: true,
                ..*self
            };
            let mut out = Vec::new();
            // What did not hold before.
            let mut so_far = Vec::new();
            for (condition, then) in cases {
                let mut here = so_far.clone();
                match scope.reduce(condition) {
                    Condition::Always => {
                        out.push((here, self.eval(then)));
                        return out;
                    }
                    Condition::Never => {}
                    Condition::When(guards) => {
                        so_far.push(match guards.as_slice() {
                            [only] => only.not(),
                            _ => Guard::when(words(&guards, Op::And)).not(),
                        });
                        here.extend(guards);
                        out.push((here, self.eval(then)));
                    }
                }
            }
            out.push((so_far, self.eval(otherwise)));
            return out;
        }
        vec![(Vec::new(), value)]
    }

    /// An expression that chooses: its conditions with their values, and the value where none holds.
    fn cases<'e>(&self, expr: &'e Expr) -> Option<(Vec<(&'e Expr, &'e Expr)>, &'e Expr)> {
        match expr {
            Expr::Binary(Op::Or, left, otherwise) => match &**left {
                Expr::Binary(Op::And, condition, then) if self.eval(then).truth() == Some(true) => {
                    Some((vec![(&**condition, &**then)], &**otherwise))
                }
                _ => None,
            },
            Expr::Call(name, args) if name.eq_ignore_ascii_case("case") && args.len() % 2 == 1 => {
                let (otherwise, pairs) = args.split_last()?;
                let pairs = pairs.chunks_exact(2);
                let cases = pairs.filter_map(|pair| Some((pair.first()?, pair.get(1)?)));
                Some((cases.collect(), otherwise))
            }
            _ => None,
        }
    }

    /// Whether a credential's text is empty in some runs: one of its unknowns ends in a branch that
    /// is (`x && secrets.y || ''`, `x && secrets.y`).
    pub(super) fn sometimes_empty(&self, text: &Text) -> bool {
        text.holes(&self.cx.holes).any(|hole| {
            pieces(&hole.written).first().is_some_and(|piece| {
                read(piece.inner)
                    .as_ref()
                    .as_ref()
                    .is_some_and(may_be_empty)
            })
        })
    }
}

/// Whether an expression is true or false whatever it is made of.
fn is_truth(expr: &Expr) -> bool {
    match expr {
        Expr::Not(_) => true,
        Expr::Binary(Op::And | Op::Or, left, right) => is_truth(left) && is_truth(right),
        Expr::Binary(..) => true,
        Expr::Call(name, _) => ["contains", "startswith", "endswith"]
            .iter()
            .any(|of_texts| name.eq_ignore_ascii_case(of_texts)),
        _ => false,
    }
}

fn not(condition: Condition) -> Condition {
    match condition {
        Condition::Always => Condition::Never,
        Condition::Never => Condition::Always,
        Condition::When(all) => Condition::When(vec![match all.as_slice() {
            [only] => only.not(),
            _ => Guard::when(words(&all, Op::And)).not(),
        }]),
    }
}

fn may_be_empty(expr: &Expr) -> bool {
    match expr {
        Expr::Null | Expr::Bool(false) => true,
        Expr::Str(text) => text.is_empty(),
        Expr::Binary(Op::And, _, _) => true,
        Expr::Binary(Op::Or, _, right) => may_be_empty(right),
        _ => false,
    }
}

fn both(a: Condition, b: Condition) -> Condition {
    match (a, b) {
        (Condition::Never, _) | (_, Condition::Never) => Condition::Never,
        (Condition::Always, other) | (other, Condition::Always) => other,
        (Condition::When(mut all), Condition::When(more)) => {
            for guard in more {
                if all.contains(&guard.not()) {
                    return Condition::Never;
                }
                if !all.contains(&guard) {
                    all.push(guard);
                }
            }
            Condition::When(all)
        }
    }
}

fn either(a: Vec<Guard>, b: &[Guard]) -> Condition {
    if a == b {
        return Condition::When(a);
    }
    if let ([one], [other]) = (a.as_slice(), b)
        && *one == other.not()
    {
        return Condition::Always;
    }
    let text = [words(&a, Op::And), words(b, Op::And)].join(" || ");
    Condition::When(vec![Guard::when(text)])
}

fn words(guards: &[Guard], op: Op) -> String {
    let joint = if op == Op::And { " && " } else { " || " };
    guards
        .iter()
        .map(|guard| {
            let simple = guard
                .text
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
            let is_weaker = op == Op::And && guards.len() > 1 && guard.text.contains("||");
            match (guard.holds, simple) {
                (true, _) if is_weaker => format!("({})", guard.text),
                (true, _) => guard.text.to_string(),
                (false, true) => format!("!{}", guard.text),
                (false, false) => format!("!({})", guard.text),
            }
        })
        .collect::<Vec<_>>()
        .join(joint)
}
