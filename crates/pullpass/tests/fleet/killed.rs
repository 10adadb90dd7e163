//! The program is killed at every request of `apply` and of `rotate` while builds go on: the next
//! run converges (I1, I2, I5). Two of it at once do each other no harm (I6).

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use pullpass_sandbox::{Limits, Options};
use serde_json::{Value, json};

use crate::support::{Fleet, population};

/// Times that pass while a test runs. No build of the sandbox takes as long as this grace.
const TIMES: &str = "identity = \"organization-token\"\ntargets = [\"circleci\", \"github\"]\n\
                     grace = \"4s\"\nsettle = \"1s\"\npatience = \"1s\"\n";

fn fleet(projects: usize) -> Fleet {
    let options = Options {
        population: population(projects),
        limits: Limits::None,
        ..Options::default()
    };
    Fleet::new(projects, TIMES, options)
}

fn applied(fleet: &Fleet) {
    let (code, said) = fleet.run(&["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
}

fn requests(fleet: &Fleet) -> Vec<Value> {
    let journal = fleet.control("GET", "/journal", None);
    journal["entries"].as_array().unwrap().clone()
}

/// Kills the program when its n-th request of a system has been served and not answered.
fn killed_at(rotates: bool, vendor: &str, nth: u64, builds: &AtomicU64) -> Result<(), String> {
    let fleet = fleet(1);
    if rotates {
        applied(&fleet);
    }
    let order = json!({"fault": "hang", "vendor": vendor, "nth": nth});
    fleet.control("POST", "/faults", Some(&order));
    let command: &[&str] = match rotates {
        true => &["rotate", "p1", "--yes"],
        false => &["apply", "--yes"],
    };
    // A build asks the registry too, and would be struck in its place.
    let builds_go_on = rotates && vendor != "registry";
    let mut child = fleet.spawn(command);
    loop {
        if builds_go_on {
            if let Err(failed) = fleet.builds_pull_as("p1", "acme") {
                child.kill().unwrap();
                child.wait().unwrap();
                return Err(failed);
            }
            builds.fetch_add(2, Ordering::Relaxed);
        }
        let armed = fleet.control("GET", "/faults", None);
        let has_struck = armed["armed"][0]["struck"] == 1;
        if has_struck || child.try_wait().unwrap().is_some() {
            child.kill().unwrap();
            child.wait().unwrap();
            if !has_struck {
                return Err("it ended before it was killed".to_owned());
            }
            break;
        }
        std::thread::yield_now();
    }
    fleet.control("DELETE", "/faults", None);
    if rotates {
        fleet.builds_pull_as("p1", "acme")?;
    }
    let (code, said) = fleet.run(&["apply", "--yes", "--wait", "1m"]);
    if code != Some(0) {
        return Err(format!("the next run: {code:?}\n{said}"));
    }
    fleet.builds_pull_as("p1", "acme")?;
    builds.fetch_add(2, Ordering::Relaxed);
    fleet.holds().map_err(|why| format!("{why}\n{said}"))
}

fn killed_everywhere(rotates: bool) {
    let fleet = fleet(1);
    if rotates {
        applied(&fleet);
        fleet.control("DELETE", "/journal", None);
        let (code, said) = fleet.run(&["rotate", "p1", "--yes"]);
        assert_eq!(code, Some(0), "{said}");
    } else {
        applied(&fleet);
    }
    let mut places: Vec<(String, u64)> = Vec::new();
    for request in requests(&fleet) {
        let vendor = request["vendor"].as_str().unwrap().to_owned();
        let before = places.iter().filter(|(known, _)| *known == vendor).count();
        places.push((vendor, before as u64 + 1));
    }
    let next = AtomicUsize::new(0);
    let builds = AtomicU64::new(0);
    let broken = Mutex::new(Vec::new());
    // Most of the time is waiting for a grace to pass.
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((vendor, nth)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = killed_at(rotates, vendor, *nth, &builds) {
                        let why = format!("killed at {vendor} {nth}: {why}");
                        broken.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    println!(
        "{}: killed at {} places, {} builds, {} broken",
        if rotates { "rotate" } else { "apply" },
        places.len(),
        builds.into_inner(),
        broken.len()
    );
    assert!(places.len() >= 8, "{places:?}");
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

#[test]
fn apply_that_is_killed_anywhere_is_finished_by_the_next() {
    killed_everywhere(false);
}

#[test]
fn rotate_that_is_killed_anywhere_fails_no_build_and_is_finished_by_the_next() {
    killed_everywhere(true);
}

#[test]
fn two_processes_at_once_do_each_other_no_harm() {
    let fleet = fleet(4);
    let mut builds = 0;
    for round in 0..3 {
        let commands: [&[&str]; 2] = match round {
            0 => [&["apply", "--yes"], &["apply", "--yes"]],
            1 => [&["rotate", "--all", "--yes"], &["rotate", "--all", "--yes"]],
            _ => [&["rotate", "--all", "--yes"], &["apply", "--yes"]],
        };
        let mut children = commands.map(|command| fleet.spawn(command));
        while children
            .iter_mut()
            .any(|child| child.try_wait().unwrap().is_none())
        {
            if round > 0 {
                for number in 1..=4 {
                    let pulled = fleet.builds_pull_as(&format!("p{number}"), "acme");
                    pulled.unwrap_or_else(|why| panic!("round {round}: {why}"));
                    builds += 2;
                }
            }
            std::thread::yield_now();
        }
        let (code, said) = fleet.run(&["apply", "--yes", "--wait", "1m"]);
        assert_eq!(code, Some(0), "round {round}: {said}");
        fleet
            .holds()
            .unwrap_or_else(|why| panic!("round {round}: {why}\n{said}"));
    }
    println!("two processes: 3 rounds, {builds} builds");
}
