//! Edits keep the form of the file.

use super::*;

#[test]
fn steps_with_names_and_blank_lines_between_them_get_one_like_them() {
    let steps = |login: &str| {
        format!(
            "      - name: Check out\n        uses: actions/checkout@v4\n\n{login}      - name: Test\n        run: docker compose run -T x || docker run alpine:3.20\n"
        )
    };
    let login = LOGIN.replace("- uses:", "- name: Log in to Docker Hub\n        uses:") + "\n";
    edited(
        &job("push", "", &steps("")),
        &job("push", "", &steps(&login)),
        &wishes(),
    );
}

#[test]
fn a_dash_on_a_line_of_its_own_stays_there() {
    let steps = |login: &str| {
        format!(
            "      -\n        name: Check out\n        uses: actions/checkout@v4\n{login}      -\n        name: Test\n        run: docker pull alpine\n"
        )
    };
    let login = LOGIN.replace(
        "- uses:",
        "-\n        name: Log in to Docker Hub\n        uses:",
    );
    edited(
        &job("push", "", &steps("")),
        &job("push", "", &steps(&login)),
        &wishes(),
    );
}

#[test]
fn conditions_in_braces_stay_in_braces() {
    let pull = "      - run: docker pull alpine\n        if: ${{ matrix.x }}\n";
    let keys = "    strategy:\n      matrix: ${{ fromJSON(vars.M) }}\n";
    let login = GUARDED.replace(
        "env.DOCKERHUB_LOGIN == 'true'",
        "${{ matrix.x && env.DOCKERHUB_LOGIN == 'true' }}",
    );
    edited(
        &job("pull_request", keys, pull),
        &job(
            "pull_request",
            &format!("{keys}{ENV}"),
            &format!("{login}{pull}"),
        ),
        &wishes(),
    );
}

#[test]
fn line_endings_byte_order_mark_tabs_and_a_missing_last_newline_stay() {
    let crlf = |text: String| format!("\u{FEFF}{}", text.trim_end().replace('\n', "\r\n"));
    let script = "      - run: |\n          \techo tab\n          docker pull alpine\n";
    edited(
        &crlf(job("push", "    container: node:20\n", script)),
        &crlf(job(
            "push",
            &format!(
                "    container:\n      image: node:20\n      {}",
                CREDENTIALS.replace("          ", "        ")
            ),
            &format!("{LOGIN}{script}"),
        )),
        &review(),
    );
}

#[test]
fn an_aliased_list_of_steps_gets_one_login_for_all_its_jobs() {
    let file = |login: &str| {
        format!(
            "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: &steps\n{login}{PULL}  b:\n    runs-on: ubuntu-latest\n    steps: *steps\n"
        )
    };
    edited(&file(""), &file(LOGIN), &wishes());
}

#[test]
fn steps_in_flow_style_stay_in_flow_style() {
    let text = |login: &str| {
        format!(
            "on: push\njobs: {{j: {{runs-on: ubuntu-latest, steps: [{login}{{run: docker pull alpine}}]}}}}\n"
        )
    };
    edited(
        &text(""),
        &text(
            "{uses: docker/login-action@v4, with: {username: '${{ secrets.DOCKER_USER }}', password: '${{ secrets.DOCKER_ACCESS_TOKEN }}'}}, ",
        ),
        &wishes(),
    );
}

#[test]
fn a_file_that_quotes_everything_goes_on_doing_so() {
    let before = "'on':
  'push': {}
'jobs':
  'a':
    'runs-on': 'ubuntu-latest'
    'container': 'node:22'
    'steps':
    - 'uses': 'actions/checkout@v4'
    - 'run': 'docker run alpine'
";
    let after = "'on':
  'push': {}
'jobs':
  'a':
    'runs-on': 'ubuntu-latest'
    'container':
      'image': 'node:22'
      'credentials':
        'username': '${{ secrets.DOCKER_USER }}'
        'password': '${{ secrets.DOCKER_ACCESS_TOKEN }}'
    'steps':
    - 'uses': 'actions/checkout@v4'
    - 'uses': 'docker/login-action@v4'
      'with':
        'username': '${{ secrets.DOCKER_USER }}'
        'password': '${{ secrets.DOCKER_ACCESS_TOKEN }}'
    - 'run': 'docker run alpine'
";
    edited_files(&[(PATH, before)], &[(PATH, after)], &review());
}
