//! `pullpass init`
//!
//! ```text
//! PATH ─► walk (which repositories) ─► Seen (remote, CI systems, names of variables) ─► Entry ─► text
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use pullpass_audit::effect::Provider;
use pullpass_audit::finding::{Audit, Policy};
use pullpass_audit::source::{RepoPath, Tree as _};
use pullpass_fix::names::Names;
use pullpass_fleet::name::{DockerId, Organization, ProjectName, Team};

use super::Format;
use crate::atomic;
use crate::checkout::Checkout;
use crate::config::FILE_NAME;
use crate::error::{Error, ErrorKind, Result, in_words};
use crate::exit::ExitCode;
use crate::remote::Remote;
use crate::terminal::Terminal;
use crate::walk;

/// The team, where the person names none.
const TEAM: &str = "ci-pullers";

/// The longest Docker ID (docs.docker.com, "Create a Docker ID").
const LONGEST_ID: usize = 30;

/// Write a fleet file from the repositories that are here.
///
/// Looks at each repository's remote, at the CI systems that build it, and at the names of the variables that its CI files already sign in to Docker Hub with. Reads files only. A file that exists is left alone.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pullpass init                                       this repository
  pullpass init --org acme --team ci-pullers ~/src    every repository in a folder
  pullpass init --output - ~/src/shop                 print it, to add it to a file that exists")]
pub(crate) struct Init {
    /// Repositories, or folders that hold many.
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// The organisation at Docker Hub [default: the owner of most repositories].
    #[arg(long, value_name = "NAME", value_parser = organization)]
    org: Option<Organization>,

    /// Its team for service IDs [default: ci-pullers].
    #[arg(long, value_name = "NAME", value_parser = team)]
    team: Option<Team>,

    /// Where to write it; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = FILE_NAME)]
    output: PathBuf,

    /// Replace a file that exists.
    #[arg(long)]
    force: bool,

    /// How to write it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

fn organization(text: &str) -> std::result::Result<Organization, String> {
    Organization::new(text).map_err(|error| error.to_string())
}

fn team(text: &str) -> std::result::Result<Team, String> {
    Team::new(text).map_err(|error| error.to_string())
}

/// What is to be known of one repository.
struct Seen {
    remote: Remote,
    on_circleci: bool,
    on_github: bool,
    /// The variables that hold user name and token, where they are not the defaults.
    names: Option<(String, String)>,
    /// What a person should know.
    remarks: Vec<String>,
}

impl Init {
    pub(crate) fn run(self, terminal: Terminal) -> Result<ExitCode> {
        let to_stdout = self.output == Path::new("-");
        if !to_stdout && !self.force && self.output.symlink_metadata().is_ok() {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("write `{}`", self.output.display()),
                "it exists",
                "--output - prints what would be written, --output names another file, --force replaces this one",
            ));
        }
        let seen = self.look(terminal)?;
        let organization = match &self.org {
            Some(organization) => organization.clone(),
            None => guessed(&seen, terminal)?,
        };
        let team = match &self.team {
            Some(team) => team.to_string(),
            None => {
                terminal.note(&format!(
                    "the team is called `{TEAM}` here; --team names yours"
                ));
                TEAM.to_owned()
            }
        };
        let text = written(&seen, &organization, &team);
        let fleet = pullpass_fleet::file::parse(&text, &self.output.to_string_lossy())?;
        if to_stdout {
            return self.format.print_text("init", &text);
        }
        atomic::write(&self.output, text.as_bytes()).map_err(|error| {
            Error::new(
                ErrorKind::Outside,
                format!("write `{}`", self.output.display()),
                in_words(&error),
                "--output names another file",
            )
        })?;
        let count = fleet.projects.len();
        terminal.note(&format!(
            "wrote {count} project{} to `{}`; look it through, then run `pullpass doctor` and `pullpass plan`",
            if count == 1 { "" } else { "s" },
            self.output.display()
        ));
        self.format.print_written("init", &self.output)
    }

    /// Looks at every repository. One that cannot be a project is said, and left out.
    fn look(&self, terminal: Terminal) -> Result<Vec<Seen>> {
        let found = walk::find(&self.paths, None)?;
        for (folder, why) in &found.unlisted {
            terminal.note(&format!("`{}` was not searched: {why}", folder.display()));
        }
        let mut known = BTreeSet::new();
        let mut all = Vec::new();
        for target in &found.targets {
            let Some(root) = &target.root else { continue };
            let leave = |why: &str| terminal.note(&format!("`{}` is left out: {why}", target.name));
            let tree = Checkout::new(root);
            let on_circleci = has_yaml(&tree, ".circleci");
            let on_github = has_yaml(&tree, ".github/workflows");
            if !on_circleci && !on_github {
                leave("neither CircleCI nor GitHub Actions builds it");
                continue;
            }
            let Some(remote) = Remote::of(root) else {
                leave("it has no remote `origin` on a host; add it by hand");
                continue;
            };
            let path = format!("{}/{}/{}", remote.host, remote.owner, remote.name);
            if !known.insert(path.to_ascii_lowercase()) {
                leave(&format!("another checkout of {path} is there already"));
                continue;
            }
            all.push(seen(&tree, remote, on_circleci, on_github));
        }
        match all.is_empty() {
            false => Ok(all),
            true => Err(Error::new(
                ErrorKind::Usage,
                "write a fleet file",
                "no repository with CI files and a remote was found",
                "name folders that hold checkouts: pullpass init ~/src",
            )),
        }
    }
}

/// Whether there is a CI file in that folder.
fn has_yaml(tree: &Checkout, folder: &str) -> bool {
    let is_yaml = |name: &String| name.ends_with(".yml") || name.ends_with(".yaml");
    RepoPath::new(folder).is_some_and(|folder| tree.list(&folder).iter().any(is_yaml))
}

fn seen(tree: &Checkout, remote: Remote, on_circleci: bool, on_github: bool) -> Seen {
    let options = pullpass_audit::context::Options::default();
    let audit = pullpass_audit::audit(tree, &options, &Policy::default());
    let mut remarks = Vec::new();
    let mut names: Option<(String, String)> = None;
    let pushed = Names::pushed(&audit);
    for (provider, is_there) in [
        (Provider::CircleCi, on_circleci),
        (Provider::GitHub, on_github),
    ] {
        if !is_there {
            continue;
        }
        let mut found = Names::in_use(&audit, provider);
        if !found.known {
            // A login that comes too late, or that something is pushed with: `fix` keeps to its names.
            found = Names::signing_in(&audit, provider);
        }
        if !found.known {
            continue;
        }
        let pair = (found.user, found.token);
        match &names {
            // A pass can pull and nothing more: written there, it would break what is pushed.
            Some(first) if *first != pair && pushed.contains(&pair) => remarks.push(format!(
                "On GitHub its files push with {} and {}, which a pass cannot: let what pulls there use {} and {}.",
                pair.0, pair.1, first.0, first.1
            )),
            Some(first) if *first != pair => remarks.push(format!(
                "On GitHub its files use {} and {}: let both CI systems use the same names.",
                pair.0, pair.1
            )),
            Some(_) => {}
            None => names = Some(pair),
        }
    }
    if reads_a_plain_variable(&audit) {
        remarks.push(
            "Its workflows read the user name from `vars`: pullpass writes a secret, so let them read `secrets`."
                .to_owned(),
        );
    }
    let usual = Names::usual();
    let mut pair = names.unwrap_or_else(|| usual.clone());
    if let Some(pushed) = pushed.into_iter().find(|pushed| *pushed == pair) {
        pair = match usual == pushed {
            true => Names::beside(),
            false => usual.clone(),
        };
        remarks.push(format!(
            "Its files push with {} and {}, which a pass cannot: let what pulls use {} and {}.",
            pushed.0, pushed.1, pair.0, pair.1
        ));
    }
    Seen {
        remote,
        on_circleci,
        on_github,
        names: Some(pair).filter(|pair| *pair != usual),
        remarks,
    }
}

fn reads_a_plain_variable(audit: &Audit) -> bool {
    let logins = audit.logins.iter().map(|login| &login.credential);
    let pulls = audit.pulls.iter().filter_map(|p| p.credential.as_ref());
    logins.chain(pulls).any(|credential| {
        let user = credential.username.as_deref().unwrap_or_default();
        user.contains("${{") && user.contains("vars.")
    })
}

/// The owner of most repositories, as Docker Hub would write it.
fn guessed(seen: &[Seen], terminal: Terminal) -> Result<Organization> {
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    for one in seen {
        let owner = one.remote.owner.rsplit('/').next().unwrap_or_default();
        *owners.entry(owner.to_ascii_lowercase()).or_default() += 1;
    }
    let most = owners
        .into_iter()
        .max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| b.cmp(a)));
    let name = most.map(|(owner, _)| owner).unwrap_or_default();
    let organization = Organization::new(name).map_err(|error| {
        Error::new(
            ErrorKind::Usage,
            "guess the organisation at Docker Hub",
            error.to_string(),
            "name it with --org",
        )
    })?;
    terminal.note(&format!(
        "the organisation at Docker Hub is taken to be `{organization}`, after the repositories' owner; --org names another"
    ));
    Ok(organization)
}

/// The fleet file.
fn written(seen: &[Seen], organization: &Organization, team: &str) -> String {
    let mut text = format!(
        "\
# Who pulls as whom: https://github.com/pullpass/pullpass
# Look it through, then: pullpass doctor, pullpass plan
[hub]
organization = {}
team = {}
# Where Docker's mail to the service IDs goes; each needs an address of its own:
# email = \"ops+{{docker_id}}@example.org\"

[defaults]
identity = \"service-id\"
store = \"file\"
rotate_after = \"90d\"
",
        quoted(organization.as_str()),
        quoted(team)
    );
    let mut names = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for one in seen {
        let name = unique_name(&one.remote, &mut names);
        let id = unique_id(organization, &name, &mut ids);
        let Remote {
            host,
            owner,
            name: repository,
        } = &one.remote;
        text.push('\n');
        for remark in &one.remarks {
            let _ = writeln!(text, "# {remark}");
        }
        let _ = writeln!(text, "[[project]]\nname = {}", quoted(&name));
        let bitbucket = host == "bitbucket.org";
        match bitbucket {
            true => {
                let slug = format!("bb/{owner}/{repository}");
                let _ = writeln!(text, "circleci = {}", quoted(&slug));
            }
            false => {
                let path = format!("{host}/{owner}/{repository}");
                let _ = writeln!(text, "repository = {}", quoted(&path));
            }
        }
        let targets: Vec<&str> = [
            ("circleci", one.on_circleci),
            ("github", one.on_github && !bitbucket),
        ]
        .into_iter()
        .filter_map(|(target, is_there)| is_there.then_some(target))
        .collect();
        let _ = writeln!(text, "targets = [\"{}\"]", targets.join("\", \""));
        if id != plain(organization.as_str(), &name) {
            let _ = writeln!(text, "docker_id = {}", quoted(&id));
        }
        if let Some((user, token)) = &one.names {
            let _ = writeln!(
                text,
                "user_var = {}\ntoken_var = {}",
                quoted(user),
                quoted(token)
            );
        }
    }
    text
}

/// A string of TOML. What is written has no character that needs more.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A project's name after the repository: that of the owner goes before it where two have one name,
/// a number after it where even that is not enough.
fn unique_name(remote: &Remote, taken: &mut BTreeSet<String>) -> String {
    let with_owner = format!("{}-{}", remote.owner, remote.name);
    let numbered = (2..).map(|number| format!("{}-{number}", remote.name));
    let name = [remote.name.clone(), with_owner]
        .into_iter()
        .chain(numbered)
        .map(|text| project_name(&text))
        .find(|name| !taken.contains(name))
        .unwrap_or_default();
    taken.insert(name.clone());
    name
}

fn project_name(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let mapped: String = lower
        .chars()
        .map(|c| if fine(c) { c } else { '-' })
        .collect();
    let begun = mapped.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    // The longest that there may be, with room for a number.
    let name: String = begun.chars().take(56).collect();
    match ProjectName::new(name.as_str()) {
        Ok(_) => name,
        Err(_) => "project".to_owned(),
    }
}

/// What the fleet file's usual template makes.
fn plain(organization: &str, name: &str) -> String {
    format!("{organization}{name}")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// A Docker ID that nobody else here has and that is as long as one may be.
fn unique_id(organization: &Organization, name: &str, taken: &mut BTreeSet<String>) -> String {
    let usual = plain(organization.as_str(), name);
    let shortened = |ending: &str| {
        let keep = LONGEST_ID - ending.len();
        let begin: String = usual.chars().take(keep).collect();
        format!("{begin}{ending}")
    };
    let numbered = (2..).map(|number: u32| shortened(&number.to_string()));
    let id = [usual.clone(), shortened(""), shortened("ci")]
        .into_iter()
        .chain(numbered)
        .find(|id| DockerId::new(id.as_str()).is_ok() && !taken.contains(id))
        .unwrap_or_default();
    taken.insert(id.clone());
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(owner: &str, name: &str) -> Remote {
        Remote {
            host: "github.com".to_owned(),
            owner: owner.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn names_are_lower_case_and_each_has_its_own() {
        let mut taken = BTreeSet::new();
        let mut named = |owner, name| unique_name(&remote(owner, name), &mut taken);
        assert_eq!(named("acme", "Web_Site"), "web_site");
        assert_eq!(named("acme", "web_site"), "acme-web_site");
        assert_eq!(named("Acme", "WEB_SITE"), "web_site-2");
        assert_eq!(named("acme", "WEB_SITE"), "web_site-3");
        assert_eq!(named("group/team", "web_site"), "group-team-web_site");
        assert_eq!(named("acme", ".github"), "github");
        assert_eq!(named("acme", "---"), "project");
        let long = named("acme", &"x".repeat(100));
        assert!(ProjectName::new(long).is_ok());
    }

    #[test]
    fn docker_ids_fit_and_each_project_has_its_own() {
        let organization = Organization::new("ministryofjustice").unwrap();
        let mut taken = BTreeSet::new();
        let mut id = |name: &str| unique_id(&organization, name, &mut taken);
        assert_eq!(id("digideps"), "ministryofjusticedigideps");
        assert_eq!(id("a-very-long-project"), "ministryofjusticeaverylongproj");
        assert_eq!(id("a-very-long-project"), "ministryofjusticeaverylongprci");
        assert_eq!(id("a-very-long-project"), "ministryofjusticeaverylongpro2");
        for number in 0..20 {
            let id = id("a-very-long-project");
            assert!(DockerId::new(id.as_str()).is_ok(), "{number}: {id}");
        }
        let short = Organization::new("ab").unwrap();
        assert_eq!(unique_id(&short, "x", &mut BTreeSet::new()), "abxci");
    }
}
