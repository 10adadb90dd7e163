//! Paths on the job's machine, and where in the repository they lie.

use super::*;

#[test]
fn a_path_of_the_machine_is_one_of_the_repository_where_that_stands_there() {
    for (job, steps, expected) in [
        ("", "cd .. && docker build -f project/Dockerfile .", "root"),
        ("", "docker build ../project/sub", "sub"),
        ("", "cd ~/project/sub && docker build .", "sub"),
        ("", "docker build $HOME/project/sub", "sub"),
        ("~/app", "cd ~/app/sub && docker build .", "sub"),
        ("~/app", "docker build ../app/sub", "sub"),
        ("~/app", "cd /tmp && docker build /root/app/sub", "sub"),
        ("~/app", "docker build $CIRCLE_WORKING_DIRECTORY/sub", "sub"),
        ("~/app", "cd ../.. && cd circleci && docker build .", "?"),
        // Another folder than the one that it is in.
        ("~/app", "docker build ~/project/sub", "?"),
        ("~/app", "cd .. && docker build sub", "?"),
    ] {
        let config = format!(
            "version: 2.1\njobs:\n  j:\n    machine: true\n    working_directory: '{job}'\n    steps: [checkout, {{run: '{steps}'}}]\nworkflows: {{w: {{jobs: [j]}}}}\n"
        );
        assert_eq!(built(&config), [expected], "{steps}");
    }
}

#[test]
fn what_is_checked_out_below_the_working_directory_is_found_there() {
    for (steps, expected) in [
        ("run: docker build repo/sub", "sub"),
        ("run: cd repo/sub && docker build .", "sub"),
        ("run: docker build sub", "?"),
        (
            "run: {command: docker build ., working_directory: repo/sub}",
            "sub",
        ),
    ] {
        let config = format!(
            "version: 2.1\njobs:\n  j:\n    machine: true\n    steps:\n      - checkout: {{path: repo}}\n      - {steps}\nworkflows: {{w: {{jobs: [j]}}}}\n"
        );
        assert_eq!(built(&config), [expected], "{steps}");
    }
}

/// The images that builds begin with.
fn built(config: &str) -> Vec<String> {
    let tree = MemoryTree::new()
        .with(".circleci/config.yml", config)
        .with("Dockerfile", "FROM root\n")
        .with("sub/Dockerfile", "FROM sub\n");
    let pulls = pulls_of(&tree);
    let images = pulls.iter().filter_map(|pull| pull.rsplit(' ').next());
    images.map(str::to_owned).collect()
}
