//! Calls of make that take over what calls before them came to.

use super::{effects, effects_in};

#[test]
fn calls_share_only_what_they_would_come_to() {
    let makefile = "\
pull:
	docker pull me/a:$(TAG)
shell:
	docker pull me/b:$$X
sub:
	$(MAKE) pull
own: TAG = own
own:
	docker pull me/o:$(TAG)
";
    let files = [("Makefile", makefile)];
    let calls = [
        ("make pull TAG=1", "pull me/a:1"),
        ("make pull TAG=2", "pull me/a:2"),
        ("make pull TAG=1", "pull me/a:1"),
        ("TAG=3 make pull", "pull me/a:3"),
        ("make pull", "pull me/a:$TAG"),
        ("make shell X=4", "pull me/b:4"),
        ("make shell X=5", "pull me/b:5"),
        ("X=6 make shell", "pull me/b:6"),
        ("make sub TAG=7", "pull me/a:7"),
        ("make sub TAG=8", "pull me/a:8"),
        ("make own", "pull me/o:own"),
        ("make own TAG=9", "pull me/o:9"),
        ("make own TAG=9 V=1", "pull me/o:9"),
        ("make pull own TAG=2", "pull me/a:2"),
    ];
    let script = calls.map(|(call, _)| call).join("\n");
    let pulls = calls.iter().map(|(_, pull)| *pull).chain(["pull me/o:2"]);
    let expected: Vec<String> = pulls.map(|pull| format!("{pull} always")).collect();
    assert_eq!(effects_in(&files, &script), expected);
}

#[test]
fn what_follows_more_makefiles_than_are_read_is_followed() {
    let mut makefile = "up:\n\tdocker pull me/a:$(X)\n".to_owned();
    for number in 0..5_000 {
        makefile.push_str(&format!("t{number}-$(X):\n"));
    }
    let files = [("Makefile", makefile.as_str())];
    let mut script: String = (0..40).map(|x| format!("make up X={x}\n")).collect();
    script.push_str("docker pull me/b\n");
    let seen = effects_in(&files, &script);
    assert_eq!(seen.first().unwrap(), "pull me/a:0 always");
    assert_eq!(seen.last().unwrap(), "pull me/b always");
    let pulls = seen
        .iter()
        .filter(|line| line.starts_with("pull me/a"))
        .count();
    let why = "the makefiles that this CI file calls come to more work than is followed";
    // It is said once for all of these.
    let unknown = seen.iter().filter(|line| line.ends_with(why)).count();
    assert!((10..40).contains(&pulls) && unknown == 1, "{seen:?}");
}

#[test]
fn what_only_an_absent_file_declares_is_said_to_be_unknown() {
    let makefile = "-include mk/docker.mk\nall: docker-build a.o test\ntest:\n\tdocker run a\n";
    let why = "no target `docker-build` in `Makefile` (it includes files that are not in this repository)";
    assert_eq!(
        effects_in(&[("Makefile", makefile)], "make all"),
        [
            format!("opaque make docker-build: {why}").as_str(),
            "pull a"
        ]
    );
    // A file of that name is there, or one of its own rules makes it, or nothing is included.
    for (files, expected) in [
        (&[("Makefile", makefile), ("docker-build", "")][..], 1),
        (
            &[
                ("Makefile", makefile),
                ("mk/docker.mk", "docker-build: ;\n"),
            ],
            1,
        ),
    ] {
        assert_eq!(effects_in(files, "make all").len(), expected, "{files:?}");
    }
}

#[test]
fn images_that_a_fetched_repository_makes_are_doubted() {
    let fetch = "git clone https://example.org/tool.git\n";
    for script in ["make -C tool docker", "cd tool\nmake docker-build"] {
        let lines = effects(&format!("{fetch}{script}\ndocker run --rm tool:latest"));
        let [made, unknown, run] = lines.as_slice() else {
            panic!("{script}: {lines:?}");
        };
        assert!(made.starts_with("opaque make docker"), "{lines:?}");
        assert_eq!(
            (unknown.as_str(), run.as_str()),
            ("provide ?", "pull tool:latest")
        );
    }
    assert_eq!(effects(&format!("{fetch}make -C tool install")), [""; 0]);
    assert_eq!(
        effects(&format!("{fetch}make -C tool -f x.mk docker")),
        [""; 0]
    );
}
