//! Secrets that go through called workflows and local actions.

use super::*;

#[test]
fn a_called_workflow_declares_the_secrets_and_its_callers_pass_them() {
    let called = |secrets: &str, keys: &str, login: &str| {
        format!(
            "on:\n  workflow_call:\n{secrets}jobs:\n  t:\n    runs-on: ubuntu-latest\n{keys}    steps:\n{login}{PULL}"
        )
    };
    let caller = |secrets: &str| {
        format!(
            "on: push\njobs:\n  call:\n    uses: ./{CALLED}\n{secrets}  other:\n    uses: ./{CALLED}\n    secrets: inherit\n"
        )
    };
    let declared = "    secrets:\n      DOCKER_USER:\n        required: false\n      DOCKER_ACCESS_TOKEN:\n        required: false\n";
    let passed = "    secrets:\n      DOCKER_USER: ${{ secrets.DOCKER_USER }}\n      DOCKER_ACCESS_TOKEN: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
    edited_files(
        &[(CALLED, &called("", "", "")), (PATH, &caller(""))],
        &[
            (CALLED, &called(declared, ENV, GUARDED)),
            (PATH, &caller(passed)),
        ],
        &wishes(),
    );
    // When all who call it inherit, there is nothing to pass.
    let inherits =
        format!("on: push\njobs:\n  call:\n    uses: ./{CALLED}\n    secrets: inherit\n");
    edited_files(
        &[(CALLED, &called("", "", "")), (PATH, &inherits)],
        &[(CALLED, &called("", ENV, GUARDED))],
        &wishes(),
    );
    // Nobody here calls it: whoever does must pass them.
    let alone = plan_of(&[(CALLED, &called("", "", ""))], &wishes());
    assert!(
        alone.withheld[0].why.contains("other repositories"),
        "{alone:?}"
    );
}

#[test]
fn a_workflow_that_is_called_at_a_version_cannot_be_given_more_secrets() {
    let called =
        format!("on: workflow_call\njobs:\n  t:\n    runs-on: ubuntu-latest\n    steps:\n{PULL}");
    let plan = |secrets: &str| {
        let caller =
            format!("on: push\njobs:\n  call:\n    uses: acme/shop/{CALLED}@v1\n{secrets}");
        let tree = MemoryTree::new()
            .named("acme/shop")
            .with(CALLED, called.as_str())
            .with(PATH, caller.as_str());
        let (options, policy) = (Options::default(), Policy::default());
        fix(&tree, Scope::Repository, &options, &policy, &wishes())
    };
    let left = plan("");
    assert!(left.done.is_empty() && left.refused.is_empty(), "{left:?}");
    assert!(left.left[0].reason.contains("as `acme/shop/"), "{left:?}");
    let inherits = plan("    secrets: inherit\n");
    assert!(
        inherits.left.is_empty() && inherits.refused.is_empty(),
        "{inherits:?}"
    );
    // It is this repository that passes them.
    let (files, withheld) = (inherits.files.len(), inherits.withheld.len());
    assert_eq!((files, withheld), (1, 0), "{inherits:?}");
}

#[test]
fn what_stands_in_another_repository_is_not_edited() {
    let theirs = "_actions/acme/ci/.github/workflows/build.yml";
    let called =
        format!("on: workflow_call\njobs:\n  t:\n    runs-on: ubuntu-latest\n    steps:\n{PULL}");
    let caller = format!(
        "on: push\njobs:\n  call:\n    uses: acme/ci/.github/workflows/build.yml@v1\n    secrets: inherit\n  own:\n    runs-on: ubuntu-latest\n    steps:\n{PULL}"
    );
    let plan = plan_of(&[(theirs, &called), (PATH, &caller)], &wishes());
    let edited: Vec<&str> = plan.files.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(edited, [PATH], "{plan:?}");
    assert!(
        plan.refused.is_empty() && plan.withheld.is_empty(),
        "{plan:?}"
    );
    assert!(plan.left[0].reason.contains("`acme/ci`"), "{plan:?}");
}

#[test]
fn a_called_workflow_declares_the_secrets_however_it_says_that_it_can_be_called() {
    let called = |on: &str, keys: &str, login: &str| {
        format!("on:{on}\njobs:\n  t:\n    runs-on: ubuntu-latest\n{keys}    steps:\n{login}{PULL}")
    };
    let caller = |secrets: &str| format!("on: push\njobs:\n  c:\n    uses: ./{CALLED}\n{secrets}");
    let passed = "    secrets:\n      DOCKER_USER: ${{ secrets.DOCKER_USER }}\n      DOCKER_ACCESS_TOKEN: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
    let block = "\n  push:\n  workflow_call:\n    secrets:\n      DOCKER_USER:\n        required: false\n      DOCKER_ACCESS_TOKEN:\n        required: false";
    let flow = "secrets: {DOCKER_USER: {required: false}, DOCKER_ACCESS_TOKEN: {required: false}}";
    let call = format!("workflow_call: {{{flow}}}");
    for (before, after) in [
        (" [push, workflow_call]", block.to_owned()),
        ("\n  - push\n  - workflow_call", block.to_owned()),
        (
            " {workflow_call, push: {branches: [main]}}",
            format!(" {{{call}, push: {{branches: [main]}}}}"),
        ),
        (
            " {workflow_call: , workflow_dispatch: }",
            format!(" {{{call}, workflow_dispatch: }}"),
        ),
        (" {push: , workflow_call}", format!(" {{push: , {call}}}")),
        (
            " {push: , workflow_call: {}}",
            format!(" {{push: , {call}}}"),
        ),
        (
            " {workflow_call: ~, push: null}",
            format!(" {{{call}, push: null}}"),
        ),
        ("\n  push:\n  workflow_call: {}", block.to_owned()),
        ("\n  push:\n  workflow_call: ~", block.to_owned()),
        (
            "\n  push:\n  workflow_call: { } # by ours",
            block.replace("workflow_call:", "workflow_call: # by ours"),
        ),
        (
            "\n  push:\n  workflow_call: # by ours",
            block.replace("workflow_call:", "workflow_call: # by ours"),
        ),
    ] {
        edited_files(
            &[(CALLED, &called(before, "", "")), (PATH, &caller(""))],
            &[
                (CALLED, &called(&after, ENV, GUARDED)),
                (PATH, &caller(passed)),
            ],
            &wishes(),
        );
    }
}

#[test]
fn a_caller_whose_run_pulls_nothing_passes_no_secrets() {
    let called = "on:\n  workflow_call:\n    inputs:\n      file: {type: string, required: true}\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: docker build -f ${{ inputs.file }} .\n";
    let caller = "on: push\njobs:\n  hub:\n    uses: ./.github/workflows/called.yml\n    with: {file: Dockerfile.hub}\n  other:\n    uses: ./.github/workflows/called.yml\n    with: {file: Dockerfile.ghcr}\n";
    let passed = "    secrets:\n      DOCKER_USER: ${{ secrets.DOCKER_USER }}\n      DOCKER_ACCESS_TOKEN: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
    let files = [
        (PATH, caller),
        (CALLED, called),
        ("Dockerfile.hub", "FROM alpine:3\n"),
        ("Dockerfile.ghcr", "FROM ghcr.io/x/y:1\n"),
    ];
    let plan = plan_of(&files, &wishes());
    assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
    let after = plan.files.iter().find(|f| f.path.as_str() == PATH);
    let hub = "    with: {file: Dockerfile.hub}\n";
    let expected = caller.replace(hub, &format!("{hub}{passed}"));
    assert_eq!(
        after.map(|f| f.after.as_str()),
        Some(expected.as_str()),
        "{plan:#?}"
    );
}

#[test]
fn secrets_go_through_workflows_that_call_each_other() {
    let middle = ".github/workflows/middle.yml";
    let inner = format!(
        "on:\n  workflow_call:\n    inputs:\n      a: {{type: string}}\njobs:\n  t:\n    runs-on: ubuntu-latest\n    container: node:20\n    steps:\n{CHECKOUT}"
    );
    let outer = format!("on: [workflow_call]\njobs:\n  m:\n    uses: ./{CALLED}\n");
    let top = format!("on: push\njobs:\n  c:\n    uses: ./{middle}\n    with: {{}}\n");
    let plan = plan_of(
        &[(CALLED, &inner), (middle, &outer), (PATH, &top)],
        &review(),
    );
    // A list of events has no place for secrets.
    let after = plan.files.iter().find(|f| f.path.as_str() == middle);
    let declared =
        "on:\n  workflow_call:\n    secrets:\n      DOCKER_USER:\n        required: false\n";
    assert!(
        after.is_some_and(|f| f.after.starts_with(declared)),
        "{plan:#?}"
    );
    assert_eq!(plan.files.len(), 3, "{plan:#?}");
}

#[test]
fn a_local_action_signs_in_through_its_inputs() {
    let action = |inputs: &str, login: &str| {
        format!(
            "name: Run\ndescription: Runs it\n{inputs}runs:\n  using: composite\n  steps:\n{login}    - run: docker run alpine:3.20 true\n      shell: bash\n"
        )
    };
    let inputs = "inputs:\n  dockerhub-username:\n    description: User name for Docker Hub (without one images are pulled anonymously)\n    required: false\n  dockerhub-token:\n    description: Access token for Docker Hub\n    required: false\n";
    let login = "    - uses: docker/login-action@v4\n      if: inputs.dockerhub-token != ''\n      with:\n        username: ${{ inputs.dockerhub-username }}\n        password: ${{ inputs.dockerhub-token }}\n";
    let call = "      - uses: ./.github/actions/run\n";
    let with = "        with:\n          dockerhub-username: ${{ secrets.DOCKER_USER }}\n          dockerhub-token: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
    let before = job("pull_request", "", &format!("{CHECKOUT}{call}"));
    let after = job("pull_request", "", &format!("{CHECKOUT}{call}{with}"));
    edited_files(
        &[(PATH, &before), (ACTION, &action("", ""))],
        &[(PATH, &after), (ACTION, &action(inputs, login))],
        &wishes(),
    );
    // It takes the credential already: it only has to be given.
    edited_files(
        &[(PATH, &before), (ACTION, &action(inputs, login))],
        &[(PATH, &after)],
        &wishes(),
    );
    // One that pulls in some places only runs what it is told to: the job signs in.
    let other = (
        ".github/workflows/other.yml",
        "on: push\njobs:\n  o:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: ./.github/actions/run\n        with: {pull: false}\n",
    );
    let sometimes = action("inputs:\n  pull: {default: true}\n", "").replace(
        "      shell: bash",
        "      if: inputs.pull == 'true'\n      shell: bash",
    );
    edited_files(
        &[(PATH, &before), (ACTION, &sometimes), other],
        &[(
            PATH,
            &job("pull_request", ENV, &format!("{CHECKOUT}{GUARDED}{call}")),
        )],
        &wishes(),
    );
    // A job that pulls beside it signs in for both.
    let both = job("push", "", &format!("{CHECKOUT}{PULL}{call}"));
    edited_files(
        &[(PATH, &both), (ACTION, &action("", ""))],
        &[(
            PATH,
            &job("push", "", &format!("{CHECKOUT}{LOGIN}{PULL}{call}")),
        )],
        &wishes(),
    );
}

/// To GitHub the names of inputs and of secrets are the same in capitals and in small letters.
#[test]
fn what_differs_in_case_only_is_not_declared_a_second_time() {
    let action = |login: &str| {
        format!(
            "inputs:\n  HUB_USER: {{required: true}}\n  HUB_PASS: {{required: true}}\n  DOCKERHUB_username: {{required: false}}\nruns:\n  using: composite\n  steps:\n{login}    - run: docker run alpine:3.20 true\n      shell: bash\n"
        )
    };
    let login = |user: &str, token: &str| {
        format!(
            "    - uses: docker/login-action@v4\n      if: inputs.{token} != ''\n      with:\n        username: ${{{{ inputs.{user} }}}}\n        password: ${{{{ inputs.{token} }}}}\n"
        )
    };
    // Every caller hands the credential over, under other names.
    let call = "      - uses: ./.github/actions/run\n        with:\n          HUB_USER: ${{ secrets.DOCKER_USER }}\n          HUB_PASS: \"${{secrets.DOCKER_ACCESS_TOKEN}}\"\n";
    let text = job("push", "", &format!("{CHECKOUT}{call}"));
    edited_files(
        &[(PATH, &text), (ACTION, &action(""))],
        &[(ACTION, &action(&login("HUB_USER", "HUB_PASS")))],
        &wishes(),
    );
    // Something else is handed over.
    let text = text.replace("DOCKER_ACCESS_TOKEN", "OTHER");
    let plan = plan_of(&[(PATH, &text), (ACTION, &action(""))], &wishes());
    let after = |path: &str| {
        let file = plan.files.iter().find(|f| f.path.as_str() == path);
        file.map_or_else(String::new, |f| f.after.clone())
    };
    assert!(after(ACTION).contains(&login("docker_username", "docker_token")));
    let given = after(PATH);
    assert!(given.contains("docker_token:") && given.contains("secrets.DOCKER_ACCESS_TOKEN"));
    // A called workflow that declares the secret already.
    let called = (
        ".github/workflows/called.yml",
        "on:\n  workflow_call:\n    secrets:\n      docker_user: {required: false}\n      docker_access_token: {required: false}\njobs:\n  c:\n    runs-on: ubuntu-latest\n    steps:\n      - run: docker run alpine:3.20 true\n",
    );
    let caller = "on: push\njobs:\n  b:\n    uses: ./.github/workflows/called.yml\n    secrets:\n      docker_user: ${{ secrets.DOCKER_USER }}\n      docker_access_token: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
    let plan = plan_of(&[(PATH, caller), called], &wishes());
    assert_eq!(plan.files.len(), 1, "{plan:#?}");
    assert!(
        !plan.files[0].after.contains("      DOCKER_USER:"),
        "{}",
        plan.files[0].after
    );
}

#[test]
fn an_edit_of_one_file_stays_in_it() {
    let action = "runs:\n  using: composite\n  steps:\n    - run: docker run alpine:3.20 true\n      shell: bash\n";
    let text = job(
        "push",
        "",
        &format!("{CHECKOUT}      - uses: ./.github/actions/run\n"),
    );
    let files: &Tree<'_> = &[(PATH, &text), (ACTION, action)];
    let path = RepoPath::new(PATH).unwrap();
    let plan = fix(
        &tree(files),
        Scope::File(&path),
        &Options::default(),
        &Policy::default(),
        &wishes(),
    );
    assert!(plan.files.is_empty());
    assert!(plan.left[0].reason.contains(ACTION), "{:?}", plan.left);
}
