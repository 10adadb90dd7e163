//! Three small repositories, as three teams would have written them: one on CircleCI, one on GitHub,
//! one on both. They stand in `demo/` beside this crate's sources.

use std::fs;
use std::io;
use std::path::Path;

/// A file of a repository: its path, and its text.
type File = (&'static str, &'static str);

/// One repository.
pub(super) struct Repository {
    /// Its name, which is its project's too.
    pub(super) name: &'static str,
    /// Where it is built.
    pub(super) targets: &'static [&'static str],
    files: &'static [File],
}

macro_rules! file {
    ($repository:literal, $path:literal) => {
        (
            $path,
            include_str!(concat!("../../../demo/", $repository, "/", $path)),
        )
    };
}

/// All of them.
pub(super) const REPOSITORIES: [Repository; 3] = [
    Repository {
        name: "billing",
        targets: &["circleci"],
        files: &[
            file!("billing", ".circleci/config.yml"),
            file!("billing", "Dockerfile"),
        ],
    },
    Repository {
        name: "website",
        targets: &["github"],
        files: &[
            file!("website", ".github/workflows/ci.yml"),
            file!("website", "Dockerfile"),
        ],
    },
    Repository {
        name: "shop",
        targets: &["circleci", "github"],
        files: &[
            file!("shop", ".circleci/config.yml"),
            file!("shop", ".github/workflows/smoke.yml"),
            file!("shop", "compose.yml"),
            file!("shop", "smoke.sh"),
        ],
    },
];

impl Repository {
    /// Writes it below `folder`, with as much of `.git` as makes it a repository.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let root = folder.join(self.name);
        let git = root.join(".git");
        for part in ["objects", "refs"] {
            fs::create_dir_all(git.join(part))?;
        }
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n")?;
        fs::write(git.join("config"), git_config(self.name))?;
        for (path, text) in self.files {
            let path = root.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, text)?;
        }
        Ok(())
    }
}

fn git_config(name: &str) -> String {
    format!(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[remote \"origin\"]\n\turl = git@github.com:acme/{name}.git\n"
    )
}

/// The fleet file. Its times are short, so that a rotation can be watched to its end.
pub(super) fn fleet_file() -> String {
    let mut text = String::from(
        "\
# Times are short here, so that a rotation can be watched to its end: builds of the demo take less
# than a second.
[hub]
organization = \"acme\"
team = \"ci-pullers\"
email = \"ci+{docker_id}@acme.example\"
probe = \"library/alpine:3.20\"

[defaults]
identity = \"service-id\"
store = \"file\"
rotate_after = \"90d\"
grace = \"2s\"
settle = \"1s\"
patience = \"1s\"
",
    );
    for repository in &REPOSITORIES {
        let targets: Vec<String> = repository
            .targets
            .iter()
            .map(|target| format!("\"{target}\""))
            .collect();
        text.push_str(&format!(
            "\n[[project]]\nname = \"{0}\"\nrepository = \"github.com/acme/{0}\"\ntargets = [{1}]\n",
            repository.name,
            targets.join(", ")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fleet_file_has_every_repository() {
        let fleet = pullpass_fleet::file::parse(&fleet_file(), "pullpass.toml").unwrap();
        assert_eq!(fleet.projects.len(), REPOSITORIES.len());
        for (project, repository) in fleet.projects.iter().zip(&REPOSITORIES) {
            assert_eq!(project.name.as_str(), repository.name);
            assert_eq!(project.targets.len(), repository.targets.len());
        }
    }
}
