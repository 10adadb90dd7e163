//! Image references: which registry a name means, and its one canonical form.
//!
//! The rules are those of the Docker client (`distribution/reference`): a first part with a `.`, a
//! `:` or that is `localhost` is a registry's host; without one the registry is Docker Hub, and
//! there a name without `/` lives in `library/`. Unlike a parser in a crate this one must also say
//! what can be known of a name of which a part is unknown: `ghcr.io/me/app:$TAG` is surely not on
//! Docker Hub, `me/app:$TAG` surely is, and of `$REGISTRY/app` nothing is known.

use ecow::EcoString;

use crate::text::{Text, has_hole, is_hole};

/// The canonical host of Docker Hub.
pub const DOCKER_HUB: &str = "docker.io";

/// Hosts that are Docker Hub (the Docker client's own aliases and the two API hosts).
const HUB_HOSTS: [&str; 7] = [
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
    "hub.docker.com",
    "registry.docker.io",
    // As in the Dockerfiles that Rails 7.1 writes.
    "registry.docker.com",
];

/// Hosts that serve copies of Docker Hub's images without Docker Hub's limits, with the first parts of
/// the names that are copies.
const MIRRORS: [(&str, &str); 4] = [
    ("mirror.gcr.io", ""),
    ("public.ecr.aws", "docker/"),
    ("dockerhub.timeweb.cloud", ""),
    ("quay.io", "dockerlibrary/"),
];

/// What the text of an image says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Image {
    /// A legal reference, or the known part of one.
    Named(Reference),
    /// The registry cannot be known.
    Unknown,
    /// `scratch`, or empty: nothing is pulled.
    Nothing,
    /// No registry accepts this name; why.
    Invalid(&'static str),
}

/// A reference whose registry is known.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reference {
    /// Canonical host, with a port if one is written; [`DOCKER_HUB`] for Docker Hub.
    pub registry: EcoString,
    /// Repository with `library/` supplied; may carry unknown parts.
    pub repository: EcoString,
    /// Tag as written.
    pub tag: Option<EcoString>,
    /// Digest as written.
    pub digest: Option<EcoString>,
    /// Whether the registry is a copy of Docker Hub.
    pub mirror: bool,
    /// By which other name Docker Hub is written.
    pub other_name: Option<&'static str>,
}

impl Reference {
    /// `registry/repository[:tag][@digest]`, the tag `latest` supplied when there is neither;
    /// `None` when a part is unknown, or is a pattern of the shell's that nothing has filled: `app@sha256:*`.
    #[must_use]
    pub fn canonical(&self) -> Option<String> {
        let text = self.canonical_text();
        let is_pattern = || text.bytes().any(|b| matches!(b, b'*' | b'?'));
        (!has_hole(&text) && !is_pattern()).then_some(text)
    }

    /// The canonical form with its holes: what two uses of one image have in common.
    #[must_use]
    pub fn canonical_text(&self) -> String {
        let tag = self.tag.as_deref().map_or("latest".len(), str::len);
        let digest = self.digest.as_deref().map_or(0, str::len);
        let mut out = String::with_capacity(
            self.registry.len() + self.repository.len() + tag + digest + "/:@".len(),
        );
        out.push_str(&self.registry);
        out.push('/');
        out.push_str(&self.repository);
        match (&self.tag, &self.digest) {
            (Some(tag), _) => {
                out.push(':');
                out.push_str(tag);
            }
            (None, None) => out.push_str(":latest"),
            (None, Some(_)) => {}
        }
        if let Some(digest) = &self.digest {
            out.push('@');
            out.push_str(digest);
        }
        out
    }

    /// Whether it is on Docker Hub.
    #[must_use]
    pub fn is_hub(&self) -> bool {
        self.registry == DOCKER_HUB
    }

    /// Whether Docker Hub has it, and no job makes it: one of Docker's Official Images, or of what the tools
    /// of the field pull for themselves.
    #[must_use]
    pub fn is_everybodys(&self) -> bool {
        self.is_hub()
            && match self.repository.split_once('/') {
                Some(("library", name)) => {
                    let lines = OFFICIAL.lines().filter(|line| !line.starts_with('#'));
                    lines
                        .flat_map(str::split_whitespace)
                        .any(|known| known == name)
                }
                Some((owner, _)) => OF_TOOLS.contains(&owner),
                None => false,
            }
    }
}

/// Whose images container tools pull for themselves.
const OF_TOOLS: [&str; 5] = ["docker", "kindest", "moby", "testcontainers", "tonistiigi"];

/// The names of Docker's Official Images.
const OFFICIAL: &str = include_str!("../data/official-images.txt");

/// The canonical name of a registry as one writes it for `docker login`: no scheme, no path, and
/// one name for Docker Hub.
#[must_use]
pub fn canonical_registry(written: &str) -> String {
    let host = written.trim();
    let host = host
        .strip_prefix("https://")
        .or_else(|| host.strip_prefix("http://"))
        .unwrap_or(host);
    let host = host.split('/').next().unwrap_or("").to_ascii_lowercase();
    if host.is_empty() || HUB_HOSTS.contains(&host.as_str()) {
        DOCKER_HUB.to_owned()
    } else {
        host
    }
}

/// The name of Docker Hub that a credential for it is kept under, where that is not the one that `docker login`
/// uses by itself. The clients take `index.docker.io` for `docker.io`, and every other host by its own name
/// (`getAuthConfigKey` in <https://github.com/docker/cli/blob/master/cli/command/registry.go>).
#[must_use]
pub fn other_name_of_hub(written: &str) -> Option<&'static str> {
    let usual = ["docker.io", "index.docker.io"];
    let host = written.trim();
    let host = host.split_once("://").map_or(host, |(_, host)| host);
    let host = host.split('/').next()?;
    HUB_HOSTS
        .into_iter()
        .find(|own| own.eq_ignore_ascii_case(host) && !usual.contains(own))
}

/// The host that the clients send their requests for Docker Hub to. Builds with BuildKit look for the credential of
/// `docker.io` where an image is named so
/// (<https://github.com/moby/buildkit/blob/master/session/auth/authprovider/authprovider.go>), and Podman and its kin take
/// both names for one (`normalizeRegistry` in <https://github.com/containers/image/blob/main/pkg/docker/config/config.go>).
pub const REGISTRY_1: &str = "registry-1.docker.io";

fn is_host(first: &str) -> bool {
    first == "localhost"
        || first.bytes().any(|b| matches!(b, b'.' | b':'))
        || first.starts_with('[')
        || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_of_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']') || is_hole(c)
}

/// Reads an image as it is written after everything that can be resolved has been.
#[must_use]
pub fn parse(text: &Text) -> Image {
    let written = text.as_str().trim();
    let written = written.strip_prefix("docker://").unwrap_or(written);
    if written.is_empty() || written == "scratch" {
        return Image::Nothing;
    }
    // Next to all names are known, and have no letters but those of ASCII.
    let has_blank = match written.is_ascii() {
        true => written.bytes().any(|b| matches!(b, b'\t'..=b'\r' | b' ')),
        false => written.contains(char::is_whitespace),
    };
    if has_blank {
        return Image::Invalid("an image name has no blanks");
    }
    let (host, rest) = match written.split_once('/') {
        // An unknown first part may hold a registry, a namespace, or both.
        Some((first, _)) if has_hole(first) && !is_host_with_hole(first) => {
            return Image::Unknown;
        }
        Some((first, rest)) if is_host(first) => (Some(first), rest),
        None if written.split([':', '@']).next().is_none_or(has_hole) => {
            return Image::Unknown;
        }
        _ => (None, written),
    };
    if host.is_some_and(|host| !host.chars().all(is_of_host)) {
        return Image::Invalid("a registry's name has letters, digits, `.`, `-` and a port only");
    }
    let (name, digest) = match rest.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (rest, None),
    };
    let (name, tag) = match name
        .rfind(':')
        .filter(|&at| !name.get(at..).is_some_and(|t| t.contains('/')))
    {
        Some(at) => (name.get(..at).unwrap_or(""), name.get(at + 1..)),
        None => (name, None),
    };
    let name = name.trim_end_matches('/');
    if name.is_empty()
        || name.starts_with('/')
        || name.as_bytes().windows(2).any(|pair| pair == b"//")
    {
        return Image::Invalid("the name of the image, or a part of it, is missing");
    }
    // On another registry it does not matter that the tag is empty unless someone gives one.
    let elsewhere = host.is_some_and(|host| canonical_registry(host) != DOCKER_HUB);
    let illegal = |t: &str| t.len() > 128 || t.starts_with(['.', '-']);
    if tag.is_some_and(|t| illegal(t) || t.is_empty() && !elsewhere) {
        return Image::Invalid("the tag is empty or not a legal one");
    }
    let is_of_name = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/');
    if !name.bytes().all(|b| is_of_name(char::from(b)))
        && !name.chars().all(|c| is_of_name(c) || is_hole(c))
    {
        return Image::Invalid("an image name has lower-case letters, digits and `._-/` only");
    }
    if name
        .split('/')
        .any(|part| part.starts_with(['.', '-', '_']))
    {
        return Image::Invalid("a part of an image name begins with a letter or a digit");
    }
    let registry = host.map_or_else(
        || EcoString::from(DOCKER_HUB),
        |h| {
            // A host of one word is told from a namespace by its capitals alone.
            let bare = h != "localhost" && !h.contains(['.', ':']);
            if bare || has_hole(h) {
                h.into()
            } else {
                canonical_registry(h).into()
            }
        },
    );
    let repository = if registry == DOCKER_HUB && !name.contains('/') {
        let mut repository = EcoString::from("library/");
        repository.push_str(name);
        repository
    } else {
        name.into()
    };
    let mirror = is_mirror(&registry, &repository);
    let other_name = host.and_then(other_name_of_hub);
    Image::Named(Reference {
        registry,
        repository,
        tag: tag.map(EcoString::from),
        digest: digest.map(EcoString::from),
        mirror,
        other_name,
    })
}

/// Whether one of [`MIRRORS`] is `registry`, and the first parts of `repository`.
fn is_mirror(registry: &str, repository: &str) -> bool {
    MIRRORS
        .iter()
        .any(|&(host, folder)| host == registry && repository.starts_with(folder))
}

/// `$ACCOUNT.dkr.ecr.eu-west-1.amazonaws.com`: a host of which a part is unknown is still a host,
/// and not Docker Hub's, when its known end names another domain.
fn is_host_with_hole(first: &str) -> bool {
    let after = first.rsplit(is_hole).next().unwrap_or("");
    if after.starts_with(':') {
        return true;
    }
    // `$LOCATION-docker.pkg.dev`, but no `$NAME-v1.2.3`
    let mut labels = after.rsplit('.');
    let domain = labels
        .next()
        .is_some_and(|last| last.len() > 1 && last.bytes().all(|b| b.is_ascii_alphabetic()));
    domain
        && labels.count() >= 2
        && !after.ends_with("docker.io")
        && !HUB_HOSTS.iter().any(|host| host.ends_with(after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{HoleKind, Holes};

    fn canonical(text: &str) -> String {
        match parse(&text.into()) {
            Image::Named(reference) => reference.canonical_text(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn names_of_hub_that_clients_do_not_take_for_it_are_told() {
        for (written, name) in [
            ("https://index.docker.io/v1/", None),
            ("docker.io", None),
            ("", None),
            ("registry-1.docker.io", Some(REGISTRY_1)),
            ("ghcr.io", None),
            ("registry.hub.docker.com", Some("registry.hub.docker.com")),
            (
                "https://registry.docker.com/v2",
                Some("registry.docker.com"),
            ),
        ] {
            assert_eq!(other_name_of_hub(written), name, "{written}");
        }
    }

    #[test]
    fn every_way_to_write_docker_hub_is_docker_hub() {
        for (written, expected) in [
            ("alpine", "docker.io/library/alpine:latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20"),
            ("library/alpine", "docker.io/library/alpine:latest"),
            ("docker.io/alpine", "docker.io/library/alpine:latest"),
            (
                "index.docker.io/library/alpine:1",
                "docker.io/library/alpine:1",
            ),
            ("registry-1.docker.io/me/app", "docker.io/me/app:latest"),
            (
                "registry.hub.docker.com/library/node:20",
                "docker.io/library/node:20",
            ),
            (
                "registry.docker.com/library/ruby:3.3",
                "docker.io/library/ruby:3.3",
            ),
            ("me/app@sha256:0123", "docker.io/me/app@sha256:0123"),
            ("me/app:1@sha256:0123", "docker.io/me/app:1@sha256:0123"),
            ("me/deep/app:1", "docker.io/me/deep/app:1"),
            ("docker://alpine:3", "docker.io/library/alpine:3"),
        ] {
            assert_eq!(canonical(written), expected, "{written}");
        }
    }

    #[test]
    fn other_registries_keep_their_names() {
        for (written, expected) in [
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/app:1", "localhost:5000/app:1"),
            ("ghcr.io/me/app:1", "ghcr.io/me/app:1"),
            ("registry:5000/app", "registry:5000/app:latest"),
            (
                "public.ecr.aws/docker/library/alpine",
                "public.ecr.aws/docker/library/alpine:latest",
            ),
            (
                "mirror.gcr.io/library/node:20",
                "mirror.gcr.io/library/node:20",
            ),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ] {
            assert_eq!(canonical(written), expected, "{written}");
        }
    }

    #[test]
    fn mirrors_of_docker_hub_are_known() {
        let Image::Named(reference) = parse(&"public.ecr.aws/docker/library/alpine".into()) else {
            panic!()
        };
        assert!(reference.mirror && !reference.is_hub());
    }

    #[test]
    fn what_is_known_of_an_unknown_name_is_said_and_no_more() {
        let holes = Holes::default();
        let tag = holes.of("$T", HoleKind::Variable);
        let t = tag.as_str();
        let Image::Named(reference) = parse(&format!("me/app:{t}").into()) else {
            panic!()
        };
        assert!(reference.is_hub() && reference.canonical().is_none());
        assert_eq!(parse(&format!("{t}/app:1").into()), Image::Unknown);
        assert_eq!(parse(&tag), Image::Unknown);
        let Image::Named(ecr) = parse(&format!("{t}.dkr.ecr.eu-west-1.amazonaws.com/app").into())
        else {
            panic!()
        };
        assert!(!ecr.is_hub());
        for host in ["-docker.pkg.dev", ".azurecr.io", ".registry.example.com"] {
            let known = host.matches('.').count() >= 2;
            let image = parse(&format!("{t}{host}/app").into());
            assert_eq!(
                matches!(image, Image::Named(r) if !r.is_hub()),
                known,
                "{host}"
            );
        }
        for unclear in [".docker.io", "-v1.2.3", ".hub.docker.com", "-x.y"] {
            let image = parse(&format!("{t}{unclear}/app").into());
            assert_eq!(image, Image::Unknown, "{unclear}");
        }
        let Image::Named(node) = parse(&format!("node:{t}-alpine").into()) else {
            panic!()
        };
        assert_eq!(node.repository, "library/node");
        let Image::Named(deep) = parse(&format!("me/{t}").into()) else {
            panic!()
        };
        assert!(deep.is_hub());
    }

    #[test]
    fn what_is_no_reference_is_said_to_be_none() {
        assert_eq!(parse(&"scratch".into()), Image::Nothing);
        assert!(matches!(
            parse(&"My/App".into()),
            Image::Named(_) | Image::Invalid(_)
        ));
        assert!(matches!(parse(&"a b".into()), Image::Invalid(_)));
        assert!(matches!(parse(&"app:".into()), Image::Invalid(_)));
        assert!(matches!(parse(&"ghcr.io/me/app:".into()), Image::Named(_)));
        assert!(matches!(parse(&"--detach".into()), Image::Invalid(_)));
        assert!(matches!(parse(&"me/.app".into()), Image::Invalid(_)));
    }

    /// Otherwise a nonsensical host would be another registry than Docker Hub, and a canonical form
    /// would mean something else than what it is made of.
    #[test]
    fn a_host_is_a_host_and_a_canonical_form_is_canonical() {
        for written in ["loc#{A\u{8}--/al", "A$/b", "/app", "docker.io//app", "a//b"] {
            assert!(
                matches!(parse(&written.into()), Image::Invalid(_)),
                "{written}"
            );
        }
        for written in [
            "Team/app",
            "LOCALHOST/app",
            "GHCR.io/app",
            "[::1]:5/a",
            "a.b:5/c",
        ] {
            let once = canonical(written);
            assert_eq!(canonical(&once), once, "{written}");
            assert!(!once.starts_with(DOCKER_HUB), "{written}");
        }
    }

    #[test]
    fn a_login_without_a_registry_is_a_login_to_docker_hub() {
        for written in [
            "",
            "docker.io",
            "https://index.docker.io/v1/",
            "registry-1.docker.io",
        ] {
            assert_eq!(canonical_registry(written), DOCKER_HUB);
        }
        assert_eq!(canonical_registry("https://ghcr.io"), "ghcr.io");
    }

    #[test]
    fn a_pattern_that_nothing_has_filled_is_no_canonical_form() {
        let Image::Named(reference) = parse(&Text::from("acme/shop@sha256:*")) else {
            panic!("it is on Docker Hub");
        };
        assert!(reference.is_hub());
        assert_eq!(reference.canonical(), None);
    }
}
