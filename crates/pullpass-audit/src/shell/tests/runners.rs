//! `make`, `just`, `task`, `npm` and their like.

use super::{effects, effects_in};

#[test]
fn an_override_of_just_may_have_a_hyphen() {
    let justfile = "my-tag := \"1\"\nup:\n    docker pull a/b:{{ my-tag }}\n";
    let files = [("justfile", justfile)];
    assert_eq!(
        effects_in(&files, "just my-tag=3 up"),
        ["pull a/b:3 always"]
    );
    assert_eq!(effects_in(&files, "just up"), ["pull a/b:1 always"]);
}

#[test]
fn mage_is_run_from_its_folder_and_without_being_installed() {
    let files = [
        ("magefiles/test.go", "// starts docker\n"),
        ("mage.go", "package main\n"),
    ];
    for script in [
        "mage test",
        "go run mage.go test",
        "go run github.com/magefile/mage@v1.15.0 test",
    ] {
        let lines = effects_in(&files, script);
        assert!(lines.concat().starts_with("opaque mage: "), "{script}");
    }
    assert_eq!(effects_in(&files, "go run mage.go -l"), [""; 0]);
}

#[test]
fn a_task_runner_may_be_told_its_folder_in_full() {
    let files = [
        ("Makefile", "up:\n\tdocker pull make\n"),
        ("sub/Makefile", "up:\n\tdocker pull sub/make\n"),
        ("justfile", "up:\n    docker pull just\n"),
        ("sub/justfile", "up:\n    docker pull sub/just\n"),
        (
            "Taskfile.yml",
            "version: '3'\ntasks:\n  up: docker pull task\n",
        ),
        (
            "sub/Taskfile.yml",
            "version: '3'\ntasks:\n  up: docker pull sub/task\n",
        ),
        (
            "package.json",
            r#"{"scripts": {"up": "docker pull package"}}"#,
        ),
        (
            "sub/package.json",
            r#"{"scripts": {"up": "docker pull sub/package"}}"#,
        ),
    ];
    for (script, expected) in [
        ("make -C \"$PWD\" up", "make"),
        ("make -C \"$(pwd)/sub\" up", "sub/make"),
        ("cd sub && make -C \"$GITHUB_WORKSPACE\" up", "make"),
        ("make -C \"$(git rev-parse --show-toplevel)\" up", "make"),
        ("D=$(pwd); cd sub; make --directory=\"$D\" up", "make"),
        ("make -f \"$PWD/sub/Makefile\" up", "sub/make"),
        ("make -C sub -f \"$GITHUB_WORKSPACE/Makefile\" up", "make"),
        ("make -C sub -f ../Makefile up", "make"),
        ("cd sub && just -d \"$GITHUB_WORKSPACE\" up", "just"),
        ("just --justfile \"$PWD/sub/justfile\" up", "sub/just"),
        ("task -d \"$PWD/sub\" up", "sub/task"),
        (
            "cd sub && task --taskfile \"$GITHUB_WORKSPACE/Taskfile.yml\" up",
            "task",
        ),
        ("yarn --cwd \"$PWD/sub\" run up", "sub/package"),
        ("pnpm -C \"$PWD/sub\" run up", "sub/package"),
        ("pnpm --dir \"$(pwd)/sub\" run up", "sub/package"),
        ("npm --prefix \"$PWD/sub\" run up", "sub/package"),
    ] {
        let expected = format!("pull {expected} always");
        assert_eq!(effects_in(&files, script), [expected], "{script}");
    }
}

#[test]
fn a_script_is_found_wherever_the_flags_for_its_package_stand() {
    let files = [
        (
            "package.json",
            r#"{"workspaces": ["pkg/*"], "scripts": {"up": "docker pull root", "test": "docker pull root/test"}}"#,
        ),
        ("pnpm-workspace.yaml", "packages: ['pkg/*']\n"),
        (
            "pkg/a/package.json",
            r#"{"name": "a", "scripts": {"up": "docker pull a", "test": "docker pull a/test"}}"#,
        ),
        (
            "pkg/b/package.json",
            r#"{"name": "b", "scripts": {"up": "docker pull b", "test": "docker pull b/test"}}"#,
        ),
    ];
    for (script, expected) in [
        ("npm run up -w a", &["a"][..]),
        ("npm run up --workspace=b -- -q", &["b"]),
        ("npm run up -w a -w b", &["a", "b"]),
        ("npm run up --workspaces", &["a", "b"]),
        ("npm run up -ws", &["a", "b"]),
        ("npm -ws run up --if-present", &["a", "b"]),
        ("npm run up --prefix pkg/a", &["a"]),
        ("npm test -w a", &["a/test"]),
        ("npm t --prefix pkg/b", &["b/test"]),
        ("npm run -w a up", &["a"]),
        ("npm run up", &["root"]),
        ("pnpm run -r up", &["a", "b"]),
        ("pnpm recursive run up", &["a", "b"]),
        ("pnpm -r --filter a run up", &["a"]),
        ("pnpm -w run up", &["root"]),
        ("bun run test", &["root/test"]),
        // That is bun's own runner of tests.
        ("bun test ./a.test.ts", &[]),
        // What stands behind the name is the script's own.
        ("pnpm run up --filter=a", &["root"]),
        ("yarn run --cwd pkg/a up", &["a"]),
        ("yarn workspace b run up", &["b"]),
        ("yarn workspaces run up", &["a", "b"]),
        (
            "yarn workspaces foreach -Apt --exclude z run up",
            &["a", "b"],
        ),
        ("yarn workspaces list", &[]),
    ] {
        let pulled = effects_in(&files, script);
        let names: Vec<&str> = pulled
            .iter()
            .filter_map(|line| line.strip_prefix("pull ")?.split(' ').next())
            .collect();
        assert_eq!(names, expected, "{script}: {pulled:?}");
    }
}

#[test]
fn runners_of_a_workspace_run_what_its_packages_have() {
    let files = [
        (
            "package.json",
            r#"{"workspaces": ["pkg/*"], "scripts": {"e2e": "docker pull root"}}"#,
        ),
        (
            "pkg/a/package.json",
            r#"{"name": "@me/a", "scripts": {"e2e": "docker pull a", "up": "docker pull a/up"}}"#,
        ),
        (
            "pkg/b/package.json",
            r#"{"name": "b", "scripts": {"e2e": "docker pull b"}}"#,
        ),
        (
            "pkg/b/project.json",
            r#"{"name": "b", "targets": {
                "stack": {"command": "docker pull b/stack"},
                "stack:all": {
                    "executor": "nx:run-commands",
                    "dependsOn": ["^build", "stack"],
                    "options": {"commands": ["make img", {"command": "docker compose -f {projectRoot}/c.yml up"}], "cwd": "."}
                },
                "inside": {"options": {"command": "make img", "cwd": "{projectRoot}"}}
            }}"#,
        ),
        ("pkg/b/c.yml", "services: {a: {image: b/compose}}\n"),
        ("pkg/b/Makefile", "img:\n\tdocker pull b/make\n"),
        ("Makefile", "img:\n\tdocker pull make\n"),
    ];
    for (script, expected) in [
        ("turbo run e2e", &["a", "b"][..]),
        ("npx turbo e2e up --filter=@me/a", &["a", "a/up"]),
        ("turbo run e2e --filter=b...", &["b"]),
        ("turbo login", &[]),
        ("yarn lerna run e2e --scope b", &["b"]),
        ("lerna exec -- docker pull x", &["x"]),
        ("nx run-many -t e2e,up", &["a", "b", "a/up"]),
        ("nx affected --target=e2e", &["a", "b"]),
        ("npx nx run b:stack", &["b/stack"]),
        ("pnpm nx stack:all b", &["b/stack", "make", "b/compose"]),
        ("nx inside b", &["b/make"]),
        ("nx e2e a", &["a"]),
        ("cd pkg/b && nx stack", &["b/stack"]),
        ("nx graph", &[]),
    ] {
        let pulled = effects_in(&files, script);
        let names: Vec<&str> = pulled
            .iter()
            .filter_map(|line| line.strip_prefix("pull ")?.split(' ').next())
            .collect();
        assert_eq!(names, expected, "{script}: {pulled:?}");
    }
}

#[test]
fn make_targets_are_followed() {
    let files = [(
        "Makefile",
        "IMAGE ?= alpine\ntest: deps\n\t@docker run --rm $(IMAGE) true\ndeps:\n\t-docker pull a/b\ncompile:\n\tcc x.c\n",
    )];
    assert_eq!(
        effects_in(&files, "make -j 4 test"),
        ["pull a/b always", "pull alpine"]
    );
    assert_eq!(
        effects_in(&files, "make test IMAGE=debian"),
        ["pull a/b always", "pull debian"]
    );
    assert!(effects_in(&files, "make compile").is_empty());
    assert!(effects("make all").is_empty());
    for count in ["`nproc`", "$(getconf _NPROCESSORS_ONLN)", "\"$CPUS\""] {
        let built = effects_in(&files, &format!("make -j {count} compile"));
        assert!(built.is_empty(), "{count}: {built:?}");
    }
    assert_eq!(
        effects_in(&files, "make -kj $(nproc) test && make -j $TARGET"),
        [
            "pull a/b always",
            "pull alpine",
            "opaque make $TARGET: which target `make $TARGET` means is known only when the build runs"
        ]
    );
}

#[test]
fn runners_of_tasks_that_are_not_read_are_unknown_when_these_speak_of_docker() {
    for (file, command) in [("magefile.go", "mage build"), ("mage.go", "mage test")] {
        let speaks = [(file, "docker run alpine\n")];
        let seen = effects_in(&speaks, command);
        assert!(
            seen.iter().any(|line| line.starts_with("opaque")),
            "{command}: {seen:?}"
        );
        assert!(
            effects_in(&[(file, "cargo test\n")], command).is_empty(),
            "{command}"
        );
    }
    let bazel = [(
        "MODULE.bazel",
        "oci.pull(name = 'base', image = 'alpine')\n",
    )];
    assert!(!effects_in(&bazel, "bazel run //oci:load").is_empty());
    assert!(!effects_in(&bazel, "bazel test //...").is_empty());
    assert!(effects_in(&bazel, "bazel query //...").is_empty());
}

#[test]
fn a_task_pulls_what_its_taskfile_says() {
    let files = [
        (
            "Taskfile.yml",
            "version: '3'\nvars: {TAG: '3'}\nincludes:\n  app: app\n  far: https://host/Taskfile.yml\ntasks:\n  \
             tag: {vars: {T: {sh: git tag}}, cmd: \"{{if .T}}\\ndocker pull x\\n{{else}}\\ndocker pull y\\n{{end}}\"}\n  \
             up: [docker compose up -d, {task: 'app:test'}]\n  lint: go vet\n  release: [{task: 'far:push'}]\n  \
             run:\n    requires: {vars: [IMAGE]}\n    cmds: [{if: '[ -n \"$CI\" ]', cmd: 'docker run {{.IMAGE}} {{.CLI_ARGS}}'}]\n",
        ),
        ("compose.yml", "services: {db: {image: postgres}}\n"),
        (
            "app/Taskfile.yml",
            "version: '3'\ntasks:\n  test: {dir: '{{.TASKFILE_DIR}}', cmd: 'docker build -t app:{{.TAG}} . && docker run app:{{.TAG}}'}\n",
        ),
        ("app/Dockerfile", "FROM acme/base\n"),
    ];
    for (command, expected) in [
        (
            "task up",
            &[
                "pull postgres",
                "pull acme/base",
                "provide app:3",
                "pull app:3",
            ] as &[_],
        ),
        ("go-task lint", &[]),
        ("cd app; task -d .. lint --verbose", &[]),
        (
            "task -l; task --list-all; task --dry up; task up --summary; task -g up",
            &[],
        ),
        (
            "task run IMAGE=a/b -- -x",
            &["pull a/b [if [ -n \"$CI\" ]]"],
        ),
        (
            "go tool -modfile=tools/go.mod task up; go build task",
            &[
                "pull postgres",
                "pull acme/base",
                "provide app:3",
                "pull app:3",
            ],
        ),
        (
            "go run github.com/go-task/task/v3/cmd/task@latest run IMAGE=a",
            &["pull a [if [ -n \"$CI\" ]]"],
        ),
        (
            "task tag",
            &[
                "pull x always [if [ \"{{.T}}\" ]]",
                "pull y always [if not [ \"{{.T}}\" ]]",
            ],
        ),
        (
            "task -t app test",
            &["pull acme/base", "provide app:", "pull app:"],
        ),
        (
            "task release",
            &[
                "opaque task far:push: no task `far:push` in `Taskfile.yml`: its Taskfile `https://host/Taskfile.yml` is not in this repository",
            ],
        ),
        (
            "task $WHICH",
            &[
                "opaque task $WHICH: which task `task $WHICH` means is known only when the build runs",
            ],
        ),
    ] {
        assert_eq!(effects_in(&files, command), expected, "{command}");
    }
    let none = [("Taskfile.yml", "version: '3'\ntasks: {lint: go vet}\n")];
    assert_eq!(effects_in(&none, "task $WHICH"), [""; 0]);
}

#[test]
fn a_task_in_another_language_is_unknown_when_it_speaks_of_containers() {
    let tasks = "from invoke import task\n\n@task\ndef dev_env(c):\n    c.run('docker compose up')\n\n@task\ndef lint(c):\n    c.run('ruff')\n";
    let files = [("tasks.py", tasks)];
    assert_eq!(
        effects_in(&files, "invoke dev-env --endpoints=all\ninv lint"),
        [
            "opaque invoke: it runs tasks that are written in Python, which is not read, and they mention docker"
        ]
    );
    assert_eq!(effects("invoke dev-env"), [""; 0]);
}

#[test]
fn tasks_that_stand_in_tables_are_followed() {
    let files = [
        (
            "mise.toml",
            "[tasks.db]\nrun = \"docker run db:1\"\n[tasks.install]\nrun = \"docker run db:2\"\n",
        ),
        (".mise/tasks/up", "#!/usr/bin/env bash\ndocker run db:3\n"),
        ("composer.json", "{\"scripts\": {\"db\": \"docker run\"}}"),
        ("deno.json", "{\"tasks\": {\"db\": \"docker run db:1\"}}"),
        (
            "Makefile.toml",
            "[tasks.default]\nscript = \"docker run db:1\"\n",
        ),
        (
            "pyproject.toml",
            "[tool.poe.tasks]\ndb = \"docker run db:1\"\n[tool.hatch.envs.e.scripts]\ndb = \"docker run db:1\"\n",
        ),
        ("Pipfile", "[scripts]\ndb = \"docker run db:1\"\n"),
    ];
    for (script, expected) in [
        ("mise run db", "pull db:1"),
        ("mise db", "pull db:1"),
        ("mise r up", "pull db:3"),
        ("mise tasks run up", "pull db:3"),
        ("mise run lint ::: db", "pull db:1"),
        ("mise exec -- docker run db:4", "pull db:4"),
        ("composer run db db:1", "pull db:1"),
        ("composer db -- db:1", "pull db:1"),
        ("deno task db", "pull db:1"),
        ("cargo make", "pull db:1"),
        ("cargo make -p x default", "pull db:1"),
        ("makers", "pull db:1"),
        ("poetry run poe db", "pull db:1"),
        ("hatch run e:db", "pull db:1"),
        ("hatch -e e run db", "pull db:1"),
        ("pipenv run db", "pull db:1"),
        ("pipenv run docker run db:5", "pull db:5"),
        (
            "mise run $X",
            "opaque mise run $X: which task `$X` means is known only when the build runs",
        ),
    ] {
        assert_eq!(effects_in(&files, script), [expected], "{script}");
    }
    for script in [
        "mise install",
        "mise up",
        "composer install",
        "deno run x",
        "cargo build",
        "hatch run db",
        "mise run none",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
    assert_eq!(effects("composer db; mise run db; poe db"), [""; 0]);
}

#[test]
fn node_runs_scripts_of_the_package() {
    let files = [
        (
            "package.json",
            r#"{"scripts": {"db": "docker run", "predb": "docker pull no"}}"#,
        ),
        ("server.js", ""),
    ];
    for script in [
        "node --run db -- db:1",
        "node --env-file=.env --run=db -- db:1",
    ] {
        assert_eq!(effects_in(&files, script), ["pull db:1"], "{script}");
    }
    for script in [
        "node --run none",
        "node server.js --runtime x",
        "node --run",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}

#[test]
fn tasks_of_rake_and_sessions_of_nox_are_unknown_when_they_speak_of_containers() {
    let rakefile = "task default: :spec\nnamespace :docker do\n  desc 'image'\n  task :build, [:tag] => [:clean] do\n    sh 'docker', 'build', '.'\n  end\n  # docker\n  task :clean do\n    rm_rf 'x'\n  end\nend\ntask :release => [:clean, 'docker:build']\ntask :twice do\n  Rake::Task['release'].invoke\nend\nRSpec::Core::RakeTask.new(:spec)\n";
    let files = [
        ("Rakefile", rakefile),
        (
            "noxfile.py",
            "import nox\n@nox.session\ndef db(s):\n    s.run('docker', 'run', 'x')\n@nox.session\ndef lint(s):\n    s.run('ruff')\n",
        ),
    ];
    let rake =
        "opaque rake: its tasks are written in Ruby, which is not read, and they mention docker";
    for script in [
        "bundle exec rake docker:build",
        "rake docker:build[1] X=y",
        "rake release",
        "rake twice",
        "rake docker:push",
    ] {
        assert_eq!(effects_in(&files, script), ["provide ?", rake], "{script}");
    }
    for script in [
        "rake",
        "rake docker:clean",
        "rake spec db:migrate",
        "rake -T",
        "nox -s lint",
        "nox -l",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
    let nox = "opaque nox: its sessions are written in Python, which is not read, and they mention docker";
    for script in ["nox -s db-3.13", "nox -s lint db", "nox"] {
        assert_eq!(effects_in(&files, script), [nox], "{script}");
    }
}

#[test]
fn tasks_of_sbts_that_make_images_are_unknown() {
    let files = [
        ("build.sbt", ""),
        (
            "project/plugins.sbt",
            "addSbtPlugin(\"se.marcuslonnberg\" % \"sbt-docker\" % \"1\")\n",
        ),
    ];
    let expected = [
        "provide ?",
        "opaque sbt: a plugin of the build pulls what the build file says, which is not read",
    ];
    for script in [
        "sbt app/Docker/publishLocal",
        "sbt -Dx=y clean docker:publishLocal",
        "sbt 'project web; Docker / publish'",
        "sbt '++2.13.1 +docker:publish'",
        "sbt core/jibDockerBuild",
        "sbt clean docker",
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
    for script in [
        "sbt Docker/stage",
        "sbt 'project docker' compile",
        "sbt publishLocal",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
    assert_eq!(effects("sbt docker"), [""; 0]);
}

#[test]
fn make_in_a_folder_that_is_not_known_is_said_where_a_makefile_of_it_may_pull() {
    let files = [
        ("apps/web/Makefile", "up:\n\tdocker run alpine\n"),
        ("lib/Makefile", "lint:\n\techo docker\nup: lint\n\tcc x.c\n"),
        ("lib/c/Makefile", "all:\n\tcc x.c\n"),
    ];
    for (script, expected) in [
        ("make -C \"$D\" up", Some("$D")),
        ("make -C apps/$APP up test=1", Some("apps/$APP")),
        ("make -C ./apps/$APP", Some("./apps/$APP")),
        ("cd apps; make -C ../apps/$APP/ up", Some("../apps/$APP/")),
        ("make -C $ROOT/web up", Some("$ROOT/web")),
        ("make -C \"$D\" up; make -C \"$D\" up", Some("$D")),
        // Nothing there is of that name, or pulls.
        ("make -C \"$D\" install", None),
        ("make -C lib/$D up", None),
        ("make -C lib/c$D", None),
        ("make -C /opt/$D up", None),
        ("make -C $(mktemp -d) up", None),
    ] {
        let expected: Vec<String> = expected
            .map(|folder| {
                let what = if script.ends_with("$APP") { "make" } else { "make up" };
                format!("opaque {what}: the folder `{folder}` is not in this repository, or not known before the build runs")
            })
            .into_iter()
            .collect();
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
}

#[test]
fn a_make_target_that_is_known_in_part_is_one_of_those_that_fit() {
    let makefile = "build-%-image:\n\tdocker pull a/$*\nbuild-linux:\n\tgo build\nbuild-docker:\n\tdocker pull c/d\nother:\n\tdocker pull e/f\n";
    let files = [("Makefile", makefile)];
    assert_eq!(
        effects_in(&files, "make build-$X"),
        ["pull c/d always [if `make build-$X` is `make build-docker`]"]
    );
    assert_eq!(
        effects_in(&files, "make build-$X-image"),
        ["pull a/$X always"]
    );
    assert_eq!(
        effects_in(&files, "make $X"),
        ["opaque make $X: which target `make $X` means is known only when the build runs"]
    );
    // `./out/x` and `out/x` are one target.
    let files = [(
        "Makefile",
        "./out/x: ./y\n\tdocker pull a/b\ny:\n\tdocker pull c/d\n",
    )];
    assert_eq!(
        effects_in(&files, "make out/x"),
        ["pull c/d always", "pull a/b always"]
    );
}

#[test]
fn a_task_runner_that_only_says_something_runs_nothing() {
    let files = [
        ("Makefile", "all:\n\tdocker pull debian\n"),
        ("justfile", "all:\n  docker pull alpine\n"),
    ];
    for script in [
        "make --version",
        "make -v",
        "make -n all",
        "make --dry-run",
        "just --list",
        "just -n all",
    ] {
        assert!(effects_in(&files, script).is_empty(), "{script}");
    }
    assert_eq!(
        effects_in(&files, "make -k && just all"),
        ["pull debian always", "pull alpine always"]
    );
}

#[test]
fn make_asks_which_container_client_there_is() {
    for engine in [
        "ENGINE ?= $(shell which podman docker 2>/dev/null | head -1)",
        "ENGINE ?= $(shell command -v docker || command -v podman)",
        "ENGINE := $(notdir $(shell which docker))",
        "ENGINE := $(firstword $(shell if which docker > /dev/null; then echo docker; else echo podman; fi))",
    ] {
        let makefile = format!("{engine}\nb:\n\t$(ENGINE) pull alpine:3\n");
        let files = [("Makefile", makefile.as_str())];
        assert_eq!(
            effects_in(&files, "make b"),
            ["pull alpine:3 always"],
            "{engine}"
        );
    }
    let makefile = "DC := $(shell docker compose version >/dev/null 2>&1 && echo \"docker compose\" || echo docker-compose)\n\
                    up:\n\t@$(DC) -f c.yml up -d\n";
    let files = [
        ("Makefile", makefile),
        ("c.yml", "services:\n  a:\n    image: redis:7\n"),
    ];
    assert_eq!(effects_in(&files, "make up"), ["pull redis:7"]);
}

#[test]
fn a_target_of_make_that_comes_out_of_a_pipe_is_unknown() {
    let files = [
        ("Makefile", "%/publish:\n\t./build.sh $(@D)\n"),
        ("build.sh", "docker build $1\n"),
    ];
    let script = "find . -name Dockerfile | sed 's|/Dockerfile|/publish|g' | xargs -n1 make";
    let seen = effects_in(&files, script);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(
        seen[0].starts_with("opaque make $(find . -name Dockerfile | sed "),
        "{seen:?}"
    );
}

#[test]
fn an_argument_that_make_puts_in_is_one_argument() {
    let files = [
        ("Makefile", "r:\n\t./x.sh $(shell date) me/b\n"),
        ("x.sh", "docker pull $2:$1\n"),
    ];
    assert_eq!(
        effects_in(&files, "make r"),
        ["pull me/b:$(shell date) always"]
    );
}

#[test]
fn a_runner_that_has_two_names_is_one_program() {
    let files = [
        (
            "Makefile",
            "all:\n\tdocker pull a\nother:\n\tdocker pull b\n",
        ),
        (
            "pom.xml",
            "<project><dependencies><dependency><groupId>org.testcontainers</groupId><artifactId>mysql</artifactId></dependency></dependencies></project>",
        ),
        ("package.json", "{\"scripts\":{\"e2e\":\"docker pull c\"}}"),
        ("ci/make", "docker pull d\n"),
    ];
    let ryuk = "pull testcontainers/ryuk:?";
    for (script, expected) in [
        ("M=make; if x; then M=gmake; fi; $M all", "pull a always"),
        (
            "if x; then M=/usr/local/bin/gmake; else M='make -j4'; fi; $M all",
            "pull a always",
        ),
        (
            "case $X in a) M='make -s';; *) M='make -j';; esac; $M all",
            "pull a always",
        ),
        (
            "M=mvn; if x; then M=/opt/apache-maven/bin/mvn; fi; $M clean install",
            ryuk,
        ),
        ("M=mvn; if x; then M=./mvnw; fi; $M verify", ryuk),
        (
            "M=\"$(command -v mvn)\"; if [ ! \"$M\" ]; then M=\"$D/apache-maven-$V/bin/mvn\"; fi; \"$M\" test",
            ryuk,
        ),
    ] {
        assert_eq!(effects_in(&files, script), [expected], "{script}");
    }
    for script in [
        // Which target, which program, or what a script of the repository does, is not known.
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}

#[test]
fn commands_of_toxs_environments_are_followed() {
    let ini = "[tox]\nenvlist = py, docker\n\n[testenv]\nsetenv =\n  TAG = 3\ncommands = pytest {posargs}\n\n[testenv:docker]\ncommands_pre =\n    docker compose up --detach db\ncommands =\n    docker run a/b:{env:V:1} {posargs:sh}\n    other: docker pull no/no\n    docker: docker pull \\\n      c/d:$TAG\n\n[testenv:run]\nchangedir = sub\ncommands = docker build {toxinidir}\n";
    let files = [
        ("tox.ini", ini),
        ("compose.yml", "services: {db: {image: 'postgres:17'}}\n"),
        ("tests/test_a.py", ""),
        ("sub/Dockerfile", "FROM e/f\n"),
    ];
    let all = ["pull postgres:17", "pull a/b:1", "pull c/d:3 always"];
    for script in [
        "tox -e docker",
        "tox run -e docker -- -x",
        "tox",
        "tox -edocker",
        "TOXENV=docker tox -v",
        "cd tests && tox -e docker",
        "tox -c . -e docker",
    ] {
        assert_eq!(effects_in(&files, script), all, "{script}");
    }
    assert_eq!(effects_in(&files, "tox -e run"), ["pull e/f"]);
    let unknown =
        "opaque tox -e $E: which of its environments are run is known only when the job runs";
    assert_eq!(effects_in(&files, "tox -e $E"), [unknown]);
    for script in [
        "tox -e py",
        "tox list",
        "tox -e docker --notest",
        "tox -e none",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
    // What refers to itself ends.
    let circle = [(
        "tox.ini",
        "[testenv]\ncommands =\n  {[testenv]commands}\n  {[testenv]commands}\n  docker pull a/b\n",
    )];
    assert_eq!(
        effects_in(&circle, "tox -e x").first().map(String::as_str),
        Some("pull a/b always")
    );
}

#[test]
fn what_xargs_is_given_and_nobody_knows_has_the_words_of_its_command() {
    for (script, expected) in [
        (
            "seq 1 3 | xargs -I{} docker pull a/n:{}",
            "pull a/n:$(seq 1 3) always",
        ),
        (
            "curl x | grep  y | xargs docker pull",
            "pull $(curl x | grep y) always",
        ),
        ("curl x | xargs docker pull < list", "pull $(xargs) always"),
    ] {
        assert_eq!(effects(script), [expected], "{script}");
    }
}

#[test]
fn scripts_of_a_package_are_reached_by_other_spellings() {
    let files = [
        (
            "package.json",
            r#"{"name": "root", "workspaces": ["packages/*"], "scripts": {
                "db": "docker pull root", "other": "docker pull other",
                "both": "concurrently -k -c red,blue \"npm:db\" \"pnpm:oth*\"",
                "postinstall": "docker pull post", "prepare": "docker pull prepare",
                "wired": "wireit"
            }, "wireit": {
                "wired": {"command": "docker pull wired", "dependencies": ["db", "deep", "./packages/a:db"]},
                "deep": {"command": "docker pull deep", "dependencies": ["wired"]}
            }}"#,
        ),
        (
            "packages/a/package.json",
            r#"{"name": "@acme/a", "scripts": {"db": "docker pull a"}}"#,
        ),
        (
            "quiet/package.json",
            r#"{"scripts": {"postinstall": "docker pull q"}}"#,
        ),
        ("quiet/.npmrc", "ignore-scripts = true\n"),
        (
            "berry/package.json",
            r#"{"packageManager": "yarn@4.1.0", "scripts": {"postinstall": "docker pull b", "prepare": "docker pull c"}}"#,
        ),
        ("scripts/up.mjs", "await $`docker pull x`\n"),
    ];
    for (script, expected) in [
        (
            "npx concurrently npm:db 'npm run other'",
            &["root", "other"][..],
        ),
        ("npx concurrently 'bun:o*' -n a", &["other"]),
        ("npm run both", &["root", "other"]),
        ("pnpm --filter './packages/**' run db", &["a"]),
        ("pnpm --filter '{packages/**}' db", &["a"]),
        ("cd packages && pnpm --filter './*' db", &["a"]),
        ("npm ci", &["post", "prepare"]),
        (
            "npm install --registry https://npm.example",
            &["post", "prepare"],
        ),
        ("yarn", &["post", "prepare"]),
        ("yarn --frozen-lockfile", &["post", "prepare"]),
        ("pnpm install", &["post", "prepare"]),
        ("bun install", &["post", "prepare"]),
        ("npm ci --ignore-scripts", &[]),
        ("npm_config_ignore_scripts=true npm ci", &[]),
        ("npm install jest", &[]),
        ("npm install -g", &[]),
        ("yarn --version", &[]),
        ("cd quiet && npm ci", &[]),
        ("yarn --cwd berry install", &["b"]),
        ("cd scripts && npm --prefix ../packages/a ci", &[]),
        ("yarn workspaces foreach -A run db", &["a", "root"]),
        ("yarn workspaces foreach -A run db2", &[]),
        ("corepack enable && corepack pnpm db", &["root"]),
        ("npm run wired", &["root", "deep", "a", "wired"]),
    ] {
        let lines = effects_in(&files, script);
        let images = lines.iter().filter_map(|line| line.strip_prefix("pull "));
        let images: Vec<&str> = images.filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(images, expected, "{script}: {lines:?}");
    }
    for script in ["zx scripts/up.mjs", "npx zx --quiet scripts/up.mjs"] {
        let lines = effects_in(&files, script);
        assert!(
            lines[0].starts_with("opaque the program"),
            "{script}: {lines:?}"
        );
    }
    let rush = [(
        "common/config/rush/command-line.json",
        r#"{"commands": [{"shellCommand": "docker pull x"}]}"#,
    )];
    assert_eq!(effects_in(&rush, "rush db").len(), 1);
}
