//! What a row of the table can say beyond CircleCI's own language: that a command of an orb signs
//! in, pulls, or may pull something that only its parameters decide.
//!
//! ```yaml
//! - logs-in: {registry: docker.io, username: $USER, password: $PASSWORD}
//! - pulls: hadolint/hadolint:latest        # or a list
//! - builds: {file: ./Dockerfile, context: ., image: me/app, tags: "1,2", extra: --pull}
//! - may-pull: {what: "`kind` creates a cluster", why: "which image it takes is not known"}
//! - continues-with: .circleci/continue_config.yml
//! - continues-with-mapped:   # lines of path-filtering, or their file; what it goes on with where no line has a file
//!     {mapping: "src/.* build true .circleci/build.yml", otherwise: .circleci/continue_config.yml}
//! ```

use std::fmt::Write as _;
use std::rc::Rc;

use crate::effect::{By, Freshness, Kind};
use crate::run::JobRun;
use crate::shell::docker::registry_of_user;
use crate::source::{RepoPath, Span};
use crate::text::{Mapped, Text, is_hole};
use crate::yaml::Node;

use super::Lowering;
use super::parameters::{Value, variables};

/// Adds the effect of a step of the table; `false` when `name` is none.
pub(super) fn effect<'c, 'd>(
    lowering: &Lowering<'c, 'd>,
    run: &mut JobRun<'c>,
    name: &str,
    value: &Value<'d>,
) -> bool {
    let Some(pin) = value.frame.pin else {
        return false;
    };
    let label: Rc<str> = value.frame.label.clone().unwrap_or_else(|| "an orb".into());
    let step_before = std::mem::replace(&mut run.step, Rc::clone(&label));
    let text = |key: &str| value.get(key).map(|v| lowering.resolver.with_variables(&v));
    let known = match name {
        "logs-in" => {
            let username = text("username");
            let password = value.get("password").map(|password| {
                let password = lowering.resolver.text(&password);
                written_out(&password).unwrap_or_else(|| variables(lowering.cx, password))
            });
            let doubled = [&username, &password]
                .into_iter()
                .flatten()
                .any(dollar_twice);
            let broken = value.frame.misspelt.clone().or_else(|| {
                doubled
                    .then(|| "its parameters take the names of variables, without the `$`".into())
            });
            let registry = text("registry").unwrap_or_default();
            let registry = match &username {
                Some(user) if registry.is_one_hole() => registry_of_user(run, user, registry),
                _ => registry,
            };
            let kind = Kind::Login {
                registry,
                username,
                password,
                store: run.docker_store(),
                how: label,
                broken,
            };
            run.emit(pin, kind);
            true
        }
        "pulls" => {
            for image in value.node.one_or_many() {
                let image = lowering.resolver.with_variables(&value.at(image));
                // Several images may stand in one parameter, divided by commas.
                for image in image
                    .as_str()
                    .split([',', ' ', '\n'])
                    .filter(|i| !i.is_empty())
                {
                    let image = variables(lowering.cx, Text::new(image));
                    run.docker_pull(pin, image, By::Orb, Freshness::Always);
                }
            }
            true
        }
        "builds" => {
            let shown = |key: &str| {
                let value = value.get(key).map(|v| lowering.resolver.text(&v));
                value.unwrap_or_default().as_str().to_owned()
            };
            let image = shown("image");
            let mut script = String::from("docker build");
            for tag in shown("tags").split(',').map(str::trim) {
                if !image.is_empty() {
                    let _ = write!(script, " -t {image}:{tag}");
                }
            }
            let extra = shown("extra");
            // What orbs pass on to one command may be written over several lines.
            let extra = extra.replace(['\n', '\\'], " ");
            let _ = write!(script, " -f {} {extra} {}", shown("file"), shown("context"));
            let before = run.cwd.clone();
            crate::shell::run_script(run, Mapped::at(pin, script));
            run.cwd = before;
            true
        }
        "may-pull" => {
            let shown = |key: &str| text(key).map(|t| lowering.cx.holes.show(t.as_str()));
            let what = shown("what").unwrap_or_default();
            run.opaque(pin, what, shown("why").unwrap_or_default(), By::Orb);
            true
        }
        "continues-with" => {
            continues_with(lowering, run, pin, &lowering.resolver.text(value));
            true
        }
        "continues-with-mapped" => {
            continues_mapped(lowering, run, pin, value);
            true
        }
        _ => false,
    };
    run.step = step_before;
    known
}

/// The pipeline goes on with the files of the lines that match, merged to one, or with another file where no line that
/// matches has one.
/// <https://github.com/CircleCI-Public/path-filtering-orb/tree/main/src/scripts>
fn continues_mapped<'c, 'd>(
    lowering: &Lowering<'c, 'd>,
    run: &mut JobRun<'c>,
    pin: Span,
    value: &Value<'d>,
) {
    let text = |key: &str| {
        let value = value.get(key).map(|value| lowering.resolver.text(&value));
        value.unwrap_or_default()
    };
    let mut mapping = text("mapping").as_str().to_owned();
    let file = RepoPath::new(mapping.trim());
    let file = file.filter(|_| mapping.split_whitespace().nth(1).is_none());
    if let Some(file) = file.and_then(|path| lowering.cx.sources.load(&path).ok()) {
        mapping = file.text.to_string();
    }
    let mut files: Vec<Text> = Vec::new();
    let mut without_file = false;
    for line in mapping.lines().map(str::trim) {
        let columns: Vec<&str> = line.split_whitespace().collect();
        match columns.as_slice() {
            _ if line.starts_with('#') => {}
            [] => {}
            // The file is the last of two or four; else the line has none.
            [_, file] | [_, _, _, file] => files.push(Text::new(*file)),
            _ => without_file = true,
        }
    }
    let otherwise = text("otherwise");
    let is_there = |file: &Text| {
        let path = file.known().and_then(RepoPath::new);
        path.filter(|path| lowering.cx.sources.exists(path))
    };
    if files.is_empty() || without_file || is_there(&otherwise).is_some() {
        continues_with(lowering, run, pin, &otherwise);
    }
    let there: Vec<RepoPath> = files.iter().filter_map(is_there).collect();
    lowering.cx.note_merged(there);
    for file in files.iter().filter(|file| is_there(file).is_none()) {
        continues_with(lowering, run, pin, file);
    }
}

/// The pipeline goes on with a file: one of the repository, or one that is made there.
fn continues_with<'c>(lowering: &Lowering<'c, '_>, run: &mut JobRun<'c>, pin: Span, file: &Text) {
    let path = file.known().and_then(RepoPath::new);
    // It may be put together of files of the repository.
    if let Some(parts) = path.as_ref().and_then(|path| run.merged(path)) {
        lowering.cx.note_merged(parts);
        return;
    }
    let path = path.map(|path| run.original(&path));
    if let Some(path) = path.filter(|path| lowering.cx.sources.exists(path)) {
        lowering.cx.note_continuation(path);
        return;
    }
    let file = lowering.cx.holes.show(file.as_str());
    let what = format!("the pipeline that goes on with `{file}`");
    let why = "that file is not in this repository; audit what is generated there, too";
    run.opaque(pin, what, why, By::Orb);
}

/// The password that is given where the name of a variable belongs, if it is no such name: so it is written in the file.
fn written_out(password: &Text) -> Option<Text> {
    const TOKEN: &str = "dckr_pat_";
    let given = password.known()?.strip_prefix('$')?;
    let is_name = crate::shell::is_name(given) && !given.starts_with(TOKEN);
    (!is_name && !given.is_empty() && !given.contains(['$', '{'])).then(|| Text::new(given))
}

/// A variable's value where its name belongs.
fn dollar_twice(text: &Text) -> bool {
    text.as_str()
        .strip_prefix('$')
        .is_some_and(|rest| rest.starts_with(is_hole))
}

/// Why arguments do not reach an orb: CircleCI knows no such parameter, though this version has one
/// that is spelled with the other of `-` and `_`.
pub(super) fn misspelt(
    definition: Node<'_>,
    arguments: Option<&Value<'_>>,
    orb: &str,
) -> Option<Rc<str>> {
    let declared = definition.get("parameters")?;
    for entry in arguments?.node.entries() {
        let given = entry.key.as_str()?;
        if !given.contains(['-', '_']) || declared.get(given).is_some() {
            continue;
        }
        let right = [given.replace('-', "_"), given.replace('_', "-")]
            .into_iter()
            .find(|other| declared.get(other).is_some());
        if let Some(right) = right {
            let why = format!(
                "this version of the orb `{orb}` has no parameter `{given}`; it is spelled `{right}` here"
            );
            return Some(why.into());
        }
    }
    None
}
