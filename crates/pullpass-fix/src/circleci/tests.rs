//! Before and after, form by form. What a reviewer would have written is the expectation.

mod contexts;
mod form;
mod images;
mod own;
mod wrong;

use pullpass_audit::context::Options;
use pullpass_audit::finding::Policy;
use pullpass_audit::source::MemoryTree;

use crate::{FixOptions, Login, Plan, Scope, fix};

const PATH: &str = ".circleci/config.yml";

fn wishes() -> FixOptions {
    FixOptions::default()
}

fn plan(text: &str, wishes: &FixOptions) -> Plan {
    let tree = MemoryTree::new().with(PATH, text);
    fix(
        &tree,
        Scope::Repository,
        &Options::default(),
        &Policy::default(),
        wishes,
    )
}

fn after(text: &str, wishes: &FixOptions) -> String {
    let plan = plan(text, wishes);
    assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
    plan.files
        .first()
        .map_or_else(|| text.to_owned(), |f| f.after.clone())
}

/// Asserts the edit, with the lines that changed when it is another.
fn edited(before: &str, expected: &str, wishes: &FixOptions) {
    let found = after(before, wishes);
    assert!(
        found == expected,
        "--- found\n{found}\n--- expected\n{expected}\n{:#?}",
        plan(before, wishes)
    );
}

/// A job `j` that runs on these images, given the lines of its `docker` key.
fn job(docker: &str) -> String {
    format!(
        "version: 2.1\njobs:\n  j:\n{docker}    steps:\n      - checkout\nworkflows:\n  w:\n    jobs: [j]\n"
    )
}

#[test]
fn the_repositorys_own_names_are_used_and_can_be_overridden() {
    let docker = |user: &str, token: &str| {
        format!(
            "    docker:\n      - image: cimg/go:1.22\n        auth:\n          username: $DOCKERHUB_USERNAME\n          password: $DOCKERHUB_PASSWORD\n      - image: redis:7\n        auth:\n          username: ${user}\n          password: ${token}\n"
        )
    };
    let before = "    docker:\n      - image: cimg/go:1.22\n        auth:\n          username: $DOCKERHUB_USERNAME\n          password: $DOCKERHUB_PASSWORD\n      - image: redis:7\n";
    edited(
        &job(before),
        &job(&docker("DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD")),
        &wishes(),
    );
    let other = FixOptions {
        user_var: Some("U".into()),
        token_var: Some("T".into()),
        ..wishes()
    };
    edited(&job(before), &job(&docker("U", "T")), &other);
}

#[test]
fn what_is_silenced_is_left_alone() {
    let text = job(
        "    docker:\n      # pullpass: ignore[platform-credential] the vendor's is enough\n      - image: cimg/go:1.22\n",
    );
    edited(&text, &text, &wishes());
}

/// A configuration with one job `j` on a machine; `head` goes after the version.
fn machine(head: &str, steps: &str) -> String {
    format!(
        "version: 2.1\n\n{head}jobs:\n  j:\n    machine:\n      image: ubuntu-2404:current\n    steps:\n{steps}\nworkflows:\n  w:\n    jobs: [j]\n"
    )
}

const IMPORT: &str = "orbs:\n  docker: circleci/docker@4.0.1\n\n";
const COMMAND: &str = "commands:\n  dockerhub_login:\n    steps:\n      - docker/install_docker_credential_helper\n      - docker/check:\n          docker_username: DOCKER_USER\n          docker_password: DOCKER_ACCESS_TOKEN\n\n";

fn run() -> FixOptions {
    FixOptions {
        login: Some(Login::Run),
        ..wishes()
    }
}

fn review() -> FixOptions {
    FixOptions {
        review: true,
        ..wishes()
    }
}

#[test]
fn a_login_is_put_right_before_the_first_pull() {
    edited(
        &machine(
            "",
            "      - checkout\n      # what the tests need\n      - run: docker pull alpine:3.20\n      - run: docker pull redis:7\n",
        ),
        &machine(
            &format!("{IMPORT}{COMMAND}"),
            "      - checkout\n      - dockerhub_login\n      # what the tests need\n      - run: docker pull alpine:3.20\n      - run: docker pull redis:7\n",
        ),
        &wishes(),
    );
}

#[test]
fn a_plain_step_signs_in_where_that_was_asked_for() {
    edited(
        &machine("", "      - run: docker pull alpine:3.20\n"),
        &machine(
            "",
            "      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n      - run: docker pull alpine:3.20\n",
        ),
        &run(),
    );
}

#[test]
fn a_plain_step_that_many_jobs_need_is_a_command() {
    let file = |version: &str, commands: &str, step: &str| {
        let jobs: String = ["a", "b", "c"]
            .iter()
            .map(|name| {
                format!("  {name}:\n    machine: true\n    steps:\n{step}      - run: docker pull alpine:3.20\n")
            })
            .collect();
        format!(
            "version: {version}\n{commands}jobs:\n{jobs}workflows:\n  version: 2\n  w:\n    jobs: [a, b, c]\n"
        )
    };
    let command = format!("commands:\n  dockerhub_login:\n    steps:\n{}", SIGN_IN);
    edited(
        &file("2.1", "", ""),
        &file("2.1", &command, "      - dockerhub_login\n"),
        &run(),
    );
    edited(&file("2", "", ""), &file("2", "", SIGN_IN), &run());
}

#[test]
fn the_orbs_helper_is_for_circlecis_own_amd64_machines() {
    let bare = COMMAND.replace("      - docker/install_docker_credential_helper\n", "");
    for (class, command) in [
        ("large", COMMAND),
        ("arm.medium", bare.as_str()),
        ("acme/linux", bare.as_str()),
    ] {
        let file = |head: &str, step: &str| {
            let file = machine(
                head,
                &format!("{step}      - run: docker pull alpine:3.20\n"),
            );
            let image = "      image: ubuntu-2404:current\n";
            file.replace(image, &format!("{image}    resource_class: {class}\n"))
        };
        edited(
            &file("", ""),
            &file(&format!("{IMPORT}{command}"), "      - dockerhub_login\n"),
            // One's own machine is for a person to look at.
            &review(),
        );
    }
}

#[test]
fn a_job_whose_image_has_no_bash_signs_in_by_a_plain_step() {
    for (image, orb) in [
        ("docker:24-git", false),
        ("docker", false),
        ("ghcr.io/acme/alpine-ci:1", false),
        ("node:22-alpine", false),
        ("ghcr.io/acme/docker:1", false),
        ("acme/docker-tools:1", true),
        ("cimg/base:2024.01", true),
        ("circleci/node:8-alpine", true),
    ] {
        let job = format!(
            "version: 2.1\njobs:\n  j:\n    docker:\n      - image: {image}\n        auth: {{username: $DOCKER_USER, password: $DOCKER_ACCESS_TOKEN}}\n    steps:\n      - setup_remote_docker\n      - run: docker pull alpine:3.20\nworkflows: {{w: {{jobs: [j]}}}}\n"
        );
        let text = after(&job, &wishes());
        assert_eq!(text.contains("docker/check"), orb, "{image}: {text}");
        assert_eq!(text.contains("docker login"), !orb, "{image}: {text}");
    }
}

#[test]
fn version_2_0_knows_no_orbs_and_gets_a_plain_step() {
    let file = |step: &str| {
        format!(
            "version: 2\njobs:\n  build:\n    machine: true\n    steps:\n{step}      - run: docker pull alpine:3.20\n"
        )
    };
    edited(
        &file(""),
        &file(
            "      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n",
        ),
        &wishes(),
    );
}

#[test]
fn an_orb_that_is_imported_is_used_at_its_version_and_spelling() {
    for (version, install, user, password) in [
        (
            "2.8.2",
            "install-docker-credential-helper",
            "docker-username",
            "docker-password",
        ),
        (
            "3.0.0",
            "install_docker_credential_helper",
            "docker_username",
            "docker_password",
        ),
    ] {
        let orbs = format!("orbs:\n  hub: circleci/docker@{version}\n\n");
        let command = format!(
            "commands:\n  dockerhub_login:\n    steps:\n      - hub/{install}\n      - hub/check:\n          {user}: DOCKER_USER\n          {password}: DOCKER_ACCESS_TOKEN\n\n"
        );
        edited(
            &machine(&orbs, "      - run: docker pull alpine:3.20\n"),
            &machine(
                &format!("{orbs}{command}"),
                "      - dockerhub_login\n      - run: docker pull alpine:3.20\n",
            ),
            &wishes(),
        );
    }
}

#[test]
fn names_that_are_taken_are_avoided() {
    edited(
        &machine(
            "orbs:\n  docker: me/docker@1.0.0\n\ncommands:\n  dockerhub_login:\n    steps:\n      - run: echo unrelated\n\n",
            "      - run: docker pull alpine:3.20\n",
        ),
        &machine(
            "orbs:\n  circleci-docker: circleci/docker@4.0.1\n  docker: me/docker@1.0.0\n\ncommands:\n  docker_hub_login:\n    steps:\n      - circleci-docker/install_docker_credential_helper\n      - circleci-docker/check:\n          docker_username: DOCKER_USER\n          docker_password: DOCKER_ACCESS_TOKEN\n  dockerhub_login:\n    steps:\n      - run: echo unrelated\n\n",
            "      - docker_hub_login\n      - run: docker pull alpine:3.20\n",
        ),
        &wishes(),
    );
}

#[test]
fn an_inline_orb_gets_what_it_needs_inside_of_itself() {
    edited(
        "version: 2.1\norbs:\n  mine:\n    jobs:\n      b:\n        machine: true\n        steps:\n          - checkout\n          - run: docker pull alpine:3.20\nworkflows:\n  w:\n    jobs: [mine/b]\n",
        "version: 2.1\norbs:\n  mine:\n    orbs:\n      docker: circleci/docker@4.0.1\n    commands:\n      dockerhub_login:\n        steps:\n          - docker/install_docker_credential_helper\n          - docker/check:\n              docker_username: DOCKER_USER\n              docker_password: DOCKER_ACCESS_TOKEN\n    jobs:\n      b:\n        machine: true\n        steps:\n          - checkout\n          - dockerhub_login\n          - run: docker pull alpine:3.20\nworkflows:\n  w:\n    jobs: [mine/b]\n",
        &wishes(),
    );
}

#[test]
fn what_is_pulled_under_a_condition_is_signed_in_for_there() {
    let file = |step: &str| {
        machine(
            "",
            &format!(
                "      - checkout\n      - when:\n          condition: << pipeline.git.branch >>\n          steps:\n            - checkout\n{step}            - run: docker pull alpine:3.20\n"
            ),
        )
    };
    edited(
        &file(""),
        &file(
            "            - run:\n                name: Sign in to Docker Hub\n                command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n",
        ),
        &run(),
    );
}

#[test]
fn a_command_that_sets_up_its_own_docker_signs_in_itself() {
    let file = |step: &str| {
        format!(
            "version: 2.1\ncommands:\n  build:\n    steps:\n      - setup_remote_docker\n{step}      - run: docker pull alpine:3.20\njobs:\n  a:\n    docker: [{{image: 'ghcr.io/me/ci:1'}}]\n    steps: [checkout, build]\nworkflows:\n  w:\n    jobs: [a]\n"
        )
    };
    edited(
        &file(""),
        &file(
            "      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n",
        ),
        &run(),
    );
}

#[test]
fn who_pulls_under_sudo_is_not_signed_in_without_it() {
    let plan = plan(
        &machine("", "      - run: sudo docker pull alpine:3.20"),
        &run(),
    );
    assert!(plan.refused.is_empty() && plan.files.is_empty(), "{plan:?}");
    assert!(plan.left[0].reason.contains("sudo"), "{:?}", plan.left);
}

/// A file with a command `up` that jobs `a` and `b` call, one way or the other.
fn calling(up: &str, a: &str, b: &str, more: &str) -> String {
    format!(
        "version: 2.1\ncommands:\n  up:\n    steps:\n{up}      - run: docker pull alpine:3.20\n{more}jobs:\n  a:\n    machine: true\n    steps:\n{a}  b:\n    machine: true\n    steps:\n{b}workflows:\n  w:\n    jobs: [a, b]\n"
    )
}

const SIGN_IN: &str = "      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n";

#[test]
fn a_command_that_several_jobs_pull_in_signs_in_for_them_all() {
    let (up, pull) = (
        "      - checkout\n      - up\n",
        "      - run: docker pull redis:7\n",
    );
    for (a, b, more) in [
        (up.to_owned(), up.to_owned(), ""),
        // What is pulled later is signed in for, too.
        (format!("{up}{pull}"), up.to_owned(), ""),
        // Through another command that they share.
        (
            "      - all\n".to_owned(),
            "      - all\n".to_owned(),
            "  all:\n    steps:\n      - checkout\n      - up\n",
        ),
    ] {
        let before = calling("", &a, &b, more);
        let expected = if more.is_empty() {
            calling(SIGN_IN, &a, &b, more)
        } else {
            before.replace(
                "      - checkout\n      - up\n",
                &format!("      - checkout\n{SIGN_IN}      - up\n"),
            )
        };
        edited(&before, &expected, &run());
    }
}

#[test]
fn a_command_does_not_sign_in_for_jobs_that_need_it_sooner_or_not_at_all() {
    let up = "      - up\n";
    let login = "      - run: echo \"$DOCKER_ACCESS_TOKEN\" | docker login -u \"$DOCKER_USER\" --password-stdin\n";
    let pull = "      - run: docker pull redis:7\n";
    for (b, b_after) in [
        // It pulls before.
        (format!("{pull}{up}"), format!("{SIGN_IN}{pull}{up}")),
        // It is signed in.
        (format!("{login}{up}"), format!("{login}{up}")),
    ] {
        let step = if b.contains("login") { login } else { SIGN_IN };
        edited(
            &calling("", up, &b, ""),
            &calling("", &format!("{step}{up}"), &b_after, ""),
            &run(),
        );
    }
    // A command that nobody runs calls it, and may be called by who is signed in.
    let more = "  other:\n    steps:\n      - up\n";
    let signed = format!("{SIGN_IN}{up}");
    edited(
        &calling("", up, up, more),
        &calling("", &signed, &signed, more),
        &run(),
    );
}

#[test]
fn jobs_that_do_not_pull_get_no_login() {
    let text = machine(
        "",
        "      - checkout\n      - run: docker version\n      - run: docker pull ghcr.io/me/app:1\n",
    );
    edited(&text, &text, &wishes());
}

#[test]
fn pulls_that_are_all_conditional_are_for_a_person_to_look_at() {
    let text = machine(
        "",
        "      - run: |\n          if command -v docker; then docker pull alpine; fi\n",
    );
    let plan = plan(&text, &wishes());
    assert!(plan.files.is_empty());
    assert_eq!(plan.withheld.len(), 1, "{plan:#?}");
}

#[test]
fn a_job_on_a_mac_gets_no_login() {
    for host in ["macos: {xcode: 16.4.0}", "executor: mac"] {
        let text = format!(
            "version: 2.1\nexecutors:\n  mac:\n    macos: {{xcode: 16.4.0}}\njobs:\n  j:\n    {host}\n    steps:\n      - run: brew install colima docker && colima start\n      - run: docker pull redis\nworkflows: {{w: {{jobs: [j]}}}}\n"
        );
        let plan = plan(&text, &wishes());
        assert!(plan.files.is_empty(), "{plan:#?}");
        assert!(plan.left[0].reason.contains("Macs"), "{plan:#?}");
    }
}

fn with_run() -> FixOptions {
    FixOptions {
        login: Some(Login::Run),
        ..wishes()
    }
}

const STEP: &str = "      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n";

#[test]
fn a_login_goes_below_what_sets_docker_up_also_where_more_is_pulled_after_the_command() {
    let config = |login: &str, call: &str| {
        format!(
            "version: 2.1\ncommands:\n  docker_up:\n    steps:\n      - run: apk add --no-cache docker-cli\n      - setup_remote_docker\n{login}      - run: docker pull postgres\njobs:\n  j:\n    docker:\n      - image: ghcr.io/me/alpine:1\n    steps:\n      - checkout\n{call}      - run: docker run alpine echo\nworkflows: {{w: {{jobs: [j]}}}}\n"
        )
    };
    let call = "      - docker_up\n";
    edited(&config("", call), &config(STEP, call), &with_run());
    // Under a condition the login would not be there for the rest, and before it there may be no docker.
    let sometimes = config(
        "",
        "      - when:\n          condition: << pipeline.parameters.x >>\n          steps: [docker_up]\n",
    );
    let plan = plan(&sometimes, &with_run());
    assert!(plan.files.is_empty(), "{plan:#?}");
    assert!(
        plan.withheld[0].why.contains("setup_remote_docker"),
        "{plan:#?}"
    );
}

#[test]
fn a_job_in_powershell_gets_a_login_in_a_shell() {
    let step = STEP.replace("Docker Hub\n", "Docker Hub\n          shell: bash.exe\n");
    for host in [
        "    machine: {image: 'ubuntu-2404:current', shell: powershell.exe -ExecutionPolicy Bypass}\n",
        "    machine: {image: 'windows-server-2022-gui:current'}\n",
        "    machine: {image: 'windows-server-2022-gui:current'}\n    shell: powershell.exe\n",
        "    executor: win/default\n",
        "    executor: {name: win/default, size: large}\n",
        "    executor: own\n",
    ] {
        let config = |login: &str| {
            format!(
                "version: 2.1\norbs:\n  win: circleci/windows@5.0.0\nexecutors:\n  own:\n    machine: {{image: 'windows-server-2022-gui:current'}}\njobs:\n  j:\n{host}    steps:\n      - checkout\n{login}      - run: docker pull redis\nworkflows: {{w: {{jobs: [j]}}}}\n"
            )
        };
        edited(&config(""), &config(&step), &wishes());
    }
    // Bash on Windows is as good as any.
    let bash = "version: 2.1\norbs:\n  win: circleci/windows@5.0.0\njobs:\n  j:\n    executor: {name: win/default, shell: bash.exe}\n    steps:\n      - run: docker pull redis\nworkflows: {w: {jobs: [j]}}\n";
    assert!(after(bash, &with_run()).contains(STEP));
}

#[test]
fn a_command_that_jobs_call_in_powershell_and_in_a_shell_is_left() {
    let text = "version: 2.1\ncommands:\n  up:\n    steps:\n      - run: docker pull redis\njobs:\n  a:\n    machine: {image: 'windows-server-2022-gui:current'}\n    steps: [up]\n  b:\n    machine: true\n    steps: [up]\nworkflows: {w: {jobs: [a, b]}}\n";
    let plan = plan(text, &wishes());
    assert!(plan.files.is_empty(), "{plan:#?}");
    assert!(plan.left[0].reason.contains("PowerShell"), "{plan:#?}");
}

#[test]
fn what_a_program_makes_is_for_a_person_to_look_at() {
    let job = "version: 2.1\njobs:\n  build:\n    docker:\n      - image: redis:7\n    steps: [checkout]\n";
    let made = format!("# DO NOT EDIT: run `make ci`\n{job}");
    let packed = MemoryTree::new().with(PATH, job).with(
        ".circleci/src/@jobs.yml",
        "build:\n  docker:\n    - image: redis:7\n  steps: [checkout]\n",
    );
    for (tree, why) in [
        (MemoryTree::new().with(PATH, made.as_str()), "line 1 of"),
        (packed, "`circleci config pack`"),
    ] {
        let of = |wishes: &FixOptions| {
            fix(
                &tree,
                Scope::Repository,
                &Options::default(),
                &Policy::default(),
                wishes,
            )
        };
        let plan = of(&wishes());
        assert!(plan.files.is_empty(), "{plan:#?}");
        assert!(plan.withheld[0].why.contains(why), "{plan:#?}");
        let review = FixOptions {
            review: true,
            ..wishes()
        };
        let plan = of(&review);
        assert!(plan.files.iter().any(|file| file.path.as_str() == PATH));
    }
}

#[test]
fn where_a_client_does_without_docker_a_person_looks_whether_it_is_there() {
    let skopeo = "      - run: skopeo copy docker://alpine:3 dir:x\n";
    let container = |image: &str| {
        machine("", skopeo).replace(
            "    machine:\n      image: ubuntu-2404:current\n",
            &format!("    docker: [{{image: {image}}}]\n"),
        )
    };
    for (text, is_safe) in [
        (machine("", skopeo), true),
        (container("quay.io/skopeo/stable"), false),
    ] {
        let plan = plan(&text, &wishes());
        assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
        assert_eq!(!plan.done.is_empty(), is_safe, "{text}{plan:#?}");
        let asks = plan
            .withheld
            .iter()
            .any(|change| change.why.contains("does without `docker`"));
        assert_eq!(asks, !is_safe, "{plan:#?}");
    }
}

#[test]
fn a_machine_of_ones_own_may_be_signed_in_already() {
    let text = machine("", "      - run: docker pull alpine:3.20\n").replace(
        "      image: ubuntu-2404:current\n",
        "      enabled: true\n    resource_class: me/runner\n",
    );
    let plan = plan(&text, &wishes());
    assert!(plan.done.is_empty(), "{plan:#?}");
    assert!(
        plan.withheld[0].why.contains("machine of your own"),
        "{plan:#?}"
    );
}
