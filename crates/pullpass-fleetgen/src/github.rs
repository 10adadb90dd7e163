//! GitHub workflows: job and service containers, matrices, build-push, composite actions, reusable
//! workflows, and the many that pull nothing.

use crate::File;
use crate::dice::Dice;
use crate::project::Project;
use crate::template::fill;

const HEADS: [&str; 3] = [
    "
name: «title»

on:
  push:
    branches: [main]
  pull_request:
    paths-ignore: ['**.md', 'docs/**']

permissions:
  contents: read

env:
  REGISTRY: ghcr.io
  «WORD»_ENV: test

jobs:
",
    "
name: «title»
on: [push, pull_request]

jobs:
",
    "
name: «title»
on:
  schedule:
    - cron: '«few» 4 * * 1'
  workflow_dispatch:
    inputs:
      environment:
        description: «sentence»
        required: false
        default: staging

concurrency:
  group: «word»-${{ github.ref }}
  cancel-in-progress: true

jobs:
",
];

const STEPS: &[&str] = &[
    "«setup»\n",
    "- run: «install»\n",
    "- name: Lint\n  run: «lint»\n",
    "- name: Test\n  run: «test»\n  env:\n    DATABASE_URL: postgres://app@localhost:5432/app_test\n    CI: true\n",
    "- uses: actions/cache@v4\n  with:\n    path: ~/.cache/«word»\n    key: ${{ runner.os }}-«word»-${{ hashFiles('**/«lock»') }}\n    restore-keys: |\n      ${{ runner.os }}-«word»-\n",
    "- name: Upload «word»\n  if: always()\n  uses: actions/upload-artifact@v4\n  with:\n    name: «word»-${{ github.run_id }}\n    path: results/\n",
    "- name: «sentence»\n  id: «word»\n  run: |\n    echo \"sha=$(git rev-parse --short HEAD)\" >> \"$GITHUB_OUTPUT\"\n    if [[ \"${{ github.ref }}\" == refs/tags/* ]]; then\n      echo \"tag=${GITHUB_REF#refs/tags/}\" >> \"$GITHUB_OUTPUT\"\n    else\n      echo \"tag=latest\" >> \"$GITHUB_OUTPUT\"\n    fi\n",
    "- uses: aws-actions/configure-aws-credentials@v4\n  with:\n    role-to-assume: arn:aws:iam::«account»:role/«word»-ci\n    aws-region: «region»\n",
    "- uses: github/codeql-action/upload-sarif@v3\n  with:\n    sarif_file: «word».sarif\n",
    "# «sentence»\n- name: Deploy «word»\n  env:\n    IMAGE: ${{ env.REGISTRY }}/${{ github.repository }}:${{ github.sha }}\n  run: |\n    cat > values.yaml <<EOF\n    image: ${IMAGE}\n    replicas: «few»\n    EOF\n    kubectl --namespace «word» apply -f deploy/ --timeout=«many»s\n    kubectl rollout status deployment/«word»\n",
    "- name: Comment\n  uses: actions/github-script@v7\n  with:\n    script: |\n      const body = `«sentence»`;\n      await github.rest.issues.createComment({\n        owner: context.repo.owner,\n        repo: context.repo.repo,\n        issue_number: context.issue.number,\n        body,\n      });\n",
    "- uses: «organization»/«word»-action@«sha» # v«few».1.0\n  with:\n    «word»: ${{ secrets.«WORD»_TOKEN }}\n",
];

const DOCKER_STEPS: &[&str] = &[
    "- uses: docker/setup-qemu-action@v3\n- uses: docker/setup-buildx-action@v3\n«login-action»\n- uses: docker/build-push-action@v5\n  with:\n    context: .\n    file: docker/«part»/Dockerfile\n    push: ${{ github.ref == 'refs/heads/main' }}\n    tags: ghcr.io/«repository»/«part»:${{ github.sha }}\n    cache-from: type=gha\n    cache-to: type=gha,mode=max\n",
    "«login-action»\n- name: Build\n  run: docker build -t ${{ env.REGISTRY }}/«name»:${{ github.sha }} .\n- run: docker run --rm ${{ env.REGISTRY }}/«name»:${{ github.sha }} «test»\n",
    "- name: «word» scan\n  uses: docker://«tool»\n  with:\n    args: /github/workspace/«word»\n",
    "- name: «word» scan\n  run: docker run --rm -v \"${{ github.workspace }}:/src\" «tool» /src\n",
    "- uses: aquasecurity/trivy-action@0.20.0\n  with:\n    image-ref: ghcr.io/«repository»:${{ github.sha }}\n    format: sarif\n    output: trivy.sarif\n",
];

const COMPOSE_STEPS: &[&str] = &[
    "«login-action»\n- run: «compose» up -d --build\n- run: «compose» logs «part»\n  if: failure()\n",
    "- name: Start services\n  run: |\n    «compose» pull\n    «compose» up -d db cache\n- run: «compose» run --rm «part» «test»\n",
];

const JOBS: [&str; 6] = [
    "
  «job»:
    name: «sentence»
    runs-on: «runner»
    steps:
      - uses: actions/checkout@v4
      «steps»
",
    "
  «job»:
    runs-on: ${{ matrix.os }}
    strategy:
      fail-fast: false
      matrix:
        os: [ubuntu-latest, ubuntu-22.04]
        version: ['1.«few»', '2.«few»']
        include:
          - os: ubuntu-latest
            version: nightly
    steps:
      - uses: actions/checkout@v4
      «steps»
",
    "
  «job»:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        database: ['«service»', '«service»']
    container:
      image: «image»
      «credentials»
      env:
        NODE_ENV: test
      options: --cpus 1
    services:
      db:
        image: ${{ matrix.database }}
        «credentials»
        ports: ['5432:5432']
    steps:
      - uses: actions/checkout@v4
      «steps»
",
    "
  «job»:
    runs-on: «runner»
    services:
      «word»:
        image: «service»
        «credentials»
        env:
          POSTGRES_PASSWORD: not-a-secret
        options: >-
          --health-cmd pg_isready
          --health-interval 10s
        ports:
          - «port»:5432
      session-store:
        image: «service»
        «credentials»
    steps:
      - uses: actions/checkout@v4
      «steps»
",
    "
  «job»:
    runs-on: «runner»
    if: github.event_name != 'pull_request' || github.event.pull_request.draft == false
    permissions:
      contents: read
      packages: write
      id-token: write
    timeout-minutes: «many»
    steps:
      - uses: actions/checkout@v4
      «docker»
      «steps»
",
    "
  «job»:
    runs-on: «runner»
    container: «image»
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      «steps»
",
];

const COMPOSITE: &str = "
name: Prepare
description: «sentence»
inputs:
  cache-key:
    description: «sentence»
    default: «word»
runs:
  using: composite
  steps:
    «setup»
    - run: «install»
      shell: bash
    - name: Warm up
      shell: bash
      run: |
        docker pull «service»
        docker run -d --name «word» -p «port»:«port» «service»
";

const DOCKER_ACTION: &str = "
name: Check
description: «sentence»
runs:
  using: docker
  image: docker://«tool»
  args: [--check]
";

const REUSABLE: &str = "
name: Build one part
on:
  workflow_call:
    inputs:
      part:
        required: true
        type: string
      push:
        type: boolean
        default: false
    secrets:
      DOCKER_USER:
        required: false
      DOCKER_ACCESS_TOKEN:
        required: false

jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      «login-action»
      - uses: docker/setup-buildx-action@v3
      - uses: docker/build-push-action@v5
        with:
          context: .
          file: docker/${{ inputs.part }}/Dockerfile
          push: ${{ inputs.push }}
          tags: ghcr.io/«repository»/${{ inputs.part }}:${{ github.sha }}
";

const CALL: &str = "
  «job»:
    uses: ./.github/workflows/build-part.yml
    with:
      part: «part»
      push: true
    secrets: inherit
";

const TITLES: &[&str] = &[
    "ci",
    "test",
    "lint",
    "release",
    "deploy",
    "nightly",
    "security",
    "docs",
    "labeler",
    "stale",
    "codeql",
    "integration",
    "preview",
];

/// What a repository's workflows have beside themselves.
#[derive(Clone, Copy)]
struct Local {
    composite: bool,
    docker_action: bool,
    reusable: bool,
}

/// Writes the workflows of a repository, and the actions that they share.
pub(crate) fn write(project: &Project, dice: &mut Dice, files: &mut Vec<File>) {
    let local = Local {
        composite: dice.chance(30),
        docker_action: dice.chance(8),
        reusable: dice.chance(25),
    };
    let mut add = |path: &str, text: String| files.push(File::new(format!(".github/{path}"), text));
    if local.composite {
        add(
            "actions/prepare/action.yml",
            fill(COMPOSITE, project, dice, &[]),
        );
    }
    if local.docker_action {
        add(
            "actions/check/action.yml",
            fill(DOCKER_ACTION, project, dice, &[]),
        );
    }
    if local.reusable {
        add(
            "workflows/build-part.yml",
            fill(REUSABLE, project, dice, &[]),
        );
    }
    let mut titles = TITLES.to_vec();
    for _ in 0..dice.between(2, 6) {
        let title = titles.swap_remove(dice.below(titles.len()));
        let text = workflow(project, dice, local, title);
        add(&format!("workflows/{title}.yml"), text);
    }
}

fn workflow(project: &Project, dice: &mut Dice, local: Local, title: &str) -> String {
    let size = dice.ci_bytes();
    let mut text = fill(dice.pick(&HEADS), project, dice, &[("title", title)]);
    let mut jobs = 0;
    while jobs == 0 || text.len() < size {
        let name = format!("{}-{jobs}", fill("«word»", project, dice, &[]));
        let template = match local.reusable && dice.chance(15) {
            true => CALL,
            false => dice.pick(&JOBS),
        };
        let mut steps = steps(STEPS, project, dice, 6);
        if local.composite && dice.chance(40) {
            steps.insert_str(0, "- uses: ./.github/actions/prepare\n");
        }
        if local.docker_action && dice.chance(40) {
            steps.push_str("- uses: ./.github/actions/check\n");
        }
        let docker = match project.compose && dice.chance(40) {
            true => self::steps(COMPOSE_STEPS, project, dice, 1),
            false if project.make && dice.chance(30) => "- run: make build test\n".to_owned(),
            false if project.scripts && dice.chance(30) => {
                "- run: ./scripts/build.sh ${{ github.sha }}\n".to_owned()
            }
            false => self::steps(DOCKER_STEPS, project, dice, 2),
        };
        let given = [
            ("job", name.as_str()),
            ("steps", &steps),
            ("docker", &docker),
        ];
        text.push_str(&fill(template, project, dice, &given));
        text.push('\n');
        jobs += 1;
    }
    text
}

fn steps(from: &[&str], project: &Project, dice: &mut Dice, most: usize) -> String {
    (0..dice.between(1, most))
        .map(|_| fill(dice.pick(from), project, dice, &[]))
        .collect()
}
