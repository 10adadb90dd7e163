//! What steps build and bring up: Dockerfiles and Compose files.

use crate::File;
use crate::dice::Dice;
use crate::project::Project;
use crate::template::fill;

const DOCKERFILE: &str = "
# syntax=docker/dockerfile:1
ARG VERSION=latest
ARG BASE=«build-image»

FROM ${BASE} AS build
WORKDIR /app
COPY «lock» ./
RUN --mount=type=cache,target=/root/.cache \\
    «install»
COPY . .
RUN «lint» \\
 && «test»
«more»

FROM «tool» AS tools

FROM «runtime-image» AS production
LABEL org.opencontainers.image.source=https://github.com/«repository»
ENV APP_ENV=production \\
    PORT=«port»
WORKDIR /app
COPY --from=build /app/dist ./dist
COPY --from=busybox:1.36 /bin/busybox /bin/busybox
EXPOSE «port»
USER 1000
HEALTHCHECK --interval=30s CMD [\"/bin/busybox\", \"wget\", \"-qO-\", \"http://localhost:«port»/health\"]
CMD [\"./dist/main\"]
";

const SMALL_DOCKERFILE: &str = "
FROM «build-image»
RUN apk add --no-cache bash curl git
WORKDIR /app
COPY . .
RUN «install»
CMD [\"sh\", \"-c\", \"«test»\"]
";

const RUN: &str = "
RUN set -eux; \\
    curl -fsSLo /tmp/«word».tar.gz https://example.com/«word»/«word»-«few».«few».tar.gz; \\
    echo \"«sha»  /tmp/«word».tar.gz\" | sha1sum -c -; \\
    tar -xzf /tmp/«word».tar.gz -C /usr/local; \\
    rm /tmp/«word».tar.gz
";

const COMPOSE_HEAD: &str = "
version: '3.8'

x-environment: &environment
  APP_ENV: ${APP_ENV:-development}
  DATABASE_URL: postgres://app@db:5432/app

services:
  db:
    image: ${DB_IMAGE:-postgres:14-alpine}
    environment:
      POSTGRES_USER: app
      POSTGRES_HOST_AUTH_METHOD: trust
    healthcheck:
      test: [\"CMD-SHELL\", \"pg_isready -U app\"]
      interval: 5s
      retries: «few»

  cache:
    image: redis:7-alpine

";

const COMPOSE_PART: &str = "
  «part»:
    build:
      context: .
      dockerfile: docker/«part»/Dockerfile
      target: build
      args:
        VERSION: ${VERSION:-dev}
    environment:
      <<: *environment
      PORT: «port»
    depends_on:
      db:
        condition: service_healthy
      cache:
        condition: service_started
    ports:
      - '«port»:«port»'
    volumes:
      - .:/app
      - /app/vendor

";

const COMPOSE_SERVICE: &str = "
  «word»-«number»:
    image: «service»
    profiles: [«word»]
    ports:
      - «port»
    environment:
      «WORD»_URL: http://«word»:«port»

";

const COMPOSE_CI: &str = "
services:
  db:
    tmpfs: /var/lib/postgresql/data
  browser:
    image: selenium/standalone-chrome:«many»
    shm_size: 2gb
  app:
    environment:
      CI: 'true'
    command: «test»
";

/// Writes what the steps of a repository build and bring up.
pub(crate) fn write(project: &Project, dice: &mut Dice, files: &mut Vec<File>) {
    let small = fill(SMALL_DOCKERFILE, project, dice, &[]);
    files.push(File::new("Dockerfile", small));
    for part in &project.parts {
        let more: String = (0..dice.below(5))
            .map(|_| fill(RUN, project, dice, &[]))
            .collect();
        let text = fill(DOCKERFILE, project, dice, &[("more", &more)]);
        files.push(File::new(format!("docker/{part}/Dockerfile"), text));
    }
    if !project.compose {
        return;
    }
    let mut text = fill(COMPOSE_HEAD, project, dice, &[]);
    for part in &project.parts {
        text.push_str(&fill(COMPOSE_PART, project, dice, &[("part", part)]));
    }
    for number in 0..dice.below(6) {
        let number = number.to_string();
        text.push_str(&fill(
            COMPOSE_SERVICE,
            project,
            dice,
            &[("number", &number)],
        ));
    }
    files.push(File::new("docker-compose.yml", text));
    let text = fill(COMPOSE_CI, project, dice, &[]);
    files.push(File::new("docker-compose.ci.yml", text));
    if dice.chance(30) {
        files.push(File::new(".env", "APP_ENV=test\nVERSION=1.2.3\n"));
    }
}
