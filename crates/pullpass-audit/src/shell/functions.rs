//! AWS Lambda functions that are packaged as images: `sam build` and `serverless deploy` build the Dockerfiles that their
//! templates name
//! (<https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-build.html>,
//! <https://www.serverless.com/framework/docs/providers/aws/guide/functions>).

use super::exec::Call;
use super::flags::{self, Order, Spec};
use super::{Arg, Shell};
use crate::effect::By;
use crate::run::JobRun;
use crate::source::{RepoPath, Span};
use crate::text::Text;
use crate::yaml::{Document, Node};

/// Functions of one template that are looked at.
const MAX_FUNCTIONS: usize = 256;

/// Flags that have their value in the next word.
const VALUES_OF_SAM: &str = "-t --template --template-file --profile --region --build-image -bi --config-env \
     --config-file --parameter-overrides -b --build-dir -s --base-dir --cache-dir -m --manifest --save-params";
const VALUES_OF_SERVERLESS: &str =
    "-s --stage -r --region -c --config -p --package --aws-profile --param --org --app";

/// One image that is built: the folder, the Dockerfile as seen from the template, the stage and build arguments.
struct Image<'d> {
    context: &'d str,
    file: Option<&'d str>,
    target: Option<&'d str>,
    arguments: Option<Node<'d>>,
}

impl Shell {
    /// What builds functions, `sam build` or `serverless deploy`: the images of their templates.
    pub(super) fn functions_of_aws(&mut self, run: &mut JobRun<'_>, name: &str, call: &Call<'_>) {
        let (values, verbs, names): (&str, &[&str], &[&str]) = match name {
            "sam" => (
                VALUES_OF_SAM,
                &["build"],
                &["template.yaml", "template.yml"],
            ),
            "serverless" | "sls" | "osls" => (
                VALUES_OF_SERVERLESS,
                &["deploy", "package"],
                &["serverless.yml", "serverless.yaml"],
            ),
            _ => return,
        };
        let parsed = flags::parse(run, call.rest(), &Spec::values(values), Order::Mixed);
        let verb = parsed.word(0);
        if !verbs.contains(&verb) || parsed.has(&["--help", "-h"]) {
            return;
        }
        // `serverless deploy function -f x`, `sls deploy list`
        if parsed.word(1) == "list" {
            return;
        }
        let given = parsed.value(&["-t", "--template", "--template-file", "-c", "--config"]);
        let path = match given {
            Some(given) => self.locate(run, &given.text),
            None => names
                .iter()
                .filter_map(|name| self.locate(run, &Text::from(*name)))
                .find(|path| run.cx.sources.exists(path)),
        };
        let Some(path) = path else {
            if given.is_some() && verb == "build" {
                let why = "the images of its functions stand in a template, and which one is known only when the job runs";
                run.opaque(call.span, format!("{name} {verb}"), why, By::Run);
            }
            return;
        };
        let Ok(source) = run.cx.sources.load(&path) else {
            return;
        };
        // A template that is filled in first is no YAML yet.
        let Ok(document) = Document::parse(&source) else {
            return;
        };
        let Some(root) = document.root() else {
            return;
        };
        let images = match name {
            "sam" => of_sam(root),
            _ => of_serverless(root),
        };
        let more = "more functions than are looked at";
        for image in run.cx.first(images, MAX_FUNCTIONS, more) {
            self.build_function(run, &path, &image, call.span);
        }
        if name != "sam" {
            self.python_in_docker(run, root, call.span);
        }
    }

    fn build_function(
        &mut self,
        run: &mut JobRun<'_>,
        template: &RepoPath,
        image: &Image<'_>,
        span: Span,
    ) {
        let root = self.root(run);
        let context = template.parent().join(image.context);
        let Some(context) = context.filter(|_| !image.context.contains("${")) else {
            return;
        };
        let whole = |path: &str| format!("{}/{path}", root.as_str());
        let mut words = vec!["docker".to_owned(), "build".to_owned()];
        if let Some(file) = image.file {
            let Some(file) = context.join(file) else {
                return;
            };
            words.extend(["-f".to_owned(), whole(file.as_str())]);
        }
        if let Some(target) = image.target {
            words.extend(["--target".to_owned(), target.to_owned()]);
        }
        for entry in image.arguments.map(Node::entries).unwrap_or_default() {
            if let (Some(name), Some(value)) = (entry.key.as_str(), entry.value.as_str()) {
                words.extend(["--build-arg".to_owned(), format!("{name}={value}")]);
            }
        }
        words.push(whole(context.as_str()));
        let args: Vec<Arg> = words
            .into_iter()
            .map(|word| Arg::new(Text::from(word), span))
            .collect();
        run.traced(span, format!("builds a function of `{template}`"), |run| {
            self.recall(run, &args, span);
        });
    }

    /// `dockerizePip` of the plugin `serverless-python-requirements`
    /// (<https://github.com/serverless/serverless-python-requirements>).
    fn python_in_docker(&mut self, run: &mut JobRun<'_>, root: Node<'_>, span: Span) {
        let options = root.get("custom").and_then(|c| c.get("pythonRequirements"));
        let Some(options) = options else {
            return;
        };
        if options.get("dockerizePip").and_then(Node::as_bool) != Some(true) {
            return;
        }
        match options.get("dockerImage").and_then(Node::as_str) {
            Some(image) if !image.contains("${") => {
                let words = ["docker", "run", "--rm", image];
                let args = words.map(|word| Arg::new(Text::from(word), span));
                self.recall(run, &args, span);
            }
            _ => run.opaque(
                span,
                "the image of `dockerizePip`",
                "the version of the plugin says which it is",
                By::Run,
            ),
        }
    }
}

/// Functions of a template of SAM that are images: of their own, or as `Globals` says.
fn of_sam(root: Node<'_>) -> Vec<Image<'_>> {
    let is_image = |node: Option<Node<'_>>| {
        node.and_then(|n| n.get("PackageType"))
            .and_then(Node::as_str)
            == Some("Image")
    };
    let globals = is_image(root.get("Globals").and_then(|g| g.get("Function")));
    let mut out: Vec<Image<'_>> = Vec::new();
    for resource in root.get("Resources").map(Node::entries).unwrap_or_default() {
        let properties = resource.value.get("Properties");
        let Some(metadata) = resource.value.get("Metadata") else {
            continue;
        };
        let text = |key: &str| metadata.get(key).and_then(Node::as_str);
        let Some(context) = text("DockerContext") else {
            continue;
        };
        if is_image(properties) || globals {
            let image = Image {
                context,
                file: text("Dockerfile"),
                target: text("DockerBuildTarget"),
                arguments: metadata.get("DockerBuildArgs"),
            };
            // Functions may share one.
            let same = |other: &Image<'_>| {
                (other.context, other.file, other.target)
                    == (image.context, image.file, image.target)
                    && other.arguments.is_none()
                    && image.arguments.is_none()
            };
            if !out.iter().any(same) {
                out.push(image);
            }
        }
    }
    out
}

/// `provider.ecr.images` of the Serverless Framework.
fn of_serverless(root: Node<'_>) -> Vec<Image<'_>> {
    let ecr = root.get("provider").and_then(|p| p.get("ecr"));
    let images = ecr.and_then(|ecr| ecr.get("images"));
    let mut out = Vec::new();
    for entry in images.map(Node::entries).unwrap_or_default() {
        let text = |key: &str| entry.value.get(key).and_then(Node::as_str);
        // One that is a text, or has a `uri`, is there already.
        if let Some(context) = text("path").or_else(|| text("file").map(|_| ".")) {
            out.push(Image {
                context,
                file: text("file"),
                target: None,
                arguments: entry.value.get("buildArgs"),
            });
        }
    }
    out
}
