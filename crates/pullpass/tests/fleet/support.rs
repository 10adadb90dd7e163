//! A sandbox in a thread of its own, and the program in its environment.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use pullpass_connect::store::file::{FileStore, Protection};
use pullpass_connect::store::identity;
use pullpass_fleet::name::{DockerId, ProjectName};
use pullpass_fleet::store::{Account, Store as _, Update};
use pullpass_sandbox::{Options, Population, Sandbox, Urls, client};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// A password of people whom tests make.
pub(crate) const PASSWORD: &str = "not-a-real-password";

pub(crate) struct Fleet {
    pub(crate) urls: Urls,
    /// `KEY=value`, as the ready file has them.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) projects: usize,
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// `acme`, with projects `p1`, `p2` … on CircleCI and GitHub.
pub(crate) fn population(projects: usize) -> Population {
    let mut population = Population::bare("acme");
    population.plan = pullpass_sandbox::Plan::Business;
    for number in 1..=projects {
        population.projects.push(pullpass_sandbox::Project {
            circleci: Some(format!("gh/acme/p{number}")),
            github: Some(format!("acme/p{number}")),
            ..pullpass_sandbox::Project::new(&format!("p{number}"))
        });
    }
    population
}

impl Fleet {
    /// `settings` are lines of `[defaults]`.
    pub(crate) fn new(projects: usize, settings: &str, options: Options) -> Self {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = std::thread::spawn(move || {
            runtime().block_on(async {
                let sandbox = Sandbox::start(options).await.unwrap();
                let environment = sandbox.environment().expose_secret().to_owned();
                tell.send((sandbox.urls().clone(), environment)).unwrap();
                let _ = stopped.await;
            });
        });
        let (urls, lines) = told.recv().unwrap();
        let environment = lines
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let mut text = format!(
            "[hub]\norganization = \"acme\"\nteam = \"ci-pullers\"\ntoken_slots = 100\n\
             docker_id = \"acme{{project}}\"\nemail = \"ci+{{docker_id}}@acme.example\"\n\
             [store]\nfile = \"store\"\n[limits]\nfree = 5000\n[defaults]\nstore = \"file\"\n{settings}"
        );
        for number in 1..=projects {
            text += &format!(
                "[[project]]\nname = \"p{number}\"\nrepository = \"github.com/acme/p{number}\"\n"
            );
        }
        fs::write(folder.path().join("pullpass.toml"), text).unwrap();
        let (recipient, key) = identity::new_identity();
        fs::write(folder.path().join("key"), key.expose_secret()).unwrap();
        let protection = Protection::Recipients(vec![recipient]);
        FileStore::create(&folder.path().join("store"), &protection).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        Self {
            urls,
            environment,
            folder,
            projects,
            runtime: runtime(),
            stop: Some(stop),
            serving: Some(serving),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, in this fleet's folder and environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pullpass"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.environment.iter().cloned())
            .env("PULLPASS_STORE_IDENTITY", self.path("key"))
            .env("TMPDIR", self.path("tmp"))
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Makes the Docker IDs of all projects, as members.
    pub(crate) fn everybody_has_signed_up(&self) {
        let person = |number| {
            let id = format!("acmep{number}");
            json!({"name": id, "email": format!("{id}@acme.example"), "password": PASSWORD})
        };
        let people: Vec<Value> = (1..=self.projects).map(person).collect();
        let body = json!({"people": people, "organization": "acme", "team": "ci-pullers"});
        self.control("POST", "/people", Some(&body));
    }

    /// The same, with their passwords kept in the file.
    pub(crate) fn everybody_is_here(&self) {
        let store = self.store();
        self.block_on(async {
            for number in 1..=self.projects {
                let name = ProjectName::new(format!("p{number}")).unwrap();
                let id = format!("acmep{number}");
                let account = Account {
                    email: format!("{id}@acme.example"),
                    id: DockerId::new(id).unwrap(),
                    password: SecretString::from(PASSWORD),
                };
                let record = store.look(&name).await.unwrap();
                let update = Update::Account(account);
                store.change(&name, &record, &update).await.unwrap();
            }
        });
        self.everybody_has_signed_up();
    }

    /// Its exit code, and what it wrote.
    pub(crate) fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.command(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        (output.status.code(), text)
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// At the sandbox's own controls.
    pub(crate) fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let text = body.map(Value::to_string).unwrap_or_default();
        let headers = [("content-type", "application/json")];
        let path = format!("/_sandbox{path}");
        let url = &self.urls.sandbox;
        let sent = client::send(url, Ipv4Addr::LOCALHOST, method, &path, &headers, text);
        let answer = self.runtime.block_on(sent).unwrap();
        assert!(answer.status < 300, "{method} {path}: {:?}", answer.body);
        answer.json()
    }

    pub(crate) fn store(&self) -> FileStore {
        store(&self.path("store"), &self.path("key"))
    }

    /// The token that the store calls a project's current one, and how many names it has.
    pub(crate) fn current(&self, project: &str) -> Result<String, String> {
        let name = ProjectName::new(project).unwrap();
        let store = self.store();
        self.runtime.block_on(async {
            let stored = store.look(&name).await.unwrap().stored;
            match (stored.current, stored.pending) {
                (Some(current), None) => {
                    let token = store.token(&name, current.attempt).await.unwrap();
                    Ok(token.expose_secret().to_owned())
                }
                _ => Err(format!("{project}: the store says {stored:?}")),
            }
        })
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Builds a project on both systems; why that failed, or who pulled in its place.
    pub(crate) fn builds_pull_as(&self, project: &str, who: &str) -> Result<(), String> {
        for ci in ["circleci", "github"] {
            let body = json!({"project": project, "ci": ci});
            let done = self.control("POST", "/builds", Some(&body));
            let pulls = done["pulls_by_identity"].as_object().unwrap();
            if done["failed"] != 0 || pulls.is_empty() || pulls.keys().any(|as_| as_ != who) {
                return Err(format!("{project} at {ci}: {}", done["builds"][0]));
            }
        }
        Ok(())
    }

    /// One live token each, which the store and both targets hold, and no other project.
    pub(crate) fn holds(&self) -> Result<(), String> {
        self.holds_what(|project| self.current(project))
    }

    /// The same, where the store is another than the file.
    pub(crate) fn holds_what(
        &self,
        current: impl Fn(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        let state = self.control("GET", "/state", None);
        for number in 1..=self.projects {
            let project = format!("p{number}");
            let secret = current(&project)?;
            let body = json!({"value": secret});
            let token = &self.control("POST", "/fingerprint", Some(&body))["fingerprint"];
            let all = tokens_of(&state, &project);
            if all.len() != 1 || all[0]["live"] != true || all[0]["fingerprint"] != *token {
                return Err(format!("{project}: stored {token}, there are {all:#?}"));
            }
            let slug = format!("gh/acme/{project}");
            let repository = format!("acme/{project}");
            for held in [
                &named(&state["circleci"]["projects"], "slug", &slug)["variables"],
                &named(&state["github"]["repositories"], "name", &repository)["secrets"],
            ] {
                if held["DOCKER_ACCESS_TOKEN"]["fingerprint"] != *token {
                    return Err(format!("{project}: a target holds {held}, not {token}"));
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn store(path: &Path, key: &Path) -> FileStore {
    let text = fs::read_to_string(key).unwrap();
    FileStore::open(
        path,
        Box::new(move |_| Ok(SecretString::from(text.clone()))),
    )
}

fn named<'v>(list: &'v Value, key: &str, name: &str) -> &'v Value {
    let list = list.as_array().unwrap();
    list.iter().find(|entry| entry[key] == name).unwrap()
}

/// Every token that is labelled as a project's, whoever it belongs to.
fn tokens_of(state: &Value, project: &str) -> Vec<Value> {
    let prefix = format!("pullpass {project} ");
    let owners = state["users"].as_array().unwrap().iter();
    owners
        .chain(state["organizations"].as_array().unwrap())
        .flat_map(|owner| owner["tokens"].as_array().unwrap())
        .filter(|token| token["label"].as_str().unwrap().starts_with(&prefix))
        .cloned()
        .collect()
}
