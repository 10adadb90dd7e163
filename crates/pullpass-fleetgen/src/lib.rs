//! A seeded generator of realistic fleets: what benchmarks audit.
//!
//! A speed measured on one hand-written file repeated a thousand times says nothing: caches would
//! hold everything, and no file would be odd. The fleets made here have the spread of real ones:
//! one CI system or both, sizes from a few hundred bytes to thirty thousand, half of the docker
//! commands behind Compose and a quarter behind `make` or a script, and around the CI files the
//! ordinary ones that an auditor has to pass by.
//!
//! ```text
//! seed, number ─► Dice ─► Project (who it is) ─┬─ circleci, github      CI files
//!                                              ├─ builds, recipes       what their steps reach
//!                                              └─ ordinary              what cannot matter
//! ```
//!
//! A seed means the same bytes for ever: every draw comes from one stream of a fixed algorithm, and
//! nothing depends on time, addresses or the order of a hash map.

use std::fs;
use std::io;
use std::path::Path;

mod builds;
mod circleci;
mod dice;
mod github;
mod ordinary;
mod project;
mod recipes;
mod template;

use dice::Dice;
use project::{Project, Systems};

/// One file of a repository.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Its path in the repository, `/`-separated.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl File {
    fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// Whether it is a CircleCI configuration or a GitHub workflow.
    #[must_use]
    pub fn is_ci(&self) -> bool {
        self.path.starts_with(".circleci/") || self.path.starts_with(".github/workflows/")
    }
}

/// One repository.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repository {
    /// The name of its folder.
    pub name: String,
    /// Its files.
    pub files: Vec<File>,
}

/// How much was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Size {
    /// Repositories.
    pub repositories: u64,
    /// CircleCI configurations and GitHub workflows.
    pub ci_files: u64,
    /// Their bytes.
    pub ci_bytes: u64,
    /// All other files.
    pub other_files: u64,
}

impl Size {
    fn add(&mut self, repository: &Repository) {
        self.repositories += 1;
        for file in &repository.files {
            if file.is_ci() {
                self.ci_files += 1;
                self.ci_bytes += file.text.len() as u64;
            } else {
                self.other_files += 1;
            }
        }
    }
}

/// Repository `number` of the fleet `seed`: the same in a fleet of any size.
#[must_use]
pub fn repository(seed: u64, number: u32) -> Repository {
    let dice = &mut Dice::new(seed, number);
    let project = Project::draw(dice, number);
    let mut files = Vec::new();
    if project.systems != Systems::GitHub {
        circleci::write(&project, dice, &mut files);
    }
    if project.systems != Systems::CircleCi {
        github::write(&project, dice, &mut files);
    }
    builds::write(&project, dice, &mut files);
    recipes::write(&project, dice, &mut files);
    ordinary::write(&project, dice, &mut files);
    Repository {
        name: project.name,
        files,
    }
}

/// Writes a fleet below `folder`, one folder per repository.
///
/// # Errors
/// When a file or folder cannot be written.
pub fn write(seed: u64, repositories: u32, folder: &Path) -> io::Result<Size> {
    let mut size = Size::default();
    for number in 0..repositories {
        let repository = repository(seed, number);
        size.add(&repository);
        let root = folder.join(&repository.name);
        for file in &repository.files {
            let path = root.join(&file.path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, &file.text)?;
        }
    }
    Ok(size)
}
