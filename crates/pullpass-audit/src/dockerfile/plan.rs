//! Which stages a target needs, and from which images they are made.
//!
//! The rules are BuildKit's (`frontend/dockerfile/dockerfile2llb`): a name is first that of a stage,
//! then that of a named context, then an image; a number is a stage; names of stages have no case;
//! `FROM` sees the `ARG`s before the first `FROM` and nothing else.

use std::collections::BTreeSet;
use std::rc::Rc;

use hashbrown::HashMap;

use super::expand::{Dialect, Value, expand};
use super::reader::{Dockerfile, Word};
use super::{Build, Place};
use crate::effect::Store;
use crate::reference::{Image, parse};
use crate::run::JobRun;
use crate::source::Span;
use crate::text::{Holes, Text, is_hole, may_be};

/// Arguments that BuildKit sets itself: they name a platform, never an image.
const PLATFORM: [&str; 8] = [
    "BUILDPLATFORM",
    "BUILDARCH",
    "BUILDOSVERSION",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETARCH",
    "TARGETOSVERSION",
    "TARGETVARIANT",
];

/// One image that is pulled.
pub(super) struct PlannedPull {
    pub(super) span: Span,
    pub(super) image: Text,
    /// How the image came to be this one.
    pub(super) story: Vec<(Span, Rc<str>)>,
    /// What must hold for it to be pulled.
    pub(super) guard: Option<String>,
    /// The image is a piece of a template language.
    pub(super) template: bool,
}

/// What a build needs.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) pulls: Vec<PlannedPull>,
    /// Why nothing, or not everything, could be planned.
    pub(super) unresolved: Vec<String>,
}

/// What a name in `FROM` or `--from` means.
enum Origin {
    Stage(usize),
    /// One of several stages; which one is known only when the build runs.
    OneOf(Vec<usize>),
    Context(Text),
    Image,
}

struct Planner<'a, 'c> {
    run: &'a JobRun<'c>,
    build: &'a Build,
    file: &'a Dockerfile,
    place: &'a Place<'a>,
    scope: Scope,
    names: HashMap<&'a str, usize>,
}

/// Values of the `ARG`s before the first `FROM`, and where each was given.
type Scope = HashMap<String, (Text, Option<(Span, Rc<str>)>)>;

/// What the build pulls, in the order in which it is written.
pub(super) fn plan(run: &JobRun<'_>, build: &Build, file: &Dockerfile, place: &Place<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut planner = Planner {
        run,
        build,
        file,
        place,
        scope: Scope::new(),
        names: HashMap::new(),
    };
    // A name given twice is refused by docker; the first counts here.
    for (index, stage) in file.stages.iter().enumerate() {
        if let Some(name) = &stage.name {
            planner.names.entry(name).or_insert(index);
        }
    }
    planner.read_args();
    planner.syntax(&mut plan);
    let Some(last) = file.stages.len().checked_sub(1) else {
        plan.unresolved.push("there is no `FROM` in it".to_owned());
        return plan;
    };
    let target = match &build.target {
        None => Some(last),
        Some(target) if target.is_empty() => Some(last),
        Some(target) => match target.known() {
            Some(name) => match planner.stage(name) {
                Some(index) => Some(index),
                None => {
                    plan.unresolved.push(format!("it has no stage `{name}`"));
                    return plan;
                }
            },
            None => None,
        },
    };
    match target {
        Some(target) => {
            for index in planner.needed(target) {
                planner.pulls_of(index, None, &mut plan);
            }
        }
        // One of several stages is the target: each pull is made in some of the runs.
        None => {
            let target = build.target.clone().unwrap_or_default();
            let shown = run.show(&target);
            let note: Rc<str> =
                format!("which stage `{shown}` means is known only when the build runs").into();
            for index in planner.candidates(&target) {
                let before = plan.pulls.len();
                planner.pulls_of(index, Some(format!("target {shown} needs it")), &mut plan);
                for pull in plan.pulls.iter_mut().skip(before) {
                    pull.story.push((build.span, Rc::clone(&note)));
                }
            }
        }
    }
    plan
}

/// The value of an argument that BuildKit sets itself.
fn platform(holes: &Holes, name: &str) -> Option<Text> {
    match name {
        // Builds for Windows are made on Windows, and their images come from elsewhere.
        "BUILDOS" | "TARGETOS" => Some(Text::new("linux")),
        _ => PLATFORM.contains(&name).then(|| holes.variable(name)),
    }
}

impl Planner<'_, '_> {
    fn dialect(&self) -> Dialect {
        Dialect::Dockerfile(self.file.escape)
    }

    fn span(&self, word: &Word) -> Span {
        self.place.span(word.start, word.end)
    }

    /// Finds out what the `ARG`s before the first `FROM` are.
    fn read_args(&mut self) {
        let holes = &self.run.cx.holes;
        let given = |name: &str| {
            self.build
                .args
                .iter()
                .rev()
                .find(|(given, _)| given == name)
        };
        let mut scope = Scope::new();
        for arg in &self.file.args {
            if !self.run.cx.spend() {
                break;
            }
            let name = &arg.name;
            let value = match (given(name), &arg.default) {
                (Some((_, Some(value))), _) => {
                    let note = format!("`--build-arg {name}` sets `ARG {name}`");
                    (value.clone(), Some((self.build.span, note.into())))
                }
                (Some((_, None)), _) => {
                    let note = format!("`--build-arg {name}` passes the variable of this name on");
                    (
                        self.run.variable(name),
                        Some((self.build.span, note.into())),
                    )
                }
                (None, Some(default)) => {
                    let value = expand(&default.raw, self.dialect(), holes, false, &mut |name| {
                        let known = scope.get(name).map(|(value, _)| value.clone());
                        known
                            .or_else(|| platform(holes, name))
                            .map_or(Value::Unset, Value::Set)
                    });
                    let note = ["`ARG ", name, "` has this default"].concat();
                    (value, Some((self.span(default), note.into())))
                }
                (None, None) => continue,
            };
            scope.insert(name.clone(), value);
        }
        self.scope = scope;
    }

    /// The image of a `FROM`, and how its variables came to their values.
    fn base(&self, word: &Word) -> (Text, Vec<(Span, Rc<str>)>) {
        let holes = &self.run.cx.holes;
        let mut story: Vec<(Span, Rc<str>)> = Vec::new();
        let mut lookup = |name: &str| match self.scope.get(name) {
            Some((value, origin)) => {
                if let Some(step) = origin
                    && !story.contains(step)
                    && story.len() < 8
                {
                    story.push(step.clone());
                }
                Value::Set(value.clone())
            }
            None => platform(holes, name).map_or(Value::Unset, Value::Set),
        };
        let text = expand(&word.raw, self.dialect(), holes, false, &mut lookup);
        // Without a value docker would refuse `FROM node:$V`, so the build gets one in a way that we
        // do not see; but `FROM node${SUFFIX}` is meant to work without.
        let broken = word.raw.contains('$')
            && matches!(parse(&text), Image::Invalid(_) | Image::Nothing)
            && text.as_str() != "scratch";
        if !broken {
            return (text, story);
        }
        let text = expand(&word.raw, self.dialect(), holes, true, &mut lookup);
        (text, story)
    }

    fn stage(&self, name: &str) -> Option<usize> {
        self.names
            .get(name.to_ascii_lowercase().as_str())
            .copied()
            .or_else(|| {
                name.parse()
                    .ok()
                    .filter(|&index: &usize| index < self.file.stages.len())
            })
    }

    fn context(&self, name: &str) -> Option<&Text> {
        if self.build.contexts.is_empty() {
            return None;
        }
        let wanted = parse(&Text::new(name));
        self.build
            .contexts
            .iter()
            .rev()
            .find(|(given, _)| {
                given.eq_ignore_ascii_case(name)
                    || matches!((&wanted, parse(&Text::new(given.as_str()))), (Image::Named(a), Image::Named(b)) if a.canonical_text() == b.canonical_text())
            })
            .map(|(_, value)| value)
    }

    /// What the `FROM` of stage `index` means.
    fn origin_of_base(&self, index: usize, name: &str) -> Origin {
        match self.names.get(name.to_ascii_lowercase().as_str()) {
            Some(&stage) if stage < index => Origin::Stage(stage),
            _ => match (self.context(name), self.possible(name, index)) {
                (Some(context), _) => Origin::Context(context.clone()),
                (None, stages) if !stages.is_empty() => Origin::OneOf(stages),
                (None, _) => Origin::Image,
            },
        }
    }

    /// The stages that a name with an unknown part may mean: `FROM base-$TARGETARCH`.
    fn possible(&self, name: &str, before: usize) -> Vec<usize> {
        if !name.contains(is_hole) {
            return Vec::new();
        }
        let name = name.to_ascii_lowercase();
        let fitting = self.names.iter();
        let mut stages: Vec<usize> = fitting
            .filter(|&(stage, &index)| index < before && may_be(&name, stage))
            .map(|(_, &index)| index)
            .collect();
        stages.sort_unstable();
        stages
    }

    /// What a `--from` means.
    fn origin_of_use(&self, name: &str) -> Origin {
        match self.stage(name) {
            Some(stage) => Origin::Stage(stage),
            None => self
                .context(name)
                .map_or(Origin::Image, |c| Origin::Context(c.clone())),
        }
    }

    /// A named context that stands in for the stage itself.
    fn replaced(&self, index: usize) -> Option<&Text> {
        let name = self.file.stages.get(index)?.name.as_ref()?;
        self.build
            .contexts
            .iter()
            .rev()
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// What stage `index` copies and mounts from: by itself, and by the triggers of the stage that
    /// it is built from.
    fn uses(&self, index: usize) -> Vec<&Word> {
        let Some(stage) = self.file.stages.get(index) else {
            return Vec::new();
        };
        let mut uses: Vec<&Word> = stage.uses.iter().collect();
        if !self.names.is_empty()
            && let Origin::Stage(parent) =
                self.origin_of_base(index, self.base(&stage.from).0.as_str())
            && let Some(parent) = self.file.stages.get(parent)
        {
            uses.extend(&parent.onbuild);
        }
        uses
    }

    /// The stages that `target` needs, itself among them.
    /// The stages that a target may need of which not all is known: those whose names it may be, and
    /// what they need; all, when it may be any.
    fn candidates(&self, target: &Text) -> BTreeSet<usize> {
        let named = self.names.iter();
        let named: Vec<usize> = named
            .filter(|(name, _)| may_be(&target.as_str().to_ascii_lowercase(), name))
            .map(|(_, &index)| index)
            .collect();
        if named.is_empty() {
            return (0..self.file.stages.len()).collect();
        }
        let needed = named.into_iter().flat_map(|index| self.needed(index));
        needed.collect()
    }

    fn needed(&self, target: usize) -> BTreeSet<usize> {
        if self.build.classic {
            return (0..=target.min(self.file.stages.len())).collect();
        }
        let mut needed = BTreeSet::new();
        let mut open = vec![target];
        while let Some(index) = open.pop() {
            if !self.run.cx.spend() || !needed.insert(index) || self.replaced(index).is_some() {
                continue;
            }
            let Some(stage) = self.file.stages.get(index) else {
                continue;
            };
            match self.origin_of_base(index, self.base(&stage.from).0.as_str()) {
                Origin::Stage(base) => open.push(base),
                Origin::OneOf(stages) => open.extend(stages),
                Origin::Context(_) | Origin::Image => {}
            }
            for word in self.uses(index) {
                if let Origin::Stage(used) = self.origin_of_use(&word.raw) {
                    open.push(used);
                }
            }
        }
        needed
    }

    fn syntax(&self, plan: &mut Plan) {
        // Only BuildKit has a frontend; podman reads the file itself.
        if self.build.classic || self.run.first_stores.contains(&Store::Containers) {
            return;
        }
        let given = self
            .build
            .args
            .iter()
            .rev()
            .find(|(name, _)| name == "BUILDKIT_SYNTAX");
        if let Some((_, Some(image))) = given {
            let story = vec![(
                self.build.span,
                "`BUILDKIT_SYNTAX` names the frontend that reads the Dockerfile".into(),
            )];
            plan.pulls.push(PlannedPull {
                span: self.build.span,
                image: image.clone(),
                story,
                guard: None,
                template: false,
            });
        } else if let Some(word) = &self.file.syntax {
            let span = self.span(word);
            let story = vec![(
                span,
                "`# syntax=` names the frontend image that reads this Dockerfile".into(),
            )];
            plan.pulls.push(PlannedPull {
                span,
                image: Text::new(word.raw.as_str()),
                story,
                guard: None,
                template: false,
            });
        }
    }

    /// Adds the pulls of one stage.
    fn pulls_of(&self, index: usize, guard: Option<String>, plan: &mut Plan) {
        let Some(stage) = self.file.stages.get(index) else {
            return;
        };
        if !self.run.cx.spend() {
            return;
        }
        if let Some(context) = self.replaced(index) {
            self.pull_of_context(context, self.span(&stage.from), Vec::new(), guard, plan);
            return;
        }
        if !stage.from.raw.is_empty() {
            let (image, story) = self.base(&stage.from);
            let origin = self.origin_of_base(index, image.as_str());
            self.pull(origin, &stage.from, image, story, guard.clone(), plan);
        }
        for word in self.uses(index) {
            let story = vec![(self.span(word), "`from` names an image, not a stage".into())];
            let origin = self.origin_of_use(&word.raw);
            self.pull(
                origin,
                word,
                Text::new(word.raw.as_str()),
                story,
                guard.clone(),
                plan,
            );
        }
    }

    fn pull(
        &self,
        origin: Origin,
        word: &Word,
        image: Text,
        story: Vec<(Span, Rc<str>)>,
        guard: Option<String>,
        plan: &mut Plan,
    ) {
        let span = self.span(word);
        match origin {
            Origin::Stage(_) | Origin::OneOf(_) => {}
            Origin::Context(context) => self.pull_of_context(&context, span, story, guard, plan),
            Origin::Image => {
                // A number that is no stage is refused by docker, never looked for in a registry.
                let number = image.as_str().parse::<usize>().is_ok();
                if number || parse(&image) == Image::Nothing {
                    return;
                }
                let marks = ["{{", "{%", "<%", "@@"];
                let may_be = memchr::memchr3(b'{', b'<', b'@', image.as_str().as_bytes());
                let template =
                    may_be.is_some() && marks.iter().any(|mark| image.as_str().contains(mark));
                plan.pulls.push(PlannedPull {
                    span,
                    image,
                    story,
                    guard,
                    template,
                });
            }
        }
    }

    fn pull_of_context(
        &self,
        context: &Text,
        span: Span,
        mut story: Vec<(Span, Rc<str>)>,
        guard: Option<String>,
        plan: &mut Plan,
    ) {
        // A folder, a Git repository, another target: none of them is an image to pull.
        let Some(image) = context.as_str().strip_prefix("docker-image://") else {
            return;
        };
        story.push((
            self.build.span,
            "a named context puts another image in its place".into(),
        ));
        plan.pulls.push(PlannedPull {
            span,
            image: Text::new(image),
            story,
            guard,
            template: false,
        });
    }
}
