//! `pullpass audit` as a person runs it: whole processes over generated fleets.
//!
//! ```sh
//! cargo bench -p pullpass --bench audit                  # fleets of 1, 100, 1,000 and 10,000
//! cargo bench -p pullpass --bench audit -- 1 1000        # fleets of these sizes
//! cargo bench -p pullpass --bench audit -- 1000 --runs 30 --format json
//! ```
//!
//! The operating system keeps the largest memory of *all* children of a process. So each run is
//! started by a fresh process, which is this program again and small.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints"
)]

mod support;

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use nix::sys::resource::{UsageWho, getrusage};
use support::Times;

/// The fleet's seed.
const SEED: u64 = 1;

/// Repositories whose bytes decide whether a fleet on disk is today's.
const SAMPLE: u32 = 50;

/// A first argument that makes this program run the others as a command, once.
const MEASURE: &str = "--measure-one-run-of";

#[derive(Parser, Debug)]
struct Arguments {
    /// Sizes of the fleets, in repositories.
    #[arg(default_values_t = [1, 100, 1_000, 10_000])]
    repositories: Vec<u32>,
    /// Runs per fleet [default: fewer for large fleets].
    #[arg(long)]
    runs: Option<usize>,
    /// The formats that are written.
    #[arg(long, default_values = ["human", "json"])]
    format: Vec<String>,
    /// The program.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_pullpass"))]
    program: PathBuf,
    /// Where the fleets are kept from one benchmark to the next.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    fleets: PathBuf,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let done = if arguments.next().is_some_and(|first| first == MEASURE) {
        measure(arguments)
    } else if support::is_wanted() {
        bench(&Arguments::parse())
    } else {
        Ok(())
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    println!(
        "{:<28} {} {:>9} {:>10}",
        "pullpass audit",
        Times::HEADINGS,
        "CPU ms",
        "max RSS MB"
    );
    for &repositories in &arguments.repositories {
        let fleet = fleet(&arguments.fleets, repositories)?;
        let runs = arguments.runs.unwrap_or(match repositories {
            0..1_000 => 30,
            1_000..10_000 => 10,
            _ => 5,
        });
        for format in &arguments.format {
            let command: [&OsStr; 5] = [
                arguments.program.as_os_str(),
                "audit".as_ref(),
                "--format".as_ref(),
                format.as_ref(),
                fleet.as_os_str(),
            ];
            // The first run fills the file system's caches and is not counted.
            run(&command)?;
            let runs = (0..runs)
                .map(|_| run(&command))
                .collect::<io::Result<Vec<_>>>()?;
            let largest = runs.iter().map(|r| r.max_rss_kib).max().unwrap_or_default();
            let cpu = Times::new(runs.iter().map(|r| r.cpu).collect());
            let times = Times::new(runs.iter().map(|r| r.wall).collect());
            println!(
                "{:<28} {} {:>9.1} {:>10.1}",
                format!("{repositories} repositories, {format}"),
                times.columns(),
                cpu.median().as_secs_f64() * 1000.0,
                largest as f64 / 1024.0
            );
        }
    }
    Ok(())
}

/// The folder that holds a fleet of this size; it is generated unless it is there already.
fn fleet(folder: &Path, repositories: u32) -> io::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    for number in 0..repositories.min(SAMPLE) {
        for file in pullpass_fleetgen::repository(SEED, number).files {
            (file.path, file.text).hash(&mut hasher);
        }
    }
    let fleet = folder.join(format!("fleet-{repositories}"));
    // Beside the fleet, so that it is not a part of what is audited; written last.
    let label = folder.join(format!("fleet-{repositories}.complete"));
    let stamp = format!("{:016x}\n", hasher.finish());
    if fs::read_to_string(&label).is_ok_and(|known| known == stamp) {
        return Ok(fleet);
    }
    if fleet.exists() {
        fs::remove_dir_all(&fleet)?;
    }
    let size = pullpass_fleetgen::write(SEED, repositories, &fleet)?;
    fs::write(label, stamp)?;
    eprintln!(
        "generated {} repositories with {} CI files ({} bytes) and {} other files",
        size.repositories, size.ci_files, size.ci_bytes, size.other_files
    );
    Ok(fleet)
}

/// What one run took.
struct Run {
    wall: Duration,
    cpu: Duration,
    max_rss_kib: u64,
}

/// Runs a command below a fresh process.
fn run(command: &[&OsStr]) -> io::Result<Run> {
    let output = Command::new(std::env::current_exe()?)
        .arg(MEASURE)
        .args(command)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = text
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    let [wall, cpu, max_rss_kib] = numbers[..] else {
        return Err(io::Error::other("a run could not be measured"));
    };
    Ok(Run {
        wall: Duration::from_micros(wall),
        cpu: Duration::from_micros(cpu),
        max_rss_kib,
    })
}

/// Runs a command once and prints microseconds of wall time, of processor time, and KiB of memory.
fn measure(mut command: impl Iterator<Item = OsString>) -> Result<(), Box<dyn Error>> {
    let program = command.next().ok_or("no command to measure")?;
    let start = Instant::now();
    let status = Command::new(program)
        .args(command)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    let wall = start.elapsed();
    // 1: there are findings, as in every realistic fleet.
    if !matches!(status.code(), Some(0 | 1)) {
        return Err(format!("the command failed: {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu: i64 = [usage.user_time(), usage.system_time()]
        .into_iter()
        .map(|t| t.tv_sec() * 1_000_000 + t.tv_usec())
        .sum();
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1024 } else { 1 };
    println!("{} {cpu} {}", wall.as_micros(), usage.max_rss() / unit);
    Ok(())
}
