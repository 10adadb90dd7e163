//! Images that go from one job to the next in an archive: `docker save` here, `docker load` there.
//!
//! A job that loads an archive does not say what is in it. The jobs that made it do: what they save,
//! and what they build, is known of the whole repository, so that an image out of an archive is no
//! pull, and any other image still is one.

use ecow::EcoString;
use hashbrown::HashSet;

use crate::effect::{Job, Kind};
use crate::reference::{self, Image};
use crate::text::{Text, has_hole, is_hole, may_be};

/// Repositories of which a part is not known; more are as if nothing were.
const MAX_PARTLY: usize = 64;

/// What the archives of a repository can hold.
#[derive(Default)]
pub struct Archives {
    /// Images that are saved, with their tag.
    saved: HashSet<String>,
    /// Repositories that are saved with all of their tags.
    whole: HashSet<EcoString>,
    /// Repositories of which a tag is saved that is not known.
    tagged: HashSet<EcoString>,
    /// Repositories of which a part is not known.
    partly: Vec<EcoString>,
    /// Images that are built.
    built: HashSet<String>,
    /// Of something that is saved it cannot be known what it is.
    unclear: bool,
}

/// Whether an image comes out of an archive that was loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FromArchive {
    /// Yes.
    Yes,
    /// No: it is pulled.
    No,
    /// That cannot be known.
    Unknown,
}

impl Archives {
    /// What the jobs of a repository save and build.
    #[must_use]
    pub fn of(jobs: &[Job]) -> Self {
        let mut out = Self::default();
        // Without an archive that is loaded nobody asks.
        let loads = |job: &Job| job.effects.iter().any(|effect| effect.kind == Kind::Load);
        if !jobs.iter().any(loads) {
            return out;
        }
        for effect in jobs.iter().flat_map(|job| &job.effects) {
            match &effect.kind {
                Kind::Save { image } => out.save(image),
                Kind::Provide { image } => {
                    if let Image::Named(reference) = reference::parse(image) {
                        out.built.insert(reference.canonical_text());
                    }
                }
                _ => {}
            }
        }
        out
    }

    fn save(&mut self, image: &Text) {
        match reference::parse(image) {
            Image::Named(reference) => {
                if has_hole(&reference.repository) || has_hole(&reference.registry) {
                    return self.save_partly(image.as_str());
                }
                if image.as_str().contains(is_hole) {
                    self.tagged.insert(reference.repository.clone());
                }
                if reference.tag.is_none() && reference.digest.is_none() {
                    self.whole.insert(reference.repository.clone());
                }
                self.saved.insert(reference.canonical_text());
            }
            Image::Unknown => self.save_partly(image.as_str()),
            Image::Nothing | Image::Invalid(_) => {}
        }
    }

    /// A part of its repository is not known.
    fn save_partly(&mut self, image: &str) {
        let name = image.rfind('/').map_or(0, |at| at + 1);
        let tag = image.get(name..).and_then(|rest| rest.find([':', '@']));
        let repository = tag.and_then(|at| image.get(..name + at)).unwrap_or(image);
        let says_something = repository.chars().any(|c| c.is_ascii_alphanumeric());
        if says_something && self.partly.len() < MAX_PARTLY {
            self.partly.push(repository.into());
        } else {
            self.unclear = true;
        }
    }

    /// Whether an image of Docker Hub's form comes out of an archive, after one was loaded.
    #[must_use]
    pub fn hold(&self, image: &reference::Reference) -> FromArchive {
        let name = image.canonical_text();
        let saved = self.saved.contains(&name) || self.whole.contains(&image.repository);
        if saved || self.built.contains(&name) {
            return FromArchive::Yes;
        }
        let something = !(self.saved.is_empty() && self.whole.is_empty() && self.partly.is_empty());
        let fits = |pattern: &EcoString| {
            // A part that is not known may have the namespace in it, too.
            let name = &image.repository;
            may_be(pattern, name)
                || name
                    .strip_prefix("library/")
                    .is_some_and(|name| may_be(pattern, name))
        };
        let perhaps = self.tagged.contains(&image.repository) || self.partly.iter().any(fits);
        let all_known = something && !self.unclear && !perhaps;
        // Docker's own seldom travel in archives. Any other name without a namespace is on no registry.
        let official = image.repository.starts_with("library/") && image.is_everybodys();
        if all_known || official {
            FromArchive::No
        } else {
            FromArchive::Unknown
        }
    }
}
