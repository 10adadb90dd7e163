use super::super::Runner::Make;
use super::super::testing::{called, environment, runs, shown, tree, with, written};
use crate::context::{Context, Options};
use crate::run::{Cwd, JobRun};
use crate::source::RepoPath;

fn make(text: &str, words: &str) -> String {
    runs(&[("Makefile", text)], Make, words)
}

/// What `r` runs, after these lines.
fn after(lines: &str, recipe: &str) -> String {
    make(&format!("{lines}\nr:\n\t{recipe}\n"), "r")
}

#[test]
fn what_a_variable_unfolded_to_is_forgotten_when_one_is_set() {
    for (lines, recipe, expected) in [
        // The same reference, before and after what it depends on is set.
        (
            "A = $(B)\nB = 1\nX := $(A)\nY := $(A)\nB = 2\nZ := $(A)",
            "$(X) $(Y) $(Z)",
            "1 1 2",
        ),
        (
            "A = $(B)\nB = 1\nX := $(A)\nundefine B\nY := $(A)",
            "$(X) $(Y)",
            "1 $B",
        ),
        (
            "A = $(B)\nB = 1\nX := $(A)\noverride B = 3\nY := $(A)",
            "$(X) $(Y)",
            "1 3",
        ),
        // In a call it has other arguments each time.
        (
            "A = $(1)x\nX := $(A)\nY := $(call A,1)\nZ := $(call A,2)",
            "$(Y) $(Z)",
            "1x 2x",
        ),
        // What `eval` does, it does each time.
        (
            "N :=\nA = $(eval N += n)a\nX := $(A)\nY := $(A)",
            "$(X) $(Y) $(strip $(N))",
            "a a n n",
        ),
        // A target's own value is none of another one's.
        ("A = $(B)\nB = 1\nX := $(A)\nr: B = 4", "$(X) $(A)", "1 4"),
    ] {
        assert_eq!(after(lines, recipe), expected, "{lines}");
    }
}

#[test]
fn variables_have_the_values_that_make_gives_them() {
    for (lines, recipe, expected) in [
        ("A = 1\nB := $(A)\nA = 2", "$(A) ${B} $A", "2 1 2"),
        ("A = $(B)\nB = late", "$(A)", "late"),
        ("A := $(B)\nB = late", "$(A)", "$B"),
        ("A ?= first\nA ?= second", "$(A)", "first"),
        ("A := x\nA += y\nA += z", "$(A)", "x y z"),
        ("A += y", "$(A)", "y"),
        ("A ::= x\nB :::= $(A)", "$(A) $(B)", "x x"),
        ("A != git describe", "$(A)", "$(shell git describe)"),
        (
            "A := $(shell git describe)",
            "x:$(A)",
            "x:$(shell git describe)",
        ),
        ("A =\tspaced  ", "[$(A)]", "[spaced]"),
        ("A = a # comment", "$(A).", "a."),
        ("A = a\\#b", "$(A)", "a#b"),
        ("A = one \\\n   two", "$(A)", "one two"),
        ("A_B.c-d = x", "$(A_B.c-d)", "x"),
        ("N = A\n$(N)X = y", "$(AX) $($(N)X)", "y y"),
        ("override A = x", "$(A)", "x"),
        ("A = x\nundefine A", "$(A)", "$A"),
        (
            "",
            "$(UNSET) $$HOME $$(id) $${X}",
            "$UNSET $HOME $(id) ${X}",
        ),
        ("A = $(A) x", "$(A)", "$(A) x"),
        ("A = b.c d.c", "$(A:.c=.o) $(A:%.c=%.x)", "b.o d.o b.x d.x"),
        ("", "$(MAKE) -C sub all", "make -C sub all"),
        ("", "$(CURDIR) $(shell pwd)", ". ."),
    ] {
        assert_eq!(after(lines, recipe), expected, "{lines} / {recipe}");
    }
}

#[test]
fn functions_are_computed_on_what_is_known() {
    for (call, expected) in [
        ("$(subst :,-,a:b)", "a-b"),
        ("$(patsubst %.c,%.o,a.c b.h)", "a.o b.h"),
        ("$(strip  a   b )", "a b"),
        ("$(findstring b,abc)$(findstring x,abc)", "b"),
        (
            "$(filter %.c x,a.c x b.h) $(filter-out %.c,a.c b.h)",
            "a.c x b.h",
        ),
        ("$(sort b a b)", "a b"),
        (
            "$(word 2,a b c) $(words a b c) $(wordlist 2,3,a b c d)",
            "b 3 b c",
        ),
        ("$(firstword a b) $(lastword a b)", "a b"),
        (
            "$(dir a/b c) $(notdir a/b) $(suffix a.tar) $(basename x/a.tar)",
            "a/ ./ b .tar x/a",
        ),
        (
            "$(addprefix p-,a b) $(addsuffix -s,a) $(join a b,1 2)",
            "p-a p-b a-s a1 b2",
        ),
        (
            "$(if x,yes,no) $(if ,yes,no) $(if $(NONE:x=y),yes,no) $(if $(shell x),yes)",
            "yes no no $(if $(shell x),yes)",
        ),
        ("$(or ,b,c) $(and a,b) $(or $(UNSET),latest)", "b b latest"),
        ("$(foreach x,a b,$(x)1 $(x)2)", "a1 a2 b1 b2"),
        ("$(call f,1,2) $(call f,$(call f,a,b),c)", "<1-2> <<a-b>-c>"),
        ("$(wildcard M*) $(wildcard *.none)", "Makefile "),
        ("$(value f)", "<$(1)-$(2)>"),
        ("$(origin f) $(flavor f)", "file $(flavor f)"),
        (
            "$(subst a,b,$(UNSET)) $(notdir $(CURDIR))",
            "$(subst a,b,$(UNSET)) $(notdir $(CURDIR))",
        ),
        ("$(info hello)$(warning x)x", "x"),
        (
            "$(shell uname -s) $(shell uname -m)",
            "Linux $(shell uname -m)",
        ),
        ("$(abspath .)/x", "./x"),
        ("$(subst x,y", "$(subst x,y"),
    ] {
        let out = after("f = <$(1)-$(2)>", call);
        assert_eq!(out, expected.trim_end(), "{call}");
    }
}

#[test]
fn the_command_line_is_stronger_than_the_makefile_and_the_makefile_than_the_environment() {
    let text =
        "A = file\nB ?= default\noverride C = forced\nr:\n\t$(A) $(B) $(C) $(D)\nr: D = target\n";
    let given = |words: &str| {
        let set = |run: &mut JobRun<'_>| {
            for name in ["A", "B", "C", "D"] {
                run.env.insert(name.into(), "env".into());
            }
        };
        with(
            &tree(&[("Makefile", text)]),
            Make,
            words,
            set,
            |run, found| shown(run, &found),
        )
    };
    assert_eq!(given("r"), "file env forced target");
    assert_eq!(given("r A=1 B=2 C=3 D=4"), "1 2 forced 4");
    assert_eq!(given("r A=$TAG"), "$TAG env forced target");
}

#[test]
fn what_a_target_needs_runs_first_and_once() {
    let text = "\
all: build test | dirs
\techo all
build: deps
\techo build
test: build deps
\techo test
deps dirs:
\techo $@
";
    assert_eq!(
        make(text, ""),
        "echo deps\necho build\necho test\necho dirs\necho all"
    );
    assert_eq!(make(text, "test deps"), "echo deps\necho build\necho test");
    assert_eq!(make(text, "nope"), "!name no target `nope` in `Makefile`");
    assert_eq!(make("", ""), "! `Makefile` has no target");
    let files = [("Makefile", text), ("tests/a.c", "")];
    assert_eq!(runs(&files, Make, "deps tests"), "echo deps");
    assert_eq!(
        make(text, "$WHICH"),
        "! which target `make $WHICH` means is known only when the build runs"
    );
}

#[test]
fn the_default_goal_is_the_first_target_or_the_one_named() {
    for (text, expected) in [
        (
            ".PHONY: a\n%.o: x\n\tno\n.hidden:\n\tno\na:\n\ta\nb:\n\tb\n",
            "a",
        ),
        (".DEFAULT_GOAL := b\na:\n\ta\nb:\n\tb\n", "b"),
        ("a: ; a\n", "a"),
        ("X = 1\n\na::\n\ta\na::\n\tb\n", "a\nb"),
        ("a:\n\tone\na:\n\ttwo\n", "two"),
        ("a: x\na: y\n\ta $<\nx y:\n\t$@\n", "y\nx\na y"),
        ("a b &: c\n\tboth\nc:\n\tc\n", "c\nboth"),
    ] {
        assert_eq!(make(text, ""), expected, "{text}");
    }
}

#[test]
fn prefixes_of_make_are_taken_off() {
    for (lines, line, expected) in [
        ("", "@docker pull a", "docker pull a"),
        ("", "-docker pull a", "docker pull a"),
        ("", "@-+ docker pull a", "docker pull a"),
        ("Q = @", "$(Q)docker pull a", "docker pull a"),
        ("", "$(Q)docker pull a", "docker pull a"),
        ("", "$(if $(V),,@)docker pull a", "docker pull a"),
        ("Q = @", "$(Q) -docker pull a", "docker pull a"),
        ("RUN = @docker run", "$(RUN) a", "docker run a"),
    ] {
        assert_eq!(after(lines, line), expected, "{lines} {line}");
    }
}

#[test]
fn every_line_is_a_shell_of_its_own_but_for_one_shell() {
    let count = |text: &str| {
        with(
            &tree(&[("Makefile", text)]),
            Make,
            "r",
            |_| {},
            |_, found| found.unwrap().len(),
        )
    };
    let text = "r:\n\tcd x\n\tdocker pull a \\\n\t  b\n\n\tdocker pull c\n";
    assert_eq!(count(text), 3);
    assert_eq!(count(&format!(".ONESHELL:\n{text}")), 1);
    assert_eq!(
        make(text, "r"),
        "cd x\ndocker pull a \\\n  b\ndocker pull c"
    );
    // A `define` brings several lines, whose continuations keep their options.
    let text = "define up\n@cd x\n-docker run \\\n  --rm \\\n  -it a\ndocker pull b\nendef\nr:\n\t$(up)\n\t$(call up,1)\n";
    assert_eq!(count(text), 6);
    assert!(
        make(text, "r").starts_with("cd x\ndocker run \\\n  --rm \\\n  -it a\ndocker pull b\n")
    );
}

#[test]
fn what_runs_is_pointed_at_where_it_is_written() {
    let text = "I := alpine\n\nr: a ; docker pull early # x\n\t@docker run \\\n\t\t-v x:y \\\n\t\t$(I):3 sh\na:; docker pull a\n";
    for (word, place) in [
        ("docker run", "Makefile:4: docker run"),
        ("-v x:y", "Makefile:5: -v x:y"),
        (":3", "Makefile:6: :3"),
        ("docker pull early", "Makefile:3: docker pull early"),
        ("docker pull a", "Makefile:7: docker pull a"),
    ] {
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let files = [("Makefile", text.as_str())];
            assert_eq!(written(&files, Make, "r", word), place, "{word}");
        }
    }
}

#[test]
fn line_endings_of_windows_are_not_part_of_a_command() {
    let text =
        "A := x\r\nifeq ($(A),x)\r\nr: b\r\n\tdocker pull \\\r\n\t a\r\nendif\r\nb:\r\n\tb\r\n";
    assert_eq!(make(text, "r"), "b\ndocker pull \\\n a");
}

#[test]
fn conditions_that_can_be_decided_are() {
    for (condition, holds) in [
        ("ifeq ($(A),x)", true),
        ("ifeq ($(A), y)", false),
        ("ifneq ($(A),y)", true),
        ("ifeq \"$(A)\" \"x\"", true),
        ("ifeq '$(A)' 'y'", false),
        ("ifeq (,$(E))", true),
        ("ifneq (,$(findstring x,$(A)))", true),
        ("ifneq ($(wildcard Makefile),)", true),
        ("ifdef A", true),
        ("ifdef E", false),
        ("ifndef A", false),
        ("ifeq ($(CI),true)", true),
        ("ifeq ($(OS),Windows_NT)", false),
        ("ifeq ($(shell uname),Darwin)", false),
        ("ifeq ($(shell uname),Linux)", true),
        ("ifeq ($(UNSET),$(UNSET))", true),
    ] {
        let text = format!(
            "A = x\nE =\n{condition}\nB = yes\nelse\nB = no\nendif\nr:\n\t$(B)\n{condition}\n\tyes\nelse\n\tno\nendif\n"
        );
        let expected = if holds { "yes\nyes" } else { "no\nno" };
        assert_eq!(make(&text, "r"), expected, "{condition}");
    }
    let chain = |a: &str| {
        format!(
            "A = {a}\nifeq ($(A),1)\nB = one\nelse ifeq ($(A),2)\nB = two\nelse\nB = more\nendif\nr:\n\t$(B)\n"
        )
    };
    assert_eq!(make(&chain("1"), "r"), "one");
    assert_eq!(make(&chain("2"), "r"), "two");
    assert_eq!(make(&chain("3"), "r"), "more");
    let nested =
        "A = x\nifeq ($(A),y)\nifdef A\nr:\n\tno\nelse\nr:\n\tno\nendif\nelse\nr:\n\tyes\nendif\n";
    assert_eq!(make(nested, "r"), "yes");
}

#[test]
fn what_stands_under_an_open_condition_keeps_it() {
    let text = "\
r: a
ifdef PUSH
\tdocker login
else ifeq ($(B),1)
\tdocker pull b
else
\tdocker pull c
endif
\tdocker pull d
ifneq ($(B),1)
r: e
endif
a:
\ta
e:
\te
";
    assert_eq!(
        make(text, "r"),
        "a\n\
         [unless ifeq ($(B),1)] e\n\
         [if ifdef PUSH] docker login\n\
         [unless ifdef PUSH] [if ifeq ($(B),1)] docker pull b\n\
         [unless ifdef PUSH] [unless ifeq ($(B),1)] docker pull c\n\
         docker pull d"
    );
    let rules = "ifdef X\nr:\n\tone\nelse\nr:\n\ttwo\nendif\n";
    assert_eq!(make(rules, "r"), "[if ifdef X] one\n[unless ifdef X] two");
    let needed = "all: x r\nifdef X\nx: r\nendif\nr:\n\tr\n";
    assert_eq!(make(needed, ""), "[if ifdef X] r\nr");
}

#[test]
fn a_variable_of_an_open_condition_is_not_guessed() {
    for (branches, expected) in [
        // What nobody sets is empty.
        ("ifdef X\nA = 1\nelse\nA = 2\nendif", "2"),
        ("ifndef X\nA = 1\nelse\nA = 2\nendif", "1"),
        ("A = 1\nifdef X\nA = 2\nendif", "1"),
        ("ifeq ($(X),1)\nA = 1\nelse\nA = 2\nendif", "2"),
        ("ifeq ($(X),)\nA = 1\nelse\nA = 2\nendif", "1"),
        (
            "ifeq ($(X),1)\nA = 1\nelse ifeq ($(Y),)\nA = 2\nelse\nA = 3\nendif",
            "2",
        ),
        (
            "ifneq ($(X)$(Y),)\nA = 1\nelse\nifdef Z\nA = 2\nelse\nA = 3\nendif\nendif",
            "3",
        ),
        ("A = $(if $(X),1,2)", "2"),
        // What CI sets, and what a command prints, may be anything.
        ("ifdef GITHUB_X\nA = 1\nelse\nA = 2\nendif", "$(A)"),
        ("A = 1\nifeq ($(shell x),1)\nA = 2\nendif", "$(A)"),
        (
            "ifeq ($(shell x),1)\nA = 1\nelse ifdef X\nA = 2\nelse\nA = 3\nendif",
            "$(A)",
        ),
        ("ifdef X\nA = 1\nelse\nA = 1\nendif", "1"),
        ("ifdef X\nA = 1\nendif", "1"),
        ("ifndef A\nA = default\nendif", "default"),
        ("A = 1\nifdef X\nA += 2\nendif", "1 2"),
        // Who runs the client, or which it is, changes nothing about what is pulled.
        (
            "ifdef X\nA = sudo docker\nelse\nA = docker\nendif",
            "docker",
        ),
        ("ifdef X\nA = docker\nelse\nA = podman\nendif", "docker"),
        (
            "ifdef X\nA = docker-compose\nelse\nA = docker compose\nendif",
            "docker compose",
        ),
        (
            "A = podman\nifdef X\nA = $(shell which docker)\nendif",
            "$(shell which docker)",
        ),
        ("A = podman\nifdef X\nA = nerdctl\nendif", "nerdctl"),
        ("ifndef X\nA = --pull\nelse\nA =\nendif", "--pull"),
        ("ifdef X\nA = sudo\nelse\nA =\nendif", ""),
        ("ifdef V\nA =\nelse\nA = @\nendif", ""),
    ] {
        assert_eq!(
            after(branches, "[$(A)]"),
            format!("[{expected}]"),
            "{branches}"
        );
    }
}

#[test]
fn rules_for_patterns_are_found() {
    for (rules, goal, expected) in [
        (
            "build-%:\n\tdocker build -t $* $@ .",
            "build-api",
            "docker build -t api build-api .",
        ),
        (
            "push-%: build-%\n\tpush $* $<\nbuild-%:\n\tbuild $*",
            "push-a",
            "build a\npush a build-a",
        ),
        (
            "a b: %: %.in\n\tmk $@ $< $*\na.in:\n\tin",
            "a",
            "in\nmk a a.in a",
        ),
        ("%:\n\tany $@\nx-%:\n\tclose $*", "x-1", "close 1"),
        (
            "x-%: missing.%\n\tno\nx%: Makefile\n\tyes $@",
            "x-1",
            "yes x-1",
        ),
        (".PHONY: a\na:\n%:\n\tany", "a", ""),
        ("a: b\n%:\n\tany $@", "a", "any b\nany a"),
        (".DEFAULT:\n\tdefault $@", "x", "default x"),
        (
            "x: FORCE y.txt Makefile\n\tx $^\nFORCE:",
            "x",
            "x FORCE y.txt Makefile",
        ),
    ] {
        assert_eq!(make(&format!("{rules}\n"), goal), expected, "{rules}");
    }
}

#[test]
fn variables_of_a_target_hold_for_what_it_needs() {
    let text = "\
TAG = latest
prod: TAG = 1.0
prod: export MODE := $(TAG)-x
prod dev: up
up:
\tdocker run app:$(TAG)
%-x: TAG = pattern
a-x:
\ta:$(TAG)
add: TAG += more
add:
\t$(TAG)
semi: ; A=b docker run
";
    assert_eq!(make(text, "prod"), "docker run app:1.0");
    assert_eq!(make(text, "dev"), "docker run app:latest");
    assert_eq!(make(text, "a-x add"), "a:pattern\nlatest more");
    assert_eq!(make(text, "semi"), "A=b docker run");
    let exported = "r: export A = 1\nr: B = 2\nr:\n\tx\n";
    assert_eq!(environment(&[("Makefile", exported)], Make, "r"), ["A=1"]);
}

#[test]
fn what_is_exported_is_in_the_environment() {
    for (lines, words, expected) in [
        ("export A = 1\nB = 2", "r", vec!["A=1"]),
        ("A = 1\nB = 2\nexport A B", "r", vec!["A=1", "B=2"]),
        (
            "A := 1\nexport\nunexport C\nC = 3",
            "r",
            vec!["A=1", "MAKEFILE_LIST=Makefile"],
        ),
        ("A = 1", "r X=$Y", vec!["X=$Y"]),
        ("export A ?= $(shell x)", "r", vec!["A=$(shell x)"]),
    ] {
        let text = format!("{lines}\nr:\n\tx\n");
        assert_eq!(
            environment(&[("Makefile", &text)], Make, words),
            expected,
            "{lines}"
        );
    }
    let changed = with(
        &tree(&[("Makefile", "TAG = mine\nr:\n\tx $$TAG\n")]),
        Make,
        "r",
        |run| {
            run.env.insert("TAG".into(), "theirs".into());
        },
        |_, found| found.unwrap().remove(0).env[0].1.as_str().to_owned(),
    );
    assert_eq!(changed, "mine");
}

#[test]
fn another_make_is_left_to_the_shell_with_the_command_line_it_inherits() {
    let text = "r:\n\t$(MAKE) -C sub all\n\t+cd x && ${MAKE} y\n";
    assert_eq!(make(text, "r"), "make -C sub all\ncd x && make y");
    assert_eq!(
        make(text, "r TAG=1 V=$X"),
        "make TAG=1 V=$X -C sub all\ncd x && make TAG=1 V=$X y"
    );
}

#[test]
fn includes_are_followed() {
    let files = [
        (
            "Makefile",
            "include a.mk mk/*.mk\n-include .env missing.mk\nsinclude Makefile\nr: a b\n\t$(X) $(MAKEFILE_LIST)\n",
        ),
        (
            "a.mk",
            "X = fromx\na:\n\ta $(lastword $(MAKEFILE_LIST))\nHERE := $(lastword $(MAKEFILE_LIST))\n",
        ),
        ("mk/b.mk", "b:\n\tb $(HERE)\n"),
        (".env", "X = env\n"),
    ];
    assert_eq!(
        runs(&files, Make, "r").replace(" Makefile", ""),
        "a .env\nb a.mk\nenv a.mk mk/b.mk .env".replace("a .env", "a")
    );
    assert_eq!(
        runs(&files, Make, "nope"),
        "!name no target `nope` in `Makefile` (it includes files that are not in this repository)"
    );
}

#[test]
fn rules_that_eval_makes_are_read() {
    let text = "\
define image
.PHONY: build-$(1)
build-$(1): base
\tdocker build -t acme/$(1) --build-arg T=$$(T) $(1)
all:: build-$(1)
endef
T = 1
$(foreach i,api web,$(eval $(call image,$(i))))
base:
\tdocker pull base
$(eval X := made)
last:
\t$(X)
";
    assert_eq!(
        make(text, "all"),
        "docker pull base\ndocker build -t acme/api --build-arg T=1 api\ndocker build -t acme/web --build-arg T=1 web"
    );
    assert_eq!(make(text, "last"), "made");
    let files = [("Makefile", text)];
    assert!(written(&files, Make, "build-web", "acme/web").starts_with("Makefile:8:"));
    assert_eq!(
        make("$(eval $(shell gen))\na:\n\ta\n", "b"),
        "!name no target `b` in `Makefile` (it makes some by `$(eval)` of what only the build run knows)"
    );
}

#[test]
fn a_recipe_sets_variables_by_eval() {
    let text = "\
X = old
V = v1
all: first.api second
first.%:
\t$(eval NAME := $(word 1,$(subst ., ,$*)))
\t$(eval ARGS := -t acme/$(NAME):$(V) -f docker/$(NAME)/Dockerfile bin)
\t$(eval export X = $$(V))
\tdocker build $(ARGS)
second: V = v2
second:
\tdocker push $(NAME):$(X)
third:
\tdocker push $(NAME):$(X)
either:
ifdef Z
\t$(eval X := new)
endif
\tdocker pull $(X)
";
    assert_eq!(
        make(text, "all"),
        "docker build -t acme/api:v1 -f docker/api/Dockerfile bin\ndocker push api:v2"
    );
    // The command line and the variables of targets are stronger, and what no recipe has set is not set.
    assert_eq!(
        make(text, "all X=a NAME=b"),
        "docker build -t acme/b:v1 -f docker/b/Dockerfile bin\ndocker push b:a"
    );
    assert_eq!(make(text, "third"), "docker push $NAME:old");
    assert_eq!(make(text, "either"), "docker pull $(X)");
    assert_eq!(
        after("R := $(abspath $(shell pwd -P))", "x $(R)/a"),
        "x ./a"
    );
}

#[test]
fn the_makefile_is_the_one_make_would_take() {
    let files = [
        ("Makefile", "r:\n\tlast\n"),
        ("makefile", "r:\n\tsecond\n"),
        ("a/GNUmakefile", "r:\n\tfirst\n"),
        ("a/Makefile", "r:\n\tno\n"),
        (
            "a/ci.mk",
            "D := $(dir $(lastword $(MAKEFILE_LIST)))\nr:\n\tci $(D)x $(notdir $(CURDIR))\n",
        ),
    ];
    for (words, expected) in [
        ("r", "second"),
        ("-C a r", "a$ first"),
        ("-C a -f ci.mk r", "a$ ci ./x a"),
        ("-f a/ci.mk r", "ci a/x $(notdir $(CURDIR))"),
        ("-C b r", "! no GNUmakefile or makefile or Makefile in `b`"),
        (
            "-C ../x r",
            "! the folder `../x` is not in this repository, or not known before the build runs",
        ),
    ] {
        assert_eq!(runs(&files, Make, words), expected, "{words}");
    }
    let elsewhere = with(
        &tree(&files),
        Make,
        "r",
        |run| run.cwd = Cwd::Elsewhere,
        |run, f| shown(run, &f),
    );
    assert!(elsewhere.starts_with("! it runs in a folder"));
    let inside = with(
        &tree(&files),
        Make,
        "r",
        |run| run.cwd = Cwd::Inside(RepoPath::new("a").unwrap()),
        |run, f| shown(run, &f),
    );
    assert_eq!(inside, "a$ first");
}

#[test]
fn what_is_skipped_hides_no_directives() {
    let text = "A = x\nifeq ($(A),y)\ndefine f\nelse\nendif\nendef\nelse\nr:\n\tyes\nendif\n";
    assert_eq!(make(text, "r"), "yes");
    let text = "define f\nifdef A\na: b\nendif\nendef\nr:\n\tx\n\n# comment\n\n\ty\n";
    assert_eq!(make(text, "r"), "x\ny");
    assert_eq!(make(".RECIPEPREFIX = >\nr:\n>x\n> y\n", "r"), "x\ny");
    assert_eq!(make("\u{feff}A = 1\nr:\n\t$(A)\n", "r"), "1");
}

#[test]
fn circles_end() {
    assert_eq!(make("a: b\n\ta\nb: a\n\tb\n", "a"), "b\na");
    assert_eq!(make("%-x: %-x-x\n\tx\n", "a-x"), "x");
    assert_eq!(make("A = $(B)\nB = $(A)\nr:\n\tx $(A)\n", "r"), "x $(A)");
    assert_eq!(
        make("f = $(call f,$(1)x)\nr:\n\tx $(call f,1)\n", "r"),
        "x $(f)"
    );
    assert_eq!(make("E = $(eval $(E))\n$(E)\nr:\n\tx\n", "r"), "x");
    let evals = "define e\n$$(eval $$(e))\n$$(eval $$(e))\nendef\n$(eval $(e))\nr:\n\tx\n";
    assert_eq!(make(evals, "r"), "x");
}

#[test]
fn a_hundred_thousand_of_anything_is_survived() {
    let many = |f: &dyn Fn(usize) -> String| (0..100_000).map(f).collect::<String>();
    let needs = format!("r: {}\n\tx\n", many(&|i| format!("n{i} ")));
    assert_eq!(make(&needs, "r"), "x");
    let with_patterns = format!(
        "{needs}{}",
        (0..10_000)
            .map(|i| format!("%{i}{i}:\n\ty\n"))
            .collect::<String>()
    );
    assert!(make(&with_patterns, "r").ends_with('x'));
    let chain = many(&|i| format!("t{i}: t{}\n\tx\n", i + 1));
    assert!(!make(&chain, "t0").is_empty());
    let lines = format!("r:\n{}", many(&|_| "\tdocker pull x\n".to_owned()));
    assert!(make(&lines, "r").starts_with("docker pull x\n"));
    let own = format!("{}r:\n\tx\n", many(&|i| format!("r: V{i} = 1\n")));
    assert_eq!(make(&own, "r"), "x");
    let shared = format!(
        "{}: r\nr: {}\n\tx\n",
        many(&|i| format!("a{i} ")),
        many(&|i| format!("a{i} "))
    );
    assert!(make(&shared, "r").ends_with('x'));
}

#[test]
fn bombs_are_bounded() {
    let mut text = String::from("A0 = xxxxxxxxxxxxxxxx\n");
    for i in 1..100 {
        text += &format!(
            "A{i} = $(A{p})$(A{p})$(A{p})\nF{i} = $(foreach x,1 2 3 4 5 6 7 8,$(F{n}))\n",
            p = i - 1,
            n = i + 1
        );
    }
    text += "r:\n\tx $(A99)\n\tx $(F1)\n\tx $(filter $(A30),$(A30))\n";
    assert!(make(&text, "r").starts_with('x'));
    let nested = format!(
        "A := {}x{}\nr:\n\tx $(A)\n",
        "$(if ".repeat(50_000),
        ")".repeat(50_000)
    );
    assert!(make(&nested, "r").starts_with('x'));
    let conditions = format!("{}r:\n\tx\n", "ifdef X\n".repeat(50_000));
    let _ = make(&conditions, "r");
    let big = format!(
        "B := {}\n{}r:\n\tx\n",
        "y".repeat(60_000),
        "C += $(B)\nt$(B): $(B)\n".repeat(19_000)
    );
    assert_eq!(make(&big, "r"), "x");
    let filters = format!(
        "L := {}\nP := {}\n{}r:\n\tx\n",
        "a b ".repeat(15_000),
        "%c ".repeat(100),
        "X := $(filter $(P),$(L))\n".repeat(20_000)
    );
    assert_eq!(make(&filters, "r"), "x");
}

#[test]
fn nonsense_is_survived() {
    for text in [
        ":",
        "=",
        "\t",
        "\tx",
        "r",
        "r:\n\t$",
        "r:\n\t$(",
        "r:\n\t${)",
        "define",
        "define x",
        "endef",
        "else",
        "endif",
        "ifeq",
        "ifeq (",
        "ifeq ()",
        "ifeq \"",
        "ifdef",
        "include",
        "export",
        "r: ;",
        "r:;;;",
        "::",
        "r: :",
        "r: a: b: c",
        "$(eval",
        "$(eval r:;x)",
        "\\\n\\\n\\",
        "r:\\\n\\\n\tx",
        ".RECIPEPREFIX =",
        "%: %\n\tx",
        "r: $(r)\n\t$(r)",
        "é:\n\té",
        "r:\n\t$é $(é:é=é) $(subst é",
        "private",
        "override",
        "undefine",
        "unexport",
        "r: private",
        "r: export =",
    ] {
        for words in ["", "r", "é", "x"] {
            let _ = make(text, words);
        }
    }
}

#[test]
fn a_word_is_not_found_in_what_nobody_sets() {
    for (condition, expected) in [
        ("$(filter true,$(PUSH))", "no"),
        ("$(findstring true,$(PUSH))", "no"),
        ("$(filter true,$(PUSH) true)", "yes"),
        (
            "$(filter true,$(shell x))",
            "$(if $(filter true,$(shell x)),yes,no)",
        ),
    ] {
        let recipe = format!("$(if {condition},yes,no)");
        assert_eq!(after("", &recipe), expected, "{condition}");
    }
    // Where it decides over more than one word, it is likely and no more.
    let text = "ifeq ($(findstring podman,$(HOST)),podman)\n P = X=podman\nendif";
    assert_eq!(
        after(text, "$(P) kind create cluster"),
        "X=podman kind create cluster"
    );
}

#[test]
fn the_rules_of_postgresql_bring_targets_that_pull_nothing() {
    let rules = "PG_CONFIG = pg_config\nPGXS := $(shell $(PG_CONFIG) --pgxs)\ninclude $(PGXS)\n";
    let text = format!("{rules}image:\n\tdocker build .\n");
    assert_eq!(make(&text, "install installcheck"), "");
    assert_eq!(make(&text, "install image"), "docker build .");
    assert_eq!(make(rules, ""), "");
    assert_eq!(make("include $(PGXS)\nx:\n\ty\n", "clean"), "");
    assert!(make("include $(OTHER)\nx:\n\ty\n", "clean").starts_with("!name"));
}

#[test]
fn the_top_of_the_repository_is_known() {
    let text = "TOP := $(shell git rev-parse --show-toplevel)\nr:\n\tdocker build $(TOP)/a\n";
    assert_eq!(make(text, "r"), "docker build $PWD/a");
}

#[test]
fn a_second_call_reads_what_its_own_environment_makes_of_the_file() {
    let text = "\
ifeq ($(KIND),all)
more: r
endif
TAG ?= 1
r:
\tdocker run app:$(TAG) # $(MAKECMDGOALS)
";
    let tree = tree(&[("Makefile", text)]);
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    for (set, words, expected) in [
        (None, "r", "docker run app:1 # r"),
        (Some(("TAG", "2")), "r", "docker run app:2 # r"),
        (None, "r", "docker run app:1 # r"),
        (Some(("OTHER", "2")), "r", "docker run app:1 # r"),
        (Some(("KIND", "all")), "more", "docker run app:1 # more"),
        (
            None,
            "more",
            "[if ifeq ($(KIND),all)] docker run app:1 # more",
        ),
        (None, "r TAG=3", "docker run app:3 # r"),
    ] {
        let mut run = JobRun::new(&cx);
        let set = set.into_iter();
        run.env
            .extend(set.map(|(name, value)| (name.to_owned(), value.into())));
        assert_eq!(shown(&run, &called(&run, Make, words)), expected, "{words}");
    }
    let readings = cx.makefiles.borrow();
    let kept: Vec<usize> = readings.by_file.values().map(Vec::len).collect();
    // Without `TAG` and with it, with `KIND`, with `TAG` given.
    assert_eq!(kept, [4]);
}

#[test]
fn a_prerequisite_of_which_a_part_is_unknown_is_one_of_the_targets() {
    let text = "env := $(shell git branch)\nd: d-$(env) $(env)\nd-main: b\nd-pr:\n\tpr\nb:\n\tb\n";
    assert_eq!(
        make(text, "d"),
        "[if `d-$(shell git branch)` is `d-main`] b\n[if `d-$(shell git branch)` is `d-pr`] pr"
    );
    let pattern = "d: d-$(env)\nd-%:\n\tp\n";
    assert_eq!(make(pattern, "d"), "p");
}

#[test]
fn names_with_patterns_are_those_of_the_repository() {
    for (value, expected) in [
        (
            "$(wildcard cmd/*/Dockerfile)",
            "cmd/a/Dockerfile cmd/b/Dockerfile",
        ),
        (
            "$(wildcard ./*/*/Dockerfile)",
            "./cmd/a/Dockerfile ./cmd/b/Dockerfile",
        ),
        ("$(wildcard */c/main.?o)", "cmd/c/main.go"),
        ("$(wildcard cmd/*/)", "cmd/a/ cmd/b/ cmd/c/"),
        ("$(wildcard cmd)", "cmd"),
        (
            "$(wildcard cmd/*/none web/Dockerfile.*)",
            "web/Dockerfile.dev",
        ),
        ("$(wildcard /usr/bin/docker)", ""),
        (
            "$(patsubst %/Dockerfile,%,$(wildcard cmd/*/Dockerfile))",
            "cmd/a cmd/b",
        ),
        ("$(notdir $(wildcard $(CURDIR)/cmd/*))", "a b c"),
        (
            "$(wildcard cmd/[ab]/Dockerfile)",
            "$(wildcard cmd/[ab]/Dockerfile)",
        ),
        (
            "$(wildcard $(X)/*/Dockerfile)",
            "$(wildcard $(X)/*/Dockerfile)",
        ),
    ] {
        let makefile = format!("D := {value}\nr:\n\t@echo $(D)\n");
        let files = [
            ("Makefile", makefile.as_str()),
            ("cmd/a/Dockerfile", ""),
            ("cmd/b/Dockerfile", ""),
            ("cmd/c/main.go", ""),
            ("web/Dockerfile.dev", ""),
        ];
        let expected = format!("echo {expected}");
        assert_eq!(runs(&files, Make, "r"), expected.trim_end(), "{value}");
    }
}

#[test]
fn what_a_command_prints_that_lists_files_is_known() {
    for (command, expected) in [
        ("ls cmd", "a b"),
        ("ls -d cmd/*/", "cmd/a/ cmd/b/"),
        ("cat VERSION", "1.2"),
        (
            "find cmd -type f -name Dockerfile -print",
            "cmd/a/Dockerfile cmd/b/Dockerfile",
        ),
        (
            "find . -name vendor -prune -o -type f -name Dockerfile -print",
            "./cmd/a/Dockerfile ./cmd/b/Dockerfile",
        ),
        (
            "find . -name Dockerfile -not -path './vendor/*' | xargs -n1 dirname | sort",
            "./cmd/a ./cmd/b",
        ),
        ("find . -name none", "$(shell find . -name none)"),
        (
            "find . -name Dockerfile -newer x",
            "$(shell find . -name Dockerfile -newer x)",
        ),
        (". ./own.env; echo $${V}-x", "1.3-x"),
        (". $(CURDIR)/own.env && echo $$V", "1.3"),
        ("awk -F= '/^V=/ {print $$2}' own.env", "1.3"),
        ("grep ^V= own.env | cut -d= -f2", "1.3"),
        (
            ". ./own.env; echo $${OTHER:-$$V}",
            "$(shell . ./own.env; echo $${OTHER:-$$V})",
        ),
        (
            ". ./own.env; echo $$OTHER",
            "$(shell . ./own.env; echo $$OTHER)",
        ),
        ("ls $$HOME", "$(shell ls $$HOME)"),
        ("ls none", "$(shell ls none)"),
        ("cat none", "$(shell cat none)"),
        ("git ls-files", "$(shell git ls-files)"),
    ] {
        let makefile = format!("D := $(shell {command})\nr:\n\t@echo $(D)\n");
        let files = [
            ("Makefile", makefile.as_str()),
            ("cmd/a/Dockerfile", ""),
            ("cmd/b/Dockerfile", ""),
            ("vendor/x/Dockerfile", ""),
            ("VERSION", "1.2\n"),
            ("own.env", "V=1.3\n"),
        ];
        assert_eq!(
            runs(&files, Make, "r"),
            format!("echo {expected}"),
            "{command}"
        );
    }
}

#[test]
fn what_is_needed_and_not_known_is_made_as_the_rules_say() {
    for (makefile, expected) in [
        // As it is changed to.
        (
            "all: $(patsubst %/Dockerfile,%/.done,$(shell git ls-files))\n%/.done: %/Dockerfile\n\tdocker build $(@D)\n%.x:\n\tx\n",
            "docker build $*",
        ),
        (
            "S := $(shell git ls-files)\nall: $(sort $(S:/Dockerfile=/.done))\n%/.done: %/Dockerfile\n\tdocker build $(@D) $(<D) $@\n",
            "docker build $* $* $*/.done",
        ),
        (
            "S := $(shell git ls-files)\nD := $(S:%=%/.done)\nall: $(D)\n$(D): %/.done: %/Dockerfile\n\tdocker build $* $<\n",
            "docker build $(shell git ls-files) $(shell git ls-files)/Dockerfile",
        ),
        (
            "D := $(patsubst %.in,%/.done,$(shell git ls-files))\nall: $(D)\n$(D): %/.done: %/Dockerfile\n\tdocker build $* $(@D)\n",
            "docker build $* $*",
        ),
        (
            "all: $(patsubst %.in,%.out,$(shell git ls-files))\na.out:\n\ta\nb.c:\n\tb\n",
            "[if `$(patsubst %.in,%.out,$(shell git ls-files))` is `a.out`] a",
        ),
        (
            "all: $(addsuffix .done,$(shell git ls-files))\n%.done: %.in\n\tdocker build $*\n",
            "docker build $(shell git ls-files)",
        ),
        // It may be anything, and a file as well.
        (
            "all: $(shell git ls-files)\n%.done:\n\tdocker build $*\n",
            "",
        ),
        // Files that something is made from, and what nobody sets.
        (
            "all: $(shell git ls-files)\n\tcc\n%.done:\n\tdocker build $*\n",
            "cc",
        ),
        ("all: $(X)\n%.done:\n\tdocker build $*\n", ""),
        (
            "X = a\nifeq ($(shell uname -m),x86_64)\nX = b\nendif\nall: $(X)\n%: common-% ;\ncommon-docker: common-docker-arm\ncommon-docker-arm:\n\tdocker build .\n",
            "",
        ),
        (
            "all: $(patsubst %.c,%.done,$(X))\n%.done:\n\tdocker build $*\n",
            "",
        ),
        (
            "all: $(patsubst %.c,%.o,$(shell git ls-files))\n%.done:\n\tdocker build $*\n",
            "",
        ),
        // Of a list nobody knows in which folders it is.
        (
            "D := $(shell git ls-files)\nall: $(D)\n$(D):\n\tdocker build $(@D) -t $@\n",
            "docker build $(@D) -t $(shell git ls-files)",
        ),
    ] {
        assert_eq!(make(makefile, "all"), expected, "{makefile}");
    }
}

#[test]
fn what_is_flags_or_nothing_is_read_as_flags() {
    for (value, expected) in [
        (
            "$(if $(filter $(A),$(B)),,--mount type=bind)",
            "docker run $(if $(filter $(A),$(B)),,--mount type=bind) (flags) x",
        ),
        (
            "$(if $(filter $(IMAGE),a),-a,)",
            "docker run $(if …) (flags) x",
        ),
        (
            "$(if $(filter $(A),a),b,)",
            "docker run $(if $(filter $(A),a),b,) x",
        ),
    ] {
        let lines = format!("O := {value}");
        assert_eq!(after(&lines, "docker run $(O) x"), expected, "{value}");
    }
    let recipe = "docker run$(if $(filter $(A),a), -a,) x";
    let expected = "docker run $(if $(filter $(A),a), -a,) (flags) x";
    assert_eq!(after("", recipe), expected);
}
