//! Numbers: loops that count, places in lists.

use super::*;

/// What a script pulls that has this list.
fn pulled(script: &str) -> Vec<String> {
    let found = pulls(&format!("a=(x:1 x:2 x:3); {script}")).into_iter();
    found.map(|pull| pull.replace(" always", "")).collect()
}

#[test]
fn a_loop_that_counts_goes_through_all_that_it_counts() {
    for (script, expected) in [
        (
            "for ((i=0; i<${#a[@]}; i++)); do docker pull \"${a[$i]}\"; done",
            &["x:1", "x:2", "x:3"][..],
        ),
        (
            "for ((i = 2; i >= 0; i -= 2)); do docker pull ${a[i]}; done",
            &["x:3", "x:1"],
        ),
        (
            "for ((i=1;i<=2;i++)); do docker pull x:$i; done",
            &["x:1", "x:2"],
        ),
        ("for ((i=5;i<2;i++)); do docker pull x:$i; done", &[]),
        (
            "i=0; while (( i < 3 )); do docker pull ${a[i]}; ((i++)); done",
            &["x:1", "x:2", "x:3"],
        ),
        (
            "i=0; until [ $i -ge 3 ]; do docker pull ${a[$i]}; let i++; done",
            &["x:1", "x:2", "x:3"],
        ),
        (
            "i=0; while [ $i -lt 3 ]; do docker pull ${a[i++]}; : $((i+=1)); done",
            &["x:1", "x:3"],
        ),
        (
            "typeset -i i=0 max=${#a[*]}; while (( i < max )); do docker pull ${a[$i]}; i=i+1; done",
            &["x:1", "x:2", "x:3"],
        ),
        ("declare -i n=1; n+=1; docker pull x:$n", &["x:2"]),
        // How often is not known.
        (
            "for ((i=0; i<N; i++)); do docker pull x:$i; done",
            &["x:$i"],
        ),
        (
            "if (( 1 > 2 )); then docker pull x:1; else docker pull x:2; fi",
            &["x:2"],
        ),
        (
            "((0)) && docker pull x:1; ((7)) && docker pull x:2",
            &["x:2"],
        ),
    ] {
        assert_eq!(pulled(script), expected, "{script}");
    }
}

#[test]
fn a_place_in_a_list_may_be_counted_from_its_end() {
    for (script, expected) in [
        ("docker pull \"${a[-1]}\"", &["x:3"][..]),
        ("docker pull \"${a[-3]}\"", &["x:1"]),
        ("docker pull y:1${a[9]}${a[-9]}", &["y:1"]),
        (
            "for i in \"${a[@]:1}\"; do docker pull $i; done",
            &["x:2", "x:3"],
        ),
        (
            "for i in \"${a[@]:0:2}\"; do docker pull $i; done",
            &["x:1", "x:2"],
        ),
        (
            "for i in \"${a[@]: -1}\"; do docker pull $i; done",
            &["x:3"],
        ),
        (
            "n=1; for i in \"${a[@]:n:n+0}\"; do docker pull $i; done",
            &["x:2"],
        ),
        ("for i in \"${a[@]:7}\"; do docker pull $i; done", &[]),
        (
            "set -- y:1 y:2 y:3; for i in \"${@:2}\"; do docker pull $i; done",
            &["y:2", "y:3"],
        ),
        (
            "set -- y:1 y:2; for i in \"${@:1:1}\"; do docker pull $i; done",
            &["y:1"],
        ),
    ] {
        assert_eq!(pulled(script), expected, "{script}");
    }
}

#[test]
fn what_a_file_says_is_read_by_the_shell_itself() {
    let files = [("VERSION", "1.2\n"), ("image", "a/b:1\n")];
    for (script, expected) in [
        ("docker pull x:$(<VERSION)", "pull x:1.2 always"),
        ("V=$(< VERSION); docker pull x:$V", "pull x:1.2 always"),
        ("f=image; docker pull \"$(< \"$f\")\"", "pull a/b:1 always"),
        ("docker pull \"$(< none)\"", "pull $(< none) always"),
        ("printf -v I 'x:%s' 21; docker pull $I", "pull x:21 always"),
        ("printf -v I 'x:%s' $V; docker pull $I", "pull x:$V always"),
    ] {
        assert_eq!(effects_in(&files, script), [expected], "{script}");
    }
}
