//! When jobs and steps run, and in which runs that is sure.

use super::*;

#[test]
fn conditions_become_guards() {
    let guard = |condition: &str| -> String {
        let text = format!(
            "on: [push, pull_request]\njobs:\n  j:\n    steps:\n      - uses: docker/setup-qemu-action@v3\n        if: {condition}\n"
        );
        let seen = lines(&repository(&text, &[]));
        match seen.get(1) {
            None => "never".to_owned(),
            Some(pull) => pull
                .split_once(" if ")
                .map_or("always", |(_, guards)| guards)
                .to_owned(),
        }
    };
    for (condition, guards) in [
        ("always()", "always"),
        ("success()", "always"),
        ("\"!cancelled()\"", "always"),
        ("failure()", "failure()"),
        ("false", "never"),
        ("${{ true }}", "always"),
        ("github.ref=='x'", "github.ref == 'x'"),
        ("\"'x' == github.ref\"", "github.ref == 'x'"),
        ("github.ref != 'x'", "not github.ref == 'x'"),
        ("\"!(github.ref == 'x')\"", "not github.ref == 'x'"),
        (
            "${{ always() && github.ref == 'x' && vars.y }}",
            "github.ref == 'x'; vars.y",
        ),
        ("github.ref == 'x' || vars.y", "github.ref == 'x' || vars.y"),
        ("github.event_name == 'schedule'", "never"),
        ("github.event_name == 'push'", "github.event_name == 'push'"),
        (
            "github.event_name == 'push' || github.event_name != 'push'",
            "always",
        ),
        // GitHub takes this for a text, and a text is true.
        ("${{ vars.y }} == 'a'", "always"),
        ("contains(fromJSON('[\"a\", \"b\"]'), 'b')", "always"),
        (
            "startsWith(github.ref, 'refs/')",
            "startsWith(github.ref, 'refs/')",
        ),
    ] {
        assert_eq!(guard(condition), guards, "{condition}");
    }
}

#[test]
fn a_condition_that_only_leaves_out_runs_without_secrets_is_known() {
    let known = |on: &str, condition: &str| -> bool {
        let text = format!(
            "on: {on}\nenv:\n  TOKEN: ${{{{ secrets.T }}}}\njobs:\n  j:\n    env:\n      THERE: ${{{{ secrets.T != '' }}}}\n      LOOP: ${{{{ env.LOOP || vars.X }}}}\n    steps:\n      - uses: docker/setup-qemu-action@v3\n        if: {condition}\n"
        );
        with(&repository(&text, &[]), |_, jobs| {
            let guards = &jobs[0].effects[0].guards;
            assert!(!guards.is_empty(), "{condition}");
            guards.iter().all(|g| g.with_secrets)
        })
    };
    let both = "[push, pull_request]";
    for (on, condition, expected) in [
        (both, "env.THERE == 'true'", true),
        (both, "env.TOKEN != ''", true),
        (both, "env.TOKEN", true),
        (
            both,
            "github.event.pull_request.head.repo.fork != true",
            true,
        ),
        (both, "\"!github.event.pull_request.head.repo.fork\"", true),
        (
            both,
            "github.event_name != 'pull_request' || github.event.pull_request.head.repo.full_name == github.repository",
            true,
        ),
        (
            "pull_request",
            "github.event.pull_request.head.repo.full_name == github.repository",
            true,
        ),
        (
            both,
            "github.event.pull_request.head.repo.full_name == github.repository",
            false,
        ),
        (
            both,
            "github.actor != 'dependabot[bot]' && env.THERE == 'true'",
            true,
        ),
        (
            both,
            "github.repository == 'me/app' && github.repository_owner == 'me'",
            true,
        ),
        (both, "\"!github.event.repository.fork\"", true),
        (both, "github.event.repository.fork", false),
        (both, "github.event_name != 'pull_request'", false),
        (both, "github.actor != 'me'", false),
        (both, "env.LOOP == 'x'", false),
        (both, "env.TOKEN == ''", false),
        (
            both,
            "env.THERE == 'true' && github.ref == 'refs/heads/main'",
            false,
        ),
        (
            "pull_request_target",
            "github.event.pull_request.head.repo.fork != true",
            false,
        ),
        (
            "[pull_request, pull_request_target]",
            "github.event.pull_request.head.repo.full_name == github.repository",
            false,
        ),
        (
            "[push, pull_request_target]",
            "github.actor != 'dependabot[bot]'",
            false,
        ),
        ("pull_request_target", "env.THERE == 'true'", true),
        (
            "[pull_request, pull_request_target, push]",
            "env.THERE == 'true'",
            true,
        ),
        (
            "[pull_request, pull_request_target]",
            "github.event_name == 'pull_request_target' || github.event.pull_request.head.repo.fork != true",
            true,
        ),
    ] {
        assert_eq!(known(on, condition), expected, "{on}: {condition}");
    }
}

#[test]
fn a_condition_of_the_whole_job_is_none_of_its_steps() {
    let text = "on: [push, pull_request]\njobs:\n  j:\n    if: github.ref == 'x'\n    steps:\n      - uses: docker/setup-qemu-action@v3\n        if: github.ref == 'x'\n";
    with(&repository(text, &[]), |_, jobs| {
        assert_eq!(guards(&jobs[0].guards), "github.ref == 'x'");
        assert!(jobs[0].effects[0].guards.is_empty());
    });
}

#[test]
fn a_forks_pull_request_gets_no_secrets_unless_it_is_kept_out() {
    let forks = |on: &str, condition: &str| {
        let text = format!("on: {on}\njobs:\n  j:\n    if: {condition}\n    steps: []\n");
        with(&repository(&text, &[]), |_, jobs| {
            jobs.first().map(|j| j.forks)
        })
    };
    let strangers = Some(Forks::WithoutSecrets);
    for (on, condition, expected) in [
        ("pull_request", "true", strangers),
        ("push", "true", Some(Forks::No)),
        ("pull_request_target", "true", Some(Forks::No)),
        (
            "{push: null, pull_request: null}",
            "github.event_name == 'push'",
            Some(Forks::No),
        ),
        (
            "[push, pull_request]",
            "github.event_name != 'pull_request'",
            Some(Forks::No),
        ),
        (
            "[push, pull_request]",
            "github.ref == 'refs/heads/main'",
            Some(Forks::No),
        ),
        (
            "[push, pull_request]",
            "startsWith(github.ref, 'refs/tags/')",
            Some(Forks::No),
        ),
        (
            "pull_request",
            "github.event.pull_request.head.repo.full_name == github.repository",
            Some(Forks::No),
        ),
        (
            "pull_request",
            "github.event.pull_request.head.repo.fork == false",
            Some(Forks::No),
        ),
        (
            "pull_request",
            "\"!github.event.pull_request.head.repo.fork\"",
            Some(Forks::No),
        ),
        (
            "[push, pull_request]",
            "github.event_name == 'push' || github.event.pull_request.head.repo.full_name == github.repository",
            Some(Forks::No),
        ),
        ("pull_request", "github.repository_owner == 'me'", strangers),
        (
            "pull_request",
            "github.actor != 'dependabot[bot]'",
            strangers,
        ),
    ] {
        assert_eq!(forks(on, condition), expected, "{on}: {condition}");
    }
    let text = "on: [push, pull_request]\njobs:\n  a: {if: github.event_name == 'push', steps: []}\n  b: {needs: a, steps: []}\n  c: {needs: [a], if: always(), steps: []}\n";
    with(&repository(text, &[]), |_, jobs| {
        let forks: Vec<Forks> = jobs.iter().map(|j| j.forks).collect();
        assert_eq!(forks, [Forks::No, Forks::No, Forks::WithoutSecrets]);
    });
}

/// How a step under a condition runs: never, always, in every run that gets the secrets, or perhaps.
fn runs(on: &str, condition: &str) -> &'static str {
    let text = format!(
        "on: {on}\njobs:\n  j:\n    steps:\n      - uses: docker/setup-qemu-action@v3\n        if: ${{{{ {condition} }}}}\n"
    );
    with(&repository(&text, &[]), |_, jobs| {
        match jobs.first().and_then(|job| job.effects.first()) {
            None => "never",
            Some(effect) if effect.guards.is_empty() => "always",
            Some(effect) if effect.guards.iter().all(|g| g.with_secrets) => "with secrets",
            Some(_) => "perhaps",
        }
    })
}

#[test]
fn a_condition_is_asked_of_each_event_that_starts_the_workflow() {
    let both = "[push, pull_request]";
    let own = "github.event.pull_request.head.repo.full_name == github.repository";
    let main = "{push: {branches: [main]}}";
    let tags = "{push: {tags: ['v*']}}";
    for (on, condition, expected) in [
        (
            both,
            &*format!("github.event_name == 'push' || {own}"),
            "with secrets",
        ),
        (
            both,
            &*format!("({own}) || (github.event_name == 'push')"),
            "with secrets",
        ),
        (
            both,
            "github.event_name == 'push' || github.event.pull_request.head.repo.fork == false",
            "with secrets",
        ),
        (
            both,
            &*format!("!github.event.pull_request || {own}"),
            "with secrets",
        ),
        (
            both,
            "github.event_name == 'push' || github.event_name == 'pull_request'",
            "always",
        ),
        (
            both,
            "github.event_name == 'push' || github.event_name == 'schedule'",
            "perhaps",
        ),
        (
            "[push, pull_request, schedule]",
            &*format!("github.event_name == 'push' || {own}"),
            "perhaps",
        ),
        (both, "github.head_ref == ''", "perhaps"),
        ("push", "github.head_ref == ''", "always"),
        ("pull_request", "github.head_ref == ''", "never"),
        ("pull_request", "github.base_ref != ''", "always"),
        // What the filters leave.
        (main, "github.ref == 'refs/heads/main'", "always"),
        (main, "github.ref_name == 'main'", "always"),
        (main, "github.ref == 'refs/heads/other'", "never"),
        (main, "startsWith(github.ref, 'refs/tags/')", "never"),
        (main, "github.ref_type == 'branch'", "always"),
        (
            "{push: {branches: [main], tags: ['v*']}}",
            "github.ref_type == 'branch'",
            "perhaps",
        ),
        (
            "{push: {branches: [main, next]}}",
            "github.ref == 'refs/heads/main'",
            "perhaps",
        ),
        (
            "{push: {branches: ['release/**']}}",
            "startsWith(github.ref, 'refs/heads/')",
            "always",
        ),
        (
            "{push: {branches: [main]}, workflow_dispatch: {}}",
            "github.ref == 'refs/heads/main'",
            "perhaps",
        ),
        (
            "{push: {branches: [main]}, pull_request: {}}",
            "github.ref == 'refs/heads/main'",
            "perhaps",
        ),
        ("push", "github.ref == 'refs/heads/main'", "perhaps"),
        (tags, "startsWith(github.ref, 'refs/tags/')", "always"),
        (tags, "startsWith(github.ref, 'refs/tags/v')", "perhaps"),
        (tags, "github.ref_type == 'tag'", "always"),
        (tags, "github.ref == 'refs/heads/main'", "never"),
        ("release", "startsWith(github.ref, 'refs/tags/')", "always"),
    ] {
        assert_eq!(runs(on, condition), expected, "{on} {condition}");
    }
}

#[test]
fn a_job_that_no_pull_request_reaches_is_none_of_a_forks() {
    let forks = |condition: &str| -> Forks {
        let text = format!(
            "on: [push, pull_request]\njobs:\n  j:\n    if: ${{{{ {condition} }}}}\n    steps:\n      - uses: docker/setup-qemu-action@v3\n"
        );
        with(&repository(&text, &[]), |_, jobs| jobs[0].forks)
    };
    let own = "github.event.pull_request.head.repo.full_name == github.repository";
    for (condition, expected) in [
        ("github.head_ref == ''", Forks::No),
        (&*format!("!github.event.pull_request || {own}"), Forks::No),
        ("github.head_ref != ''", Forks::WithoutSecrets),
        ("github.actor != 'me'", Forks::WithoutSecrets),
    ] {
        assert_eq!(forks(condition), expected, "{condition}");
    }
}
