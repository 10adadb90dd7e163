//! Litmus, which tests modules of Puppet on machines that `provision.yaml` lists, mostly containers
//! (<https://puppetlabs.github.io/litmus/Litmus-core-commands.html>).

use super::Shell;
use super::flags::Parsed;
use crate::effect::{By, Freshness};
use crate::run::JobRun;
use crate::source::Span;
use crate::text::{Text, is_hole};
use crate::yaml::Node;

/// Tasks that provision what a key of the file lists.
const OF_LISTS: [&str; 2] = ["litmus:provision_list", "litmus:provision_install"];

/// Provisioners that start containers.
const OF_DOCKER: [&str; 2] = ["docker", "docker_exp"];

/// Images of one list that are looked at.
const MAX_IMAGES: usize = 256;
const MORE: &str = "more images of `provision.yaml` than are looked at";

impl Shell {
    /// `rake 'litmus:provision_list[default]'`, `rake 'litmus:provision[docker, litmusimage/debian:12]'`
    pub(super) fn litmus(&self, run: &mut JobRun<'_>, parsed: &Parsed, span: Span) {
        for word in &parsed.rest {
            let (task, given) = word.as_str().split_once('[').unwrap_or((word.as_str(), ""));
            let mut given = given.trim_end_matches(']').split(',').map(str::trim);
            let first = given.next().unwrap_or_default();
            if OF_LISTS.contains(&task) {
                self.provision_list(run, first, span);
            } else if task == "litmus:provision"
                && OF_DOCKER.contains(&first)
                && let Some(image) = given.next().filter(|image| !image.is_empty())
            {
                run.docker_pull(word.span, Text::from(image), By::Run, Freshness::Missing);
            }
        }
    }

    fn provision_list(&self, run: &mut JobRun<'_>, key: &str, span: Span) {
        let file = self.locate(run, &Text::from("provision.yaml"));
        let Some(document) = file.and_then(|file| run.cx.yaml(&file)) else {
            return;
        };
        let provisioner = |list: Node<'_>| {
            let name = list.get("provisioner")?.as_str()?;
            OF_DOCKER.contains(&name).then_some(())
        };
        let Some(root) = document.root() else {
            return;
        };
        if key.contains(is_hole) {
            if root
                .entries()
                .iter()
                .any(|list| provisioner(list.value).is_some())
            {
                let why =
                    "which list of `provision.yaml` it starts is known only when the job runs";
                run.opaque(span, "litmus", why, By::Run);
            }
            return;
        }
        let list = root.get(key).filter(|list| provisioner(*list).is_some());
        let images = list.and_then(|list| list.get("images"));
        let images = images.into_iter().flat_map(Node::items);
        let note = format!("starts the containers of `{}`", document.source().path);
        run.traced(span, note, |run| {
            for image in run.cx.first(images, MAX_IMAGES, MORE) {
                if let Some(name) = image.as_str() {
                    let place = image.value_span();
                    run.docker_pull(place, Text::from(name), By::Run, Freshness::Missing);
                }
            }
        });
    }
}
