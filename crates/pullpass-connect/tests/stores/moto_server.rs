//! A process of `moto` (`pip install 'moto[server]'`) that ends with the test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// How many lines of its log are kept.
const LOG: usize = 40;

/// A process that ends with the test.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of `moto`.
pub(crate) struct Server {
    pub(crate) url: String,
    /// What it said last, to be shown where it does not answer.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    _process: Ended,
}

impl Server {
    /// Starts one, where `moto_server` is installed: `$PULLPASS_TEST_MOTO` or in the path.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let program = std::env::var("PULLPASS_TEST_MOTO").unwrap_or("moto_server".into());
        let started = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            println!("skipped: {test}: moto_server is not installed");
            return None;
        };
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let process = Ended(child);
        let url = loop {
            let Some(Ok(line)) = lines.next() else {
                println!("skipped: {test}: moto_server does not start");
                return None;
            };
            if let Some(at) = line.find("http://127.0.0.1:") {
                break line[at..].trim().to_owned();
            }
        };
        // Read to the end, so that its log does not fill up the pipe.
        let log = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = shared.lock().unwrap();
                log.push(line);
                if log.len() > LOG {
                    log.remove(0);
                }
            }
            shared.lock().unwrap().push("(the end)".to_owned());
        });
        Some(Self {
            url,
            log,
            _process: process,
        })
    }
}
