//! Tools that build or pull on the machine where they are called, as files of the project say: AWS Copilot, GoReleaser, Fly.io's, Packer,
//! Terraform and Ansible where they are told of containers, and .NET's publishing of a project as an image.

use super::exec::Call;
use super::flags::{self, Order, Parsed, Spec};
use super::{Arg, Shell};
use crate::effect::{By, Freshness};
use crate::run::JobRun;
use crate::source::{RepoPath, Source, Span};
use crate::text::{HoleKind, Text, is_hole};
use crate::yaml::{Document, Node};

/// Files of one folder that are looked at.
const MAX_FILES: usize = 64;

/// Largest file that is looked at, in bytes.
const MAX_FILE: usize = 512 * 1024;

const VALUES_OF_COPILOT: &str = "-n --name -e --env -a --app --tag --resource-tags --output-dir --diff-yes -w --workload -t --type -d --dockerfile -i --image --port --schedule --retries --timeout --deploy-env --profile --region --aws-access-key-id --aws-secret-access-key --aws-session-token";
const VALUES_OF_FLY: &str = "-a --app -c --config -t --access-token --image --image-label --dockerfile --ignorefile --build-arg --build-secret --build-target -e --env -r --region --regions --exclude-regions --strategy --wait-timeout --release-command-timeout --lease-timeout --max-concurrent --max-unavailable --vm-size --vm-cpus --vm-memory --vm-cpu-kind --process-groups --only-machines --exclude-machines --label --buildpacks-docker-host --compression --compression-level --depot --volume-initial-size --signal --file-local --file-literal --file-secret --name --org -o --from --into";
const VALUES_OF_PACKER: &str =
    "-except -only -on-error -parallel-builds -var -var-file --except --only --var --var-file";
const VALUES_OF_TERRAFORM: &str = "-var -var-file -target -replace -state -state-out -out -backup -parallelism -lock-timeout -refresh -lock -input";
const VALUES_OF_ANSIBLE: &str = "-i --inventory --inventory-file -e --extra-vars -l --limit -t --tags --skip-tags -u --user -f --forks -c --connection -M --module-path --vault-id --vault-password-file --private-key --key-file -T --timeout --become-method --become-user --start-at-task";
const VALUES_OF_DOTNET: &str = "-c --configuration -f --framework -r --runtime -o --output -a --arch --os -v --verbosity --artifacts-path --version-suffix --manifest -t --target";

impl Shell {
    /// Tools that do what files of the project say.
    pub(super) fn deploys(&mut self, run: &mut JobRun<'_>, name: &str, call: &Call<'_>) {
        let values = match name {
            "kamal" | "mrsk" => return self.kamal(run, call),
            "copilot" => VALUES_OF_COPILOT,
            "goreleaser" => super::goreleaser::VALUES,
            "fly" | "flyctl" => VALUES_OF_FLY,
            "packer" => VALUES_OF_PACKER,
            "terraform" | "tofu" | "terragrunt" => VALUES_OF_TERRAFORM,
            "ansible-playbook" => VALUES_OF_ANSIBLE,
            "dotnet" => VALUES_OF_DOTNET,
            _ => return,
        };
        let parsed = flags::parse(run, call.rest(), &Spec::values(values), Order::Mixed);
        if parsed.has(&["--help", "-help"]) {
            return;
        }
        match name {
            "copilot" => self.copilot(run, &parsed, call.span),
            "goreleaser" => self.goreleaser(run, &parsed, call.span),
            "fly" | "flyctl" => self.fly(run, &parsed, call.span),
            "packer" => self.packer(run, &parsed, call.span),
            "ansible-playbook" => self.ansible(run, &parsed, call.span),
            "dotnet" => self.publish(run, call),
            _ => self.terraform(run, call),
        }
    }

    /// `docker build` of what a file of the project names.
    pub(super) fn build_as_told(&mut self, run: &mut JobRun<'_>, told: &Told, span: Span) {
        let whole = |shell: &Self, run: &JobRun<'_>, path: &RepoPath| match path.is_root() {
            true => shell.root(run).as_str().to_owned(),
            false => format!("{}/{path}", shell.root(run).as_str()),
        };
        let mut words = vec!["docker".to_owned(), "build".to_owned()];
        words.extend(["-f".to_owned(), whole(self, run, &told.dockerfile)]);
        if let Some(target) = &told.target {
            words.extend(["--target".to_owned(), target.clone()]);
        }
        for argument in &told.arguments {
            words.extend(["--build-arg".to_owned(), argument.clone()]);
        }
        words.push(whole(self, run, &told.context));
        let args = words
            .into_iter()
            .map(|word| Arg::new(Text::from(word), span));
        let args: Vec<Arg> = args.collect();
        self.recall(run, &args, span);
    }

    /// `copilot svc deploy --name web`: builds what `copilot/web/manifest.yml` says.
    /// <https://aws.github.io/copilot-cli/docs/manifest/lb-web-service/#image-build>
    fn copilot(&mut self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        let builds = match (parsed.word(0), parsed.word(1)) {
            ("deploy", _) | ("svc" | "service" | "job", "deploy") => true,
            // It builds and pushes what its templates are to name only where it is asked to.
            ("svc" | "service" | "job", "package") => parsed.has(&["--upload-assets"]),
            ("init", _) => parsed.has(&["--deploy"]),
            _ => false,
        };
        if !builds {
            return;
        }
        let Some(folder) = self.locate(run, &Text::from("copilot")) else {
            return;
        };
        let names = run.cx.sources.tree().list(&folder);
        let given = parsed.value(&["-n", "--name", "-w", "--workload"]);
        let is_asked_for = |name: &str| match given {
            Some(given) => given.text.is_one_hole() || crate::text::may_be(given.as_str(), name),
            None => true,
        };
        let mut told = Vec::new();
        for name in names.iter().take(MAX_FILES) {
            let Some(name) = name.strip_suffix('/').filter(|name| is_asked_for(name)) else {
                continue;
            };
            let Some(manifest) = folder.join(&format!("{name}/manifest.yml")) else {
                continue;
            };
            let Ok(source) = run.cx.sources.load(&manifest) else {
                continue;
            };
            if source.text.len() > MAX_FILE || !run.cx.spend_shell(source.text.len()) {
                continue;
            }
            if let Ok(document) = Document::parse(&source)
                && let Some(root) = document.root()
            {
                let images = of_manifest(root, &folder.parent());
                if !images.is_empty() {
                    told.push((manifest, images));
                }
            }
        }
        let is_known = given.is_some_and(|given| given.text.is_known());
        let all = parsed.word(0) == "deploy" && parsed.has(&["--all"]);
        if told.len() > 1 && !is_known && !all {
            let why = "which of the services it builds is known only when the job runs";
            let what = format!("copilot {}", parsed.word(0));
            run.opaque(span, run.show(&Text::from(what)), why, By::Run);
            return;
        }
        for (manifest, images) in told {
            run.traced(span, format!("builds as `{manifest}` says"), |run| {
                for image in images {
                    self.build_as_told(run, &image, span);
                }
            });
        }
    }

    /// `flyctl deploy --local-only`: builds on this machine what `fly.toml` says; without the flag another machine does.
    /// <https://fly.io/docs/reference/configuration/#the-build-section>
    fn fly(&mut self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        let builds = matches!(parsed.word(0), "deploy" | "launch");
        if !builds || !parsed.has(&["--local-only"]) || parsed.value(&["--image"]).is_some() {
            return;
        }
        let folder = parsed.rest.get(1).map_or_else(
            || run.cwd.inside().cloned(),
            |arg| self.locate(run, &arg.text),
        );
        let Some(folder) = folder else {
            return;
        };
        let config = match parsed.value(&["-c", "--config"]) {
            Some(given) => self.locate(run, &given.text),
            None => folder.join("fly.toml"),
        };
        let source = config
            .as_ref()
            .and_then(|path| run.cx.sources.load(path).ok());
        let entries = match &source {
            Some(source) => super::own_images::texts(run, source, "build."),
            None => Vec::new(),
        };
        let of = |key: &str| {
            let found = entries.iter().find(|(name, _)| name == key);
            found.map(|(_, value)| value.as_str())
        };
        let given = parsed.value(&["--dockerfile"]);
        if given.is_none()
            && let Some(image) = of("image")
        {
            // It is looked at, and goes to the machines that run it from its own registry.
            let image = Text::from(image);
            return run.docker_pull(span, image, By::Run, Freshness::Missing);
        }
        if given.is_none()
            && let Some(builder) = of("builder")
        {
            let hole = run.cx.holes.of("?", HoleKind::Expression);
            let words = ["pack", "build", hole.as_str(), "--builder", builder];
            let args = words.map(|word| Arg::new(Text::from(word), span));
            self.recall(run, &args, span);
            return;
        }
        let dockerfile = match (given, of("dockerfile"), &config) {
            (Some(given), _, _) => self.locate(run, &given.text),
            (None, Some(file), Some(config)) => config.parent().join(file),
            _ => folder.join("Dockerfile"),
        };
        let Some(dockerfile) = dockerfile else {
            return;
        };
        // Without one it may be a project that Fly's buildpacks know.
        if !run.cx.sources.exists(&dockerfile) && given.is_none() && of("dockerfile").is_none() {
            return;
        }
        let target = parsed.value(&["--build-target"]).map(|arg| arg.as_str());
        let mut arguments: Vec<String> = Vec::new();
        for (key, value) in &entries {
            if let Some(name) = key.strip_prefix("args.") {
                arguments.push(format!("{name}={value}"));
            }
        }
        for argument in parsed.all(&["--build-arg"]) {
            let name = argument.as_str().split('=').next().unwrap_or_default();
            let prefix = format!("{name}=");
            arguments.retain(|other| !other.starts_with(&prefix));
            arguments.push(argument.as_str().to_owned());
        }
        let told = Told {
            dockerfile,
            context: folder,
            target: target.or_else(|| of("build-target")).map(ToOwned::to_owned),
            arguments,
        };
        let by = config.filter(|_| source.is_some());
        let note = match by {
            Some(config) => format!("builds as `{config}` says"),
            None => format!("builds `{}`", told.dockerfile),
        };
        run.traced(span, note, |run| self.build_as_told(run, &told, span));
    }

    /// `packer build x.pkr.hcl`: pulls the images of its sources of the kind `docker`.
    /// <https://developer.hashicorp.com/packer/integrations/hashicorp/docker/latest/components/builder/docker>
    fn packer(&self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        if parsed.word(0) != "build" {
            return;
        }
        let Some(given) = parsed
            .rest
            .get(1)
            .and_then(|arg| self.locate(run, &arg.text))
        else {
            return;
        };
        let endings = [".pkr.hcl", ".pkr.json", ".json"];
        for source in files_of(run, &given, &endings) {
            if !source.path.as_str().ends_with(".hcl") {
                if source.text.contains("\"docker\"") && source.text.contains("\"builders\"") {
                    let why = "a builder of the kind `docker` pulls the image that the template names, which is not read";
                    run.opaque(span, "packer build", why, By::Run);
                }
                continue;
            }
            for block in blocks(&source.text, "source", &["docker"]) {
                let pulls = block.get("pull").is_none_or(|pull| pull.text != "false");
                match block.get("image") {
                    Some(image) if image.literal => {
                        let place = place(&source, image.at, image.text.len());
                        let freshness = match pulls {
                            true => Freshness::Always,
                            false => Freshness::Missing,
                        };
                        let note = format!("builds `{}`", source.path);
                        run.traced(span, note, |run| {
                            run.docker_pull(place, Text::from(image.text), By::Run, freshness);
                        });
                    }
                    // It builds a Dockerfile of its own.
                    _ => {
                        let why = "a source of the kind `docker` pulls an image that is known only when the template is read";
                        run.opaque(span, "packer build", why, By::Run);
                    }
                }
            }
        }
    }

    /// `terraform apply`: containers and images of the provider `docker`.
    /// <https://registry.terraform.io/providers/kreuzwerker/docker/latest/docs>
    fn terraform(&self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let spec = Spec::values(VALUES_OF_TERRAFORM);
        let mut folder = run.cwd.inside().cloned();
        let mut args = call.rest();
        while let Some((first, rest)) = args.split_first() {
            if !first.as_str().starts_with('-') {
                break;
            }
            if let Some(value) = first.as_str().strip_prefix("-chdir=") {
                folder = self.locate(run, &Text::from(value));
            }
            args = rest;
        }
        let parsed = flags::parse(run, args, &spec, Order::Mixed);
        if parsed.word(0) != "apply" {
            return;
        }
        let Some(folder) = folder else {
            return;
        };
        for source in files_of(run, &folder, &[".tf"]) {
            let kinds = ["docker_image", "docker_container", "docker_registry_image"];
            if let Some(block) = blocks(&source.text, "resource", &kinds).first() {
                let place = place(&source, block.at, "resource".len());
                let note = format!("applies `{}`", source.path);
                run.traced(call.span, note, |run| {
                    let why = "a resource of the provider `docker` pulls or builds an image on the engine that the provider names, which is not read";
                    run.opaque(place, "terraform apply", why, By::Run);
                });
                return;
            }
        }
    }

    /// `ansible-playbook site.yml` that has this machine for its host.
    fn ansible(&self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        const MODULES: [&str; 5] = [
            "docker_container:",
            "docker_image:",
            "docker_image_pull:",
            "docker_compose:",
            "docker_compose_v2:",
        ];
        let is_local = |text: &str| text.contains("localhost") || text.contains("127.0.0.1");
        let by_flag = parsed
            .value(&["-c", "--connection"])
            .is_some_and(|c| c.as_str() == "local")
            || parsed
                .all(&["-i", "--inventory", "--inventory-file"])
                .iter()
                .any(|inventory| is_local(inventory.as_str()));
        for playbook in &parsed.rest {
            let Some(path) = self.locate(run, &playbook.text) else {
                continue;
            };
            let Ok(source) = run.cx.sources.load(&path) else {
                continue;
            };
            let text: &str = &source.text;
            if !by_flag && !is_local(text) && !text.contains("connection: local") {
                continue;
            }
            let uncommented = |line: &&str| !line.trim_start().starts_with('#');
            let mut lines = text.lines().filter(uncommented);
            if lines.any(|line| MODULES.iter().any(|module| line.contains(module))) {
                let what = format!("the playbook `{path}`");
                let why = "a module of Ansible's pulls or builds an image, which is not read";
                run.opaque(span, what, why, By::Run);
            }
        }
    }

    /// `dotnet publish -t:PublishContainer`: the SDK itself pulls the image that it builds on, with Docker's credentials.
    /// <https://learn.microsoft.com/en-us/dotnet/core/containers/publish-configuration>
    fn publish(&self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let words = call.rest();
        let verb = words.first().map(Arg::as_str);
        if !matches!(verb, Some("publish" | "build" | "msbuild")) {
            return;
        }
        // `-p:Name=value`, `/p:Name=value`, `--property:Name=value`
        let property = |name: &str| {
            words.iter().rev().find_map(|arg| {
                let text = arg.as_str();
                let (flag, rest) = text.split_once([':', '='])?;
                if !matches!(flag, "-p" | "/p" | "--property" | "-property" | "/property") {
                    return None;
                }
                let (key, value) = rest.split_once('=')?;
                key.eq_ignore_ascii_case(name)
                    .then(|| (value.trim_matches('"').to_owned(), arg.span))
            })
        };
        let is_target = |arg: &Arg| {
            let (flag, value) = arg.as_str().split_once([':', '=']).unwrap_or_default();
            matches!(flag, "-t" | "/t" | "--target" | "-target" | "/target")
                && value
                    .split([';', ','])
                    .any(|target| target == "PublishContainer")
        };
        let follows = |pair: &[Arg]| matches!(pair, [flag, value] if matches!(flag.as_str(), "-t" | "--target") && value.as_str() == "PublishContainer");
        let by_profile =
            property("PublishProfile").is_some_and(|(value, _)| value == "DefaultContainer");
        if !words.iter().any(is_target) && !words.windows(2).any(follows) && !by_profile {
            return;
        }
        let (image, place) = match property("ContainerBaseImage") {
            Some((image, place)) => (Text::from(image), place),
            None => match self.base_of_project(run, call) {
                Some(found) => found,
                None => {
                    let mut image = Text::from("mcr.microsoft.com/dotnet/");
                    image.push(run.cx.holes.of("?", HoleKind::Expression).as_str());
                    (image, call.span)
                }
            },
        };
        if image.as_str().is_empty() || image.as_str().contains("$(") {
            let why = "the image that it builds on is known only when the project is built";
            run.opaque(place, "dotnet publish", why, By::Run);
            return;
        }
        run.traced(call.span, "publishes as an image", |run| {
            run.docker_pull(place, image, By::Run, Freshness::Always);
        });
    }

    /// What a project's own file says that it is built on.
    fn base_of_project(&self, run: &JobRun<'_>, call: &Call<'_>) -> Option<(Text, Span)> {
        let is_project = |path: &str| path.ends_with("proj");
        let given = call.rest().iter().skip(1).find_map(|arg| {
            let text = arg.as_str();
            if text.starts_with(['-', '/']) || text.contains(is_hole) {
                return None;
            }
            let path = self.locate(run, &arg.text)?;
            let is_here = is_project(text) && run.cx.sources.exists(&path)
                || !run.cx.sources.tree().list(&path).is_empty();
            is_here.then_some(path)
        });
        let path = given.or_else(|| run.cwd.inside().cloned())?;
        let folder = match is_project(path.as_str()) {
            true => path.parent(),
            false => path.clone(),
        };
        let mut files = files_of(run, &path, &[".csproj", ".fsproj", ".vbproj"]);
        for folder in [&folder, &RepoPath::root()] {
            let shared = folder.join("Directory.Build.props")?;
            files.extend(run.cx.sources.load(&shared).ok());
        }
        files.iter().find_map(|source| {
            let (opens, closes) = ("<ContainerBaseImage>", "</ContainerBaseImage>");
            let at = source.text.find(opens)? + opens.len();
            let length = source.text.get(at..)?.find(closes)?;
            let image = source.text.get(at..at + length)?;
            let image_at = at + (image.len() - image.trim_start().len());
            let image = image.trim();
            Some((Text::from(image), place(source, image_at, image.len())))
        })
    }
}

/// One build that a file of the project describes; paths from the root of the repository.
pub(super) struct Told {
    pub(super) dockerfile: RepoPath,
    pub(super) context: RepoPath,
    pub(super) target: Option<String>,
    pub(super) arguments: Vec<String>,
}

/// The builds of a manifest of Copilot's: of the service and of what stands beside it.
fn of_manifest(root: Node<'_>, workspace: &RepoPath) -> Vec<Told> {
    let sidecars = root.get("sidecars").map(Node::entries).unwrap_or_default();
    let images = sidecars
        .into_iter()
        .filter_map(|entry| entry.value.get("image"));
    let builds = root.get("image").into_iter().chain(images);
    let builds = builds.filter_map(|image| image.get("build"));
    builds
        .take(MAX_FILES)
        .filter_map(|build| {
            let text = |key: &str| build.get(key).and_then(Node::as_str);
            let file = build.as_str().or_else(|| text("dockerfile"));
            let context = text("context");
            let dockerfile = match (file, context) {
                (Some(file), _) => workspace.join(file)?,
                (None, Some(context)) => workspace.join(context)?.join("Dockerfile")?,
                (None, None) => workspace.join("Dockerfile")?,
            };
            let mut arguments = Vec::new();
            for entry in build.get("args").map(Node::entries).unwrap_or_default() {
                if let (Some(name), Some(value)) = (entry.key.as_str(), entry.value.as_str()) {
                    arguments.push(format!("{name}={value}"));
                }
            }
            Some(Told {
                context: match context {
                    Some(context) => workspace.join(context)?,
                    None => dockerfile.parent(),
                },
                dockerfile,
                target: text("target").map(ToOwned::to_owned),
                arguments,
            })
        })
        .collect()
}

/// The file of this path, or those in the folder of this path whose names end so.
fn files_of(run: &JobRun<'_>, path: &RepoPath, endings: &[&str]) -> Vec<std::rc::Rc<Source>> {
    let names = run.cx.sources.tree().list(path);
    let is_one = |name: &&String| endings.iter().any(|ending| name.ends_with(ending));
    let mut paths: Vec<RepoPath> = names
        .iter()
        .filter(is_one)
        .filter_map(|name| path.join(name))
        .collect();
    if names.is_empty() {
        paths.push(path.clone());
    }
    let sources = paths.iter().take(MAX_FILES);
    let sources = sources.filter_map(|path| run.cx.sources.load(path).ok());
    sources
        .filter(|source| source.text.len() <= MAX_FILE && run.cx.spend_shell(source.text.len()))
        .collect()
}

fn place(source: &Source, at: usize, length: usize) -> Span {
    let number = |at: usize| u32::try_from(at).unwrap_or_default();
    Span {
        file: source.id,
        start: number(at),
        end: number(at + length),
    }
}

/// An attribute of a block of HCL.
struct Attribute<'t> {
    name: &'t str,
    text: &'t str,
    at: usize,
    /// It is a text in quotes with nothing to fill in.
    literal: bool,
}

/// A block of HCL with the attributes that stand in it, one in a line.
struct Block<'t> {
    at: usize,
    attributes: Vec<Attribute<'t>>,
}

impl<'t> Block<'t> {
    fn get(&self, name: &str) -> Option<&Attribute<'t>> {
        self.attributes.iter().find(|a| a.name == name)
    }
}

/// The blocks of a kind whose first label is one of `labels`: `source "docker" "x" {`.
fn blocks<'t>(text: &'t str, kind: &str, labels: &[&str]) -> Vec<Block<'t>> {
    let mut out: Vec<Block<'t>> = Vec::new();
    let mut end = 0;
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let begin = end;
        end += line.len();
        let trimmed = line.trim();
        let at = begin + (line.len() - line.trim_start().len());
        if inside {
            inside = trimmed != "}" || line.starts_with([' ', '\t']);
            if let (true, Some(block)) = (inside, out.last_mut()) {
                block.attributes.extend(attribute(trimmed, at));
            }
            continue;
        }
        let label = trimmed.strip_prefix(kind).map(str::trim_start);
        let label = label.and_then(|rest| rest.strip_prefix('"'));
        let Some((label, rest)) = label.and_then(|rest| rest.split_once('"')) else {
            continue;
        };
        if labels.contains(&label) && out.len() < MAX_FILES {
            out.push(Block {
                at,
                attributes: Vec::new(),
            });
            inside = !rest.trim_end().ends_with('}');
        }
    }
    out
}

/// `image = "ubuntu:24.04"`
fn attribute(line: &str, at: usize) -> Option<Attribute<'_>> {
    let (name, value) = line.split_once('=')?;
    let written = value.trim();
    let inner = written
        .strip_prefix('"')
        .and_then(|rest| rest.split_once('"'))
        .map(|(inner, _)| inner);
    let value_at = at + name.len() + 1 + (value.len() - value.trim_start().len());
    Some(Attribute {
        name: name.trim(),
        text: inner.unwrap_or(written),
        at: value_at + usize::from(inner.is_some()),
        literal: inner.is_some_and(|text| !text.contains("${") && !text.is_empty()),
    })
}
