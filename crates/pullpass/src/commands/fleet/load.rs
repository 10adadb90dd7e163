//! The fleet file, and the projects that a person names.

use std::fs;
use std::path::{Path, PathBuf};

use pullpass_fleet::file::{self, Fleet};
use pullpass_fleet::reader::did_you_mean;

use crate::config::{Config, FILE_NAME, above};
use crate::error::{Error, ErrorKind, Result};

/// Reads the fleet file; the folder that it stands in comes with it.
pub(in crate::commands) fn fleet(given: Option<&Path>) -> Result<(Fleet, PathBuf)> {
    let path = place(given)?;
    let text = fs::read_to_string(&path).map_err(|e| Error::unreadable("fleet file", &path, &e))?;
    let fleet = file::parse(&text, &path.to_string_lossy())?;
    // The tables of other commands: a key that is misspelt there means nothing to them either.
    Config::parse(&text, &path.to_string_lossy())?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok((fleet, folder))
}

fn place(given: Option<&Path>) -> Result<PathBuf> {
    given.map_or_else(nearest, |path| Ok(path.to_owned()))
}

fn nearest() -> Result<PathBuf> {
    let mut folder = Some(PathBuf::from("."));
    while let Some(here) = folder {
        let path = here.join(FILE_NAME);
        if path.is_file() {
            return Ok(path.strip_prefix(".").map(Path::to_owned).unwrap_or(path));
        }
        folder = above(&here);
    }
    Err(Error::new(
        ErrorKind::Usage,
        "find the fleet",
        format!("there is no {FILE_NAME} here or above"),
        "`pullpass init` writes one from your repositories; --config names another",
    ))
}

/// Of a fleet with more projects, not all names are told.
const FEW: usize = 12;

/// Every name is one of the fleet's.
pub(in crate::commands) fn check_names(
    fleet: &Fleet,
    given: Option<&Path>,
    names: &[String],
) -> Result<()> {
    let known: Vec<&str> = fleet
        .projects
        .iter()
        .map(|project| project.name.as_str())
        .collect();
    for name in names {
        if !known.contains(&name.as_str()) {
            let (told, more) = known.split_at(known.len().min(FEW));
            let more = match more.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            return Err(Error::new(
                ErrorKind::Usage,
                format!("find the project `{name}`"),
                format!("`{}` has none of that name", place(given)?.display()),
                did_you_mean(
                    name,
                    known.iter().copied(),
                    &format!("it has {}{more}", told.join(", ")),
                ),
            ));
        }
    }
    Ok(())
}
