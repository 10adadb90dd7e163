//! Quarkus' Dev Services: tests of an application that has an extension for a service, and is not told where that is, start
//! it by Testcontainers, though no file names that (<https://quarkus.io/guides/dev-services>).

use super::super::Arg;
use super::{Suite, maven};
use crate::run::JobRun;
use crate::source::{RepoPath, Source, Span};

/// A service: how its extensions are named, and a key of the configuration by which the application is told where it is.
struct Service {
    extensions: &'static [&'static str],
    told_by: &'static [&'static str],
}

/// <https://quarkus.io/guides/dev-services#dev-services-overview> names each, and its guide the keys.
const SERVICES: [Service; 9] = [
    Service {
        extensions: &[
            "quarkus-jdbc-postgresql",
            "quarkus-jdbc-mysql",
            "quarkus-jdbc-mariadb",
            "quarkus-jdbc-mssql",
            "quarkus-jdbc-oracle",
            "quarkus-jdbc-db2",
            "quarkus-reactive-pg-client",
            "quarkus-reactive-mysql-client",
            "quarkus-reactive-mssql-client",
            "quarkus-reactive-oracle-client",
            "quarkus-reactive-db2-client",
        ],
        told_by: &[
            "quarkus.datasource.jdbc.url",
            "quarkus.datasource.reactive.url",
        ],
    },
    Service {
        extensions: &[
            "quarkus-kafka-client",
            "quarkus-messaging-kafka",
            "quarkus-smallrye-reactive-messaging-kafka",
            "quarkus-kafka-streams",
        ],
        told_by: &["kafka.bootstrap.servers"],
    },
    Service {
        extensions: &["quarkus-mongodb-client", "quarkus-mongodb-panache"],
        told_by: &["quarkus.mongodb.connection-string", "quarkus.mongodb.hosts"],
    },
    Service {
        extensions: &["quarkus-redis-client", "quarkus-redis-cache"],
        told_by: &["quarkus.redis.hosts"],
    },
    Service {
        extensions: &[
            "quarkus-oidc<",
            "quarkus-oidc\"",
            "quarkus-oidc'",
            "quarkus-oidc:",
        ],
        told_by: &["quarkus.oidc.auth-server-url"],
    },
    Service {
        extensions: &[
            "quarkus-messaging-rabbitmq",
            "quarkus-smallrye-reactive-messaging-rabbitmq",
        ],
        told_by: &["rabbitmq-host", "rabbitmq-addresses"],
    },
    Service {
        extensions: &[
            "quarkus-messaging-amqp",
            "quarkus-smallrye-reactive-messaging-amqp",
        ],
        told_by: &["amqp-host"],
    },
    Service {
        extensions: &[
            "quarkus-elasticsearch-rest-client",
            "quarkus-elasticsearch-java-client",
        ],
        told_by: &["quarkus.elasticsearch.hosts"],
    },
    Service {
        extensions: &["quarkus-neo4j", "quarkus-infinispan-client"],
        told_by: &["quarkus.neo4j.uri", "quarkus.infinispan-client.hosts"],
    },
];

/// Where an application is told of such things, and where its tests are.
const CONFIGURATIONS: [&str; 6] = [
    "src/main/resources/application.properties",
    "src/main/resources/application.yml",
    "src/main/resources/application.yaml",
    "src/test/resources/application.properties",
    "src/test/resources/application.yml",
    "src/test/resources/application.yaml",
];

/// What the tests pull, where they start such services.
pub(super) fn tests(
    run: &mut JobRun<'_>,
    folder: &RepoPath,
    args: &[Arg],
    suite: &Suite,
    span: Span,
) {
    let runs = args.iter().any(|arg| suite.is_word(arg));
    let off = |arg: &Arg| {
        let text = arg.as_str().trim_start_matches("-D");
        text == "quarkus.devservices.enabled=false"
    };
    if !runs || args.iter().any(off) {
        return;
    }
    let off = run.env.get("QUARKUS_DEVSERVICES_ENABLED");
    if off.is_some_and(|value| value.as_str() == "false") {
        return;
    }
    let some = maven::tested(run.cx, folder, args);
    let some = some.map(|tested| {
        let mut sources = tested.sources();
        sources.find_map(|source| {
            let known = run.cx.dev_services.borrow().get(&source.path).copied();
            known.unwrap_or_else(|| {
                let place = in_build_file(run, source);
                let mut all = run.cx.dev_services.borrow_mut();
                all.insert(source.path.clone(), place);
                place
            })
        })
    });
    let known = some.or_else(|| run.cx.dev_services.borrow().get(folder).copied());
    let place = known.unwrap_or_else(|| {
        let mut place = None;
        suite.each_file(run.cx, folder, |source| {
            place = in_build_file(run, source);
            place.is_none()
        });
        let mut all = run.cx.dev_services.borrow_mut();
        all.insert(folder.clone(), place);
        place
    });
    if let Some(place) = place {
        super::start(run, place, None, span, "Quarkus' Dev Services", true);
    }
}

/// Where a build file names an extension whose service the tests of its project start.
fn in_build_file(run: &JobRun<'_>, source: &Source) -> Option<Span> {
    // An older and a newer name of what its tests are built with.
    let text: &str = &source.text;
    if !text.contains("quarkus-junit") {
        return None;
    }
    let folder = source.path.parent();
    let paths = CONFIGURATIONS.iter().filter_map(|path| folder.join(path));
    let told: Vec<_> = paths
        .filter_map(|path| run.cx.sources.load(&path).ok())
        .collect();
    let is_off = |source: &Source| says(source, "devservices.enabled", Some("false"));
    if told.iter().any(|source| is_off(source)) {
        return None;
    }
    SERVICES.iter().find_map(|service| {
        let is_told = |key: &&str| told.iter().any(|source| says(source, key, None));
        if service.told_by.iter().any(is_told) {
            return None;
        }
        let (at, length) = service.extensions.iter().find_map(|extension| {
            let at = text.find(extension)?;
            Some((at, extension.trim_end_matches(['<', '"', '\'', ':']).len()))
        })?;
        let number = |at: usize| u32::try_from(at).unwrap_or_default();
        Some(Span {
            file: source.id,
            start: number(at),
            end: number(at + length),
        })
    })
}

/// Whether a configuration gives a key a value, for tests too. In YAML its last part counts: `url:` of a JDBC address.
fn says(source: &Source, key: &str, value: Option<&str>) -> bool {
    let is_yaml = !source.path.as_str().ends_with(".properties");
    let last = key.rsplit('.').next().unwrap_or(key);
    source.text.lines().map(str::trim).any(|line| {
        let Some((name, given)) = line.split_once(['=', ':']) else {
            return false;
        };
        let (name, given) = (name.trim().trim_matches('"'), given.trim());
        let is_key = match (is_yaml, name.strip_prefix("%test.")) {
            (true, _) => name == last || name.ends_with(key),
            (false, Some(name)) => name.ends_with(key),
            (false, None) => !name.starts_with(['%', '#']) && name.ends_with(key),
        };
        let is_value = value.is_none_or(|value| given == value);
        is_key && is_value && !given.is_empty()
    })
}
