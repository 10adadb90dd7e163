//! What steps, jobs, actions and called workflows give away, and who reads it.

use super::*;

/// What the job `b` pulls when it needs `a`, of which this is the body.
fn after(a: &str, reads: &str) -> Vec<String> {
    let a = a.replace('\n', "\n    ");
    let text = format!(
        "on: push\nenv: {{V: '17'}}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    {a}\n  b:\n    needs: a\n    container: {reads}\n"
    );
    let seen = lines(&repository(&text, &[]));
    let b = seen.iter().position(|line| line == "[b]").unwrap();
    seen[b + 1..].to_vec()
}

/// What `docker run` runs when this script was the step `s` before it.
fn given(script: &str) -> String {
    let script = script.replace('\n', "\n      ");
    let body = format!(
        "steps:\n  - id: s\n    run: |\n      {script}\n  - run: docker run ${{{{ steps.s.outputs.img }}}}"
    );
    job(&body).pop().unwrap_or_default()
}

#[test]
fn a_job_gives_literals_variables_and_what_its_steps_write() {
    let literals = "outputs: {img: postgres, tag: '17'}\nsteps: [{run: echo}]";
    let reads = "'${{ needs.a.outputs.img }}:${{ needs.a.outputs.tag }}'";
    assert_eq!(after(literals, reads), ["container postgres:17 host"]);
    let variable = "outputs: {TAG: '${{ env.V }}'}\nsteps: [{run: echo}]";
    let reads = "'postgres:${{ needs.A.outputs.tag }}'";
    assert_eq!(after(variable, reads), ["container postgres:17 host"]);
    let step = "outputs: {img: '${{ steps.s.outputs.img }}'}\nsteps:\n  - id: s\n    run: echo img=redis:$V >> $GITHUB_OUTPUT";
    let reads = "'${{ needs.a.outputs.img }}'";
    assert_eq!(after(step, reads), ["container redis:17 host"]);
    let matrix = "outputs: {m: '[\"redis:7\"]'}\nsteps: [{run: echo}]";
    let reads =
        "'${{ matrix.m }}'\n    strategy: {matrix: {m: '${{ fromJSON(needs.a.outputs.m) }}'}}";
    assert_eq!(after(matrix, reads), ["container redis:7 host"]);
}

#[test]
fn what_a_script_writes_to_github_output_is_known_to_later_steps() {
    for script in [
        "echo img=redis:7 >> $GITHUB_OUTPUT",
        "echo \"img=redis:7\" | tee -a \"$GITHUB_OUTPUT\"",
        "printf 'img=%s\\n' redis:7 >> \"${GITHUB_OUTPUT}\"",
        "V=7\ncat <<EOF >> $GITHUB_OUTPUT\nimg=redis:$V\nEOF",
        "{\n  echo a-b=c\n  echo \"IMG=redis:7\"\n} >> \"$GITHUB_OUTPUT\"",
        "{ echo 'img<<E'; echo redis:7; echo E; } >> $GITHUB_OUTPUT",
        "if [ 1 = 1 ]; then echo img=redis:7 >> $GITHUB_OUTPUT; fi",
        "give() { echo \"$1=redis:7\"; }\ngive img >> $GITHUB_OUTPUT",
        "echo 'img<<E' >> $GITHUB_OUTPUT\necho redis:7 >> $GITHUB_OUTPUT\necho E >> $GITHUB_OUTPUT",
        "E=$(uuidgen)\necho \"img<<$E\" >> $GITHUB_OUTPUT\necho redis:7 >> $GITHUB_OUTPUT\necho \"$E\" >> $GITHUB_OUTPUT",
        "echo \"::set-output name=img::redis:7\"",
        "V=7\necho ::set-output name=img::redis:$V",
    ] {
        assert_eq!(given(script), "run redis:7 client", "{script}");
    }
    assert_eq!(
        given("echo img=acme/app:$(git describe) >> $GITHUB_OUTPUT"),
        "run acme/app:$(git describe) client"
    );
    // What is not known in the middle of a value, and a value without an end.
    for script in [
        "echo 'img<<E' >> $GITHUB_OUTPUT\n./made >> $GITHUB_OUTPUT\necho E >> $GITHUB_OUTPUT",
        "echo 'img<<E' >> $GITHUB_OUTPUT\necho redis:7 >> $GITHUB_OUTPUT",
    ] {
        assert_eq!(
            given(script),
            "run ${{ steps.s.outputs.img }} client",
            "{script}"
        );
    }
}

#[test]
fn a_variable_of_several_lines_is_there_when_its_end_is_written() {
    let lines = |lines: &[&str]| {
        let lines: Vec<String> = lines
            .iter()
            .map(|line| format!("echo '{line}' >> $GITHUB_ENV"))
            .collect();
        format!(
            "steps:\n  - run: |\n      {}\n  - run: docker run $IMG",
            lines.join("\n      ")
        )
    };
    for (written, expected) in [
        (lines(&["IMG<<E", "redis:7", "E"]), "run redis:7 client"),
        (
            lines(&["A=1", "IMG<<E", "redis:7", "E", "B=2"]),
            "run redis:7 client",
        ),
        (
            lines(&["IMG=redis:8", "OTHER<<E", "IMG=redis:7", "E"]),
            "run redis:8 client",
        ),
        (lines(&["IMG<<E", "redis:7"]), "run $IMG client"),
    ] {
        assert_eq!(
            job(&written).pop().unwrap_or_default(),
            expected,
            "{written}"
        );
    }
}

#[test]
fn a_matrix_that_a_program_takes_out_of_a_file_is_expanded() {
    let files = [
        ("list.json", "[\n  \"a:1\",\n  \"b:2\"\n]\n"),
        ("obj.json", "{\"images\": [\"a:1\", \"b:2\"]}\n"),
        (
            "inc.json",
            "{\"include\": [{\"x\": \"a:1\"}, {\"x\": \"b:2\"}]}\n",
        ),
        ("list.yml", "images: [a:1, b:2]\n"),
        ("sets/a:1/x", ""),
        ("sets/b:2/x", ""),
    ];
    let list = "{x: '${{ fromJSON(needs.s.outputs.m) }}'}";
    for (command, matrix) in [
        ("jq -c . list.json", list),
        ("cat list.json | jq -c .", list),
        ("jq -c .images obj.json", list),
        ("jq -c '[.images[] | select(. != \"\")]' obj.json", list),
        ("yq -o=json -I=0 .images list.yml", list),
        ("ls sets | jq -R -s -c 'split(\"\\n\")[:-1]'", list),
        ("ls sets | jq -R . | jq -sc .", list),
        ("jq -c . inc.json", "'${{ fromJSON(needs.s.outputs.m) }}'"),
        (
            "jq -c '{include: [.images[] | {x: .}]}' obj.json",
            "'${{ fromJSON(needs.s.outputs.m) }}'",
        ),
    ] {
        let text = format!(
            "on: push\njobs:\n  s:\n    runs-on: ubuntu-latest\n    outputs: {{m: '${{{{ steps.m.outputs.m }}}}'}}\n    steps:\n      - uses: actions/checkout@v4\n      - id: m\n        run: |\n          echo \"m=$({command})\" >> $GITHUB_OUTPUT\n  j:\n    needs: s\n    runs-on: ubuntu-latest\n    strategy: {{matrix: {matrix}}}\n    steps: [{{run: 'docker pull ${{{{ matrix.x }}}}'}}]\n"
        );
        let seen = lines(&repository(&text, &files));
        let pulls: Vec<&String> = seen
            .iter()
            .filter(|line| line.contains(" client"))
            .collect();
        assert_eq!(pulls.len(), 2, "{command} {seen:#?}");
        assert!(
            pulls[0].contains("a:1") && pulls[1].contains("b:2"),
            "{command} {seen:#?}"
        );
    }
}

#[test]
fn an_output_that_not_every_run_writes_the_same_is_not_known() {
    for script in [
        "if [ -n \"$X\" ]; then echo img=redis:7 >> $GITHUB_OUTPUT; fi",
        "if [ -n \"$X\" ]; then echo img=redis:7 >> $GITHUB_OUTPUT; exit 0; fi\necho img=redis:8 >> $GITHUB_OUTPUT",
        "{ if [ -n \"$X\" ]; then echo img=redis:7; fi; } >> $GITHUB_OUTPUT",
        "{ if [ -n \"$X\" ]; then echo img=redis:7; fi; } | tee -a $GITHUB_OUTPUT",
        "give() { [ -z \"$X\" ] || echo img=redis:7; }\ngive >> $GITHUB_OUTPUT",
        "echo \"img=$(if [ \"$X\" ]; then echo redis:7; else echo redis:8; fi)\" >> $GITHUB_OUTPUT",
        "echo img=redis:7 >> $GITHUB_OUTPUT\necho img=redis:8 >> $GITHUB_OUTPUT",
        "case $X in a) echo img=redis:7 >> $GITHUB_OUTPUT;; esac",
        "echo \"img=$IMG\" >> $GITHUB_OUTPUT",
        "jq . x.json >> $GITHUB_OUTPUT",
    ] {
        let unknown = "run ${{ steps.s.outputs.img }} client";
        assert_eq!(given(script), unknown, "{script}");
    }
    let sometimes = "steps:\n  - id: s\n    if: github.actor == 'x'\n    run: echo img=redis:7 >> $GITHUB_OUTPUT\n  - run: docker run ${{ steps.s.outputs.img }}";
    assert_eq!(job(sometimes), ["run ${{ steps.s.outputs.img }} client"]);
    let pwsh = "steps:\n  - id: s\n    shell: pwsh\n    run: echo img=redis:7 >> $env:GITHUB_OUTPUT\n  - run: docker run ${{ steps.s.outputs.img }}";
    assert_eq!(job(pwsh), ["run ${{ steps.s.outputs.img }} client"]);
    // The combination that ends last gives the value.
    let matrix = "strategy: {matrix: {v: [1, 2]}}\noutputs: {img: 'redis:${{ matrix.v }}', also: 'a'}\nsteps: [{run: docker pull b}]";
    let reads = "'${{ needs.a.outputs.also }}/${{ needs.a.outputs.img }}'";
    assert_eq!(
        after(matrix, reads),
        ["container a/redis:${{ matrix.v }} host"]
    );
    let secret = "outputs: {img: 'a/${{ secrets.S }}'}\nsteps: [{run: echo}]";
    let reads = "'${{ needs.a.outputs.img }}'";
    assert_eq!(
        after(secret, reads),
        ["container ${{ needs.a.outputs.img }} host"]
    );
}

#[test]
fn an_output_that_was_worked_out_decides_no_condition() {
    let text = "on: push\njobs:\n  a:\n    outputs: {run: 'no'}\n    steps: [{run: echo}]\n  b:\n    needs: a\n    if: needs.a.outputs.run == 'yes'\n    container: redis\n";
    let text = lines(&repository(text, &[]));
    assert_eq!(text, ["[a]", "[b]", "container redis host"]);
}

#[test]
fn jobs_may_stand_in_any_order_and_need_each_other_in_a_circle() {
    let order = "on: push\njobs:\n  b:\n    needs: [a]\n    container: '${{ needs.a.outputs.img }}'\n  a:\n    outputs: {img: 'redis:7'}\n    container: alpine\n    steps: [{run: echo}]\n";
    assert_eq!(
        lines(&repository(order, &[])),
        [
            "[b]",
            "container redis:7 host",
            "[a]",
            "container alpine host"
        ]
    );
    let circle = "on: push\njobs:\n  a:\n    needs: b\n    outputs: {x: '${{ needs.b.outputs.x }}'}\n    container: '${{ needs.b.outputs.x }}'\n    steps: [{run: echo}]\n  b:\n    needs: a\n    outputs: {x: '${{ needs.a.outputs.x }}'}\n    container: '${{ needs.a.outputs.x }}'\n    steps: [{run: echo}]\n";
    assert_eq!(
        lines(&repository(circle, &[])),
        [
            "[a]",
            "container ${{ needs.b.outputs.x }} host",
            "[b]",
            "container ${{ needs.a.outputs.x }} host"
        ]
    );
}

#[test]
fn called_workflows_and_local_actions_give_outputs() {
    let called = "on:\n  workflow_call:\n    inputs: {tag: {type: string}}\n    outputs:\n      img: {value: 'redis:${{ jobs.j.outputs.tag }}'}\njobs:\n  j:\n    outputs: {tag: '${{ inputs.tag }}'}\n    steps: [{run: echo}]\n";
    let caller = "on: push\njobs:\n  a:\n    uses: ./.github/workflows/called.yml\n    with: {tag: '7'}\n  b:\n    needs: a\n    container: ${{ needs.a.outputs.img }}\n";
    let tree = repository(caller, &[(".github/workflows/called.yml", called)]);
    assert_eq!(lines(&tree), ["[a / j]", "[b]", "container redis:7 host"]);
    let action = "inputs: {v: {}}\noutputs:\n  img: {value: '${{ steps.s.outputs.img }}'}\nruns:\n  using: composite\n  steps:\n    - id: s\n      shell: bash\n      run: echo img=redis:${{ inputs.v }} >> $GITHUB_OUTPUT\n";
    let user = "on: push\njobs:\n  a:\n    steps:\n      - uses: actions/checkout@v4\n      - id: x\n        uses: ./act\n        with: {v: 7}\n      - run: docker run ${{ steps.x.outputs.img }}\n      - run: docker run ${{ steps.s.outputs.img }}\n";
    let tree = repository(user, &[("act/action.yml", action)]);
    assert_eq!(
        lines(&tree),
        [
            "[a]",
            "run redis:7 client",
            "run ${{ steps.s.outputs.img }} client"
        ]
    );
}
