//! What a step with a well-known action does: a row of the table, applied to the step's inputs.

use std::borrow::Cow;
use std::rc::Rc;

use crate::bake::{self, Bake};
use crate::compose::{self, Compose, Verb};
use crate::dockerfile::{self, Build};
use crate::effect::{By, Declared, Effect, Freshness, Guard, Kind, Puller, Store};
use crate::run::{Cwd, JobRun};
use crate::shell;
use crate::source::{RepoPath, Span};
use crate::text::{HoleKind, Mapped, Text, is_hole};
use crate::yaml::Node;

use super::expression::pieces;
use super::ros;
use super::steps::{self, Steps};
use super::table::{self, Deed, How, Row};

/// The step that uses the action.
#[derive(Clone, Copy)]
pub(super) struct Use<'a> {
    /// The step.
    pub(super) step: Node<'a>,
    /// The value of `uses`.
    pub(super) span: Span,
    /// `owner/name`.
    pub(super) name: &'a str,
    /// What stands behind `@`.
    pub(super) version: &'a str,
}

/// Does what the table says.
pub(super) fn follow(run: &mut JobRun<'_>, steps: &mut Steps, row: &Row, used: &Use<'_>) {
    for deed in &row.does {
        one_deed(run, steps, row, used, deed);
    }
}

/// The same for a job of a workflow that is called. Nothing of the caller's signs in there, so what is pulled before the
/// workflow does it, or where it does not, is out of anybody's reach.
pub(super) fn follow_workflow(run: &mut JobRun<'_>, steps: &mut Steps, row: &Row, used: &Use<'_>) {
    for deed in &row.does {
        let mut effects = run.effects().iter();
        let signed_in = effects.any(|effect| matches!(effect.kind, Kind::Login { .. }));
        run.no_credential = (!signed_in).then_some(
            "the workflow that is called pulls it before it signs in, or without signing in",
        );
        one_deed(run, steps, row, used, deed);
    }
}

fn one_deed(run: &mut JobRun<'_>, steps: &mut Steps, row: &Row, used: &Use<'_>, deed: &Deed) {
    let inputs = Inputs { steps, used, row };
    let since = deed.since.as_ref();
    if since.is_some_and(|first| table::older(used.version, first)) || !mentioned(run, deed) {
        return;
    }
    let Some(guards) = inputs.conditions(run, deed.when.as_deref()) else {
        return;
    };
    // Actions run in the workspace, whatever the folder of scripts is.
    let root = steps.folder(&".".into());
    let before = std::mem::replace(&mut run.cwd, root);
    run.guarded_by(&guards, |run| perform(run, &inputs, deed));
    run.cwd = before;
}

/// Whether one of the files that the deed depends on says the word.
fn mentioned(run: &JobRun<'_>, deed: &Deed) -> bool {
    deed.mentions.as_ref().is_none_or(|word| {
        deed.files.iter().any(|file| {
            RepoPath::new(file)
                .and_then(|path| run.cx.sources.load(&path).ok())
                .is_some_and(|source| source.text.contains(word.as_str()))
        })
    })
}

fn perform(run: &mut JobRun<'_>, inputs: &Inputs<'_>, deed: &Deed) {
    let span = inputs.used.span;
    if let Some(pattern) = &deed.pull {
        let freshness = if deed.always {
            Freshness::Always
        } else {
            Freshness::Missing
        };
        for image in inputs.list(run, pattern) {
            let puller = Puller::Client(vec![inputs.store(run)]);
            run.emit(
                span,
                Kind::Pull {
                    image,
                    by: By::Action,
                    puller,
                    declared: Declared::None,
                    freshness,
                },
            );
        }
    }
    if let Some(pattern) = &deed.provide {
        let image = inputs.render(run, pattern);
        run.emit(span, Kind::Provide { image });
    }
    if let Some(pattern) = &deed.push {
        for image in inputs.list(run, pattern) {
            run.emit(span, Kind::Push { image });
        }
    }
    if let Some(login) = &deed.login {
        sign_in(run, inputs, login);
    }
    if let Some(builder) = &deed.builder {
        make_builder(run, inputs, builder);
    }
    if let Some(build) = &deed.build {
        build_dockerfile(run, inputs, build);
    }
    if let Some(bake) = &deed.bake {
        build_bake(run, inputs, bake);
    }
    if let Some(compose) = &deed.compose {
        bring_up(run, inputs, compose);
    }
    if let Some(script) = &deed.script {
        let folder = inputs.render(run, &script.workdir);
        if !folder.is_empty() {
            run.cwd = inputs.steps.folder(&folder);
        }
        let node = inputs.node(&script.input);
        if let Some(text) = node.and_then(|node| inputs.steps.script(run, node)) {
            match script.other_language {
                true => _ = shell::client_here(run, &text, text.whole()),
                false => shell::run_script(run, text),
            }
        }
    }
    if let Some(command) = &deed.command {
        if let Some(folder) = deed.workdir.as_ref().map(|w| inputs.render(run, w))
            && !folder.is_empty()
        {
            run.cwd = inputs.steps.folder(&folder);
        }
        let words = command.split(' ').filter(|word| inputs.gives(run, word));
        let words: Vec<Text> = words.map(|word| inputs.render(run, word)).collect();
        let words: Vec<&str> = words.iter().map(Text::as_str).collect();
        // Several lines of an input are the words of one command.
        let line = words.join(" ").replace(['\n', '\r'], " ");
        let before = run.effects().len();
        shell::run_script(run, Mapped::at(span, line));
        run.by_action(before);
    }
    if let Some(other) = &deed.uses {
        use_other(run, inputs, other);
    }
    if let Some(table::Output { name, value }) = &deed.output {
        let value = inputs.render(run, value);
        run.output(name, value, true);
    }
    if let Some(names) = &deed.names {
        give_names(run, inputs, names);
    }
    if let Some(folder) = &deed.docker_config {
        // Later steps see it as they see what a script writes to `GITHUB_ENV`.
        if !run.env.contains_key("DOCKER_CONFIG") {
            for variables in [&mut run.env, &mut run.exported] {
                variables.insert("DOCKER_CONFIG".to_owned(), Text::from(folder.as_str()));
            }
        }
    }
    if let Some(input) = &deed.ros {
        let given = inputs.node(input);
        let config = given.map(|node| inputs.steps.scope(run).json(node));
        if let Some(image) = ros::image(run, config.as_ref()) {
            run.docker_pull(span, image, By::Action, Freshness::Always);
        }
    }
    if let Some(why) = &deed.opaque {
        run.opaque(
            span,
            format!("uses: {}", inputs.used.name),
            why.as_str(),
            By::Action,
        );
    }
}

enum When {
    Always,
    Never,
    Depends(Guard),
}

struct Inputs<'a> {
    steps: &'a Steps,
    used: &'a Use<'a>,
    row: &'a Row,
}

impl<'a> Inputs<'a> {
    fn node(&self, name: &str) -> Option<Node<'a>> {
        let (given, name) = match name.strip_prefix("secrets.") {
            Some(secret) => ("secrets", secret),
            None => ("with", name),
        };
        let with = self.used.step.get(given)?;
        with.get(name).or_else(|| {
            with.entries()
                .into_iter()
                .find(|e| e.key.as_str().is_some_and(|k| k.eq_ignore_ascii_case(name)))
                .map(|e| e.value)
        })
    }

    fn get(&self, run: &JobRun<'_>, name: &str) -> Text {
        match name {
            "@ref" => return steps::of_version(run, self.used.version).into(),
            "@tag" => {
                let tag = steps::of_version(run, self.used.version);
                return tag.replace('/', "-").into();
            }
            // Whose registry it is, no file says.
            "@account" => return run.cx.holes.of("the account's ", HoleKind::Expression),
            "@path" => return self.used.name.rsplit('/').next().unwrap_or("").into(),
            _ => {}
        }
        if let Some(variable) = name.strip_prefix('$') {
            return run.env.get(variable).cloned().unwrap_or_default();
        }
        let passed = self.used.step.get("secrets").and_then(Node::as_str);
        if name.starts_with("secrets.") && passed == Some("inherit") {
            let written = format!("${{{{ {name} }}}}");
            return run.cx.holes.of(&written, HoleKind::Secret);
        }
        self.node(name)
            .map(|node| self.steps.scope(run).text(node))
            .unwrap_or_default()
    }

    /// Whether the inputs in a pattern are given, or it has a default for them.
    fn gives(&self, run: &JobRun<'_>, pattern: &str) -> bool {
        !pattern.contains('{') || pattern.contains('|') || {
            let name = pattern.split(['{', '}']).nth(1).unwrap_or_default();
            !self.get(run, name).as_str().trim().is_empty()
        }
    }

    /// A pattern of the table with the step's inputs put in.
    fn render(&self, run: &JobRun<'_>, pattern: &str) -> Text {
        let pattern = &*with_unknown(run, pattern);
        let mut out = Text::default();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('{') {
            out.push(before);
            let (slot, tail) = after.split_once('}').unwrap_or((after, ""));
            let (name, default) = slot.split_once('|').unwrap_or((slot, ""));
            let (name, is_line) = match name.strip_suffix('~') {
                Some(name) => (name, true),
                None => (name, false),
            };
            let mut value = self.get(run, name);
            if is_line {
                let text = value.as_str().trim();
                value = Text::from(text.trim_start_matches('v').trim_end_matches('x'));
            }
            if value.as_str().trim().is_empty() {
                out.push(default);
            } else {
                out.push(value.as_str());
            }
            rest = tail;
        }
        out.push(rest);
        out
    }

    /// Where the action's Docker client keeps credentials. The container of a Docker action has a
    /// home folder of its own: it does not see the job's logins, nor the job its.
    fn store(&self, run: &JobRun<'_>) -> Store {
        if self.row.kind == How::Docker {
            Store::Docker(Text::new(format!("the container of {}", self.used.name)))
        } else {
            run.docker_store()
        }
    }

    /// The rendered pattern's lines.
    fn lines(&self, run: &JobRun<'_>, pattern: &str) -> Vec<Text> {
        self.render(run, pattern)
            .as_str()
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(Text::from)
            .collect()
    }

    /// The same, parted by commas too.
    fn list(&self, run: &JobRun<'_>, pattern: &str) -> Vec<Text> {
        self.lines(run, pattern)
            .iter()
            .flat_map(|line| line.as_str().split(','))
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(Text::from)
            .collect()
    }

    fn flag(&self, run: &JobRun<'_>, pattern: &str) -> bool {
        self.render(run, pattern)
            .known()
            .is_some_and(|v| v.trim().eq_ignore_ascii_case("true"))
    }

    /// Whether a flag is set in some run.
    fn may_be(&self, run: &JobRun<'_>, pattern: &str) -> bool {
        let flag = self.render(run, pattern);
        flag.known()
            .map_or(!flag.is_empty(), |v| v.trim().eq_ignore_ascii_case("true"))
    }

    /// What else has to hold; `None` when the deed is not done.
    fn conditions(&self, run: &JobRun<'_>, when: Option<&str>) -> Option<Vec<Guard>> {
        let mut guards = Vec::new();
        for test in when.into_iter().flat_map(|when| when.split(" & ")) {
            match self.condition(run, test) {
                When::Always => {}
                When::Never => return None,
                When::Depends(guard) => guards.push(guard),
            }
        }
        Some(guards)
    }

    fn condition(&self, run: &JobRun<'_>, when: &str) -> When {
        let (wanted, test) = match when.strip_prefix('!') {
            Some(test) => (false, test),
            None => (true, when),
        };
        let (name, value) = match test.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (test, None),
        };
        let text = self.get(run, name);
        let text = Text::from(text.as_str().trim());
        let holds = match (text.known(), value) {
            (Some(known), Some(value)) => known.eq_ignore_ascii_case(value),
            (Some(known), None) => !matches!(known, "" | "false"),
            // Whatever else is unknown of it, a text with a known character in it is not empty.
            (None, None) if text.as_str().contains(|c| !is_hole(c)) => true,
            // Where a secret that is passed is missing, nothing could sign in anyway.
            (None, None)
                if !name.starts_with("secrets.")
                    && text
                        .holes(&run.cx.holes)
                        .all(|hole| hole.kind == HoleKind::Secret) =>
            {
                true
            }
            (None, _) => {
                let words = match value {
                    Some(value) => format!("{} == '{value}'", run.show(&text)),
                    None => run.show(&text),
                };
                let mut guard = Guard::when(words);
                if !wanted {
                    return When::Depends(guard.not());
                }
                // Where a secret that is passed is missing, nothing could sign in anyway.
                guard.with_secrets = value.is_none() && name.starts_with("secrets.");
                return When::Depends(guard);
            }
        };
        if holds == wanted {
            When::Always
        } else {
            When::Never
        }
    }
}

/// Gives the names of images away that a step is to build: `ghcr.io/me/app:${{ steps.meta.outputs.version }}`.
fn give_names(run: &mut JobRun<'_>, inputs: &Inputs<'_>, spec: &table::Names) {
    let id = inputs.used.step.get("id").and_then(Node::as_str);
    let Some(id) = id.filter(|_| run.wants_outputs()) else {
        return;
    };
    // `type=raw,value=latest` and nothing else is the tag as it is.
    let raw = |line: &Text| {
        let value = line.as_str().strip_prefix("type=raw,value=")?;
        let value = value.trim_matches('"');
        (!value.contains([',', '{'])).then(|| Text::from(value))
    };
    let tags = inputs.lines(run, &spec.tags);
    let tags: Option<Vec<Text>> = tags.iter().map(raw).collect();
    let is_plain = inputs.get(run, "flavor").is_empty();
    let tags = tags.filter(|tags| is_plain && !tags.is_empty());
    let version = format!("${{{{ steps.{id}.outputs.version }}}}");
    let tags = tags.unwrap_or_else(|| vec![run.cx.holes.of(&version, HoleKind::Expression)]);
    let mut names = Vec::new();
    for line in inputs.lines(run, &spec.images) {
        let mut fields = line.as_str().split(',');
        let is_left_out = fields.clone().any(|field| field.trim() == "enable=false");
        let Some(image) = fields.next().map(str::trim).filter(|_| !is_left_out) else {
            continue;
        };
        let image = image.strip_prefix("name=").unwrap_or(image).to_lowercase();
        names.extend(tags.iter().map(|tag| format!("{image}:{}", tag.as_str())));
    }
    if let [tag] = tags.as_slice() {
        run.output("version", tag.clone(), true);
    }
    if !names.is_empty() {
        run.output(&spec.output, Text::from(names.join("\n")), true);
    }
}

/// An action whose inputs say which other action it runs, and with what.
fn use_other(run: &mut JobRun<'_>, inputs: &Inputs<'_>, spec: &table::Uses) {
    let span = inputs.used.span;
    let uses = inputs.get(run, &spec.action);
    let Some(uses) = uses.known().map(str::trim) else {
        let why = "it runs another action, and which one is known only when the job runs";
        run.opaque(span, format!("uses: {}", inputs.used.name), why, By::Action);
        return;
    };
    let (name, version) = table::name_and_version(uses);
    let row = match table::look_up(name) {
        table::Known::Does(row) => row,
        table::Known::Quiet => return,
        table::Known::Unlisted => {
            let source = inputs.used.step.document().source();
            run.cx.note_unlisted(name, source, span.start);
            return;
        }
    };
    let mut step = String::from("with:\n");
    for line in inputs.get(run, &spec.with).as_str().lines() {
        step.push_str("  ");
        step.push_str(line);
        step.push('\n');
    }
    let Some(document) = inputs.steps.scope(run).embedded(&step) else {
        return;
    };
    let Some(root) = document.root() else {
        return;
    };
    let mut steps = inputs.steps.clone();
    let used = Use {
        step: root,
        span,
        name,
        version,
    };
    run.deeper(|run| follow(run, &mut steps, row, &used));
}

fn sign_in(run: &mut JobRun<'_>, inputs: &Inputs<'_>, login: &table::Login) {
    if let Some(list) = &login.list {
        let text = inputs.get(run, list);
        if !text.is_empty() {
            sign_in_many(run, inputs, &text);
            return;
        }
    }
    let registry = inputs.render(run, &login.registry);
    let username = inputs.render(run, &login.username);
    let password = inputs.render(run, &login.password);
    let hub = registry
        .known()
        .is_some_and(|r| crate::reference::canonical_registry(r) == crate::reference::DOCKER_HUB);
    let how: Rc<str> = inputs.used.name.into();
    let mut broken: Option<Rc<str>> = None;
    let mut by_oidc = false;
    if hub && password.is_empty() && !login.own {
        let connection = run.env.get("DOCKERHUB_OIDC_CONNECTIONID");
        match (&login.oidc, connection.is_some_and(|id| !id.is_empty())) {
            (Some(first), true) if !table::older(inputs.used.version, first) => by_oidc = true,
            (Some(first), true) => {
                let version = inputs.used.version;
                broken = Some(
                    format!("signing in without a password (OIDC) takes {how} v{first} or later, and this is {version}").into(),
                );
            }
            (_, false) | (None, true) => {
                broken = Some("no password is given, or it is empty here".into())
            }
        }
    }
    if hub && username.is_empty() && !login.own && broken.is_none() {
        broken = Some("no user name is given, or it is empty here".into());
    }
    let scoped = login
        .scope
        .as_ref()
        .is_some_and(|name| !inputs.get(run, name).is_empty());
    let store = if scoped {
        Store::Docker("buildx/config".into())
    } else if login.containers {
        Store::Containers
    } else {
        inputs.store(run)
    };
    let given = |text: Text| (!text.is_empty()).then_some(text);
    let names = names_of(run, [&username, &password]);
    run.emit_with_secrets(
        inputs.used.span,
        Kind::Login {
            registry,
            username: given(username),
            password: given(password),
            store,
            how: if by_oidc {
                format!("{how} (OIDC)").into()
            } else {
                how
            },
            broken,
        },
        |_, guard| asks_for_own(guard, &names),
    );
}

/// What a credential is written with: `vars.NAME`, `secrets.TOKEN`.
fn names_of(run: &JobRun<'_>, credential: [&Text; 2]) -> Vec<String> {
    let holes = credential
        .into_iter()
        .flat_map(|text| text.holes(&run.cx.holes));
    holes
        .filter_map(|hole| Some(pieces(&hole.written).first()?.inner.trim().to_owned()))
        .collect()
}

/// Whether a condition only asks if a part of the credential is there: `vars.NAME != ''`, `vars.NAME`. A run in which
/// it is not could not have signed in.
fn asks_for_own(guard: &Guard, names: &[String]) -> bool {
    let asked = match guard.holds {
        true => Some(&*guard.text),
        false => guard.text.strip_suffix(" == ''"),
    };
    asked.is_some_and(|asked| names.iter().any(|name| name == asked))
}

/// `registry-auth`: several registries in one step.
fn sign_in_many(run: &mut JobRun<'_>, inputs: &Inputs<'_>, text: &Text) {
    let trimmed = Text::from(text.as_str().trim());
    if trimmed.is_one_hole() {
        // All of it is a secret: which registries are in it, nobody knows.
        let store = run.docker_store();
        let kind = Kind::Login {
            registry: trimmed.clone(),
            username: None,
            password: Some(trimmed),
            store,
            how: inputs.used.name.into(),
            broken: None,
        };
        run.emit(inputs.used.span, kind);
        return;
    }
    let document = inputs.steps.scope(run).embedded(text.as_str());
    for item in document
        .as_ref()
        .and_then(|d| d.root())
        .map(Node::one_or_many)
        .unwrap_or_default()
    {
        let part = |name: &str| {
            item.get(name)
                .and_then(Node::as_str)
                .filter(|text| !text.is_empty())
                .map(Text::from)
        };
        let store = run.docker_store();
        run.emit(
            inputs.used.span,
            Kind::Login {
                registry: part("registry").unwrap_or_default(),
                username: part("username"),
                password: part("password"),
                store,
                how: inputs.used.name.into(),
                broken: part("password")
                    .is_none()
                    .then(|| "no password is given, or it is empty here".into()),
            },
        );
    }
}

fn make_builder(run: &mut JobRun<'_>, inputs: &Inputs<'_>, builder: &table::Builder) {
    let driver = inputs.render(run, &builder.driver);
    let driver = driver.known().unwrap_or("docker-container").trim();
    run.container_builder = driver != "docker";
    if driver != "docker-container" {
        return;
    }
    let image = inputs
        .list(run, &builder.options)
        .iter()
        .find_map(|option| option.as_str().strip_prefix("image=").map(Text::from))
        .unwrap_or_else(|| inputs.render(run, &builder.image));
    // A builder's first start asks for the image even when it is there.
    run.docker_pull(inputs.used.span, image, By::Action, Freshness::Always);
}

/// `NAME=value` lines; a line without `=` takes the value from the environment.
fn pairs(lines: &[Text]) -> Vec<(String, Option<Text>)> {
    lines
        .iter()
        .filter_map(|line| {
            let line = line.as_str().trim_matches('"');
            match line.split_once('=') {
                Some((name, value)) => Some((name.trim().to_owned(), Some(Text::from(value)))),
                None if line.contains(is_hole) => None,
                None => Some((line.to_owned(), None)),
            }
        })
        .collect()
}

fn build_dockerfile(run: &mut JobRun<'_>, inputs: &Inputs<'_>, spec: &table::Build) {
    let span = inputs.used.span;
    let context = inputs.render(run, &spec.context);
    // The default context of `docker/build-push-action` is this repository as git has it.
    let from_git = ["@git", "{{defaultContext}}"]
        .iter()
        .find_map(|name| context.as_str().strip_prefix(name))
        .map(|sub| {
            let sub = sub.trim_start_matches(':').trim_matches('/');
            Text::from(if sub.is_empty() { "." } else { sub })
        });
    if from_git.is_some() {
        run.cwd = Cwd::Inside(RepoPath::root());
    }
    let in_context = spec.file_in_context || from_git.is_some();
    let committed = from_git.is_some();
    let context = match from_git {
        Some(sub) => sub,
        None => local(run, inputs, &context),
    };
    let mut build = Build::of(span, context);
    build.committed = committed;
    let base = build.context.as_str().trim_end_matches('/').to_owned();
    let path_of = |file: &Text| {
        if in_context && base != "." {
            Text::new(format!("{base}/{}", file.as_str()))
        } else {
            local(run, inputs, file)
        }
    };
    // Several files are parts of one.
    let files = inputs.lines(run, &spec.file);
    // Some take the folder of a Dockerfile for it.
    let in_folder = |path: Text| {
        let is_folder = |path: &RepoPath| !run.cx.sources.tree().list(path).is_empty();
        match run.resolve(&path).filter(is_folder) {
            Some(_) => Text::new(format!("{}/Dockerfile", path.as_str())),
            None => path,
        }
    };
    let files: Vec<Text> = files.iter().map(path_of).map(in_folder).collect();
    let args = if spec.args_by_comma {
        inputs.list(run, &spec.args)
    } else {
        inputs.lines(run, &spec.args)
    };
    build.args = pairs(&args);
    let target = inputs.render(run, &spec.target);
    build.target = (!target.is_empty()).then_some(target);
    build.tags = inputs.list(run, &spec.tags);
    build.contexts = pairs(&inputs.lines(run, &spec.contexts))
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    build.pull = inputs.flag(run, &spec.pull);
    build.container_builder = run.container_builder && !spec.plain;
    build.load = !build.container_builder || inputs.flag(run, &spec.load);
    let outputs = inputs.lines(run, &spec.outputs);
    build.archive = outputs.iter().any(|o| dockerfile::is_archive(o.as_str()));
    let mut pushed = dockerfile::pushed_by_outputs(&outputs, &build.tags);
    if inputs.may_be(run, &spec.push) {
        pushed.extend(build.tags.iter().cloned());
    }
    pushed.extend(dockerfile::caches(&inputs.lines(run, &spec.caches_to)));
    for image in pushed {
        run.emit(span, Kind::Push { image });
    }
    let sbom = Some(inputs.render(run, &spec.sbom)).filter(|sbom| !sbom.is_empty());
    let attests = inputs.lines(run, &spec.attests);
    build.caches = dockerfile::caches(&inputs.lines(run, &spec.caches));
    build.scanner = dockerfile::scanner(sbom.as_ref(), attests.iter());
    let mut files = files.into_iter();
    build.dockerfile = files.next();
    in_its_container(run, inputs, |run| {
        dockerfile::build(run, &build);
        for file in files {
            build.dockerfile = Some(file);
            dockerfile::build(run, &build);
        }
    });
}

/// Does something with a client that has the credentials of a Docker action's container, and no others.
fn in_its_container(run: &mut JobRun<'_>, inputs: &Inputs<'_>, act: impl FnOnce(&mut JobRun<'_>)) {
    if inputs.row.kind != How::Docker {
        return act(run);
    }
    let own = inputs.store(run);
    let signs_in =
        |effect: &Effect| matches!(&effect.kind, Kind::Login { store, .. } if *store == own);
    let signed_in = run.effects().iter().any(signs_in);
    let outer = run.no_credential;
    if !signed_in {
        run.no_credential = Some("the client in the container of the action has no credential");
    }
    let name = "DOCKER_CONFIG";
    let before = run.env.get(name).cloned();
    if let Store::Docker(folder) = own {
        run.env.insert(name.to_owned(), folder);
    }
    act(run);
    match before {
        Some(folder) => {
            run.env.insert(name.to_owned(), folder);
        }
        None => {
            run.env.remove(name);
        }
    }
    run.no_credential = outer;
}

/// A path of the workspace as a path of the repository, where a checkout put it in a folder.
fn local(run: &JobRun<'_>, inputs: &Inputs<'_>, path: &Text) -> Text {
    // From above the repository a path leads into it as it is written.
    if !matches!(run.cwd, Cwd::Inside(_)) {
        return path.clone();
    }
    let Some(known) = path.known().filter(|p| !p.contains("://")) else {
        return path.clone();
    };
    match inputs.steps.in_repository(known) {
        Some(inside) if inside.is_root() => ".".into(),
        Some(inside) => inside.as_str().into(),
        None => path.clone(),
    }
}

fn build_bake(run: &mut JobRun<'_>, inputs: &Inputs<'_>, spec: &table::Bake) {
    let folder = inputs.render(run, &spec.workdir);
    if !folder.is_empty() {
        run.cwd = inputs.steps.folder(&folder);
    }
    let mut targets = inputs.list(run, &spec.targets);
    let source = inputs.render(run, &spec.source);
    match source.as_str().strip_prefix("{{defaultContext}}") {
        Some(sub) => {
            let sub = sub.trim_start_matches(':').trim_matches('/');
            run.cwd = inputs.steps.folder(&Text::from(sub));
        }
        // Another commit of this repository says about the same.
        None if bake::is_remote(source.as_str()) && !is_own(run, &source) => {
            targets.insert(0, source);
        }
        None => {}
    }
    let bake = Bake {
        span: inputs.used.span,
        files: inputs.list(run, &spec.files),
        targets,
        set: inputs.lines(run, &spec.set),
        pull: inputs.flag(run, &spec.pull),
        load: inputs.flag(run, &spec.load) || !run.container_builder,
        container_builder: run.container_builder,
        push: inputs.may_be(run, &spec.push),
        sbom: Some(inputs.render(run, &spec.sbom)).filter(|sbom| !sbom.is_empty()),
    };
    bake::bake(run, &bake);
}

/// Whether an address is put together out of the repository's own name.
fn is_own(run: &JobRun<'_>, address: &Text) -> bool {
    let mut holes = address.holes(&run.cx.holes);
    holes.any(|hole| hole.written.contains("github.repository"))
}

fn bring_up(run: &mut JobRun<'_>, inputs: &Inputs<'_>, spec: &table::Compose) {
    let folder = inputs.render(run, &spec.workdir);
    if !folder.is_empty() {
        run.cwd = inputs.steps.folder(&folder);
    }
    let flags = inputs.render(run, &spec.flags);
    let has = |flag: &str| flags.as_str().split_whitespace().any(|word| word == flag);
    let compose = Compose {
        span: inputs.used.span,
        files: inputs.list(run, &spec.files),
        project_directory: None,
        project_name: None,
        env_files: Vec::new(),
        profiles: Vec::new(),
        verb: Verb::Up,
        services: inputs
            .lines(run, &spec.services)
            .iter()
            .flat_map(|line| line.as_str().split_whitespace())
            .map(Text::from)
            .collect(),
        no_deps: has("--no-deps"),
        build: has("--build"),
        no_build: has("--no-build"),
        pull: flags.as_str().contains("--pull always") || flags.as_str().contains("--pull=always"),
        never_pull: flags.as_str().contains("--pull never"),
        args: Vec::new(),
    };
    compose::compose(run, &compose);
}

/// A pattern of the table with an unknown value for each `?`.
pub(super) fn with_unknown<'p>(run: &JobRun<'_>, pattern: &'p str) -> Cow<'p, str> {
    if !pattern.contains('?') {
        return Cow::Borrowed(pattern);
    }
    let unknown = run.cx.holes.of("?", HoleKind::Expression);
    Cow::Owned(pattern.replace('?', unknown.as_str()))
}
