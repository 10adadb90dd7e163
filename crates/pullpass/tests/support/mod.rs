//! Repositories made for one test, and what the binary says of them.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;

/// A workflow with one pull that every audit of the repository must list, whatever else is in it.
pub(crate) const GOOD: &str = "\
on: push
jobs:
  good:
    runs-on: ubuntu-latest
    container: ubuntu:24.04
    steps:
      - run: 'true'
";

/// Where [`GOOD`] stands.
pub(crate) const GOOD_FILE: &str = ".github/workflows/good.yml";

/// Far above what any test takes: it only ends what would never end.
const PATIENCE: Duration = Duration::from_secs(120);

/// Address space of the program, in KiB: what grows without bound is ended by the system.
const MEMORY: u32 = 2 * 1024 * 1024;

/// A folder that is a repository.
pub(crate) struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// With nothing in it.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// With [`GOOD`], which must be audited whatever stands beside it.
    pub(crate) fn new() -> Self {
        Self::empty().with(GOOD_FILE, GOOD)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn with(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        fs::write(self.at(path), bytes).unwrap();
        self
    }

    /// With a CircleCI configuration whose one job, on a machine, runs these steps.
    pub(crate) fn with_steps(self, steps: &str) -> Self {
        let indented: String = steps.lines().map(|l| format!("      {l}\n")).collect();
        self.with(
            ".circleci/config.yml",
            format!(
                "version: 2.1\njobs:\n  build:\n    machine:\n      image: ubuntu-2404:current\n    steps:\n{indented}\
                 workflows:\n  all:\n    jobs: [build]\n"
            ),
        )
    }

    /// With such a configuration whose one step runs this script.
    pub(crate) fn with_script(self, script: &str) -> Self {
        let quoted = serde_json::to_string(script).unwrap();
        self.with_steps(&format!("- run: {quoted}"))
    }

    pub(crate) fn audit(&self) -> Audit {
        Audit::of(bounded(&["audit", "--format", "json"]).current_dir(self.path()))
    }
}

/// `pullpass`, with nothing from the environment that changes what it prints, and none of the credentials
/// that whoever runs the tests has kept.
pub(crate) fn pullpass() -> Command {
    plain(Command::new(env!("CARGO_BIN_EXE_pullpass")))
}

/// The same, in bounded time and memory.
pub(crate) fn bounded(arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_pullpass"))
        .args(arguments)
        .timeout(PATIENCE);
    plain(command)
}

fn plain(mut command: Command) -> Command {
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR"] {
        command.env_remove(variable);
    }
    command.env("PULLPASS_CREDENTIALS", "/nowhere/credentials.toml");
    command
}

/// What an audit in JSON said.
pub(crate) struct Audit {
    pub(crate) code: i32,
    pub(crate) document: Value,
    pub(crate) stderr: String,
}

impl Audit {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        let code = status
            .code()
            .unwrap_or_else(|| panic!("ended by a signal: {status}\n{stderr}"));
        assert!(!stderr.contains("bug of pullpass"), "{stderr}");
        Self {
            code,
            document: serde_json::from_slice(&stdout).unwrap_or(Value::Null),
            stderr,
        }
    }

    fn list(&self, name: &str) -> &[Value] {
        self.document[name]
            .as_array()
            .unwrap_or_else(|| panic!("no document; exit {}: {}", self.code, self.stderr))
    }

    /// The pulls in this file, by image as written.
    pub(crate) fn pulls(&self, file: &str) -> Vec<&str> {
        self.list("pulls")
            .iter()
            .filter(|pull| pull["file"] == file)
            .filter_map(|pull| pull["image"].as_str())
            .collect()
    }

    /// How the pull of this image is made.
    pub(crate) fn auth(&self, image: &str) -> &str {
        self.list("pulls")
            .iter()
            .find(|pull| pull["image"] == image)
            .and_then(|pull| pull["auth"].as_str())
            .unwrap_or_else(|| panic!("no pull of {image}: {}", self.document["pulls"]))
    }

    /// What could not be understood of this file: line and reason.
    pub(crate) fn unread(&self, file: &str) -> Vec<(u64, &str)> {
        self.list("unread")
            .iter()
            .filter(|unread| unread["file"] == file)
            .map(|unread| {
                (
                    unread["line"].as_u64().unwrap(),
                    unread["message"].as_str().unwrap(),
                )
            })
            .collect()
    }

    /// Every reason that is given for a pull, a finding or something unread.
    pub(crate) fn reasons(&self) -> String {
        let of = |list: &str, key: &str| -> Vec<String> {
            self.list(list)
                .iter()
                .filter_map(|entry| entry[key].as_str().map(str::to_owned))
                .collect()
        };
        [of("pulls", "reason"), of("unread", "message")]
            .concat()
            .join("\n")
    }

    /// The rules that found something, each as often as it did.
    pub(crate) fn rules(&self) -> Vec<&str> {
        self.list("findings")
            .iter()
            .filter_map(|finding| finding["rule"].as_str())
            .collect()
    }

    /// Whatever is wrong with `file`, it is said with its line and in these words, and the rest of the
    /// repository is audited.
    #[track_caller]
    pub(crate) fn says_of(&self, file: &str, line: u64, words: &str) {
        let unread = self.unread(file);
        assert!(
            unread
                .iter()
                .any(|(at, message)| *at == line && message.contains(words)),
            "{file}:{line} should say {words:?}: {unread:?}"
        );
        self.goes_on();
    }

    /// The rest of the repository was audited, and the exit code is that of an audit.
    #[track_caller]
    pub(crate) fn goes_on(&self) {
        assert_eq!(self.pulls(GOOD_FILE), ["ubuntu:24.04"]);
        assert_eq!(self.code, 1, "{}", self.stderr);
    }
}
