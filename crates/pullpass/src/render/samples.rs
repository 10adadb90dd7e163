//! Audits made by hand, for the tests of what is written.

use std::sync::Arc;

use pullpass_audit::context::{Unlisted, Unread};
use pullpass_audit::effect::{By, Forks, Provider, Runner};
use pullpass_audit::finding::{Audit, Finding, Fixable, Severity};
use pullpass_audit::verdict::{Auth, Cause, Credential, Place, Pull, Reach, TraceStep};

pub(crate) const CONFIG: &str = ".circleci/config.yml";

pub(crate) fn place(file: &str, line: u32, text: &str, what: &str) -> Place {
    let start = text.find(what).unwrap();
    let column = text[..start].chars().count() + 1;
    Place {
        file: file.into(),
        line,
        column: u32::try_from(column).unwrap(),
        end_line: line,
        end_column: u32::try_from(column + what.chars().count()).unwrap(),
        start: 0,
        end: 0,
        text: text.into(),
    }
}

fn pull(place: Place, image: &str, auth: Auth) -> Pull {
    Pull {
        place,
        provider: Provider::CircleCi,
        job_file: CONFIG.into(),
        job: "build".into(),
        step: "Build container".into(),
        by: By::Run,
        image: Some(image.to_owned()),
        reference: Some(format!("docker.io/library/{image}")),
        registry: Some("docker.io".to_owned()),
        auth,
        cause: Cause::NoLogin,
        decided_by: None,
        credential: None,
        reason: "nothing signs in to Docker Hub in this job".to_owned(),
        trace: vec![TraceStep {
            place: job(),
            note: "job `build` runs on a machine".into(),
        }],
        runner: Runner::Hosted,
        by_host: false,
        has_slot: false,
        edit: Fixable::Safe,
        certain: true,
        proves_docker: true,
        reach: Reach::Job,
        forks: Forks::No,
        reached: true,
    }
}

fn job() -> Place {
    place(CONFIG, 4, "  build:", "build")
}

fn finding(rule: &'static str, severity: Severity, place: Place, message: &str) -> Finding {
    Finding {
        rule,
        reached: true,
        severity,
        place,
        jobs: vec!["build".to_owned()],
        image: Some("docker.io/library/alpine:3.20".to_owned()),
        message: message.to_owned(),
        help: "sign in with `docker login` before this step".into(),
        fix: Fixable::Safe,
        related: vec![(job(), "job `build` runs on a machine".into())],
        fingerprint: "0123456789abcdef".to_owned(),
    }
}

/// A bit of everything.
pub(crate) fn audit() -> Audit {
    let alpine = place(
        CONFIG,
        9,
        "      - run: docker run --rm alpine:3.20 true",
        "alpine:3.20",
    );
    let redis = place(CONFIG, 6, "      - image: redis:7", "redis:7");
    let base = place("Dockerfile", 1, "FROM python:3.12", "python:3.12");
    let mut signed_in = pull(redis.clone(), "redis:7", Auth::Authenticated);
    signed_in.by = By::Service;
    signed_in.step = Arc::from("");
    signed_in.reason = "`auth` signs in as `$DOCKER_USER`".to_owned();
    signed_in.credential = Some(Credential {
        username: Some("$DOCKER_USER".to_owned()),
        password: Some("$DOCKER_ACCESS_TOKEN".to_owned()),
    });
    let mut elsewhere = pull(base.clone(), "python:3.12", Auth::NotApplicable);
    elsewhere.by = By::Dockerfile;
    elsewhere.reference = Some("ghcr.io/me/python:3.12".to_owned());
    elsewhere.registry = Some("ghcr.io".to_owned());
    elsewhere.reason = "`ghcr.io` is not Docker Hub".to_owned();
    let mut from_file = finding(
        "anonymous-pull",
        Severity::Warning,
        base,
        "`python:3.12` is pulled from Docker Hub anonymously in job `build`",
    );
    from_file.fingerprint = "fedcba9876543210".to_owned();
    from_file
        .related
        .push((alpine.clone(), "`docker build` reads the Dockerfile".into()));
    Audit {
        files: 2,
        pulls: vec![
            pull(alpine.clone(), "alpine:3.20", Auth::Anonymous),
            signed_in,
            elsewhere,
        ],
        logins: Vec::new(),
        findings: vec![
            finding(
                "anonymous-pull",
                Severity::Error,
                alpine,
                "`alpine:3.20` is pulled from Docker Hub anonymously in job `build`: nothing signs in",
            ),
            from_file,
        ],
        latent: Vec::new(),
        silenced: 1,
        unread: vec![Unread {
            file: ".circleci/old.yml".to_owned(),
            line: 3,
            message: "not YAML: a tab indents this line".to_owned(),
        }],
        unlisted: vec![Unlisted {
            name: "some/action".to_owned(),
            file: ".github/workflows/ci.yml".to_owned(),
            line: 8,
        }],
        literals: Vec::new(),
    }
}

/// A repository that wants to take over the terminal, the log and the reader.
pub(crate) fn hostile() -> Audit {
    let line = "      - image: evil\u{1b}[2J\u{202E}gpj.exe%0A::error::x";
    let place = place(".circleci/a,b::c\n.yml", 2, line, "evil");
    let mut finding = finding(
        "anonymous-pull",
        Severity::Error,
        place,
        "`evil\u{1b}[2J` is pulled\n::set-output name=x::y",
    );
    finding.help = "a\r\nb\u{9b}31m".into();
    finding.related[0].1 = "job `\u{1b}]0;title\u{7}`".into();
    Audit {
        files: 1,
        findings: vec![finding],
        unread: vec![Unread {
            file: "x\u{1b}[31m".to_owned(),
            line: 1,
            message: "y\u{2066}\n::error::z".to_owned(),
        }],
        ..Audit::default()
    }
}
