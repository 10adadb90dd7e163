//! Calls of make that take over what calls before them came to.

use super::effects_in;

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
