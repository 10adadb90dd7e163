//! Files that are broken, huge or hostile: each is answered with a clear line, in bounded time and
//! memory, and the rest of the repository is audited all the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod support;

use std::fs;

use support::{Audit, GOOD_FILE, Repository, bounded, pullpass};

const CONFIG: &str = ".circleci/config.yml";

fn config(text: impl AsRef<[u8]>) -> Audit {
    Repository::new().with(CONFIG, text).audit()
}

/// Lists of aliases of lists, `levels` deep: four to the power of that many entries.
fn bomb(levels: usize, first: &str) -> String {
    (1..levels).fold(format!("a0: &a0 {first}\n"), |text, level| {
        let one = format!("*a{}", level - 1);
        format!("{text}a{level}: &a{level} [{one}, {one}, {one}, {one}]\n")
    })
}

mod text {
    use super::*;

    #[test]
    fn what_is_not_yaml_is_said_with_its_line() {
        config("version: 2.1\njobs: [a\n  : {\n").says_of(CONFIG, 3, "not YAML: ");
        config("version: 2.1\njobs:\n\tbuild:\n").says_of(CONFIG, 3, "not YAML: tabs");
        config(b"\x7fELF\x00\x01").says_of(CONFIG, 1, "not YAML: ");
    }

    #[test]
    fn a_yaml_file_that_is_no_configuration_is_said_to_be_none() {
        config("- a\n").says_of(CONFIG, 1, "a CircleCI configuration is a mapping");
        config("hello\n").says_of(CONFIG, 1, "a CircleCI configuration is a mapping");
        Repository::new()
            .with(".github/workflows/list.yml", "- a\n")
            .audit()
            .says_of(".github/workflows/list.yml", 1, "not a GitHub workflow");
    }

    #[test]
    fn other_encodings_are_named_or_placed() {
        config(b"version: 2.1\n# caf\xe9\n").says_of(CONFIG, 2, "not UTF-8 from here on");
        let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "\u{feff}version: 2.1\n"
                .encode_utf16()
                .flat_map(order)
                .collect()
        };
        config(utf16(u16::to_le_bytes)).says_of(CONFIG, 1, "UTF-16");
        config(utf16(u16::to_be_bytes)).says_of(CONFIG, 1, "UTF-16");
    }

    #[test]
    fn a_byte_order_mark_and_crlf_are_read_through() {
        let text = "\u{feff}version: 2.1\r\njobs:\r\n  build:\r\n    docker:\r\n      - image: redis:7\r\n    steps: [checkout]\r\n";
        assert_eq!(config(text).pulls(CONFIG), ["redis:7"]);
    }

    #[test]
    fn a_template_is_taken_for_one() {
        config("version: 2.1\n{% if x %}\njobs: {}\n{% endif %}\n").says_of(
            CONFIG,
            2,
            "looks like a template",
        );
        let named = "on: push\njobs:\n  {{ cookiecutter.job }}:\n    runs-on: ubuntu-latest\n";
        Repository::new()
            .with(".github/workflows/t.yml", named)
            .audit()
            .says_of(".github/workflows/t.yml", 3, "looks like a template");
    }

    #[test]
    fn of_a_key_written_twice_the_last_counts_and_it_is_said() {
        let audit = config(
            "version: 2.1\njobs:\n  build:\n    docker: [{image: first}]\n    docker: [{image: last}]\n    steps: [checkout]\n",
        );
        audit.says_of(CONFIG, 5, "the key `docker` is written twice");
        assert_eq!(audit.pulls(CONFIG), ["last"]);
    }

    #[test]
    fn an_unknown_version_is_read_as_the_newest_and_it_is_said() {
        let job = "jobs:\n  build:\n    docker: [{image: redis}]\n    steps: [checkout]\n";
        let audit = config(format!("version: 9\n{job}"));
        audit.says_of(CONFIG, 1, "this version of the language is not known");
        assert_eq!(audit.pulls(CONFIG), ["redis"]);
        let audit = config(job);
        audit.says_of(CONFIG, 1, "no `version`");
        config(format!("version: 1.0\n{job}")).says_of(CONFIG, 1, "CircleCI 1.0 no longer runs");
    }
}

mod depth {
    use super::*;

    const DEEP: usize = 100_000;

    #[test]
    fn yaml_that_nests_too_deep_is_refused() {
        for text in [
            format!("a: {}{}\n", "[".repeat(DEEP), "]".repeat(DEEP)),
            format!("a: {}\n", "{a: ".repeat(DEEP)),
            format!("{}x\n", "- ".repeat(DEEP)),
            format!("{}x\n", "? ".repeat(DEEP)),
        ] {
            config(text).says_of(CONFIG, 1, "nested more than 255 deep");
        }
    }

    #[test]
    fn an_expression_that_nests_too_deep_is_unknown() {
        let workflow = format!(
            "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    container: ${{{{ {}1{} }}}}\n    if: ${{{{ {}true }}}}\n    steps: []\n",
            "(".repeat(DEEP),
            ")".repeat(DEEP),
            "!".repeat(DEEP)
        );
        let audit = Repository::new()
            .with(".github/workflows/deep.yml", workflow)
            .audit();
        let image = audit.pulls(".github/workflows/deep.yml")[0];
        assert_eq!(audit.auth(image), "unknown");
        assert!(image.len() < 2000, "a text of any length is cut");
        audit.goes_on();
    }

    #[test]
    fn a_script_that_nests_too_deep_ends() {
        for (open, inner, close) in [
            ("(", "docker run redis", ")"),
            ("$(", "docker run redis", ")"),
            ("{ ", "docker run redis; ", "} "),
            ("if true; then ", "docker run redis; ", "fi; "),
            ("case a in a) ", "docker run redis", ";; esac; "),
            ("f() { ", "docker run redis; ", "}; "),
            ("! ", "docker run redis", ""),
            ("echo \"$(", "docker run redis", ")\""),
            ("docker run ${a:-", "redis", "}"),
            ("echo $((", "1", "))"),
            ("`", "", ""),
            ("cat <<A\n", "", "A\n"),
            ("bash -c '", "", "'"),
        ] {
            let script = format!("{}{inner}{}", open.repeat(DEEP), close.repeat(DEEP));
            Repository::new().with_script(&script).audit().goes_on();
        }
    }

    #[test]
    fn dockerfiles_makefiles_and_compose_files_that_nest_too_deep_end() {
        let deep = |open: &str| format!("{}x{}", open.repeat(DEEP), "}".repeat(DEEP));
        Repository::new()
            .with_script("docker build .; docker compose up; make; docker buildx bake; npm run a")
            .with("Dockerfile", format!("FROM {}\n", deep("${A:-")))
            .with(
                "compose.yml",
                format!("services: {{a: {{image: \"{}\"}}}}\n", deep("${A:-")),
            )
            .with("Makefile", format!("a:\n\tdocker run {}\n", deep("${")))
            .with(
                "docker-bake.hcl",
                format!("variable \"X\" {{ default = {}\n}}\n", "[".repeat(DEEP)),
            )
            .with("package.json", "[".repeat(DEEP))
            .audit()
            .goes_on();
    }
}

mod size {
    use super::*;

    /// A file with a hole in it: it costs no disk.
    fn sparse(repository: &Repository, path: &str) {
        let file = fs::File::create(repository.at(path)).unwrap();
        file.set_len(200 * 1024 * 1024).unwrap();
    }

    #[test]
    fn a_configuration_of_200_megabytes_is_not_read() {
        let repository = Repository::new();
        sparse(&repository, CONFIG);
        repository
            .audit()
            .says_of(CONFIG, 1, "209715200 bytes is more than a CI file can be");
    }

    #[test]
    fn what_a_step_reads_is_bounded_too() {
        let repository =
            Repository::new().with_script("docker build .; docker compose up; ./run.sh; make");
        for path in ["Dockerfile", "compose.yml", "run.sh", "Makefile"] {
            sparse(&repository, path);
        }
        let audit = repository.audit();
        audit.goes_on();
        assert!(
            audit.reasons().contains("more than a CI file can be"),
            "{}",
            audit.reasons()
        );
    }

    #[test]
    fn a_bomb_of_aliases_is_ended_and_said_of_its_own_file() {
        let job = "version: 2.1\njobs:\n  build:\n    docker: [{image: redis}]\n    steps: *a59\n  next:\n    docker: [{image: postgres}]\n    steps: [checkout]\n";
        let audit = config(bomb(60, "[checkout, checkout]") + job);
        audit.says_of(
            CONFIG,
            1,
            "the steps of the job `build` come to more work than is followed",
        );
        assert_eq!(audit.pulls(CONFIG), ["redis", "postgres"]);
    }

    #[test]
    fn a_bomb_of_merge_keys_ends() {
        let merges = (1..60).fold("a0: &a0 {x: y}\n".to_owned(), |text, level| {
            let one = format!("*a{}", level - 1);
            format!("{text}a{level}: &a{level}\n  <<: [{one}, {one}, {one}, {one}]\n")
        });
        let audit = config(format!(
            "{merges}version: 2.1\njobs:\n  build:\n    <<: *a59\n    docker: [{{image: redis}}]\n    steps: [checkout]\n"
        ));
        assert_eq!(audit.pulls(CONFIG), ["redis"]);
        audit.goes_on();
    }

    #[test]
    fn a_script_that_grows_or_never_ends_is_ended() {
        for script in [
            format!("a=x\n{}docker run $a", "a=$a$a\n".repeat(200)),
            format!("docker run {}", "{a,b}".repeat(40)),
            "for i in {1..1000000000}; do docker pull redis:$i; done".to_owned(),
            "while true; do docker pull redis; done".to_owned(),
            "f() { f; f; f; docker pull redis; }; f".to_owned(),
            ":(){ :|:& };:".to_owned(),
        ] {
            Repository::new().with_script(&script).audit().goes_on();
        }
    }

    /// Logins under thousands of conditions were compared with each other for every pull.
    #[test]
    fn thousands_of_conditions_variables_and_pulls_are_judged() {
        const MANY: usize = 3_000;
        let lines = |line: &dyn Fn(usize) -> String| (0..MANY).map(line).collect::<String>();
        let script = lines(&|n| format!("if [ $A{n} ]; then docker login -u u -p $P; fi\n"))
            + &lines(&|n| format!("docker pull a/b{n}\n"));
        let audit = Repository::new().with_script(&script).audit();
        assert_eq!(audit.pulls(CONFIG).len(), MANY);
        assert_eq!(audit.auth("a/b7"), "conditional");
        audit.goes_on();
        let steps = lines(&|n| format!("- run: {{command: docker pull a/b{n}}}\n"));
        let variables = lines(&|n| format!("export A{n}=x\n"));
        Repository::new()
            .with_steps(&format!(
                "- run: {}\n{steps}",
                serde_json::to_string(&format!(
                    "docker ps\n{variables}cat >> $BASH_ENV <<E\n{variables}E\n"
                ))
                .unwrap()
            ))
            .audit()
            .goes_on();
        let one_by_one = lines(&|n| format!("echo 'export A{n}=x' >> $BASH_ENV\n"));
        Repository::new().with_script(&one_by_one).audit().goes_on();
    }

    /// Each was work in the square of its length: hours, for a megabyte.
    #[test]
    fn what_is_opened_and_never_closed_is_read_once() {
        const MANY: usize = 100_000;
        for unit in [
            "cat <<A\n",
            "cat <<A\nA\n",
            "x=$(cat <<A\nA)\n",
            "<<# pipeline.parameters.off >>",
            "\\<<",
        ] {
            let script = format!("docker pull redis\n{}", unit.repeat(MANY));
            let audit = Repository::new()
                .with(
                    CONFIG,
                    format!(
                        "version: 2.1\nparameters: {{off: {{type: boolean, default: false}}}}\n\
                         jobs:\n  build:\n    machine: true\n    steps:\n      - run: {}\n",
                        serde_json::to_string(&script).unwrap()
                    ),
                )
                .audit();
            assert_eq!(audit.pulls(CONFIG), ["redis"], "{unit:?}");
            audit.goes_on();
        }
        let image = serde_json::to_string(&"${".repeat(MANY)).unwrap();
        config(format!(
            "version: 2.1\njobs:\n  build:\n    docker: [{{image: {image}}}]\n    steps: [checkout]\n"
        ))
        .goes_on();
    }
}

mod circles {
    use super::*;

    #[test]
    fn a_command_that_calls_itself_is_followed_once() {
        let audit = config(
            "version: 2.1\ncommands:\n  a:\n    steps: [b]\n  b:\n    steps: [a]\n  c:\n    steps: [c, c, c]\n\
             jobs:\n  build:\n    docker: [{image: redis}]\n    steps: [a, c]\n",
        );
        audit.says_of(CONFIG, 6, "the command `a` calls itself");
        audit.says_of(CONFIG, 8, "the command `c` calls itself");
        assert_eq!(audit.pulls(CONFIG), ["redis"]);
    }

    #[test]
    fn an_orb_that_holds_itself_is_followed_once() {
        let audit = config(
            "version: 2.1\norbs: &orbs\n  o:\n    orbs: *orbs\n    commands: {go: {steps: [o/go]}}\n\
             jobs:\n  build:\n    docker: [{image: redis}]\n    steps: [o/go]\n",
        );
        audit.says_of(CONFIG, 5, "the command `o/go` calls itself");
    }

    #[test]
    fn actions_and_workflows_that_call_themselves_are_followed_once() {
        let audit = Repository::new()
            .with(
                "loop/action.yml",
                "runs:\n  using: composite\n  steps:\n    - uses: ./loop\n    - uses: ./loop\n",
            )
            .with(
                ".github/workflows/loop.yml",
                "on: [push, workflow_call]\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{uses: ./loop}]\n  \
                 b:\n    uses: ./.github/workflows/loop.yml\n  c:\n    uses: ./.github/workflows/loop.yml\n",
            )
            .audit();
        audit.says_of("loop/action.yml", 4, "uses itself");
        audit.says_of(
            ".github/workflows/loop.yml",
            7,
            "workflows call each other more than ten deep",
        );
    }

    #[test]
    fn scripts_makefiles_and_package_scripts_that_call_themselves_end() {
        let audit = Repository::new()
            .with_script("./a.sh; make a; npm run a; just a; task a; f() { f; f; f; }; f; docker pull redis")
            .with("a.sh", "./b.sh; . ./b.sh; ./b.sh\n")
            .with("b.sh", "./a.sh; . ./a.sh; ./a.sh docker\n")
            .with(
                "Makefile",
                "include Makefile\nX=$(X)\nf=$(call f,$(1)$(1))\na: b\n\t$(MAKE) a\n\t$(call f,1) $(X)\nb: a\n\tmake -C . a\n",
            )
            .with("package.json", r#"{"scripts": {"a": "npm run a && yarn a"}}"#)
            .with("justfile", "a: b\n  just a\nb: a\n")
            .with(
                "Taskfile.yml",
                "version: '3'\nincludes: {a: Taskfile.yml}\nvars: {X: '{{.X}}{{.X}}'}\ntasks: {a: [{task: b}, task a], b: {deps: [a], cmd: task b}}\n",
            )
            .audit();
        assert_eq!(audit.pulls(CONFIG), ["redis"]);
        assert_eq!(audit.unread(CONFIG), [], "nothing was left out");
        audit.goes_on();
    }

    #[test]
    fn compose_and_bake_files_that_include_themselves_end() {
        let audit = Repository::new()
            .with_script("docker compose up -d; docker buildx bake; docker build -f Loop .")
            .with(
                "compose.yml",
                "include: [compose.yml]\nservices:\n  a: {extends: {service: b}}\n  b: {extends: {service: a}}\n  c: {image: redis}\n",
            )
            .with(
                "docker-bake.hcl",
                "target \"a\" { inherits = [\"b\"] }\ntarget \"b\" { inherits = [\"a\"] }\ngroup \"default\" { targets = [\"default\", \"a\"] }\n",
            )
            .with("Loop", "FROM b AS a\nFROM a AS b\n")
            .audit();
        audit.goes_on();
        assert_eq!(audit.pulls("compose.yml"), ["redis"]);
    }
}

#[cfg(unix)]
mod paths {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    /// What must never be read: it stands beside the repository, and looks like a configuration.
    const SECRET: &str = "version: 2.1\njobs:\n  build:\n    docker: [{image: outside}]\n    steps: [{run: docker pull outside}]\n";

    fn beside(repository: &Repository) -> tempfile::TempDir {
        let outside = tempfile::tempdir_in(repository.path().parent().unwrap()).unwrap();
        fs::create_dir(outside.path().join("inner")).unwrap();
        for path in ["config.yml", "inner/config.yml", "run.sh"] {
            fs::write(outside.path().join(path), SECRET).unwrap();
        }
        outside
    }

    #[test]
    fn a_link_out_of_the_repository_or_in_a_circle_is_not_followed() {
        let repository = Repository::new();
        let outside = beside(&repository);
        symlink(
            outside.path().join("config.yml"),
            repository.at(".circleci/out.yml"),
        )
        .unwrap();
        symlink(outside.path(), repository.at(".circleci/folder")).unwrap();
        symlink("loop.yml", repository.at(".circleci/loop.yml")).unwrap();
        let audit = repository.audit();
        audit.says_of(".circleci/out.yml", 1, "leads out of the repository");
        audit.says_of(".circleci/loop.yml", 1, "in a circle");
        assert!(!audit.document.to_string().contains("outside"));
    }

    #[test]
    fn a_ci_folder_that_is_a_link_out_is_not_followed() {
        let repository = Repository::new();
        let outside = beside(&repository);
        symlink(outside.path(), repository.at(".circleci")).unwrap();
        let audit = repository.audit();
        audit.says_of(".circleci", 1, "leads out of the repository");
        assert!(!audit.document.to_string().contains("image: outside"));
    }

    #[test]
    fn a_path_in_a_file_does_not_lead_out() {
        let repository = Repository::new();
        let outside = beside(&repository);
        let name = outside.path().file_name().unwrap().to_str().unwrap();
        let repository = repository
            .with_script(&format!(
                "bash ../{name}/run.sh\n. {0}/run.sh\nbash ../../etc/passwd\nmake -C ../{name}\n\
                 docker compose -f ../{name}/config.yml up\ndocker build -f ../{name}/config.yml .\ndocker pull redis",
                outside.path().display()
            ))
            .with(
                ".github/workflows/out.yml",
                "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{uses: ./../../etc}]\n  b:\n    uses: ./../../x.yml\n",
            );
        let audit = repository.audit();
        audit.says_of(".github/workflows/out.yml", 5, "./../../etc");
        audit.says_of(".github/workflows/out.yml", 7, "./../../x.yml");
        assert!(audit.pulls(CONFIG).contains(&"redis"));
        assert!(!audit.pulls(CONFIG).contains(&"outside"));
    }

    #[test]
    fn a_pipe_is_not_opened() {
        let repository = Repository::new();
        let fifo = repository.at(CONFIG);
        assert!(
            Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        repository.audit().says_of(CONFIG, 1, "not a regular file");
        bounded(&["audit"])
            .arg(&fifo)
            .assert()
            .code(2)
            .stderr(predicates::str::contains("neither a file nor a folder"));
    }

    /// Runs the audit as somebody who may not read everything: the tests may be run by root, who may.
    fn audit_as_nobody(repository: &Repository) -> Audit {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("pullpass");
        fs::copy(env!("CARGO_BIN_EXE_pullpass"), &program).unwrap();
        for path in [folder.path(), &program, repository.path()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new(&program);
        command
            .args(["audit", "--format", "json"])
            .current_dir(repository.path());
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&program).unwrap());
        if owner == 0 {
            std::os::unix::process::CommandExt::uid(&mut command, 65534);
        }
        Audit::of(&mut assert_cmd::Command::from_std(command))
    }

    fn forbid(path: std::path::PathBuf) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    }

    #[test]
    fn what_may_not_be_read_is_said() {
        let repository = Repository::new().with(CONFIG, "version: 2.1\n");
        forbid(repository.at(CONFIG));
        audit_as_nobody(&repository).says_of(CONFIG, 1, "permission denied");
    }

    #[test]
    fn a_folder_that_may_not_be_listed_is_said() {
        let repository = Repository::new().with(CONFIG, "version: 2.1\n");
        forbid(repository.at(".circleci"));
        let audit = audit_as_nobody(&repository);
        fs::set_permissions(
            repository.at(".circleci"),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        audit.says_of(".circleci", 1, "permission denied");
    }

    #[test]
    fn names_that_break_lines_do_not_break_the_output() {
        let repository =
            Repository::new().with(".circleci/a\n::error::b.yml", "version: 2.1\njobs: [");
        let output = pullpass()
            .args(["audit", "--format", "github"])
            .current_dir(repository.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.lines().all(|l| !l.starts_with("::error::b")), "{text}");
        assert_eq!(repository.audit().pulls(GOOD_FILE), ["ubuntu:24.04"]);
    }
}
