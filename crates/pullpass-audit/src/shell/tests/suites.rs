//! Tests and builds that start containers.

use super::effects_in;

#[test]
fn a_program_of_the_repository_that_go_runs_may_speak_to_an_engine() {
    let dagger =
        "package main\n\nimport (\n\t\"context\"\n\n\t\"dagger.io/dagger\"\n)\n\nfunc main() {}\n";
    let through = "package main\n\nimport x \"example.com/m/internal/engine\"\n";
    let engine = "package engine\n\nimport (\n\t\"github.com/docker/docker/client\"\n)\n";
    let runs = "package main\n\nimport \"os/exec\"\n\nfunc main() {\n\texec.CommandContext(ctx, \"docker\", \"pull\", \"x\")\n}\n";
    let idle = "package main\n\nimport (\n\t\"github.com/docker/docker/api/types\"\n\t\"os/exec\"\n)\n\n// exec.Command(\"docker\")\nfunc main() { exec.Command(\"git\"); println(\"docker\") }\n";
    let files = [
        ("go.mod", "module example.com/m\n"),
        ("ci/main.go", dagger),
        ("cmd/x/main.go", through),
        ("internal/engine/e.go", engine),
        ("internal/engine/e_test.go", dagger),
        ("cmd/run/main.go", runs),
        ("cmd/run/other.go", "package main\n"),
        ("cmd/idle/main.go", idle),
        ("cmd/idle/main_test.go", dagger),
        ("cmd/idle/main_windows.go", dagger),
        ("tools/go.mod", "module example.com/tools\n"),
        ("tools/main.go", through),
    ];
    for (script, expected) in [
        (
            "go run ./ci",
            "go run ./ci: the program's code uses `dagger.io/dagger`",
        ),
        (
            "cd ci && go run . --push",
            "go run .: the program's code uses `dagger.io/dagger`",
        ),
        (
            "go run ci/main.go build",
            "go run ci/main.go: the program's code uses `dagger.io/dagger`",
        ),
        (
            "cd ci; go run main.go",
            "go run main.go: the program's code uses `dagger.io/dagger`",
        ),
        (
            "go run -tags x example.com/m/cmd/x",
            "go run example.com/m/cmd/x: the program's code uses `github.com/docker/docker/client`",
        ),
        (
            "go run ./cmd/run",
            "go run ./cmd/run: the program's code runs `docker`",
        ),
    ] {
        let lines = effects_in(&files, script);
        let expected = format!("opaque {expected}, and is not read further");
        assert_eq!(lines, [expected], "{script}");
    }
    for script in [
        "go run ./cmd/idle",
        "go run ./cmd/run/other.go",
        "go run ./none",
        "go run $X",
        "go run ../x",
        "go build ./ci",
        "cd tools; go run .",
        "go run example.com/other/cmd/x@latest",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}

#[test]
fn go_tests_start_containers_in_packages_that_come_to_the_library() {
    const LIBRARY: &str = "import \"github.com/testcontainers/testcontainers-go\"\n";
    let helper = format!("package db\n{LIBRARY}");
    let tagged = format!("//go:build integration\n\npackage it\n{LIBRARY}");
    let files = [
        (
            "go.mod",
            "module acme.example/shop // shop\nrequire github.com/testcontainers/testcontainers-go v1\n",
        ),
        ("main_test.go", "package main\n"),
        ("internal/db/db.go", &helper),
        ("store/store.go", "package store\n"),
        (
            "store/store_test.go",
            "package store\nimport \"acme.example/shop/internal/db\"\n",
        ),
        ("web/web.go", "package web\n"),
        ("web/web_test.go", "package web\n"),
        ("web/testdata/x_test.go", &helper),
        ("it/it_test.go", &tagged),
        ("tools/go.mod", "module acme.example/tools\n"),
        ("tools/x_test.go", &helper),
    ];
    for (command, starts) in [
        ("go test ./...", true),
        ("go test -race -run X ./store", true),
        ("go test acme.example/shop/store", true),
        ("go test -timeout 5m ./web/... .", false),
        ("go test", false),
        ("go test ./it/...", false),
        ("go test -tags integration ./it/...", true),
        ("go test --tags=a,integration ./it", true),
        ("go test -tags \"$TAGS\" ./it", true),
        ("go test ./internal/db", false),
        ("go test -c -o /dev/null ./store", false),
        ("go test ./web -test.run ./store", false),
        ("go test ./tools/...", false),
        ("go test $(go list ./...)", true),
        ("go test -C store", true),
        ("go test -C web", false),
        ("go -C store test", true),
        ("cd store && go test", true),
        ("cd store && go test ./...", true),
        ("cd store && go test ../web/...", false),
        ("cd web && go test ../store", true),
        ("cd web && go test ./...", false),
        ("cd web; go test acme.example/shop/store/...", true),
        ("cd internal && go test ./...", false),
        (
            "git clone https://x.example/y made && cd made && go test ./...",
            false,
        ),
        ("gotestsum", true),
        ("gotestsum ./web", false),
        ("cd store && gotestsum ./...", true),
        (
            "gotestsum --junitfile out.xml -f dots -- -race ./web/...",
            false,
        ),
        ("gotestsum --packages './web ./store' -- -race", true),
        (
            "gotestsum --packages=./web --rerun-fails -- -count 1",
            false,
        ),
        ("gotestsum --raw-command -- ./run.sh", true),
        ("ginkgo -r", true),
        ("ginkgo", false),
        ("ginkgo -r web", false),
        ("ginkgo run -p --procs 4 ./web ./store", true),
        ("ginkgo ./web/... -- ./store", false),
        ("GOFLAGS=-tags=integration go test ./it", true),
        ("GOFLAGS=-tags=other go test ./it", false),
        (
            "GOFLAGS='-mod=vendor -tags=x,integration' go test ./it",
            true,
        ),
        ("GOFLAGS=-tags=integration go test -tags other ./it", false),
        ("GOFLAGS=-tags=$T go test ./it", true),
        (
            "export GOFLAGS=\"$GOFLAGS -tags=other\"; go test ./it",
            false,
        ),
    ] {
        let seen = effects_in(&files, command);
        assert_eq!(!seen.is_empty(), starts, "{command}: {seen:?}");
    }
}

/// A workspace has modules beside each other, and packages are named by their folders.
#[test]
fn go_tests_of_other_modules_of_a_workspace_are_found() {
    const TEST: &str = "package x\nimport \"github.com/testcontainers/testcontainers-go\"\n";
    let module = "module acme.example/a\nrequire github.com/testcontainers/testcontainers-go v1\n";
    let files = [
        ("go.work", "use ./a\nuse ./b\n"),
        ("a/go.mod", module),
        ("a/x/x_test.go", TEST),
        ("a/y/y_test.go", "package y\n"),
        ("b/go.mod", "module acme.example/b\n"),
        ("b/b_test.go", "package b\n"),
    ];
    for (command, starts) in [
        ("go test ./a/...", true),
        ("go test ./a/y ./b/...", false),
        ("cd b; go test ./... ../a/x", true),
        ("go test ./b/...", false),
    ] {
        let seen = effects_in(&files, command);
        assert_eq!(!seen.is_empty(), starts, "{command}: {seen:?}");
        let without: Vec<_> = files[1..].to_vec();
        assert!(effects_in(&without, command).is_empty(), "{command}");
    }
}

/// What looks for its project in the folders above finds it there, up to the nearest.
#[test]
fn tests_are_run_from_folders_below_the_project() {
    let files = [
        (
            "package.json",
            "{\"devDependencies\":{\"testcontainers\":\"11\"}}",
        ),
        ("web/src/a.ts", ""),
        ("packages/b/package.json", "{}"),
        ("packages/b/src/b.ts", ""),
        ("pyproject.toml", "dependencies = [\"testcontainers\"]"),
        ("tests/test_a.py", ""),
        ("tool/setup.py", ""),
        ("tool/tests/test_b.py", ""),
        ("svc/pom.xml", "<groupId>org.testcontainers</groupId>"),
        ("svc/src/a.java", ""),
        (
            "jvm/build.gradle",
            "testImplementation 'org.testcontainers:x'",
        ),
    ];
    for (script, starts) in [
        ("cd web && npx jest", true),
        ("cd web/src && npx vitest run", true),
        ("cd packages/b/src && npx vitest run", false),
        ("npx vitest run --root packages/b", false),
        ("cd packages/b; npx jest --rootDir=../../web", true),
        ("cd tests && pytest", true),
        ("cd tests && python -m pytest", true),
        ("cd tool/tests && pytest -q", false),
        ("mkdir made && cd made && pytest", false),
        ("mvn -f svc/pom.xml verify", true),
        ("mvn -B --file=svc verify", true),
        ("cd svc/src && mvn verify", false),
        ("mvn verify", false),
        ("gradle -p jvm test", true),
        ("gradle test", false),
    ] {
        let seen = effects_in(&files, script);
        assert_eq!(
            seen.contains(&CONTAINERS.to_owned()),
            starts,
            "{script}: {seen:?}"
        );
    }
    let rust = [
        ("core/Cargo.toml", "testcontainers = \"0.25\""),
        ("core/src/lib.rs", ""),
    ];
    for (script, said) in [
        ("cd core/src && cargo test", 1),
        ("cargo test --manifest-path core/Cargo.toml", 1),
        ("cargo test", 0),
    ] {
        assert_eq!(effects_in(&rust, script).len(), said, "{script}");
    }
}

/// Where a variable alone says what is run, it may be tests.
#[test]
fn tests_that_a_variable_may_run_are_unknown() {
    let files = [
        ("build.gradle", "testImplementation 'org.testcontainers:x'"),
        ("pom.xml", "<groupId>org.testcontainers</groupId>"),
        (
            "tests/X.csproj",
            "<PackageReference Include=\"Testcontainers\" />",
        ),
    ];
    for (script, words) in [
        ("./gradlew --no-daemon $TASKS", "$TASKS"),
        ("./gradlew clean $TASKS -i", "$TASKS"),
        ("./gradlew :app:$TASK", ":app:$TASK"),
        ("./gradlew -x lint --tests build $TASKS", "$TASKS"),
        ("mvn -B -pl app $GOALS", "$GOALS"),
        ("dotnet $COMMAND -c Release", "$COMMAND"),
    ] {
        let expected = format!(
            "opaque Testcontainers: what is run, `{words}`, is known only when the job runs"
        );
        assert_eq!(effects_in(&files, script), [expected], "{script}");
    }
    for script in [
        "./gradlew assemble $MORE",
        "./gradlew assemble$FLAVOR",
        "./gradlew -Pversion=$V",
        "./gradlew -p $DIR",
        "./gradlew -x test $TASKS",
        "./gradlew",
        "mvn -DskipTests $GOALS",
        "mvn $OPTS compile",
        "mvn -f $FILE",
        "dotnet build $PROJECT",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
    let seen = effects_in(&files, "./gradlew ${MODULE}:test");
    assert_eq!(seen, [CONTAINERS]);
}

/// Where the folder is known only when the job runs, tests that start containers in one that it may be are unknown.
#[test]
fn tests_in_a_folder_that_is_not_known_are_unknown() {
    const TEST: &str = "package x\nimport \"github.com/testcontainers/testcontainers-go\"\n";
    let files = [
        (
            "svc/a/go.mod",
            "module acme.example/a\nrequire github.com/testcontainers/testcontainers-go v1\n",
        ),
        ("svc/a/a_test.go", TEST),
        ("svc/b/go.mod", "module acme.example/b\n"),
        ("svc/b/b_test.go", "package b\n"),
        ("lib/pom.xml", "<groupId>org.testcontainers</groupId>"),
        ("web/package.json", "{}"),
    ];
    for (script, folder) in [
        (
            "for d in $(list_modules); do (cd $d && go test ./...); done",
            "$d",
        ),
        ("cd svc/$D && go test ./...", "svc/$D"),
        ("cd \"$D\" && mvn verify", "$D"),
    ] {
        let seen = effects_in(&files, script);
        assert_eq!(seen.len(), 1, "{script}: {seen:?}");
        let expected = format!("opaque Testcontainers: it runs in `{folder}`, and which folder");
        assert!(seen[0].starts_with(&expected), "{script}: {seen:?}");
    }
    for script in [
        "cd svc/$D && mvn verify",
        "cd svc/$D && go build ./...",
        "cd svc/$D/none && go test",
        "cd \"$D\" && npx jest",
        "cd \"$(mktemp -d)\" && go test ./...",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}

/// What a project writes for its own builds is a part of those that name it.
#[test]
fn tests_may_get_their_dependency_from_a_convention_of_the_build() {
    const DEPENDENCY: &str =
        "plugins {\n  java\n}\ndependencies {\n  testImplementation(\"org.testcontainers:x\")\n}\n";
    for convention in [
        "buildSrc/src/main/kotlin/acme.tests.gradle.kts",
        "build-logic/src/main/groovy/acme.tests.gradle",
        "build-logic/convention/src/main/kotlin/acme.tests.gradle.kts",
    ] {
        for (module, script, starts) in [
            ("plugins { id(\"acme.tests\") }", "./gradlew test", true),
            (
                "plugins { id(\"acme.tests\") }",
                "cd a && ../gradlew check",
                true,
            ),
            (
                "plugins { id(\"acme.tests\") }",
                "./gradlew assemble",
                false,
            ),
            ("plugins { id(\"acme.other\") }", "./gradlew test", false),
        ] {
            let files = [
                (
                    "settings.gradle.kts",
                    "includeBuild(\"build-logic\")\ninclude(\":a\")\n",
                ),
                (convention, DEPENDENCY),
                ("a/build.gradle.kts", module),
            ];
            let seen = effects_in(&files, script);
            assert_eq!(
                !seen.is_empty(),
                starts,
                "{convention}: {module}: {script}: {seen:?}"
            );
        }
    }
    for (line, starts) in [
        (
            "dependencies { testImplementation(\"org.testcontainers:x\") }",
            true,
        ),
        (
            "dependencies { api(\"a:b\"); testImplementation(\"${g}:testcontainers\") }",
            true,
        ),
        ("  \"testImplementation\"(libs.testcontainers)", true),
        ("  \"itImplementation\"(libs.testcontainers)", false),
        (
            "constraints { add(\"x\", \"org.testcontainers:x\") }",
            false,
        ),
    ] {
        let seen = effects_in(&[("build.gradle.kts", line)], "./gradlew test");
        assert_eq!(!seen.is_empty(), starts, "{line}: {seen:?}");
    }
}

/// MSBuild puts `Directory.Build.props` into each project below it.
#[test]
fn projects_of_dotnet_get_what_stands_above_them() {
    let package = "<PackageReference Include=\"Testcontainers.PostgreSql\" />";
    let files = [
        (
            "Directory.Packages.props",
            "<PackageVersion Include=\"Testcontainers\" Version=\"4\" />",
        ),
        (
            "Directory.Build.props",
            "<TestcontainersVersion>4</TestcontainersVersion>",
        ),
        ("All.sln", "Microsoft Visual Studio Solution File\n"),
        ("Some.slnx", "<Project Path=\"src/S.csproj\" />"),
        ("src/S.csproj", "<Project />"),
        ("test/it/Directory.Build.props", package),
        ("test/it/A/A.csproj", "<Project />"),
        ("test/it/own/Directory.Build.props", "<Project />"),
        ("test/it/own/B/B.csproj", "<Project />"),
        (
            "test/it/more/Directory.Build.props",
            "<Import Project=\"$([MSBuild]::GetPathOfFileAbove('Directory.Build.props', '../'))\" />",
        ),
        ("test/it/more/C/C.csproj", "<Project />"),
    ];
    for (script, starts) in [
        ("dotnet test All.sln", true),
        ("dotnet test Some.slnx", false),
        ("dotnet test test/it/A", true),
        ("dotnet test test/it/own/B/B.csproj", false),
        ("dotnet test test/it/more/C", true),
        ("dotnet test src", false),
        ("cd test && dotnet test", true),
    ] {
        let seen = effects_in(&files, script);
        assert_eq!(!seen.is_empty(), starts, "{script}: {seen:?}");
    }
}

/// A word of sbt's may be a command with words of its own, or several.
#[test]
fn commands_of_sbts_may_stand_in_quotes() {
    let files = [("build.sbt", "\"com.dimafeng\" %% \"testcontainers-scala\"")];
    for (script, starts) in [
        ("sbt 'testOnly acme.A'", true),
        ("sbt ';clean;core/test'", true),
        ("sbt '++2.13.12 test'", true),
        ("sbt ++2.13.12 'project core; it:test'", true),
        ("sbt 'set assembly / test := {}' assembly", false),
        ("sbt 'Test/compile'", false),
        ("sbt \"++$V\" package", false),
        ("sbt ++2.13.12 $COMMAND", true),
    ] {
        let seen = effects_in(&files, script);
        assert_eq!(!seen.is_empty(), starts, "{script}: {seen:?}");
    }
}

#[test]
fn gradles_blocks_declare_tasks_and_suites_of_tests() {
    const DEPENDENCY: &str =
        "dependencies {\n  testImplementation(\"org.testcontainers:x:1\")\n}\n";
    for (block, starts) in [
        ("tasks {\n  register<Test>(\"it\") {\n  }\n}", true),
        ("tasks {\n  create(\"it\", Test::class) {\n  }\n}", true),
        (
            "tasks {\n  val it by registering(Test::class) {\n  }\n}",
            true,
        ),
        (
            "testing { suites {\n  register<JvmTestSuite>(\"it\") {\n  }\n} }",
            true,
        ),
        (
            "testing { suites { register<JvmTestSuite>(\"it\") } }",
            true,
        ),
        (
            "testing { suites {\n  val it by registering(JvmTestSuite::class)\n} }",
            true,
        ),
        ("testing { suites {\n  it(JvmTestSuite) {\n  }\n} }", true),
        ("tasks {\n  register<Copy>(\"it\") {\n  }\n}", false),
        ("tasks {\n  register<Test>(\"other\") {\n  }\n}", false),
        ("// registers<Test>(\"it\")", false),
    ] {
        let build = format!("{DEPENDENCY}{block}\n");
        let seen = effects_in(&[("build.gradle.kts", &build)], "./gradlew it");
        assert_eq!(!seen.is_empty(), starts, "{block}: {seen:?}");
    }
}

/// `-x :a:test` leaves out the tests of one project of Gradle's, and `:a:test` runs those of one.
#[test]
fn tests_of_one_project_of_gradles_are_those_that_it_declares() {
    let own = "plugins {\n  id 'java'\n}\ndependencies {\n  testImplementation 'org.testcontainers:x'\n  itImplementation 'org.testcontainers:x'\n}\n";
    let shared =
        "subprojects {\n  dependencies {\n    testImplementation 'org.testcontainers:x'\n  }\n}\n";
    let helper = "dependencies {\n  implementation 'org.testcontainers:x'\n}\n";
    let files = |root| {
        [
            ("settings.gradle", "include 'a', 'b', 'n:c'"),
            ("build.gradle", root),
            ("a/build.gradle", own),
            ("b/build.gradle", "plugins {\n}\n"),
            ("n/c/c.gradle", "plugins {\n}\n"),
        ]
    };
    for (script, starts) in [
        ("./gradlew test", true),
        ("./gradlew test -x :b:test", true),
        ("./gradlew test -x :a:test", false),
        ("./gradlew build --exclude-task=:a:test", false),
        ("./gradlew test -x a:test", false),
        ("cd b && ../gradlew build -x :b:test", false),
        ("cd a && ../gradlew build -x :b:test", true),
        ("cd a && ../gradlew build -x :a:test", false),
        ("./gradlew test -x :other:test", true),
        ("./gradlew build -x test", false),
        ("./gradlew it -x test", true),
        ("./gradlew check -x test -x it", false),
        ("./gradlew assemble -x it", false),
        ("./gradlew :a:test", true),
        ("./gradlew :b:test", false),
        ("./gradlew b:check :n:c:test", false),
        ("./gradlew :b:test :a:it", true),
        ("./gradlew :other:test", true),
    ] {
        let seen = effects_in(&files(""), script);
        assert_eq!(!seen.is_empty(), starts, "{script}: {seen:?}");
    }
    for root in [shared, helper] {
        for script in ["./gradlew :b:test", "./gradlew test -x :a:test"] {
            assert_eq!(
                effects_in(&files(root), script),
                [CONTAINERS],
                "{root}{script}"
            );
        }
    }
    let seen = effects_in(&files(own), "./gradlew :b:test");
    assert_eq!(seen, [""; 0]);
}

/// `dotnet test` is about the projects that it names, or that a solution does, and what they refer to.
#[test]
fn tests_of_dotnet_are_those_of_the_projects_that_are_named() {
    let containers = "<PackageReference Include=\"Testcontainers\" />";
    let files = [
        ("src/C/C.csproj", "<Project />"),
        ("test/A/A.csproj", containers),
        (
            "test/B/B.csproj",
            "<ProjectReference Include=\"..\\..\\src\\C\\C.csproj\" />",
        ),
        (
            "test/D/D.fsproj",
            "<ProjectReference Include=\"$(Root)\\test\\A\\A.csproj\" />",
        ),
        ("test/B.slnf", "{\"projects\": [\"B\\\\B.csproj\"]}"),
        ("web/Web.sln", "\"B\", \"..\\test\\B\\B.csproj\", \"{1}\"\n"),
        ("web/deep/er/E.csproj", containers),
        (
            "build/All.proj",
            "<Tests Include=\"..\\test\\**\\*.csproj\" />",
        ),
    ];
    for (script, starts) in [
        ("dotnet test", true),
        ("dotnet test test/A", true),
        ("dotnet test test/A/A.csproj -c Release", true),
        ("dotnet test test/B/B.csproj", false),
        ("dotnet test -c Release '.\\test\\B' --filter X", false),
        ("dotnet test test/B -- RunConfiguration.X=test/A", false),
        ("dotnet test --project test/B/B.csproj", false),
        ("dotnet test --solution=test/B.slnf", false),
        ("dotnet test --project test/D", true),
        ("dotnet test test/A/bin/Release/net9.0/A.dll", true),
        ("dotnet test test/B/bin/Release/net9.0/B.dll", false),
        ("cd test/D && dotnet test", true),
        ("cd web && dotnet test", false),
        ("cd web && dotnet test deep/er", true),
        ("dotnet test build/All.proj", true),
        ("dotnet test $PROJECT", true),
        ("dotnet test other/X.csproj", true),
        ("dotnet test test/B test/A", true),
        ("dotnet run --project build -- test", true),
    ] {
        let seen = effects_in(&files, script);
        assert_eq!(!seen.is_empty(), starts, "{script}: {seen:?}");
    }
}

const CONTAINERS: &str = "pull testcontainers/ryuk:?";

/// What a project depends on says that its tests start containers; whatever runs the tests pulls.
#[test]
fn tests_that_start_containers_pull() {
    for (file, text, script) in [
        (
            "pom.xml",
            "<groupId>org.testcontainers</groupId>",
            "mvn -B verify",
        ),
        (
            "pom.xml",
            "<groupId>org.testcontainers</groupId>",
            "./mvnw --batch-mode package",
        ),
        (
            "core/db/pom.xml",
            "<groupId>org.testcontainers</groupId>",
            "mvn install -DskipTests=false",
        ),
        (
            "build.gradle",
            "dependencies {\n  testImplementation(\n    platform('x'),\n    'org.testcontainers:mysql:1')\n}",
            "./gradlew :app:test",
        ),
        (
            "app/build.gradle.kts",
            "    testRuntimeOnly(libs.testcontainers)",
            "sh ./gradlew check -x lint",
        ),
        (
            "service/build.gradle.kts",
            "  integrationTestImplementation(\"org.testcontainers:mysql\")",
            "cd service && ./gradlew integrationTest",
        ),
        (
            "build.sbt",
            "\"com.dimafeng\" %% \"testcontainers-scala\"",
            "sbt clean test",
        ),
        (
            "go.mod",
            "require github.com/testcontainers/testcontainers-go v0.40.0",
            "go test ./...",
        ),
        (
            "svc/go.mod",
            "github.com/testcontainers/testcontainers-go",
            "cd svc && gotestsum -- -race",
        ),
        (
            "package.json",
            "{\"devDependencies\":{\"testcontainers\":\"11\"},\"scripts\":{\"test\":\"jest\"}}",
            "npm test",
        ),
        (
            "requirements-dev.txt",
            "testcontainers[postgres]",
            "python -m pytest -q",
        ),
        ("pyproject.toml", "\"testcontainers\"", "poetry run pytest"),
        (
            "tests/Shop.Tests/Shop.Tests.csproj",
            "<PackageReference Include=\"Testcontainers\" />",
            "dotnet test",
        ),
    ] {
        let files = [
            ("pom.xml", "<modules/>"),
            ("settings.gradle", ""),
            ("service/settings.gradle.kts", ""),
            (file, text),
        ];
        assert_eq!(effects_in(&files, script), [CONTAINERS], "{script}");
    }
    let rust = [("Cargo.toml", "testcontainers = \"0.25\"")];
    let said = effects_in(&rust, "cargo nextest run");
    assert!(said[0].contains("opaque Testcontainers"), "{said:?}");
}

#[test]
fn tests_that_are_left_out_or_start_none_pull_nothing() {
    let java = [
        ("pom.xml", "<groupId>org.testcontainers</groupId>"),
        (
            "build.gradle",
            "testImplementation 'org.testcontainers:junit-jupiter'",
        ),
        (
            "it/build.gradle",
            "intTestImplementation 'org.testcontainers:x'",
        ),
        (
            "gradle/versions.gradle",
            "dependency 'org.testcontainers:x:1'",
        ),
        ("go.mod", "github.com/testcontainers/testcontainers-go"),
        ("gradlew", "exec java -jar gradle-wrapper.jar"),
        ("node_modules/x/package.json", "testcontainers"),
        ("package.json", "{\"scripts\": {\"test\": \"jest\"}}"),
    ];
    for script in [
        "mvn compile",
        "mvn package -DskipTests",
        "mvn -B -D skipTests -D x=y package",
        "mvn -Dmaven.test.skip=true install",
        "./gradlew assemble",
        "./gradlew build -x test",
        "cd it && ../gradlew test check",
        "cd gradle && ../gradlew test",
        "go build ./...",
        "go test -short ./...",
        "npm test",
        "cargo test",
        "TC_CLOUD_TOKEN=x mvn verify",
        "cd docs && go test",
    ] {
        assert_eq!(effects_in(&java, script), [""; 0], "{script}");
    }
    // A file that is made to take long does not.
    let named = "<d>testcontainers</d>\n".repeat(90_000);
    let long = format!("<dependencyManagement>\n{named}</dependencyManagement>");
    let one_line = "// indirect testcontainers-go ".repeat(90_000);
    let hostile = [("pom.xml", long.as_str()), ("go.mod", one_line.as_str())];
    assert_eq!(effects_in(&hostile, "mvn verify; go test ./..."), [""; 0]);
    let elsewhere =
        "export TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX=registry.acme.example/hub/\nmvn verify";
    assert_eq!(
        effects_in(&java, elsewhere),
        ["pull registry.acme.example/hub/testcontainers/ryuk:?"]
    );
    let without = "TESTCONTAINERS_RYUK_DISABLED=true go test ./...";
    let said = effects_in(&java, without);
    assert!(said[0].contains("opaque Testcontainers"), "{said:?}");
}

#[test]
fn plugins_of_a_build_pull_what_is_not_read() {
    let plugin = |name: &str, rest: &str| {
        format!("<plugin>\n<artifactId>{name}</artifactId>\n{rest}</plugin>\n")
    };
    let goals =
        "<executions><execution><goals><goal>build</goal></goals></execution></executions>\n";
    let fabric8 = plugin("docker-maven-plugin", goals);
    let profile = format!("<profile>\n{fabric8}</profile>\n");
    let spotify = plugin("dockerfile-maven-plugin", goals);
    let jib = plugin("jib-maven-plugin", goals);
    let spring = plugin(
        "spring-boot-maven-plugin",
        "<executions><execution>\n<goals><goal>build-image-no-fork</goal></goals></execution></executions>\n",
    );
    let tests = plugin(
        "docker-maven-plugin",
        "<executions><execution><id>a</id><phase>pre-integration-test</phase>\n<goals><goal>start</goal></goals></execution>\n<execution><goals><goal>stop</goal></goals></execution></executions>\n",
    );
    let off = plugin(
        "docker-maven-plugin",
        "<executions><execution><phase>none</phase><goals><goal>build</goal></goals></execution></executions>\n",
    );
    let idle = plugin("docker-maven-plugin", "");
    let managed = format!("<pluginManagement>\n{fabric8}</pluginManagement>\n");
    let skipped = format!("<!--\n{fabric8}-->\n");
    let bmuschko = "plugins { id 'com.bmuschko.docker-remote-api' version '9.4.0' }\n";
    let palantir = "plugins { id(\"com.palantir.docker\") }\n";
    let files = [
        ("f/pom.xml", fabric8.as_str()),
        ("p/pom.xml", profile.as_str()),
        ("s/pom.xml", spotify.as_str()),
        ("j/app/pom.xml", jib.as_str()),
        ("j/pom.xml", ""),
        ("b/pom.xml", spring.as_str()),
        ("none/pom.xml", idle.as_str()),
        ("tests/pom.xml", tests.as_str()),
        ("off/pom.xml", off.as_str()),
        ("managed/pom.xml", managed.as_str()),
        ("skipped/pom.xml", skipped.as_str()),
        ("g/build.gradle", bmuschko),
        ("t/build.gradle.kts", palantir),
    ];
    for (script, expected) in [
        ("cd f; mvn -B package", "opaque docker-maven-plugin"),
        ("cd p; mvn -Pdocker install", "opaque docker-maven-plugin"),
        ("cd s; ./mvnw deploy", "opaque dockerfile-maven"),
        ("cd tests; mvn -q verify", "opaque docker-maven-plugin"),
        (
            "cd f; mvn install -DskipTests",
            "opaque docker-maven-plugin",
        ),
        ("cd j; mvn package", "opaque Jib"),
        ("cd b; mvn verify", "opaque spring-boot:build-image"),
        ("cd none; mvn package docker:build", "opaque mvn"),
        ("cd f; mvn package docker:build", "opaque mvn"),
        (
            "mvn io.fabric8:docker-maven-plugin:0.45.1:build",
            "opaque mvn",
        ),
        (
            "mvn com.google.cloud.tools:jib-maven-plugin:3.4.4:dockerBuild",
            "opaque mvn",
        ),
        (
            "mvn com.spotify:dockerfile-maven-plugin:build@x",
            "opaque mvn",
        ),
        ("mvn dockerfile:push", "opaque mvn"),
        ("./gradlew :app:dockerPushImage", "opaque gradlew"),
        ("cd t; ./gradlew docker", "opaque gradle-docker"),
    ] {
        let login = "docker login -u u --password-stdin < x; ";
        let lines = effects_in(&files, &format!("{login}{script}"));
        let said: Vec<&String> = lines.iter().filter(|l| l.starts_with("opaque")).collect();
        assert!(
            said.len() == 1 && said[0].starts_with(expected),
            "{script}: {lines:?}"
        );
        let makes = |line: &String| line == "provide ?";
        assert!(lines.iter().any(makes), "{script}: {lines:?}");
        assert!(lines.iter().all(|line| !line.starts_with("pull")));
    }
    for script in [
        "cd f; mvn test",
        "cd f; mvn package -Ddocker.skip",
        "cd p; mvn package",
        "cd none; mvn package",
        "cd tests; mvn package",
        "cd tests; mvn install -DskipITs",
        "cd off; mvn install",
        "cd managed; mvn package",
        "cd skipped; mvn package",
        "cd b; mvn com.acme:x-maven-plugin:1:run",
        "cd g; ./gradlew publishImages",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
    // Whether its tasks are run is not known: a login may be for them.
    let login = "docker login -u u --password-stdin < x; ";
    for (script, expected) in [
        ("cd g; ./gradlew publishImages", 1),
        ("cd g; ./gradlew tasks", 0),
    ] {
        let lines = effects_in(&files, &format!("{login}{script}"));
        let unlisted = lines.iter().filter(|line| *line == "unlisted");
        assert_eq!(unlisted.count(), expected, "{script}: {lines:?}");
    }
}

/// A project's own `gradlew` brings Gradle, and does nothing that counts.
#[test]
fn a_comment_is_no_dependency() {
    let pom = |text: &str| effects_in(&[("pom.xml", text)], "mvn verify").len();
    let dependency = "<artifactId>testcontainers</artifactId>\n";
    assert_eq!(pom(dependency), 1);
    for text in [
        "<!-- as testcontainers does -->\n",
        "<!--\n  NOTE: keep in line with version.testcontainers\n-->\n",
        "<version.testcontainers>1</version.testcontainers>\n",
        "<awssdk.testcontainers.version>1</awssdk.testcontainers.version>\n",
        "<x>${testcontainers.version}</x>\n",
    ] {
        assert_eq!(pom(text), 0, "{text}");
        assert_eq!(pom(&format!("{text}{dependency}")), 1, "{text}");
    }
    let gradle = |text: &str| {
        let files = [("build.gradle", text), ("settings.gradle", "")];
        effects_in(&files, "gradle test").len()
    };
    let dependency = "  testImplementation 'org.testcontainers:mysql:1'\n";
    assert_eq!(gradle(dependency), 1);
    for text in [
        "  // testImplementation 'org.testcontainers:mysql:1'\n",
        "/*\n  testImplementation 'org.testcontainers:mysql:1'\n*/\n",
    ] {
        assert_eq!(gradle(text), 0, "{text}");
        assert_eq!(gradle(&format!("{text}{dependency}")), 1, "{text}");
    }
}

#[test]
fn what_a_test_program_says_of_itself_runs_no_test() {
    let files = [(
        "go.mod",
        "require github.com/testcontainers/testcontainers-go v1\n",
    )];
    let ryuk = ["pull testcontainers/ryuk:?"];
    for script in ["gotestsum -- ./...", "./gotestsum ./...", "ginkgo run"] {
        assert_eq!(effects_in(&files, script), ryuk, "{script}");
    }
    for script in [
        "gotestsum --version",
        "./gotestsum --version",
        "gotestsum --help",
        "ginkgo version",
        "ginkgo build ./...",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
    let files = [("pyproject.toml", "dependencies = ['testcontainers']\n")];
    assert_eq!(effects_in(&files, "pytest -x"), ryuk);
    assert_eq!(
        effects_in(&files, "pytest --version && pytest --collect-only"),
        [""; 0]
    );
}

#[test]
fn a_wrapper_of_a_build_tool_is_the_tool() {
    let files = [("gradlew", "exec \"$JAVACMD\" \"$@\"")];
    let said = effects_in(&files, "./gradlew bootBuildImage");
    assert_eq!(
        said[0], "pull paketobuildpacks/builder:? always",
        "{said:?}"
    );
}

#[test]
fn tests_of_a_projects_own_start_containers_too() {
    let module =
        "dependencies {\n  testFixturesImplementation 'org.testcontainers:testcontainers:1'\n}\n";
    for declared in [
        "task containerTests(type: Test) {\n}\n",
        "subprojects {\n  tasks.register('containerTests', Test) {\n  }\n}\n",
        "val containerTests by tasks.registering(Test::class)\n",
        "tasks.register<Test>(\"containerTests\") {}\n",
    ] {
        let files = [("build.gradle", declared), ("a/build.gradle", module)];
        let called = effects_in(&files, "./gradlew :a:containerTests -i");
        assert_eq!(called, [CONTAINERS], "{declared}");
        assert!(effects_in(&files, "./gradlew spotlessCheck").is_empty());
        let beside = [
            ("settings.gradle", ""),
            ("b/build.gradle", declared),
            ("a/build.gradle", module),
        ];
        assert!(effects_in(&beside, "./gradlew containerTests").is_empty());
    }
}

#[test]
fn a_task_of_gradles_that_runs_docker_is_unknown() {
    for (declared, found) in [
        (
            "task dist(type: Exec) {\n  executable \"sh\"\n  args \"-c\", \"docker build -t me/x docker\"\n}\n",
            true,
        ),
        (
            "tasks.register(\"dist\", Exec::class) {\n  commandLine(\"docker\", \"push\", \"me/x\")\n}\n",
            true,
        ),
        (
            "task dist {\n  doLast {\n    exec { commandLine 'docker', 'run', 'x' }\n  }\n}\n",
            true,
        ),
        (
            "task dist(type: Exec) {\n  commandLine 'echo'\n}\ntask other(type: Exec) {\n  commandLine 'docker'\n}\n",
            false,
        ),
        ("task dist(type: Copy) {\n  from 'docker'\n}\n", false),
    ] {
        let files = [("build.gradle", declared)];
        let seen = effects_in(&files, "./gradlew dist");
        let said = seen
            .iter()
            .any(|line| line.starts_with("opaque Gradle's task `dist`"));
        assert_eq!(said, found, "{declared}: {seen:?}");
    }
    // What a plugin may lead to is not seen.
    let files = [(
        "build.gradle",
        "task push(type: Ours)\ntask x(type: Exec) {\n  commandLine 'docker'\n}\n",
    )];
    let seen = effects_in(&files, "docker login -u me -p $P; ./gradlew push");
    assert_eq!(seen.last().map(String::as_str), Some("unlisted"));
}

#[test]
fn variables_of_mavens_leave_tests_out() {
    let files = [("pom.xml", "<artifactId>testcontainers</artifactId>")];
    for name in ["MAVEN_ARGS", "MAVEN_CONFIG", "OTHER"] {
        let seen = effects_in(
            &files,
            &format!("export {name}='-q -DskipTests'; ./mvnw verify"),
        );
        assert_eq!(seen.is_empty(), name != "OTHER", "{name}");
    }
}

#[test]
fn pytest_is_found_behind_what_runs_it() {
    let files = [("pyproject.toml", "dependencies = ['testcontainers']\n")];
    for script in [
        "uv run --extra x --group dev pytest",
        "uv run --python 3.12 --resolution lowest-direct pytest",
        "uvx --with-editable . pytest",
        "coverage run --parallel -m pytest tests",
        "uv run coverage run -m pytest",
        "python3.12 -m pytest",
    ] {
        assert_eq!(effects_in(&files, script).len(), 1, "{script}");
    }
    for script in [
        "coverage run -m tool",
        "uv run --extra pytest tool",
        "uvx ruff check",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}

#[test]
fn tests_are_run_by_more_than_the_well_known_programs() {
    let files = [
        (
            "py/pyproject.toml",
            "[dependency-groups]\ndev = [\"testcontainers\"]\n",
        ),
        (
            "ex/mix.exs",
            "defp deps, do: [{:testcontainers, \"~> 1.11\"}]\n",
        ),
        (
            "js/package.json",
            "{\"devDependencies\": {\"testcontainers\": \"^11\"}}",
        ),
        ("rb/Gemfile", "gem \"testcontainers\"\n"),
        (
            "php/composer.json",
            "{\"require-dev\": {\"testcontainers/testcontainers\": \"^1\"}}",
        ),
        (
            "rs/Cargo.toml",
            "[dev-dependencies]\ntestcontainers = \"0.25\"\n",
        ),
        (
            "java/pom.xml",
            "<project><dependencies><dependency><artifactId>testcontainers</artifactId></dependency></dependencies></project>",
        ),
        (
            "go/go.mod",
            "module m\nrequire github.com/testcontainers/testcontainers-go v0.39.0\n",
        ),
        (
            "go/a_test.go",
            "package m\n\nimport _ \"github.com/testcontainers/testcontainers-go\"\n",
        ),
    ];
    for script in [
        "cd py; hatch test",
        "cd py; rye test",
        "cd py; python manage.py test",
        "cd py; ddtrace-run pytest",
        "cd ex; mix test --cover",
        "cd js; npx c8 mocha",
        "cd js; npx nyc --reporter text jest",
        "cd js; deno test -A",
        "cd rb; bundle exec rspec",
        "cd php; vendor/bin/phpunit",
        "cd rs; cargo +nightly test",
        "cd rs; cargo hack test --each-feature",
        "cd java; mvnd verify",
        "cd go; richgo test ./...",
    ] {
        let seen = effects_in(&files, script);
        let starts =
            |line: &String| line.contains("testcontainers/ryuk") || line.contains("Testcontainers");
        assert!(seen.iter().any(starts), "{script}: {seen:?}");
    }
    for script in [
        "cd py; python manage.py migrate",
        "cd ex; mix compile",
        "cd js; deno fmt",
        "cd rs; cargo +nightly build",
    ] {
        assert!(effects_in(&files, script).is_empty(), "{script}");
    }
}

/// What is pulled or not known, without the reasons.
fn short(files: &[(&str, &str)], script: &str) -> Vec<String> {
    let counts = |line: &String| line.starts_with("pull ") || line.starts_with("opaque ");
    let lines = effects_in(files, script).into_iter().filter(counts);
    let short = |line: String| match line.split_once(": ") {
        Some((what, _)) if line.starts_with("opaque") => what.to_owned(),
        _ => line,
    };
    lines.map(short).collect()
}

#[test]
fn go_tests_start_containers_by_other_libraries_too() {
    let with =
        |import: &str| format!("package x\n\nimport (\n\t\"testing\"\n\n\t\"{import}\"\n)\n");
    let module = |name: &str| format!("module example.com/m\n\nrequire {name} v1.0.0\n");
    let dockertest = with("github.com/ory/dockertest/v3");
    let gnomock = with("github.com/orlangure/gnomock");
    let framework = with("github.com/efficientgo/e2e");
    let client = with("github.com/docker/docker/client");
    let asks = format!("{client}\nfunc TestX(t *testing.T) {{ c.ImagePull(ctx, \"a\", o) }}\n");
    let needs = [
        module("github.com/ory/dockertest/v3"),
        module("github.com/orlangure/gnomock"),
        module("github.com/docker/docker"),
        module("github.com/efficientgo/e2e"),
    ];
    let files = [
        ("e/go.mod", needs[3].as_str()),
        ("e/test/e2e/x_test.go", framework.as_str()),
        ("d/go.mod", needs[0].as_str()),
        ("d/db/db.go", dockertest.as_str()),
        (
            "d/a/a_test.go",
            "package a\n\nimport \"example.com/m/db\"\n",
        ),
        ("d/b/b_test.go", "package b\n"),
        ("g/go.mod", needs[1].as_str()),
        ("g/x_test.go", gnomock.as_str()),
        ("c/go.mod", needs[2].as_str()),
        ("c/x/x_test.go", asks.as_str()),
        // It may be a stand-in that is tested.
        ("c/y/y_test.go", client.as_str()),
        ("c/z/z.go", asks.as_str()),
        ("c/z/z_test.go", "package z\n"),
    ];
    for (script, expected) in [
        ("cd d && go test ./...", &["opaque dockertest"][..]),
        ("cd d && gotestsum -- ./a", &["opaque dockertest"]),
        ("cd d && go test ./b", &[]),
        ("cd d && go vet ./...", &[]),
        ("cd g && go test ./...", &["opaque gnomock"]),
        ("cd c && go test ./...", &["opaque Docker's client"]),
        ("cd e && go test ./test/e2e/...", &["opaque e2e"]),
        (
            "cd e && gotesplit -total 4 -index 1 ./test/e2e/... -- -v",
            &["opaque e2e"],
        ),
        ("cd c && go test ./y ./z", &[]),
    ] {
        assert_eq!(short(&files, script), expected, "{script}");
    }
}

#[test]
fn frameworks_start_services_for_tests() {
    let quarkus = "<dependency><artifactId>quarkus-jdbc-postgresql</artifactId></dependency>\n<dependency><artifactId>quarkus-junit5</artifactId></dependency>\n";
    let files = [
        ("q/pom.xml", quarkus),
        ("told/pom.xml", quarkus),
        (
            "told/src/main/resources/application.properties",
            "quarkus.datasource.jdbc.url=jdbc:postgresql://db/x\n",
        ),
        ("prod/pom.xml", quarkus),
        (
            "prod/src/main/resources/application.properties",
            "%prod.quarkus.datasource.jdbc.url=jdbc:postgresql://db/x\n",
        ),
        ("off/pom.xml", quarkus),
        (
            "off/src/test/resources/application.yml",
            "quarkus:\n  devservices:\n    enabled: false\n  datasource:\n    jdbc:\n      url: jdbc:h2:mem\n",
        ),
        (
            "h2/pom.xml",
            "<artifactId>quarkus-jdbc-h2</artifactId><artifactId>quarkus-junit5</artifactId>\n",
        ),
        (
            "m/build.gradle",
            "plugins {\n  id(\"io.micronaut.test-resources\") version \"4.5.0\"\n}\n",
        ),
        (
            "r/build.gradle",
            "dependencies {\n  testImplementation 'com.palantir.docker.compose:docker-compose-rule-core'\n}\n",
        ),
        (
            "rm/pom.xml",
            "<dependency><groupId>com.palantir.docker.compose</groupId></dependency>\n",
        ),
        (
            "a/t.csproj",
            "<PackageReference Include=\"Aspire.Hosting.Testing\" Version=\"9.3.0\" />\n",
        ),
        ("p/requirements.txt", "pytest\npytest-docker==3.2.0\n"),
    ];
    let ryuk = &["pull testcontainers/ryuk:?"][..];
    for (script, expected) in [
        (
            "cd r && ./gradlew check",
            &["opaque docker-compose-rule"][..],
        ),
        ("cd r && ./gradlew classes", &[]),
        ("cd rm && mvn verify", &["opaque docker-compose-rule"]),
        ("cd q && mvn verify", ryuk),
        ("cd q && ./mvnw -B test", ryuk),
        (
            "cd q && mvn verify -Dquarkus.devservices.enabled=false",
            &[],
        ),
        ("cd q && mvn verify -DskipTests", &[]),
        ("cd q && mvn compile", &[]),
        ("cd told && mvn verify", &[]),
        ("cd prod && mvn verify", ryuk),
        ("cd off && mvn verify", &[]),
        ("cd h2 && mvn verify", &[]),
        ("cd m && ./gradlew test", ryuk),
        ("cd m && ./gradlew assemble", &[]),
        ("cd a && dotnet test", &["opaque Aspire's tests"]),
        ("cd p && pytest", &["opaque pytest-docker"]),
        ("cd p && python -m pytest -q", &["opaque pytest-docker"]),
        ("cd p && nox -s tests", &["opaque pytest-docker"]),
        ("cd p && nox -s lint", &[]),
    ] {
        assert_eq!(short(&files, script), expected, "{script}");
    }
}

#[test]
fn programs_of_python_run_by_other_names() {
    let files = [
        ("requirements.txt", "pytest\ntestcontainers\n"),
        (
            "tox.ini",
            "[tox]\nenvlist = py\n[testenv]\ncommands = docker run a/b\n[testenv:lint]\ncommands = ruff check\n",
        ),
        ("own/tox/__main__.py", "print('x')\n"),
        ("act.py", "print('x')\n"),
    ];
    let ryuk = &["pull testcontainers/ryuk:?"][..];
    let tox = &["pull testcontainers/ryuk:?", "pull a/b"][..];
    for (script, expected) in [
        ("python -m pytest -q", ryuk),
        ("python3.12 -W error -um pytest", ryuk),
        ("python -mpytest", ryuk),
        ("python -m unittest discover", ryuk),
        ("python -m coverage run --source src -m unittest", ryuk),
        ("coverage run --rcfile x -m pytest", ryuk),
        ("python -m nox -s tests", ryuk),
        ("python -m nox -s lint", &[]),
        ("python3 -m tox -e py", tox),
        ("python3 -m tox -e lint", &[]),
        ("pipx run tox", tox),
        ("pipx run --spec tox==4.2 tox -e py", tox),
        ("pipx run 'nox[uv]==2024.4.15' -s tests", ryuk),
        ("uvx nox@latest -s tests", ryuk),
        ("python -m pipx run pytest", ryuk),
        ("uv run -m pytest", ryuk),
        ("pytest() { python -m pytest; }; pytest", ryuk),
        ("python -m pip install pytest tox", &[]),
        ("python setup.py pytest --addopts x", ryuk),
        ("python setup.py sdist pytest", &[]),
        ("pipx install pytest", &[]),
        ("python ci.py -m pytest", &[]),
        ("python -m act", &[]),
        ("cd own && python -m tox", &[]),
        ("coverage report -m", &[]),
    ] {
        assert_eq!(short(&files, script), expected, "{script}");
    }
}

#[test]
fn sessions_of_nox_run_tests_where_their_code_does() {
    let noxfile = "import nox\n\n@nox.session\ndef tests(session):\n    session.run(\"pytest\")\n\n@nox.session(name=\"docs-build\")\ndef docs(session):\n    session.run(\"sphinx-build\")\n\n@nox.session\ndef coverage(session):\n    session.run(\"coverage\", *(session.posargs or [\"report\"]))\n\n@nox.session\ndef lint(session):\n    session.run(\"pytest\", \"--flake8\")\n";
    let files = [
        ("requirements.txt", "testcontainers\n"),
        ("noxfile.py", noxfile),
        ("ci/nox.py", "@session\ndef tests(s):\n    s.run('ruff')\n"),
    ];
    let ryuk = &["pull testcontainers/ryuk:?"][..];
    for (script, expected) in [
        ("nox", ryuk),
        ("nox -s tests", ryuk),
        ("nox -s tests-3.13 docs-build", ryuk),
        ("nox --session=lint", ryuk),
        ("nox -s other", ryuk),
        ("nox -t quick", ryuk),
        ("nox -s docs-build", &[]),
        ("nox -rs coverage", &[]),
        ("nox -p 3.12 -e coverage docs-build -- tests", &[]),
        ("nox -f ci/nox.py -s tests", &[]),
    ] {
        assert_eq!(short(&files, script), expected, "{script}");
    }
}

#[test]
fn tests_of_maven_are_those_of_the_projects_that_are_named() {
    let pom = |name: &str, rest: &str| {
        format!(
            "<project>\n<parent><groupId>a</groupId><artifactId>root</artifactId></parent>\n<artifactId>{name}</artifactId>\n{rest}</project>\n"
        )
    };
    let needs = |name: &str, scope: &str| {
        format!(
            "<dependencies><dependency>\n<artifactId>{name}</artifactId>\n{scope}</dependency></dependencies>\n"
        )
    };
    let root = "<project><groupId>a</groupId><artifactId>root</artifactId>\n<modules><module>core</module>\n<!-- <module>none</module> --><module>db</module><module>kit</module><module>uses</module><module>api/v1</module><module>image</module><module>unclear</module></modules></project>\n";
    let inherits = "<project><artifactId>root</artifactId><modules><module>a</module></modules>\n<dependencies><dependency><groupId>org.testcontainers</groupId></dependency></dependencies></project>\n";
    let managed = "<project><artifactId>root</artifactId><modules><module>image</module><module>core</module></modules>\n<build><pluginManagement><plugins><plugin>\n<artifactId>jib-maven-plugin</artifactId>\n<executions><execution><phase>package</phase><goals><goal>dockerBuild</goal></goals></execution></executions></plugin></plugins></pluginManagement></build></project>\n";
    let db = pom("db", &needs("testcontainers", "<scope>test</scope>"));
    let kit = pom("test-kit", &needs("testcontainers", ""));
    let uses = pom("uses", &needs("test-kit", "<scope>test</scope>"));
    let v1 = pom("api-v1", &needs("db", ""));
    let core = pom("core", &needs("kafka_${scala}", ""));
    let unclear = pom("unclear", &needs("${kind}", ""));
    let image = pom(
        "image",
        "<build><plugins><plugin>\n<artifactId>jib-maven-plugin</artifactId></plugin></plugins></build>\n",
    );
    let files = [
        ("r/pom.xml", root),
        ("r/core/pom.xml", &*core),
        ("r/db/pom.xml", &*db),
        ("r/kit/pom.xml", &*kit),
        ("r/uses/pom.xml", &*uses),
        ("r/api/v1/pom.xml", &*v1),
        ("r/image/pom.xml", &*image),
        ("r/unclear/pom.xml", &*unclear),
        ("i/pom.xml", inherits),
        ("i/a/pom.xml", &*core),
        ("m/pom.xml", managed),
        (
            "n/pom.xml",
            "<project><artifactId>n</artifactId>\n<modules>\n<module>testcontainers</module>\n<module>x-testcontainers</module></modules></project>\n",
        ),
        ("m/core/pom.xml", &*core),
        ("m/image/pom.xml", &*image),
    ];
    let ryuk = &["pull testcontainers/ryuk:?"][..];
    for (script, expected) in [
        ("cd r && mvn verify", ryuk),
        ("cd r && mvn verify -pl core", &[]),
        ("cd r && mvn verify --projects=:core,api/v1", &[]),
        ("cd r && mvn verify -pl a:core -pl :image", &[]),
        ("cd r && mvn verify -pl '!db,!kit,!:uses'", &[]),
        ("cd r && mvn verify -pl -db,-kit,-:uses", &[]),
        ("cd r && MAVEN_ARGS='-pl core' ./mvnw verify", &[]),
        ("cd r && mvn verify -pl '!db'", ryuk),
        ("cd r && mvn verify -pl core,db", ryuk),
        ("cd r && mvn verify -pl ./db", ryuk),
        ("cd r && mvn verify -pl db/pom.xml", ryuk),
        ("cd r && mvn verify -pl uses", ryuk),
        ("cd r && mvn verify -pl core -am", &[]),
        ("cd r && mvn verify -pl api/v1 -am", ryuk),
        ("cd r && mvn verify -pl api/v1 -am -pl '!db'", &[]),
        ("cd r && mvn verify -pl unclear -am", ryuk),
        ("cd m && mvn package -pl core -amd", &[]),
        ("cd r && mvn verify -pl core --also-make-dependents", ryuk),
        ("cd r && mvn verify -pl kit -amd", ryuk),
        ("cd r && mvn verify -pl core -am -amd", ryuk),
        ("cd r && mvn verify -rf core", ryuk),
        ("cd r && mvn verify -pl none", ryuk),
        ("cd r && mvn verify -pl $MODULE", ryuk),
        ("mvn verify -f i/pom.xml -pl a", ryuk),
        ("cd n && mvn verify", &[]),
        ("cd m && mvn package -pl image", &["opaque Jib"]),
        ("cd m && mvn package -pl core", &[]),
    ] {
        assert_eq!(short(&files, script), expected, "{script}");
    }
}

#[test]
fn code_of_tests_of_go_may_run_a_client() {
    let e2e = "package e2e\n\nimport (\n\t\"os/exec\"\n\t\"example.com/op/test/utils\"\n)\n";
    let make = format!(
        "{e2e}\nfunc TestE2E(t *testing.T) {{\n\tcmd := exec.Command(\"make\", \"docker-build\")\n}}\n"
    );
    let docker = "func Load() { exec.Command(\"docker\", \"run\", \"alpine\").Run() }\n";
    let utils = format!("package utils\n{docker}");
    let tagged = format!("//go:build e2e\n\npackage e2e\n{docker}");
    let files = [
        ("a/go.mod", "module example.com/op\n"),
        ("a/test/e2e/e2e_test.go", &*make),
        ("a/internal/x_test.go", "package internal\n"),
        ("a/main.go", &*utils),
        ("b/go.mod", "module example.com/op\n"),
        ("b/test/e2e/e2e_test.go", e2e),
        ("b/test/utils/utils.go", &*utils),
        ("b/test/other/other_test.go", "package other\n"),
        ("c/go.mod", "module example.com/op\n"),
        ("c/it/it_test.go", &*tagged),
        ("c/it/other_test.go", "package it\n"),
    ];
    let unknown = &["opaque the tests"][..];
    for (script, expected) in [
        ("cd a && go test ./test/e2e/ -v -ginkgo.v", unknown),
        ("cd a && go test ./...", unknown),
        ("cd a && gotestsum", unknown),
        ("cd a && ginkgo -r test", unknown),
        ("cd a && go test ./internal/...", &[]),
        ("cd a && go test -short ./...", &[]),
        ("cd a && go vet ./...", &[]),
        ("cd a && go test $(go list ./... | grep -v e2e)", &[]),
        ("cd b && go test ./test/e2e", unknown),
        ("cd b && go test example.com/op/test/...", unknown),
        ("cd b && go test ./test/other", &[]),
        ("cd c && go test ./...", &[]),
        ("cd c && go test -tags e2e ./it", unknown),
    ] {
        assert_eq!(short(&files, script), expected, "{script}");
    }
}

#[test]
fn code_of_tests_may_run_a_client() {
    let up = "import subprocess\n\ndef db():\n    subprocess.run([\"docker\", \"compose\", \"up\", \"-d\"])\n";
    let files = [
        ("a/tests/conftest.py", up),
        ("a/tests/unit/test_x.py", "def test_x(): pass\n"),
        ("a/other/test_y.py", "def test_y(): pass\n"),
        (
            "b/tests/test_x.py",
            "import docker\n\ndef test_x():\n    docker.from_env().images.pull('a')\n",
        ),
        (
            "mock/tests/test_x.py",
            "import docker\n\n@mock.patch('docker.from_env')\ndef test_x(m):\n    docker.from_env()\n",
        ),
        ("src/app.py", up),
        (
            "expects/tests/test_x.py",
            "def test_x():\n    check(['docker', 'build', '.'])\n",
        ),
        (
            "js/package.json",
            r#"{"scripts": {"test": "mocha test/*.js"}}"#,
        ),
        (
            "js/test/x.js",
            "before(() => execSync(\"docker run -d postgres:17\"));\n",
        ),
        (
            "j/x.test.js",
            "const D = require(\"dockerode\");\ntest('x', () => new D().pull('a'));\n",
        ),
        ("j/lib/x.js", "require('dockerode')\n"),
        (
            "ts/test/system/x.spec.ts",
            "import * as kind from '../setup/kind';\nimport { app } from '../../src/app';\n",
        ),
        (
            "ts/test/setup/kind.ts",
            "await exec(`./kind create cluster --image=\"kindest/node:${tag}\"`);\n",
        ),
        (
            "ts/test/unit/x.spec.ts",
            "import { app } from '../../src/app';\nconst kinds = ['kind', 'image'];\n",
        ),
        (
            "ts/src/app.ts",
            "exec('docker pull ' + image); exec('docker pull a');\n",
        ),
        ("lib/x.js", "require('dockerode')\n"),
        (
            "lib/x.test.js",
            "jest.mock('dockerode');\nrequire('dockerode');\n",
        ),
    ];
    let unknown = &["opaque the tests"][..];
    for (script, expected) in [
        ("cd a && pytest", unknown),
        ("cd a && python -m pytest tests/unit", unknown),
        ("cd a && pytest tests/unit/test_x.py::test_x", unknown),
        ("cd a && pytest other", &[]),
        ("cd a && pytest --collect-only", &[]),
        ("cd b && poetry run pytest", unknown),
        ("cd mock && pytest", &[]),
        ("cd src && pytest", &[]),
        ("cd expects && pytest", &[]),
        ("cd js && npm test", unknown),
        ("cd j && npx jest", unknown),
        ("cd lib && npx vitest run", &[]),
        ("cd j && npx jest --listTests", &[]),
        ("cd ts && npx jest --ci test/system", unknown),
        ("cd ts && npx jest --ci test/unit", &[]),
    ] {
        assert_eq!(short(&files, script), expected, "{script}");
    }
    let at_root = [("tests/conftest.py", up)];
    assert_eq!(short(&at_root, "pytest"), unknown);
    assert_eq!(short(&at_root, "pytest tests"), unknown);
}

#[test]
fn tasks_of_gradle_lead_to_a_container_client() {
    let groovy = "task up(type: Exec) { commandLine 'docker', 'compose', 'up', '-d' }\ntask integrationTest(type: Test) { dependsOn up }\ncheck.dependsOn integrationTest\ntask lint { }\n";
    let kotlin = "tasks.register<Exec>(\"up\") {\n    commandLine(\"docker\", \"compose\", \"up\")\n}\ntasks.named(\"test\") {\n    dependsOn(\"up\")\n}\n";
    let each = "task up(type: Exec) { commandLine 'docker', 'run', 'a' }\ntasks.withType(Test) {\n  dependsOn ':up'\n}\n";
    let files = [
        ("g/build.gradle", groovy),
        ("k/build.gradle.kts", kotlin),
        ("e/build.gradle", each),
        ("s/settings.gradle", "include 'a', 'b'\n"),
        ("s/a/build.gradle", groovy),
        ("s/b/build.gradle", "task lint { }\n"),
    ];
    let unknown = &["opaque Gradle's task `up`"][..];
    for (script, expected) in [
        ("cd g && ./gradlew up", unknown),
        ("cd g && ./gradlew integrationTest", unknown),
        ("cd g && ./gradlew build", unknown),
        ("cd g && ./gradlew build -x integrationTest", &[]),
        ("cd g && ./gradlew build -x up", &[]),
        ("cd g && ./gradlew test lint", &[]),
        ("cd k && ./gradlew check", unknown),
        ("cd k && ./gradlew assemble", &[]),
        ("cd e && ./gradlew test", unknown),
        ("cd s && ./gradlew check", unknown),
        ("cd s && ./gradlew :a:check", unknown),
        ("cd s && ./gradlew :b:check", &[]),
    ] {
        assert_eq!(short(&files, script), expected, "{script}");
    }
}

#[test]
fn gradle_brings_up_what_its_tasks_are_said_to_need() {
    let plugin = "plugins { id 'com.avast.gradle.docker-compose' version '0.17.12' }\n";
    let by_default = format!("{plugin}dockerCompose {{ isRequiredBy(test) }}\n");
    let named = format!(
        "{plugin}dockerCompose {{\n  useComposeFiles = ['it.yml', 'more.yml']\n  isRequiredBy(project.tasks.named(\"integrationTest\"))\n}}\n"
    );
    let unknown = format!(
        "{plugin}dockerCompose {{\n  useComposeFiles = [\"$dir/it.yml\"]\n}}\ndockerCompose.isRequiredBy(tasks.test)\n"
    );
    let files = [
        ("a/build.gradle", by_default.as_str()),
        (
            "a/docker-compose.yml",
            "services: {db: {image: postgres}}\n",
        ),
        ("b/build.gradle", named.as_str()),
        ("b/it.yml", "services: {db: {image: mysql}}\n"),
        ("b/more.yml", "services: {cache: {image: redis}}\n"),
        ("c/build.gradle", unknown.as_str()),
    ];
    for (script, expected) in [
        ("cd a && ./gradlew build", &["pull postgres"][..]),
        ("cd a && ./gradlew check", &["pull postgres"]),
        ("./gradlew -p a test", &["pull postgres"]),
        ("cd a && ./gradlew assemble", &[]),
        ("cd a && ./gradlew build -x test", &[]),
        (
            "cd b && ./gradlew integrationTest",
            &["pull mysql", "pull redis"],
        ),
        ("cd b && ./gradlew test", &[]),
        ("cd c && ./gradlew test", &["opaque composeUp"]),
        (
            "cd a && ./gradlew mocksComposeUp",
            &["opaque Gradle's task `mocksComposeUp`"],
        ),
        ("cd a && ./gradlew :dockerComposeUp", &["opaque gradlew"]),
    ] {
        assert_eq!(short(&files, script), expected, "{script}");
    }
}

#[test]
fn plugins_that_a_parent_manages_count_where_a_project_names_them() {
    let plugin = |name: &str, inside: &str| {
        format!("<plugin>\n<artifactId>{name}</artifactId>\n{inside}</plugin>\n")
    };
    let bound = |phase: &str, goal: &str, rest: &str| {
        format!(
            "<executions><execution><phase>{phase}</phase><goals><goal>{goal}</goal></goals>{rest}</execution></executions>\n"
        )
    };
    let jib = plugin("jib-maven-plugin", &bound("package", "dockerBuild", ""));
    let parent = format!(
        "<build>\n<pluginManagement>\n<plugins>\n{jib}</plugins>\n</pluginManagement>\n</build>\n"
    );
    let child = plugin("jib-maven-plugin", "");
    let docker = "<configuration><executable>docker</executable></configuration>";
    let exec = plugin(
        "exec-maven-plugin",
        &bound("pre-integration-test", "exec", docker),
    );
    let other = plugin(
        "exec-maven-plugin",
        &bound("package", "exec", "<executable>make</executable>"),
    );
    let ant = plugin(
        "maven-antrun-plugin",
        &bound(
            "integration-test",
            "run",
            "<exec executable=\"docker-compose\"/>",
        ),
    );
    let files = [
        ("p/pom.xml", parent.as_str()),
        ("p/api/pom.xml", child.as_str()),
        ("q/pom.xml", parent.as_str()),
        ("q/api/pom.xml", "<project/>\n"),
        ("e/pom.xml", exec.as_str()),
        ("o/pom.xml", other.as_str()),
        ("ant/pom.xml", ant.as_str()),
    ];
    for (script, expected) in [
        ("cd p && mvn package", &["opaque Jib"][..]),
        ("cd p && mvn test", &[]),
        ("cd q && mvn package", &[]),
        ("cd e && mvn verify", &["opaque exec-maven-plugin"]),
        ("cd e && mvn package", &[]),
        ("cd e && mvn verify -DskipTests", &[]),
        ("cd o && mvn verify", &[]),
        ("cd ant && mvn verify", &["opaque maven-antrun-plugin"]),
    ] {
        assert_eq!(short(&files, script), expected, "{script}");
    }
}
