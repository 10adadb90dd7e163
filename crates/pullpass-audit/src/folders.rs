//! Where a job's paths lie in the repository. CircleCI speaks of paths on the job's machine
//! (`~/project`, `/root/project/web`); the checkout is at one of them, and what is below it is the
//! repository.

use crate::run::Cwd;
use crate::source::RepoPath;
use crate::text::{Text, is_hole};

/// Homes of the users that images run as: `~` is one of these.
const HOMES: [&str; 4] = [
    "/root",
    "/home/circleci",
    "/home/ubuntu",
    "/Users/distiller",
];

/// The folders of one job.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The job's `working_directory`, absolute.
    work: String,
    /// Where the repository is checked out, absolute.
    checkout: String,
}

impl Folders {
    /// The folders of a job with this `working_directory`.
    #[must_use]
    pub fn new(working_directory: &str) -> Self {
        let written = if working_directory.trim().is_empty() {
            "~/project"
        } else {
            working_directory
        };
        let work = absolute("~", written);
        Self {
            checkout: work.clone(),
            work,
        }
    }

    /// `checkout: {path}`.
    pub fn check_out_at(&mut self, path: &str) {
        self.checkout = absolute(&self.work, path);
    }

    /// The folder of a step with this `working_directory` (empty: the job's own).
    #[must_use]
    pub fn of_step(&self, working_directory: &str) -> Cwd {
        self.place(&absolute(&self.work, working_directory))
    }

    /// Where a path leads from a folder.
    #[must_use]
    pub fn from(&self, folder: &Cwd, path: &str) -> Cwd {
        let checkout = self.checkout.trim_end_matches('/');
        let base = match folder {
            Cwd::Inside(folder) => format!("{checkout}/{folder}"),
            Cwd::Above(at) => match checkout.strip_suffix(&**at) {
                Some(base) => base.to_owned(),
                None => return Cwd::Elsewhere,
            },
            Cwd::Partly(_) | Cwd::Elsewhere => return Cwd::Elsewhere,
        };
        self.place(&absolute(&base, path))
    }

    /// The path from the root of the repository that an absolute path (`~/project/web`, `$HOME/project`) means; `None`
    /// where it is none, or leads elsewhere.
    #[must_use]
    pub fn inside(&self, path: &str) -> Option<String> {
        let is_absolute = path.starts_with(['/', '~', '$']);
        let at = is_absolute.then(|| absolute(&self.work, path))?;
        below(&at, &self.checkout).map(str::to_owned)
    }

    fn place(&self, at: &str) -> Cwd {
        let inside = below(at, &self.checkout);
        // A part that only the machine knows may lead anywhere.
        match inside.filter(|path| !path.contains('$')) {
            Some(path) if path.contains(is_hole) => Cwd::Partly(Text::from(path)),
            Some(path) => RepoPath::new(path).map_or(Cwd::Elsewhere, Cwd::Inside),
            None => match below(&self.checkout, at) {
                Some(rest) if !rest.contains(is_hole) => Cwd::Above(rest.into()),
                _ => Cwd::Elsewhere,
            },
        }
    }
}

/// The rest of an absolute path behind a folder that it is, or is below.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    match path.strip_prefix(folder.trim_end_matches('/'))? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

/// A path with `.` and `..` taken out, all homes being `~`.
fn absolute(base: &str, path: &str) -> String {
    let path = path.trim();
    let home = HOMES
        .iter()
        .find_map(|home| path.strip_prefix(home))
        .filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let work = ["$CIRCLE_WORKING_DIRECTORY", "${CIRCLE_WORKING_DIRECTORY}"]
        .iter()
        .find_map(|name| path.strip_prefix(name));
    let (start, rest) = if let Some(rest) = home {
        ("~", rest)
    } else if let Some(rest) = work {
        (base, rest)
    } else if let Some(rest) = path.strip_prefix('~') {
        ("~", rest)
    } else if let Some(rest) = ["$HOME/", "${HOME}/"]
        .iter()
        .find_map(|h| path.strip_prefix(h))
    {
        ("~", rest)
    } else if path.starts_with('/') {
        ("", path)
    } else {
        (base, path)
    };
    let mut parts: Vec<&str> = start.split('/').filter(|p| !p.is_empty()).collect();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    if parts.first() == Some(&"~") {
        parts.join("/")
    } else {
        format!("/{}", parts.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_inside_the_repository_when_its_folder_is_below_the_checkout() {
        for (job, checkout, step, expected) in [
            ("", "", "", Some("")),
            ("", "", "web", Some("web")),
            ("", "", "./web/../api", Some("api")),
            ("", "", "~/project/web", Some("web")),
            ("", "", "/home/circleci/project/web", Some("web")),
            ("", "", "/root/project", Some("")),
            ("", "", "/tmp", None),
            ("", "", "~/projects", None),
            ("/go/src/x", "", "/go/src/x/cmd", Some("cmd")),
            ("/go/src/x", "", "~/project", None),
            ("repo", "", "~/repo/a", Some("a")),
            ("~/repo/web", "~/repo", "", Some("web")),
            ("~/repo", "code", "code/web", Some("web")),
            ("/", "", "web", Some("web")),
        ] {
            let mut folders = Folders::new(job);
            if !checkout.is_empty() {
                folders.check_out_at(checkout);
            }
            let expected =
                expected.map_or(Cwd::Elsewhere, |p| Cwd::Inside(RepoPath::new(p).unwrap()));
            assert_eq!(folders.of_step(step), expected, "{job} {checkout} {step}");
        }
    }
    #[test]
    fn a_folder_further_up_knows_where_the_repository_is() {
        let mut folders = Folders::new("~/repo");
        folders.check_out_at("code");
        let web = Cwd::Inside(RepoPath::new("web").unwrap());
        let above = |at: &str| Cwd::Above(at.into());
        for (from, path, expected) in [
            (web.clone(), "../..", above("code")),
            (web.clone(), "../../..", above("repo/code")),
            (web.clone(), "../../other", Cwd::Elsewhere),
            (web.clone(), "../../code/web", web.clone()),
            (web.clone(), "/tmp", Cwd::Elsewhere),
            (web.clone(), "$HOME/repo", above("code")),
            (above("code"), "..", above("repo/code")),
            (above("repo/code"), "repo/./code/web", web.clone()),
            (Cwd::Elsewhere, "..", Cwd::Elsewhere),
        ] {
            assert_eq!(folders.from(&from, path), expected, "{from:?} {path}");
        }
        assert_eq!(folders.of_step(""), above("code"));
        for (path, expected) in [
            ("~/repo/code/web", Some("web")),
            ("/root/repo/code", Some("")),
            ("$CIRCLE_WORKING_DIRECTORY/code/web", Some("web")),
            ("$CIRCLE_WORKING_DIRECTORY/web", None),
            ("$HOME/repo/code/a", Some("a")),
            ("~/project", None),
            ("code", None),
            ("$OTHER/code", None),
        ] {
            assert_eq!(folders.inside(path).as_deref(), expected, "{path}");
        }
    }
}
