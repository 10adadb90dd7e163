//! What steps run: scripts, Makefiles, `package.json`.

use crate::File;
use crate::dice::Dice;
use crate::project::Project;
use crate::template::fill;

const MAKEFILE: &str = "
SHELL := /bin/bash
IMAGE ?= «organization»/«name»
TAG ?= $(shell git rev-parse --short HEAD)
REGISTRY := «account».dkr.ecr.«region».amazonaws.com

.PHONY: all build test lint push clean
all: lint build test

build: ## Build the image
\tdocker build --pull -t $(IMAGE):$(TAG) -f docker/app/Dockerfile .

test: build
\tdocker run --rm $(IMAGE):$(TAG) «test»

lint:
\t@docker run --rm -i «tool» < Dockerfile
\t«lint»

push: build
\tdocker tag $(IMAGE):$(TAG) $(REGISTRY)/$(IMAGE):$(TAG)
\tdocker push $(REGISTRY)/$(IMAGE):$(TAG)

";

const TARGET: &str = "
«word»-«number»: build
\t@echo '«sentence»'
ifeq ($(CI),true)
\t./scripts/«word».sh --port «port»
else
\tdocker run --rm -it -v $(PWD):/src «tool» sh -c 'cd /src && ls'
endif

";

const SCRIPT: &str = "
#!/usr/bin/env bash
# «sentence»
set -euo pipefail

cd \"$(dirname \"${BASH_SOURCE[0]}\")/..\"
TAG=\"${1:-latest}\"
IMAGE=\"ghcr.io/«repository»\"

log() {
  printf '%s %s\\n' \"$(date -u +%FT%TZ)\" \"$*\" >&2
}

build() {
  local part=$1
  log \"building ${part}\"
  docker build --pull \\
    --build-arg VERSION=\"$TAG\" \\
    --tag \"$IMAGE/${part}:$TAG\" \\
    --file \"docker/${part}/Dockerfile\" .
}

";

const FUNCTION: &str = "
«word»_«number»() {
  # «sentence»
  local attempt=0 target=\"${2:-«word»}\"
  while (( attempt < «few» )); do
    if curl -fsS \"http://localhost:«port»/«word»\" -o /dev/null; then
      log \"«sentence»\"
      return 0
    fi
    attempt=$((attempt + 1))
    sleep 1
  done
  case \"$target\" in
    «word»|«word») docker run --rm --network host «tool» \"$target\" ;;
    *) aws s3 cp \"$target\" \"s3://«organization»-«word»/${TAG}/\" --region «region» ;;
  esac
  cat <<-EOF > \"/tmp/${target}.json\"
\t{\"«word»\": \"${TAG}\", \"count\": «many»}
\tEOF
}

";

const PACKAGE: &str = r#"
{
  "name": "«name»",
  "private": true,
  "scripts": {
    "build": "tsc -p . && docker build -t «name» .",
    "test": "jest",
    "lint": "eslint src",
    "e2e": "docker run --rm --network host «tool» npm run e2e:ci",
    "e2e:ci": "cypress run"
  },
  "dependencies": {
«dependencies»
  }
}
"#;

/// Writes what the steps of a repository run.
pub(crate) fn write(project: &Project, dice: &mut Dice, files: &mut Vec<File>) {
    if project.make {
        let mut text = fill(MAKEFILE, project, dice, &[]);
        for number in 0..dice.below(14) {
            let number = number.to_string();
            text.push_str(&fill(TARGET, project, dice, &[("number", &number)]));
        }
        files.push(File::new("Makefile", text));
    }
    if project.scripts {
        let mut text = fill(SCRIPT, project, dice, &[]);
        let mut calls = String::new();
        for number in 0..dice.below(12) {
            let number = number.to_string();
            let word = fill("«word»", project, dice, &[]);
            let function = fill(FUNCTION, project, dice, &[("number", &number)]);
            // The first word of the template is the function's name.
            let rest = function.split_once("_").map_or("", |(_, rest)| rest);
            text.push_str(&format!("{word}_{rest}"));
            if dice.chance(50) {
                calls.push_str(&format!("{word}_{number} \"$TAG\"\n"));
            }
        }
        for part in &project.parts {
            text.push_str(&format!("build {part}\n"));
        }
        text.push_str(&calls);
        text.push_str("docker push \"$IMAGE/app:$TAG\"\n");
        files.push(File::new("scripts/build.sh", text));
    }
    if project.language.name == "node" {
        let mut dependencies: Vec<String> = (0..dice.between(5, 40))
            .map(|_| {
                fill(
                    "    \"@«organization»/«word»-«word»\": \"^«few».«few».«few»\"",
                    project,
                    dice,
                    &[],
                )
            })
            .collect();
        dependencies.sort();
        dependencies.dedup_by(|a, b| a.split(':').next() == b.split(':').next());
        let dependencies = dependencies.join(",\n");
        let text = fill(PACKAGE, project, dice, &[("dependencies", &dependencies)]);
        files.push(File::new("package.json", text));
    }
}
