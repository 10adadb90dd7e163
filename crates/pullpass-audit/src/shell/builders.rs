//! Builders that are no copies of docker: their command lines in the words of `docker buildx build`, so that what
//! they build is read in one place.

use super::exec::Call;
use super::{Arg, Shell};
use crate::run::JobRun;
use crate::source::Span;
use crate::text::Text;

/// Flags of `depot build` that docker does not have and that take no value
/// (<https://depot.dev/docs/cli/reference/depot-build>).
const OF_DEPOT: [&str; 3] = ["--save", "--lint", "--no-load"];

/// Where kaniko looks for credentials, as its image has it.
const KANIKOS: &str = "DOCKER_CONFIG=/kaniko/.docker";

/// These have images of their own: they neither find docker's nor leave theirs there.
const OF_ITS_OWN: &str = "--builder=own";

/// What is built, in docker's words.
#[derive(Default)]
struct Build {
    flags: Vec<Arg>,
    context: Option<Arg>,
    file: Option<Arg>,
    /// The folder of the Dockerfile, where it is said apart from its name.
    folder: Option<Arg>,
}

impl Build {
    fn flag(&mut self, name: &str, value: Text, span: Span) {
        self.flags.push(Arg::new(Text::from(name), span));
        self.flags.push(Arg::new(value, span));
    }

    /// A Dockerfile that is not where the command runs is looked for in the context.
    fn find_file(&mut self, run: &JobRun<'_>) {
        let (Some(file), Some(context)) = (&mut self.file, &self.context) else {
            return;
        };
        let is_there = |path: &Text| {
            let path = run.resolve(path);
            path.is_some_and(|path| run.cx.sources.exists(&path))
        };
        let inside = Text::from([context.as_str(), "/", file.as_str()].concat());
        if !is_there(&file.text) && is_there(&inside) {
            file.text = inside;
        }
    }

    /// The words of the command.
    fn words(self, span: Span) -> Vec<Arg> {
        let word = |text: &str| Arg::new(Text::from(text), span);
        let mut words: Vec<Arg> = ["docker", "buildx", "build", OF_ITS_OWN].map(word).into();
        words.extend(self.flags);
        let file = match (self.folder, self.file) {
            (Some(folder), file) => {
                let name = file.map_or_else(|| Text::from("Dockerfile"), |file| file.text);
                let path = [folder.as_str(), "/", name.as_str()].concat();
                Some(Arg::new(Text::from(path), folder.span))
            }
            (None, file) => file,
        };
        words.extend(file.into_iter().flat_map(|file| [word("--file"), file]));
        words.push(self.context.unwrap_or_else(|| word(".")));
        words
    }
}

/// The flags of a command line with their values, `--name value` and `--name=value`, and other words with none.
fn flags(args: &[Arg]) -> impl Iterator<Item = (&str, Text, Span)> {
    let mut args = args.iter();
    std::iter::from_fn(move || {
        let arg = args.next()?;
        let text = arg.as_str();
        if !text.starts_with('-') {
            return Some(("", arg.text.clone(), arg.span));
        }
        if let Some((name, value)) = text.split_once('=') {
            return Some((name, Text::from(value), arg.span));
        }
        let value = args
            .clone()
            .next()
            .filter(|next| !next.as_str().starts_with('-'));
        if value.is_some() {
            args.next();
        }
        let value = value.map_or_else(Text::default, |value| value.text.clone());
        Some((text, value, arg.span))
    })
}

/// `buildctl build --frontend dockerfile.v0 --local context=. --local dockerfile=docker --opt filename=a.Dockerfile`
/// (<https://github.com/moby/buildkit#building-a-dockerfile-with-buildctl>).
fn of_buildctl(args: &[Arg]) -> Option<Build> {
    let mut build = Build::default();
    let mut is_dockerfile = false;
    for (name, value, span) in flags(args) {
        let (key, inner) = value
            .as_str()
            .split_once('=')
            .unwrap_or((value.as_str(), ""));
        let inner = || Arg::new(Text::from(inner), span);
        match (name, key) {
            ("--frontend", "dockerfile.v0" | "gateway.v0") => is_dockerfile = true,
            ("--local", "context") => build.context = Some(inner()),
            ("--local", "dockerfile") => build.folder = Some(inner()),
            ("--opt", "context") => build.context = Some(inner()),
            ("--opt", "filename") => build.file = Some(inner()),
            ("--opt", "target") => build.flag("--target", inner().text, span),
            // The image of the frontend.
            ("--opt", "source") => {
                let frontend = ["BUILDKIT_SYNTAX=", inner().as_str()].concat();
                build.flag("--build-arg", Text::from(frontend), span);
            }
            ("--opt", key) => {
                if let Some(name) = key.strip_prefix("build-arg:") {
                    let given = [name, "=", inner().as_str()].concat();
                    build.flag("--build-arg", Text::from(given), span);
                } else if let Some(name) = key.strip_prefix("context:") {
                    let given = [name, "=", inner().as_str()].concat();
                    build.flag("--build-context", Text::from(given), span);
                }
            }
            ("--output" | "-o", _) => build.flag("--output", value.clone(), span),
            _ => {}
        }
    }
    is_dockerfile.then_some(build)
}

/// `/kaniko/executor --context dir:///src --dockerfile docker/Dockerfile --destination me/app`
/// (<https://github.com/GoogleContainerTools/kaniko#additional-flags>).
fn of_kaniko(args: &[Arg]) -> Option<Build> {
    let mut build = Build::default();
    let mut builds = false;
    for (name, value, span) in flags(args) {
        match name {
            "--context" | "-c" => {
                let path = value.as_str();
                let path = path.strip_prefix("dir://").unwrap_or(path);
                build.context = Some(Arg::new(Text::from(path), span));
                builds = true;
            }
            "--dockerfile" | "-f" => {
                build.file = Some(Arg::new(value, span));
                builds = true;
            }
            "--destination" | "-d" => {
                build.flag("--tag", value, span);
                builds = true;
            }
            "--build-arg" | "--target" => build.flag(name, value, span),
            _ => {}
        }
    }
    builds.then_some(build)
}

impl Shell {
    /// Follows a builder's command as docker's.
    pub(super) fn builds(&mut self, run: &mut JobRun<'_>, name: &str, call: &Call<'_>) {
        let words = match name {
            "buildctl" | "buildctl-daemonless.sh" => {
                let args = call.rest().get(1..).unwrap_or_default();
                of_buildctl(args).map(|build| build.words(call.span))
            }
            "executor" | "kaniko" => of_kaniko(call.rest()).map(|mut build| {
                build.find_file(run);
                let before = ["env", KANIKOS].map(|word| Arg::new(Text::from(word), call.span));
                before.into_iter().chain(build.words(call.span)).collect()
            }),
            _ => {
                let word = |text: &str| Arg::new(Text::from(text), call.span);
                let mut words: Vec<Arg> = ["docker", "buildx"].map(word).into();
                let given = call.rest().iter();
                words.extend(
                    given
                        .filter(|arg| !OF_DEPOT.contains(&arg.as_str()))
                        .cloned(),
                );
                words.insert(3.min(words.len()), word(OF_ITS_OWN));
                Some(words)
            }
        };
        if let Some(words) = words {
            self.recall(run, &words, call.span);
        }
    }
}
