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

/// What is not looked at is said: nothing vanishes without a word.
mod bounds {
    use super::*;

    const LISTED: &str = "is what was reached";

    /// What a step runs stands further down than is followed: the pull is not listed, and that is said.
    #[track_caller]
    fn says_more(audit: &Audit, what: &str) {
        let reasons = audit.reasons();
        let said = reasons.lines().filter(|line| line.contains(what)).count();
        assert_eq!(said, 1, "should say {what:?} once:\n{reasons}");
        audit.goes_on();
    }

    /// A chain: each of `links` leads to the next one, the last is `end`.
    fn chain(
        links: usize,
        link: impl Fn(usize) -> String,
        end: impl Fn(usize) -> String,
    ) -> String {
        (0..links).map(link).collect::<String>() + &end(links)
    }

    #[test]
    fn merge_keys_that_lead_too_far_are_said() {
        let chain = chain(
            40,
            |n| match n {
                0 => "a0: &a0 {docker: [{image: deep}]}\n".to_owned(),
                n => format!("a{n}: &a{n} {{<<: *a{}}}\n", n - 1),
            },
            |_| String::new(),
        );
        let audit = config(format!(
            "version: 2.1\n{chain}jobs: {{build: {{<<: *a39, steps: [checkout]}}}}\n"
        ));
        audit.says_of(CONFIG, 27, "lead through more mappings");
        // As many as real files have are gone through.
        let audit = config(
            "version: 2.1\na: &a {docker: [{image: deep}]}\nb: &b {<<: *a}\njobs: {build: {<<: [*b, *a], steps: [checkout]}}\n",
        );
        assert_eq!(audit.unread(CONFIG), []);
        assert_eq!(audit.pulls(CONFIG), ["deep"]);
    }

    #[test]
    fn commands_that_call_each_other_deep_are_followed_or_said() {
        let commands = |links| {
            let commands = chain(
                links,
                |n| format!("  c{n}: {{steps: [c{}]}}\n", n + 1),
                |n| format!("  c{n}: {{steps: [{{run: docker pull deep}}]}}\n"),
            );
            config(format!(
                "version: 2.1\ncommands:\n{commands}jobs: {{build: {{machine: true, steps: [c0]}}}}\n"
            ))
        };
        let audit = commands(12);
        assert_eq!(audit.pulls(CONFIG), ["deep"]);
        assert_eq!(audit.unread(CONFIG), []);
        says_more(&commands(30), "calls that go deeper than is followed");
    }

    #[test]
    fn steps_that_a_command_is_given_may_call_it() {
        let audit = config(
            "version: 2.1\ncommands:\n  w:\n    parameters: {s: {type: steps, default: []}}\n    \
             steps: [{steps: << parameters.s >>}, {run: docker pull outer}]\n\
             jobs:\n  b:\n    machine: true\n    steps:\n      - w: {s: [{w: {s: [{run: docker pull deep}]}}]}\n",
        );
        assert_eq!(audit.unread(CONFIG), []);
        assert_eq!(audit.pulls(CONFIG), ["deep", "outer"]);
    }

    #[test]
    fn scripts_that_call_or_nest_too_deep_are_said() {
        let functions = chain(
            40,
            |n| format!("f{n}() {{ f{}; }}\n", n + 1),
            |n| format!("f{n}() {{ docker pull deep; }}\nf0\n"),
        );
        let documents = (0..30).fold("docker pull deep".to_owned(), |script, n| {
            format!("bash <<E{n}\n{script}\nE{n}")
        });
        let scripts = (0..40).fold(Repository::new().with_script("bash s0.sh"), |all, n| {
            all.with(&format!("s{n}.sh"), format!("bash s{}.sh\n", n + 1))
        });
        let package = chain(
            40,
            |n| format!("\"s{n}\": \"npm run s{}\", ", n + 1),
            |n| format!("\"s{n}\": \"docker pull deep\""),
        );
        for repository in [
            Repository::new().with_script(&functions),
            Repository::new().with_script(&documents),
            scripts.with("s40.sh", "docker pull deep\n"),
            Repository::new()
                .with_script("npm run s0")
                .with("package.json", format!("{{\"scripts\": {{{package}}}}}")),
        ] {
            says_more(&repository.audit(), "calls that go deeper than is followed");
        }
        for (open, close) in [("if [ $X ]; then ", "; fi"), ("echo $(", ")")] {
            let script = format!("{}podman pull deep{}", open.repeat(70), close.repeat(70));
            let audit = Repository::new().with_script(&script).audit();
            says_more(&audit, "stand deeper in each other than is followed");
        }
        let branches = (0..150).fold("if [ $A ]; then :\n".to_owned(), |script, n| {
            format!("{script}elif [ $A{n} ]; then docker pull p{n}\n")
        });
        let audit = Repository::new()
            .with_script(&format!("{branches}else docker pull deep\nfi"))
            .audit();
        says_more(&audit, "stand deeper in each other than is followed");
    }

    #[test]
    fn loops_with_more_turns_than_are_followed_are_said() {
        let count = |body: &str| {
            let script = format!("i=0; while [ $i -lt 200 ]; do {body}; i=$((i+1)); done");
            Repository::new().with_script(&script).audit()
        };
        says_more(&count("docker pull p$i"), "loops with more turns");
        // One that tries again does what it did before.
        assert_eq!(count("docker pull again && sleep 1").unread(CONFIG), []);
    }

    #[test]
    fn files_of_tasks_with_more_or_deeper_ones_are_said() {
        const MORE: &str = "more tasks, or longer ones, than are followed";
        const DEEP: &str = "tasks that need each other deeper";
        const FILES: &str = "more files that bring in each other";
        let targets = |links, runs: &str| {
            chain(
                links,
                |n| format!("t{n}: t{}\n", n + 1),
                |n| format!("t{n}:\n{runs}docker pull deep\n"),
            )
        };
        let tasks = chain(
            60,
            |n| format!("  t{n}: {{deps: [t{}]}}\n", n + 1),
            |n| format!("  t{n}: {{cmds: [docker pull deep]}}\n"),
        );
        let many = |line: &dyn Fn(usize) -> String| (0..3_000).map(line).collect::<String>();
        let items = many(&|n| format!("p{n}, "));
        let long = format!("X = {}\n", many(&|n| format!("a-rather-long-word-{n} ")));
        for (call, file, text, what) in [
            ("make t0", "Makefile", targets(80, "\t"), DEEP),
            ("just t0", "justfile", targets(80, "  "), DEEP),
            (
                "task t0",
                "Taskfile.yml",
                format!("version: '3'\ntasks:\n{tasks}"),
                DEEP,
            ),
            (
                "make t-$X",
                "Makefile",
                (0..300)
                    .map(|n| format!("t-{n}:\n\tdocker pull p{n}\n"))
                    .collect(),
                MORE,
            ),
            (
                "task t",
                "Taskfile.yml",
                format!(
                    "version: '3'\ntasks: {{t: {{cmds: [{{for: [{items}], cmd: 'docker pull {{{{.ITEM}}}}'}}]}}}}\n"
                ),
                MORE,
            ),
            (
                "make t",
                "Makefile",
                format!("{long}t:\n\tdocker pull $(lastword $(X) deep)\n"),
                "longer values than are looked at",
            ),
        ] {
            let audit = Repository::new().with_script(call).with(file, text).audit();
            audit.says_of(file, 1, LISTED);
            says_more(&audit, what);
        }
        let included = (0..30).fold(Repository::new().with_script("make a"), |all, n| {
            all.with(&format!("m{n}.mk"), format!("include m{}.mk\n", n + 1))
        });
        let audit = included
            .with("Makefile", "include m0.mk\nb:\n\ttrue\n")
            .with("m30.mk", "a:\n\tdocker pull deep\n")
            .audit();
        audit.says_of("Makefile", 1, FILES);
    }

    #[test]
    fn compose_files_with_more_or_deeper_parts_are_said() {
        let included = (0..30).fold(
            Repository::new().with_script("docker compose up"),
            |all, n| all.with(&format!("c{n}.yml"), format!("include: [c{}.yml]\n", n + 1)),
        );
        let audit = included
            .with("compose.yml", "include: [c0.yml]\n")
            .with("c30.yml", "services: {a: {image: deep}}\n")
            .audit();
        says_more(&audit, "include each other too deep");
        let services: String = (0..2_500)
            .map(|n| format!("  s{n}: {{image: p{n}}}\n"))
            .collect();
        let audit = Repository::new()
            .with_script("docker compose up")
            .with("compose.yml", format!("services:\n{services}"))
            .audit();
        says_more(&audit, "more services than are looked at");
    }

    #[test]
    fn lists_of_which_only_the_first_are_looked_at_are_said() {
        let hooks: String = (0..400)
            .map(|n| format!("  - {{id: h{n}, name: h, language: docker_image, entry: p{n}}}\n"))
            .collect();
        let audit = Repository::new()
            .with_script("pre-commit run --all-files")
            .with(
                ".pre-commit-config.yaml",
                format!("repos:\n- repo: local\n  hooks:\n{hooks}"),
            )
            .audit();
        says_more(&audit, "more charts and hooks than are looked at");
        let pulls: String = (0..21_000).map(|n| format!("docker pull p{n}\n")).collect();
        let indented = pulls.replace('\n', "\n          ");
        let audit = config(format!(
            "version: 2.1\njobs:\n  build:\n    machine: true\n    steps:\n      - run: |\n          {indented}\n"
        ));
        says_more(&audit, "more pulls, logins and images than are listed");
        let unknown: String = (0..1_500).map(|n| format!("u{n}, ")).collect();
        let audit = config(format!(
            "version: 2.1\njobs: {{build: {{machine: true, steps: [{unknown}]}}}}\n"
        ));
        assert_eq!(audit.unread(CONFIG).len(), 1_000);
        says_more(&audit, "more could not be understood than is listed");
    }

    #[test]
    fn a_group_of_parallel_steps_in_another_one_is_said() {
        const FILE: &str = ".github/workflows/groups.yml";
        let audit = Repository::new()
            .with(
                FILE,
                "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - parallel:\n          \
                 - run: docker pull one\n          - parallel:\n              - run: docker pull deep\n",
            )
            .audit();
        audit.says_of(
            FILE,
            9,
            "a group of parallel steps has no such groups in it",
        );
        assert_eq!(audit.pulls(FILE), ["one"]);
    }

    /// Each use was one step of work, however much it took: half a million of them were followed.
    #[test]
    fn what_each_use_of_an_action_or_call_of_a_workflow_costs_is_counted() {
        let twice = (0..22).fold(Repository::new(), |all, n| {
            let next = n + 1;
            all.with(
                &format!("a{n}/action.yml"),
                format!("runs: {{using: composite, steps: [{{uses: ./a{next}}}, {{uses: ./a{next}}}]}}\n"),
            )
        });
        let audit = twice
            .with(
                "a22/action.yml",
                "runs: {using: composite, steps: [{run: docker pull deep, shell: bash}]}\n",
            )
            .with(
                ".github/workflows/a.yml",
                "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{uses: ./a0}]\n",
            )
            .audit();
        assert_eq!(audit.auth("deep"), "anonymous");
        says_more(&audit, "more work than is followed");
        let just = "a x:\n  just a {{x}}1\n  just a {{x}}2\n  just b {{x}}3\n  docker pull deep\nb x: (a x+'4') (a x+'5')\n  just b {{x}}6\n";
        Repository::new()
            .with_script("just a x")
            .with("justfile", just)
            .audit()
            .goes_on();
    }

    /// Links in circles made a tree of folders without an end of it.
    #[cfg(unix)]
    #[test]
    fn packages_are_looked_for_in_so_many_folders() {
        let folders = ["a", "b", "c", "d", "e", "f"];
        let repository = folders.iter().fold(
            Repository::new().with_script("npm run x --workspaces"),
            |all, name| {
                let package =
                    format!(r#"{{"name": "{name}", "scripts": {{"x": "docker pull {name}/x"}}}}"#);
                all.with(&format!("{name}/package.json"), package)
            },
        );
        for (folder, other) in folders.iter().flat_map(|a| folders.map(|b| (*a, b))) {
            std::os::unix::fs::symlink(
                format!("../{other}"),
                repository.at(&format!("{folder}/{other}")),
            )
            .unwrap();
        }
        let audit = repository
            .with("package.json", r#"{"workspaces": ["**"]}"#)
            .audit();
        audit.says_of(
            "package.json",
            1,
            "more packages, or deeper folders of such",
        );
        assert!(audit.pulls("a/package.json").contains(&"a/x"));
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
    fn a_configuration_of_pullpass_that_is_a_link_out_is_refused() {
        let repository = Repository::new();
        let outside = tempfile::tempdir().unwrap();
        let real = outside.path().join("pullpass.toml");
        fs::write(&real, "[audit]\nfail_on = \"never\"\n").unwrap();
        symlink(&real, repository.at("pullpass.toml")).unwrap();
        for command in [&["audit"][..], &["fix", "--diff"]] {
            bounded(command)
                .current_dir(repository.path())
                .assert()
                .code(2)
                .stderr(predicates::str::contains("a symbolic link that leads out"))
                .stderr(predicates::str::contains("--config"));
        }
        // One that stays in the repository is as good as a file.
        fs::remove_file(repository.at("pullpass.toml")).unwrap();
        symlink("ci/pullpass.toml", repository.at("pullpass.toml")).unwrap();
        let repository = repository.with("ci/pullpass.toml", "[audit]\nfail_on = \"never\"\n");
        assert_eq!(repository.audit().code, 0);
    }

    #[test]
    fn fix_says_why_it_edits_nothing_behind_a_link() {
        let repository = Repository::empty();
        let outside = beside(&repository);
        symlink(outside.path(), repository.at(".circleci")).unwrap();
        bounded(&["fix", "--diff"])
            .current_dir(repository.path())
            .assert()
            .code(0)
            .stderr(predicates::str::contains("leads out of the repository"))
            .stderr(predicates::str::contains("nothing to edit"));
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
