//! CircleCI configurations: executors, anchors, service images, remote docker, machine jobs, inline
//! orbs, commands with parameters, dynamic configuration.

use crate::File;
use crate::dice::Dice;
use crate::project::Project;
use crate::template::fill;

/// Steps that any job may have.
const STEPS: &[&str] = &[
    "- run:\n    name: Install dependencies\n    command: «install»\n",
    "- run: «lint»\n",
    "- run:\n    name: Run tests\n    command: |\n      mkdir -p results\n      «test»\n    environment:\n      RAILS_ENV: test\n      «WORD»_URL: http://localhost:«port»/«word»\n",
    "- restore_cache:\n    keys:\n      - v«few»-«word»-{{ checksum \"«lock»\" }}\n      - v«few»-«word»-\n",
    "- save_cache:\n    key: v«few»-«word»-{{ checksum \"«lock»\" }}\n    paths:\n      - ~/.cache/«word»\n      - vendor\n",
    "- store_test_results:\n    path: results\n- store_artifacts:\n    path: results\n    destination: «word»\n",
    "- attach_workspace:\n    at: ~/project\n",
    "- persist_to_workspace:\n    root: .\n    paths:\n      - dist\n      - «word»\n",
    "- run:\n    name: Wait for «word»\n    command: |\n      for i in $(seq 1 «many»); do\n        nc -z localhost «port» && echo ready && exit 0\n        echo -n .\n        sleep 1\n      done\n      echo \"failed waiting for «word»\" && exit 1\n",
    "- run:\n    name: Notify\n    when: on_fail\n    command: |\n      curl -sS -X POST -H 'Content-type: application/json' \\\n        --data \"{\\\"text\\\": \\\"$CIRCLE_PROJECT_REPONAME failed on $CIRCLE_BRANCH\\\"}\" \\\n        \"$«WORD»_WEBHOOK\"\n",
    "# «sentence»\n- run:\n    name: «sentence»\n    command: |\n      export «WORD»_TAG=${CIRCLE_TAG:-$CIRCLE_SHA1}\n      if [ \"$CIRCLE_BRANCH\" = main ]; then\n        echo \"export «WORD»=${«WORD»_TAG}\" >> $BASH_ENV\n      else\n        ./bin/«word» --check \"«word»/«word»\" || true\n      fi\n",
    "- run:\n    name: Deploy «word»\n    command: |\n      cat > «word».json <<EOF\n      {\n        \"cluster\": \"«word»-${ENVIRONMENT}\",\n        \"image\": \"${ECR_REGISTRY}/«name»:${CIRCLE_SHA1}\",\n        \"count\": «few»\n      }\n      EOF\n      aws ecs update-service --cluster «word» --service «word» --force-new-deployment --region «region»\n      kubectl --namespace «word» rollout status deployment/«word» --timeout=«many»s\n",
];

/// Steps that use containers: only where a job has a daemon.
const DOCKER_STEPS: &[&str] = &[
    "- run:\n    name: Build «part»\n    command: |\n      docker build --pull \\\n        --build-arg VERSION=$CIRCLE_SHA1 \\\n        -t $ECR_REGISTRY/«name»:$CIRCLE_SHA1 \\\n        -f docker/«part»/Dockerfile .\n",
    "- run: docker build -t «name» .\n- run: docker run --rm -e CI «name» «test»\n",
    "- run:\n    name: «word» checks\n    command: docker run --rm -v \"$PWD:/src\" «tool» /src/«word»\n",
    "- run:\n    name: Pull images\n    command: |\n      for image in «service» «tool»; do\n        docker pull \"$image\"\n      done\n",
    "- run: |\n    aws ecr get-login-password --region «region» | docker login -u AWS --password-stdin «account».dkr.ecr.«region».amazonaws.com\n    docker tag «name» «account».dkr.ecr.«region».amazonaws.com/«name»:$CIRCLE_SHA1\n    docker push «account».dkr.ecr.«region».amazonaws.com/«name»:$CIRCLE_SHA1\n",
];

const COMPOSE_STEPS: &[&str] = &[
    "- run: «compose» build\n- run: «compose» up -d\n",
    "- run:\n    name: Integration tests\n    command: |\n      «compose» pull --quiet\n      «compose» run --rm «part» «test»\n",
    "- run:\n    name: Start services\n    command: «compose» up -d db cache && sleep 5\n    background: false\n",
];

const JOBS: [&str; 5] = [
    "
  «job»:
    docker:
      - image: «image»
        «auth»
        environment:
          APP_ENV: test
          DATABASE_URL: postgres://app@localhost:5432/app_test
      - image: «service»
        «auth»
        environment:
          POSTGRES_USER: app
          POSTGRES_DB: app_test
    working_directory: ~/«name»
    parallelism: «few»
    steps:
      - checkout
      «steps»
",
    "
  «job»:
    docker: [{image: «image»}]
    resource_class: medium
    steps:
      - checkout
      «steps»
",
    "
  «job»:
    docker:
      - image: «image»
        «auth»
    environment:
      ENVIRONMENT: «word»
    steps:
      - checkout
      - setup_remote_docker:
          docker_layer_caching: true
      «login»
      «docker»
      «steps»
",
    "
  «job»:
    machine:
      image: «machine»
    environment:
      COMPOSE_PROJECT_NAME: «word»
    steps:
      - checkout
      «login»
      «docker»
      «steps»
",
    "
  «job»:
    docker:
      - image: «image»
        «auth»
      - image: «service»
        «auth»
      - image: «service»
        command: [--quiet, --port, '«port»']
    steps:
      - checkout
      «steps»
",
];

const ANCHORS: &str = "
x-common:
  environment: &environment
    TZ: Europe/London
    APP_ENV: test
  images: &images
    - image: «image»
      «auth»
    - image: «service»
      «auth»

defaults: &defaults
  docker: *images
  working_directory: ~/«name»
  environment:
    <<: *environment
    «WORD»_ENABLED: 'true'

";

const ANCHORED_JOB: &str = "
  «job»:
    <<: *defaults
    steps:
      - checkout
      «steps»
";

const REUSABLE: &str = "
parameters:
  run-«word»:
    type: boolean
    default: true
  image-tag:
    type: string
    default: '18.20'

orbs:
  aws-cli: circleci/aws-cli@4.1.0
  slack: circleci/slack@4.12.5
  «inline»

executors:
  default:
    parameters:
      tag:
        type: string
        default: << pipeline.parameters.image-tag >>
    docker:
      - image: cimg/node:<< parameters.tag >>
        «auth»
    resource_class: large
  with-services:
    docker:
      - image: «image»
        «auth»
      - image: «service»
        «auth»
        environment: {POSTGRES_USER: app, POSTGRES_DB: app_test}
  vm:
    machine:
      image: «machine»

commands:
  docker-login:
    description: Sign in before anything is pulled
    steps:
      - run:
          name: Docker Hub login
          command: echo $DOCKER_ACCESS_TOKEN | docker login -u $DOCKER_USER --password-stdin
  build-image:
    parameters:
      part:
        type: string
      target:
        type: string
        default: production
    steps:
      - setup_remote_docker
      «login»
      - run:
          name: Build << parameters.part >>
          command: |
            docker build --target << parameters.target >> \\
              -t \"${ECR_REGISTRY}/«name»/<< parameters.part >>:${CIRCLE_SHA1}\" \\
              -f docker/<< parameters.part >>/Dockerfile .
            docker push \"${ECR_REGISTRY}/«name»/<< parameters.part >>:${CIRCLE_SHA1}\"
  with-cache:
    parameters:
      steps:
        type: steps
    steps:
      - restore_cache:
          keys: [\"deps-{{ checksum \\\"«lock»\\\" }}\"]
      - steps: << parameters.steps >>
      - save_cache:
          key: deps-{{ checksum \"«lock»\" }}
          paths: [vendor]

";

const INLINE_ORB: &str = "
«word»:
  executors:
    tool:
      docker:
        - image: «tool»
          «auth»
  commands:
    scan:
      parameters:
        image: {type: string, default: «tool»}
      steps:
        - setup_remote_docker
        - run: docker run --rm << parameters.image >> --exit-code 1
  jobs:
    check:
      executor: tool
      steps:
        - checkout
        - scan
";

const REUSABLE_JOBS: [&str; 3] = [
    "
  «job»:
    executor:
      name: default
      tag: '20.11'
    steps:
      - checkout
      - with-cache:
          steps:
            - run: «install»
      «steps»
",
    "
  «job»:
    parameters:
      part:
        type: string
        default: «part»
    executor: default
    steps:
      - checkout
      - build-image:
          part: << parameters.part >>
      - when:
          condition: << pipeline.parameters.image-tag >>
          steps:
            - run: echo building << parameters.part >>
      «steps»
",
    "
  «job»:
    executor: with-services
    steps:
      - checkout
      «steps»
",
];

const SETUP: &str = "
version: 2.1
setup: true
orbs:
  path-filtering: circleci/path-filtering@1.0.0
workflows:
  setup:
    jobs:
      - path-filtering/filter:
          base-revision: main
          config-path: .circleci/continue_config.yml
          mapping: |
            src/.* run-«word» true
            infra/.* run-«word» true
";

/// Writes the configuration of a repository, in one file or two.
pub(crate) fn write(project: &Project, dice: &mut Dice, files: &mut Vec<File>) {
    let reusable = dice.chance(75);
    if reusable && dice.chance(12) {
        files.push(File::new(
            ".circleci/config.yml",
            fill(SETUP, project, dice, &[]),
        ));
        let text = configuration(project, dice, true);
        files.push(File::new(".circleci/continue_config.yml", text));
    } else {
        let text = configuration(project, dice, reusable);
        files.push(File::new(".circleci/config.yml", text));
    }
}

fn configuration(project: &Project, dice: &mut Dice, reusable: bool) -> String {
    let size = dice.ci_bytes();
    let mut text = String::from(if reusable {
        "version: 2.1\n"
    } else {
        "version: 2\n"
    });
    // The reusable parts alone are larger than the smallest files.
    let reusable = reusable && size > 3_000;
    if reusable {
        let inline = match dice.chance(20) {
            true => fill(INLINE_ORB, project, dice, &[]),
            false => String::new(),
        };
        text.push_str(&fill(REUSABLE, project, dice, &[("inline", &inline)]));
    }
    if project.anchors {
        text.push_str(&fill(ANCHORS, project, dice, &[]));
    }
    text.push_str("jobs:\n");
    let mut names = Vec::new();
    let mut workflow_bytes = 0;
    while names.is_empty() || text.len() + workflow_bytes < size {
        let name = format!("{}-{}", fill("«word»", project, dice, &[]), names.len());
        let job = job(project, dice, reusable, &name);
        text.push_str(&job);
        workflow_bytes += 80;
        names.push(name);
    }
    workflows(project, dice, &names, &mut text);
    text
}

fn job(project: &Project, dice: &mut Dice, reusable: bool, name: &str) -> String {
    let template = if reusable && dice.chance(40) {
        dice.pick(&REUSABLE_JOBS)
    } else if project.anchors && dice.chance(40) {
        ANCHORED_JOB
    } else {
        dice.pick(&JOBS)
    };
    let steps = steps(STEPS, project, dice, 5);
    let docker = match project.compose && dice.chance(50) {
        true => self::steps(COMPOSE_STEPS, project, dice, 1),
        false if project.make && dice.chance(30) => {
            "- run: make build\n- run: make test\n".to_owned()
        }
        false if project.scripts && dice.chance(30) => {
            "- run:\n    name: Build and push\n    command: ./scripts/build.sh $CIRCLE_SHA1\n"
                .to_owned()
        }
        false => self::steps(DOCKER_STEPS, project, dice, 2),
    };
    let given = [("job", name), ("steps", &steps), ("docker", &docker)];
    fill(template, project, dice, &given) + "\n"
}

fn steps(from: &[&str], project: &Project, dice: &mut Dice, most: usize) -> String {
    (0..dice.between(1, most))
        .map(|_| fill(dice.pick(from), project, dice, &[]))
        .collect()
}

fn workflows(project: &Project, dice: &mut Dice, names: &[String], text: &mut String) {
    text.push_str("workflows:\n  version: 2\n  build-and-deploy:\n    jobs:\n");
    let mut before: Option<&String> = None;
    for name in names {
        match before {
            Some(before) if dice.chance(60) => {
                text.push_str(&format!(
                    "      - {name}:\n          requires: [{before}]\n"
                ));
                if dice.chance(40) {
                    text.push_str(&fill(
                        "          context: [«word»-«word»]\n          filters: {branches: {only: [main]}}\n",
                        project,
                        dice,
                        &[],
                    ));
                }
            }
            _ => text.push_str(&format!("      - {name}\n")),
        }
        before = Some(name);
    }
    if let (true, Some(first)) = (dice.chance(20), names.first()) {
        text.push_str(&format!(
            "  nightly:\n    triggers:\n      - schedule:\n          cron: '0 3 * * *'\n          filters: {{branches: {{only: [main]}}}}\n    jobs:\n      - {first}\n"
        ));
    }
}
