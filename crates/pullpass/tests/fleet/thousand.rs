//! A thousand projects: calls, time and memory of the program. Not timed against anything; run it
//! with `cargo test --release -p pullpass --test fleet thousand -- --ignored --nocapture`.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use pullpass_sandbox::{Limits, Options};
use serde_json::Value;

use crate::support::{Fleet, population};

const TIMES: &str = "identity = \"service-id\"\ntargets = [\"circleci\"]\n";

fn fleet(projects: usize, limits: Limits) -> Fleet {
    let options = Options {
        population: population(projects),
        limits,
        latency: Duration::from_millis(80),
        ..Options::default()
    };
    let fleet = Fleet::new(projects, TIMES, options);
    fleet.everybody_is_here();
    fleet
}

/// Runs it; its summary, how long it took, and the most memory that it had, in MB.
fn measured(fleet: &Fleet, arguments: &[&str]) -> (Value, Duration, u64) {
    let begun = Instant::now();
    let with = [arguments, &["--format", "json"]].concat();
    let mut command = fleet.command(&with);
    let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        text
    });
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(peak.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let text = reading.join().unwrap();
    let summary = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    (summary, begun.elapsed(), most / 1024)
}

fn figures(projects: usize, limits: Limits) {
    let fleet = fleet(projects, limits);
    for command in [
        &["plan"][..],
        &["apply", "--yes", "--allow-large"],
        &["plan"],
        &["rotate", "--all", "--yes", "--allow-large"],
    ] {
        let (summary, time, memory) = measured(&fleet, command);
        let calls: u64 = summary["calls"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(Value::as_u64)
            .sum();
        println!(
            "{limits:?} {projects} {}: {calls} calls, {:.1} s, {memory} MB: {summary}",
            command[0],
            time.as_secs_f64()
        );
        assert_eq!(summary["failed"], 0);
    }
}

#[test]
#[ignore = "takes minutes: it is for its figures"]
fn thousand_projects_without_limits() {
    figures(100, Limits::None);
    figures(1000, Limits::None);
}

#[test]
#[ignore = "takes as long as Docker Hub's limits make it: it is for its figures"]
fn thousand_projects_with_real_limits() {
    figures(1000, Limits::Real);
}
