use super::super::Runner::Just;
use super::super::testing::{environment, runs, shown, tree, with, written};
use crate::run::Cwd;
use crate::source::RepoPath;

fn just(text: &str, words: &str) -> String {
    runs(&[("justfile", text)], Just, words)
}

const SHOP: &str = r#"# A shop.
set dotenv-load
image := "acme/shop"
tag := `git describe`

alias t := test

[private]
default:
    @just --list

# builds it
build target="prod" *flags:
    docker build --target {{target}} {{flags}} -t {{ image }}:{{tag}} .

test: (build "test" "--pull") && clean
    @docker run --rm {{image}}:{{tag}} \
        pytest
    -docker pull alpine:3
    @-echo done

clean:
	docker rm -f shop

deploy env version:
    ./deploy {{env}} {{version}}
"#;

#[test]
fn a_recipe_runs_between_what_it_needs_and_what_comes_after() {
    assert_eq!(
        just(SHOP, "test"),
        "docker build --target test --pull -t acme/shop:{{`git describe`}} .\n\
         docker run --rm acme/shop:{{`git describe`}} \\\n    pytest\n\
         docker pull alpine:3\n\
         echo done\n\
         docker rm -f shop"
    );
}

#[test]
fn the_words_of_a_command_are_recipes_and_their_arguments() {
    for (words, expected) in [
        ("", "just --list"),
        ("clean", "docker rm -f shop"),
        (
            "deploy prod 1.2 clean",
            "./deploy prod 1.2\ndocker rm -f shop",
        ),
        ("clean clean", "docker rm -f shop"),
        (
            "build dev --no-cache --quiet",
            "docker build --target dev --no-cache --quiet -t acme/shop:{{`git describe`}} .",
        ),
        (
            "image=x tag=$TAG build",
            "docker build --target prod  -t x:$TAG .",
        ),
        ("deploy prod $VERSION", "./deploy prod $VERSION"),
        (
            "deploy prod",
            "! the recipe `deploy` of `justfile` takes 2 arguments, and 1 are given",
        ),
        ("nope", "!name no recipe `nope` in `justfile`"),
        (
            "$WHICH",
            "! which recipe `just $WHICH` means is known only when the build runs",
        ),
    ] {
        assert_eq!(just(SHOP, words), expected, "{words}");
    }
    assert_eq!(just(SHOP, "t"), just(SHOP, "test"));
}

#[test]
fn expressions_have_the_values_that_just_gives_them() {
    for (expression, expected) in [
        ("'a' + \"b\\tc\"", "a\tb\tc".replacen("\tb", "b", 1)),
        ("'a' / 'b' / \"c\"", "a/b/c".into()),
        ("x", "one".into()),
        ("x + y", "onetwo".into()),
        ("(x) + ('-' + y)", "one-two".into()),
        ("if x == 'one' { 'yes' } else { 'no' }", "yes".into()),
        (
            "if x != 'one' { 'yes' } else if y == 'two' { 'maybe' } else { 'no' }",
            "maybe".into(),
        ),
        (
            "if `uname` == 'x' { 'same' } else { 'same' }",
            "same".into(),
        ),
        (
            "if x =~ 'o.e' { 'a' } else { 'b' }",
            "{{if x =~ 'o.e' { 'a' } else { 'b' }}}".into(),
        ),
        ("`git tag`", "{{`git tag`}}".into()),
        ("shell('git tag')", "{{shell('git tag')}}".into()),
        ("env_var('SET')", "value".into()),
        ("env('UNSET')", "$UNSET".into()),
        ("env_var_or_default('UNSET', 'fallback')", "fallback".into()),
        ("env('SET', 'fallback')", "value".into()),
        ("os()", "linux".into()),
        ("os_family()", "unix".into()),
        ("arch()", "{{arch()}}".into()),
        ("justfile_directory()", ".".into()),
        ("justfile_directory() / 'x'", "./x".into()),
        ("replace('a:b', ':', '-')", "a-b".into()),
        ("trim_start_match('v1.2', 'v')", "1.2".into()),
        ("uppercase('aB') + lowercase('aB')", "ABab".into()),
        (
            "file_name('a/b.tar') + file_stem('a/b.tar') + extension('a/b.tar')",
            "b.tarbtar".into(),
        ),
        ("without_extension('a/b.tar')", "a/b".into()),
        ("parent_directory('a/b')", "a".into()),
        ("quote(\"it's\")", "'it'\\''s'".into()),
        ("join('a', 'b', 'c')", "a/b/c".into()),
        ("append('.x', 'a b')", "a.x b.x".into()),
        (
            "path_exists('justfile') + path_exists('nope')",
            "truefalse".into(),
        ),
        ("uppercase(`x`)", "{{uppercase(`x`)}}".into()),
        ("unheard_of('x')", "{{unheard_of('x')}}".into()),
        ("undefined", "{{undefined}}".into()),
        ("'' || 'b'", "b".into()),
        ("'a' && 'b'", "b".into()),
        ("x'${UNSET:-d}/$SET'", "d/value".into()),
        ("BOLD + 'x' + NORMAL", "x".into()),
        ("assert(x == 'one', 'no') + x", "one".into()),
        ("'}}'", "}}".into()),
        ("x +", "{{x +}}".into()),
        ("\"\\u{48}\\n\"", "H".into()),
        ("'''\n  a\n    b'''", "a\n  b".into()),
    ] {
        let text = format!("v := {expression}\nx := 'one'\ny := 'two'\nr:\n  {{{{v}}}}\n");
        let files = [("justfile", text.as_str())];
        let set = |run: &mut crate::run::JobRun<'_>| {
            run.env.insert("SET".into(), "value".into());
        };
        let out = with(&tree(&files), Just, "r", set, |run, found| {
            shown(run, &found)
        });
        assert_eq!(out, expected, "{expression}");
    }
}

#[test]
fn braces_of_other_languages_are_kept() {
    assert_eq!(
        just("x:\n  docker ps --format '{{{{.ID}}' {{'{{'}} ${a}\n", "x"),
        "docker ps --format '{{.ID}}' {{ ${a}"
    );
}

#[test]
fn every_line_is_a_shell_of_its_own_and_a_shebang_makes_one_of_all() {
    let text = "a:\n  cd x\n\n  # why\n  docker pull a\n\nb:\n  #!/usr/bin/env bash\n  set -e\n  if true; then\n    docker pull {{'b'}}\n  fi\n\n[script]\nc:\n  cd y\n  docker pull c\n\n[script('python3')]\nd:\n  import os\n\ne:\n    #!/usr/bin/env python3\n    print('docker pull x')\n";
    let count = |words| {
        with(
            &tree(&[("justfile", text)]),
            Just,
            words,
            |_| {},
            |_, f| f.unwrap().len(),
        )
    };
    assert_eq!(just(text, "a"), "cd x\ndocker pull a");
    assert_eq!(count("a"), 2);
    assert_eq!(
        just(text, "b"),
        "#!/usr/bin/env bash\nset -e\nif true; then\n  docker pull b\nfi"
    );
    assert_eq!((count("b"), count("c")), (1, 1));
    // What is no shell script is not read as one.
    assert_eq!((count("d"), count("e")), (0, 0));
    let python = "set shell := ['python3', '-c']\na:\n  print('docker pull x')\n";
    assert_eq!(just(python, "a"), "");
    let bash = "set shell := [\n  'bash',\n  '-euc',\n]\na:\n  docker pull x\n";
    assert_eq!(just(bash, "a"), "docker pull x");
}

#[test]
fn what_runs_is_pointed_at_where_it_is_written() {
    let files = [("justfile", SHOP)];
    for (word, place) in [
        ("pytest", "justfile:18: pytest"),
        ("docker pull", "justfile:19: docker pull"),
        ("docker rm", "justfile:23: docker rm"),
        ("docker build", "justfile:14: docker build"),
    ] {
        assert_eq!(written(&files, Just, "test", word), place);
    }
    let crlf = SHOP.replace('\n', "\r\n");
    let files = [("justfile", crlf.as_str())];
    assert_eq!(
        written(&files, Just, "test", "alpine:3"),
        "justfile:19: alpine:3"
    );
}

#[test]
fn what_is_exported_is_in_the_environment() {
    let text = "set dotenv-load\nexport TAG := '1' + x\nx := 'a'\nr $image='alpine' other='y':\n  docker run $image:$TAG\n";
    let files = [("justfile", text), (".env", "NAME=shop\nTAG=ignored\n")];
    assert_eq!(
        environment(&files, Just, "r"),
        ["NAME=shop", "TAG=1a", "image=alpine"]
    );
    let all = format!("set export\n{text}");
    let files = [("justfile", all.as_str()), ("x", "")];
    assert_eq!(
        environment(&files, Just, "r busybox"),
        ["TAG=1a", "image=busybox", "other=y", "x=a"]
    );
    let named = text.replace("set dotenv-load", "set dotenv-filename := 'ci.env'");
    let files = [("a/justfile", named.as_str()), ("ci.env", "CI_ONLY=1\n")];
    assert!(environment(&files, Just, "-C a r").contains(&"CI_ONLY=1".to_owned()));
}

#[test]
fn positional_arguments_are_set_where_a_line_looks_at_them() {
    let text = "set positional-arguments\nrun image *rest:\n  docker run \"$1\" \"${@:2}\"\n  echo {{image}}\n";
    assert_eq!(
        just(text, "run alpine a b"),
        "set -- alpine a b\ndocker run \"$1\" \"${@:2}\"\necho alpine"
    );
}

#[test]
fn the_justfile_is_looked_for_upwards_and_recipes_run_beside_it() {
    let files = [
        (
            "a/justfile",
            "x:\n  pwd {{justfile_directory()}} {{invocation_directory()}}\n[no-cd]\ny:\n  pwd {{justfile_directory()}}\n",
        ),
        ("a/b/c/f", ""),
        ("k/ci.just", "x:\n  one\n"),
    ];
    for (cwd, words, expected) in [
        ("a/b/c", "x", "a$ pwd . b/c"),
        ("a/b/c", "y", "a/b/c$ pwd ../.."),
        ("", "a/x", "a$ pwd . .."),
        ("", "a/", "a$ pwd . .."),
        ("a", "-f ../k/ci.just x", "k$ one"),
        ("a", "-f ../k/ci.just -C b x", "a/b$ one"),
        (
            "",
            "x",
            "! no justfile or Justfile or .justfile or JUSTFILE in the repository's root",
        ),
        (
            "",
            "-f nope x",
            "! `nope` is not in this repository, or not known before the build runs",
        ),
    ] {
        let set = |run: &mut crate::run::JobRun<'_>| {
            run.cwd = Cwd::Inside(RepoPath::new(cwd).unwrap());
        };
        let out = with(&tree(&files), Just, words, set, |run, found| {
            shown(run, &found)
        });
        assert_eq!(out, expected, "{cwd} {words}");
    }
}

#[test]
fn a_recipe_may_say_where_it_runs() {
    let text = "set working-directory := 'sub'\na:\n  one {{justfile_directory()}}\n[working-directory: 'x']\nb:\n  two\n[private, working-directory('y')]\nc:\n  three\n";
    assert_eq!(just(text, "a b c"), "sub$ one ..\nsub/x$ two\nsub/y$ three");
}

#[test]
fn imports_and_modules_are_followed() {
    let files = [
        (
            "justfile",
            "import 'ci/base.just'\nimport? 'local.just'\nmod deploy\nmod k8s 'ops/k8s'\nmod? gone\nimage := 'mine'\nall: pull deploy::up\nown:\n  here\n",
        ),
        (
            "ci/base.just",
            "import 'more.just'\nimport '../justfile'\nimage := 'theirs'\npull:\n  docker pull {{image}}\nown:\n  there\n",
        ),
        ("ci/more.just", "deep:\n  deep {{source_directory()}}\n"),
        (
            "deploy.just",
            "image := 'inner'\nup:\n  up {{image}}\ndown: up\n  down\n",
        ),
        ("ops/k8s/mod.just", "start:\n  cd\n"),
    ];
    for (words, expected) in [
        ("all", "docker pull mine\nup inner"),
        ("own", "here"),
        ("deep", "deep ."),
        ("deploy::down", "up inner\ndown"),
        ("deploy down", "up inner\ndown"),
        ("deploy", "up inner"),
        ("k8s start own", "ops/k8s$ cd\nhere"),
        (
            "gone::x",
            "!name no recipe `gone::x` in `justfile` (it brings in files that are not in this repository)",
        ),
    ] {
        assert_eq!(runs(&files, Just, words), expected, "{words}");
    }
}

#[test]
fn a_justfile_further_up_may_have_what_this_one_lacks() {
    let inner = "set fallback\nx:\n  inner\n";
    let files = [("justfile", "y:\n  outer\n"), ("a/justfile", inner)];
    assert_eq!(runs(&files, Just, "-C a x"), "a$ inner");
    assert_eq!(runs(&files, Just, "-C a y"), "outer");
    assert!(runs(&files, Just, "-C a z").starts_with("!name"));
}

#[test]
fn of_recipes_for_several_systems_the_one_for_linux_runs() {
    let text = "[linux]\nx:\n  on linux\n[macos]\nx:\n  on macos\n[windows]\ny:\n  on windows\n";
    assert_eq!(just(text, "x y"), "on linux\non windows");
}

#[test]
fn headers_of_all_shapes_are_read() {
    for (header, words, expected) in [
        ("r:", "r", "."),
        ("@r:", "r", "."),
        ("r: # comment: with 'quote", "r", "."),
        ("r a b='x y':", "r 1", "1 x y."),
        ("r a=(lowercase('X') + 'y'):", "r", "xy."),
        ("r a=lowercase('X') b=`cmd`:", "r", "x {{`cmd`}}."),
        ("r +a:", "r 1 2 3", "1 2 3."),
        ("r *a='d e':", "r", "d e."),
        ("r a b=a:", "r q", "q q."),
        ("r a='b:c' $e='f': ", "r", "b:c f."),
    ] {
        let names: Vec<&str> = ["a", "b", "e"]
            .into_iter()
            .filter(|name| {
                let words = header.replace(['+', '*', '$', '=', ':'], " ");
                words.split_whitespace().any(|word| word == *name)
            })
            .collect();
        let body: Vec<String> = names.iter().map(|n| format!("{{{{{n}}}}}")).collect();
        let text = format!("{header}\n  {}.\n", body.join(" "));
        assert_eq!(just(&text, words), expected, "{header}");
    }
    let long = "r: a \\\n   b\n  r\na:\n  a\nb:\n  b\n";
    assert_eq!(just(long, "r"), "a\nb\nr");
}

#[test]
fn circles_and_bombs_end() {
    assert_eq!(just("a: b\n  a\nb: a\n  b\n", "a"), "b\na");
    assert_eq!(just("a := b\nb := a\nr:\n  x {{a}}\n", "r"), "x {{a}}");
    let mut doubling = String::from("v0 := 'xxxxxxxx'\n");
    let mut chain = String::new();
    for i in 1..100 {
        doubling += &format!("v{i} := v{p} + v{p} + v{p}\n", p = i - 1);
        chain += &format!("r{i}: && r{n} r{n} r{n}\n  x{i}\n", n = i + 1);
    }
    assert!(!just(&format!("{doubling}r:\n  {{{{v99}}}}\n"), "r").is_empty());
    assert!(!just(&chain, "r1").is_empty());
    let nested = format!(
        "r:\n  x {{{{{}'a'{}}}}}\n",
        "(".repeat(100_000),
        ")".repeat(100_000)
    );
    assert!(just(&nested, "r").starts_with("x "));
    let ifs = format!(
        "r:\n  x {{{{{}}}}}\n",
        "if a == b { 'c' } else ".repeat(50_000)
    );
    assert!(just(&ifs, "r").starts_with("x "));
    let many: String = (0..20_000)
        .map(|i| format!("r{i}: r{}\n  x\n", i + 1))
        .collect();
    assert!(!just(&many, "r0").is_empty());
    let wide = format!(
        "r: {}\n  x\n",
        (0..100_000).map(|i| format!("r{i} ")).collect::<String>()
    );
    assert_eq!(just(&wide, "r"), "x");
}

#[test]
fn nonsense_is_survived() {
    for text in [
        "",
        ":",
        "[",
        "[x",
        "x",
        "x :",
        "x:=",
        "set",
        "set x",
        "alias",
        "alias a := ",
        "import 'x",
        "mod",
        "mod x",
        "export",
        "x := \"",
        "x a=: y",
        "x: (y",
        "x: && &&\n  {{",
        "x:\n  {{}}",
        "x:\n  {{a(}} {{if}} {{'}}\n",
        "\u{feff}x:\n  y",
        "x +:\n y",
        "(((((\n",
        "x: x\n \t a\n\t b",
    ] {
        for words in ["", "x", "x y z"] {
            let _ = just(text, words);
        }
    }
}
