//! Who a repository is: its language, its CI systems, and whether its engineers sign in. What is
//! drawn once here makes the files of one repository agree with each other.

use crate::dice::Dice;

/// Which CI systems a repository uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Systems {
    CircleCi,
    GitHub,
    Both,
}

/// How far its engineers have come with signing in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Habit {
    /// Nobody thought of it.
    Never,
    /// Where it hurt.
    Sometimes,
    /// Everywhere.
    Always,
}

/// What a repository is written in: the names and commands that go with it.
#[derive(Debug)]
pub(crate) struct Language {
    pub(crate) name: &'static str,
    /// Images that its jobs run in.
    images: &'static [&'static str],
    /// What its Dockerfile builds on and runs on.
    pub(crate) build: &'static str,
    pub(crate) runtime: &'static str,
    install: &'static [&'static str],
    test: &'static [&'static str],
    lint: &'static [&'static str],
    pub(crate) lock: &'static str,
    pub(crate) extension: &'static str,
    /// Steps of a workflow that prepare it.
    setup: &'static str,
}

static LANGUAGES: [Language; 6] = [
    Language {
        name: "node",
        images: &[
            "cimg/node:18.20",
            "circleci/node:14-browsers",
            "node:20-bullseye",
            "cimg/node:20.11-browsers",
            "node:lts",
        ],
        build: "node:20-alpine",
        runtime: "gcr.io/distroless/nodejs20-debian12",
        install: &[
            "npm ci --no-audit --prefer-offline",
            "yarn install --frozen-lockfile",
        ],
        test: &[
            "npm test -- --ci --reporters=default --reporters=jest-junit",
            "yarn test --coverage",
        ],
        lint: &["npm run lint", "yarn eslint src --max-warnings 0"],
        lock: "package-lock.json",
        extension: "ts",
        setup: "- uses: actions/setup-node@v4\n  with:\n    node-version: 20\n    cache: npm",
    },
    Language {
        name: "python",
        images: &[
            "cimg/python:3.11",
            "circleci/python:3.8",
            "python:3.10-slim",
            "circleci/python:3.7-buster-browsers",
        ],
        build: "python:3.11-slim",
        runtime: "python:3.11-slim",
        install: &[
            "pip install -r requirements.txt -r requirements-dev.txt",
            "poetry install --no-interaction",
        ],
        test: &[
            "pytest -q --junitxml=results/junit.xml tests",
            "tox -e py311",
        ],
        lint: &["ruff check .", "black --check src tests"],
        lock: "requirements.txt",
        extension: "py",
        setup: "- uses: actions/setup-python@v5\n  with:\n    python-version: '3.11'\n    cache: pip",
    },
    Language {
        name: "ruby",
        images: &[
            "cimg/ruby:3.2-node",
            "circleci/ruby:2.7-node-browsers",
            "ruby:3.1",
            "phusion/passenger-ruby27:2.0.0",
        ],
        build: "ruby:3.2-alpine",
        runtime: "ruby:3.2-alpine",
        install: &[
            "bundle install --jobs 4 --retry 3",
            "bundle check || bundle install",
        ],
        test: &[
            "bundle exec rspec --format progress",
            "bundle exec rake spec",
        ],
        lint: &["bundle exec rubocop", "bundle exec brakeman -q"],
        lock: "Gemfile.lock",
        extension: "rb",
        setup: "- uses: ruby/setup-ruby@v1\n  with:\n    bundler-cache: true",
    },
    Language {
        name: "go",
        images: &[
            "cimg/go:1.21",
            "golang:1.20",
            "circleci/golang:1.15",
            "golang:1.22-alpine",
        ],
        build: "golang:1.22",
        runtime: "alpine:3.19",
        install: &["go mod download", "make deps"],
        test: &[
            "go test ./... -race -coverprofile=coverage.out",
            "gotestsum --junitfile results/junit.xml ./...",
        ],
        lint: &["go vet ./...", "golangci-lint run --timeout 5m"],
        lock: "go.sum",
        extension: "go",
        setup: "- uses: actions/setup-go@v5\n  with:\n    go-version-file: go.mod",
    },
    Language {
        name: "java",
        images: &[
            "cimg/openjdk:17.0",
            "circleci/openjdk:11-jdk",
            "eclipse-temurin:17",
            "maven:3.9-eclipse-temurin-17",
        ],
        build: "maven:3.9-eclipse-temurin-17",
        runtime: "eclipse-temurin:17-jre",
        install: &["./gradlew dependencies", "mvn -B dependency:go-offline"],
        test: &["./gradlew check --no-daemon", "mvn -B verify"],
        lint: &["./gradlew spotlessCheck", "mvn -B checkstyle:check"],
        lock: "pom.xml",
        extension: "java",
        setup: "- uses: actions/setup-java@v4\n  with:\n    distribution: temurin\n    java-version: '17'",
    },
    Language {
        name: "php",
        images: &[
            "cimg/php:8.2",
            "circleci/php:7.4-node",
            "php:8.1-fpm-alpine",
            "composer:2",
        ],
        build: "composer:2",
        runtime: "php:8.2-fpm-alpine",
        install: &[
            "composer install --prefer-dist --no-progress",
            "composer install --no-interaction",
        ],
        test: &[
            "vendor/bin/phpunit --log-junit results/junit.xml",
            "vendor/bin/pest",
        ],
        lint: &["vendor/bin/phpcs", "vendor/bin/phpstan analyse"],
        lock: "composer.lock",
        extension: "php",
        setup: "- uses: shivammathur/setup-php@v2\n  with:\n    php-version: '8.2'",
    },
];

const SERVICES: &[&str] = &[
    "postgres:14-alpine",
    "cimg/postgres:13.5",
    "redis:7",
    "redis:6-alpine",
    "mysql:8.0",
    "circleci/postgres:12-alpine-ram",
    "rabbitmq:3-management",
    "elasticsearch:7.17.9",
    "mongo:5",
    "localstack/localstack:2.3",
    "memcached:1.6",
    "selenium/standalone-chrome:latest",
    "docker.elastic.co/elasticsearch/elasticsearch:8.11.1",
    "amazon/dynamodb-local",
    "minio/minio:RELEASE.2023-09-30T07-02-29Z",
    "wiremock/wiremock:3.3.1",
    "public.ecr.aws/docker/library/postgres:15",
];

const TOOLS: &[&str] = &[
    "hashicorp/terraform:1.5.7",
    "amazon/aws-cli:2.13.0",
    "alpine/helm:3.12.3",
    "koalaman/shellcheck:stable",
    "hadolint/hadolint:latest-debian",
    "aquasec/trivy:0.45.0",
    "owasp/zap2docker-stable",
    "cypress/included:12.17.4",
    "sonarsource/sonar-scanner-cli:5",
    "bats/bats:1.10.0",
    "ghcr.io/tfsec/tfsec:v1.28",
    "quay.io/skopeo/stable:v1.13",
    "busybox",
    "curlimages/curl:8.4.0",
    "mcr.microsoft.com/playwright:v1.40.0-jammy",
];

const WORDS: &[&str] = &[
    "account",
    "address",
    "admin",
    "alerts",
    "api",
    "archive",
    "assets",
    "audit",
    "auth",
    "batch",
    "billing",
    "booking",
    "broker",
    "cache",
    "calendar",
    "case",
    "catalogue",
    "checkout",
    "claims",
    "client",
    "content",
    "court",
    "customer",
    "data",
    "dashboard",
    "delivery",
    "device",
    "document",
    "domain",
    "email",
    "events",
    "export",
    "feedback",
    "files",
    "finance",
    "forms",
    "frontend",
    "gateway",
    "graph",
    "hearing",
    "history",
    "identity",
    "import",
    "index",
    "ingest",
    "inventory",
    "invoice",
    "journal",
    "ledger",
    "letters",
    "library",
    "licence",
    "lookup",
    "mail",
    "media",
    "metrics",
    "monitor",
    "notify",
    "orders",
    "partner",
    "payment",
    "planner",
    "portal",
    "prison",
    "profile",
    "public",
    "queue",
    "records",
    "refunds",
    "register",
    "report",
    "review",
    "router",
    "schedule",
    "search",
    "session",
    "shipping",
    "staff",
    "stock",
    "storage",
    "stream",
    "survey",
    "sync",
    "tax",
    "ticket",
    "timeline",
    "track",
    "training",
    "transfer",
    "upload",
    "user",
    "vault",
    "visits",
    "worker",
];

/// One repository's character.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) name: String,
    pub(crate) organization: &'static str,
    pub(crate) language: &'static Language,
    pub(crate) systems: Systems,
    pub(crate) habit: Habit,
    /// Its parts, each with a Dockerfile of its own below `docker/`.
    pub(crate) parts: Vec<&'static str>,
    pub(crate) compose: bool,
    pub(crate) make: bool,
    pub(crate) scripts: bool,
    pub(crate) anchors: bool,
}

impl Project {
    pub(crate) fn draw(dice: &mut Dice, number: u32) -> Self {
        let organization = dice.pick(&["acme", "northwind", "initech", "hooli", "umbrella-labs"]);
        let name = format!("{}-{}-{number:05}", dice.pick(WORDS), dice.pick(WORDS));
        let language = LANGUAGES
            .get(dice.below(LANGUAGES.len()))
            .unwrap_or(&LANGUAGES[0]);
        let systems = match dice.below(100) {
            0..25 => Systems::CircleCi,
            25..70 => Systems::GitHub,
            _ => Systems::Both,
        };
        let habit = match dice.below(100) {
            0..55 => Habit::Never,
            55..80 => Habit::Sometimes,
            _ => Habit::Always,
        };
        let mut parts = vec!["app"];
        for part in ["web", "worker", "migrations"] {
            if dice.chance(30) {
                parts.push(part);
            }
        }
        Self {
            name,
            organization,
            language,
            systems,
            habit,
            parts,
            compose: dice.chance(60),
            make: dice.chance(45),
            scripts: dice.chance(50),
            anchors: dice.chance(33),
        }
    }

    /// Whether this place signs in.
    pub(crate) fn signs_in(&self, dice: &mut Dice) -> bool {
        match self.habit {
            Habit::Never => false,
            Habit::Sometimes => dice.chance(50),
            Habit::Always => true,
        }
    }

    /// What a hole of a template stands for.
    pub(crate) fn draws(&self, hole: &str, dice: &mut Dice) -> String {
        let language = self.language;
        match hole {
            "name" => self.name.clone(),
            "organization" => self.organization.to_owned(),
            "repository" => format!("{}/{}", self.organization, self.name),
            "language" => language.name.to_owned(),
            "image" => dice.pick(language.images).to_owned(),
            "build-image" => language.build.to_owned(),
            "runtime-image" => language.runtime.to_owned(),
            "install" => dice.pick(language.install).to_owned(),
            "test" => dice.pick(language.test).to_owned(),
            "lint" => dice.pick(language.lint).to_owned(),
            "lock" => language.lock.to_owned(),
            "extension" => language.extension.to_owned(),
            "setup" => language.setup.to_owned(),
            "part" => dice.pick(&self.parts).to_owned(),
            "service" => dice.pick(SERVICES).to_owned(),
            "tool" => dice.pick(TOOLS).to_owned(),
            "word" => dice.pick(WORDS).to_owned(),
            "WORD" => dice.pick(WORDS).to_uppercase(),
            "few" => dice.between(2, 6).to_string(),
            "many" => dice.between(10, 600).to_string(),
            "port" => dice.between(3000, 9999).to_string(),
            "account" => format!("{:012}", dice.between(100_000_000, 999_999_999)),
            "region" => dice.pick(&["eu-west-1", "eu-west-2", "us-east-1"]).to_owned(),
            "sha" => dice.hex(40),
            "sentence" => self.sentence(dice),
            "compose" => dice.pick(&["docker-compose", "docker compose", "docker-compose", "docker-compose -f docker-compose.yml -f docker-compose.ci.yml"]).to_owned(),
            "runner" => dice.pick(&["ubuntu-latest", "ubuntu-22.04", "ubuntu-latest", "[self-hosted, linux]"]).to_owned(),
            "machine" => dice.pick(&["ubuntu-2204:2023.10.1", "ubuntu-2004:202201-02", "ubuntu-2204:current"]).to_owned(),
            "auth" if self.signs_in(dice) => {
                "auth:\n  username: $DOCKER_USER\n  password: $DOCKER_ACCESS_TOKEN".to_owned()
            }
            "login" if self.signs_in(dice) => match dice.below(3) {
                0 => "- run: echo \"$DOCKER_ACCESS_TOKEN\" | docker login -u \"$DOCKER_USER\" --password-stdin",
                1 => "- run:\n    name: Docker login\n    command: docker login --username $DOCKER_USER --password $DOCKER_ACCESS_TOKEN",
                _ => "- run:\n    name: Sign in to Docker Hub\n    command: |\n      if [ -n \"$DOCKER_ACCESS_TOKEN\" ]; then\n        echo $DOCKER_ACCESS_TOKEN | docker login -u $DOCKER_USER --password-stdin\n      fi",
            }
            .to_owned(),
            "credentials" if self.signs_in(dice) => {
                "credentials:\n  username: ${{ secrets.DOCKER_USER }}\n  password: ${{ secrets.DOCKER_ACCESS_TOKEN }}".to_owned()
            }
            "login-action" if self.signs_in(dice) => {
                "- name: Login to Docker Hub\n  uses: docker/login-action@v3\n  with:\n    username: ${{ secrets.DOCKER_USER }}\n    password: ${{ secrets.DOCKER_ACCESS_TOKEN }}".to_owned()
            }
            _ => String::new(),
        }
    }

    fn sentence(&self, dice: &mut Dice) -> String {
        let words: Vec<&str> = (0..dice.between(4, 12)).map(|_| dice.pick(WORDS)).collect();
        words.join(" ")
    }
}
