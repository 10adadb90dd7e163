//! CircleCI: projects, their variables, contexts, pipelines.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::secret::Secret;

#[derive(Clone, Default)]
pub(crate) struct CircleCi {
    pub(crate) people: Vec<Person>,
    pub(crate) organisation: String,
    pub(crate) organisation_id: String,
    /// By slug, in its canonical form (`gh/acme/shop`).
    pub(crate) projects: BTreeMap<String, CiProject>,
    pub(crate) contexts: Vec<Context>,
    pub(crate) pipelines: Vec<Pipeline>,
}

/// Somebody with a personal API token.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) login: String,
    pub(crate) name: String,
    pub(crate) token: Secret,
}

#[derive(Clone, Debug)]
pub(crate) struct CiProject {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The pipeline definition that projects of the GitHub App are run by.
    pub(crate) definition: String,
    pub(crate) followed: bool,
    pub(crate) variables: BTreeMap<String, Variable>,
    /// Names of the contexts that its workflows use.
    pub(crate) contexts: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) value: Secret,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) variables: BTreeMap<String, Variable>,
    /// Projects that may use it, by id; empty: all.
    pub(crate) restrictions: Vec<Restriction>,
}

#[derive(Clone, Debug)]
pub(crate) struct Restriction {
    pub(crate) id: String,
    /// `project` or `expression`.
    pub(crate) kind: String,
    pub(crate) value: String,
}

/// A pipeline has one workflow, which has one job: the build of the same number.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) slug: String,
    pub(crate) branch: String,
    pub(crate) workflow: String,
    pub(crate) job: String,
    pub(crate) build: usize,
    pub(crate) actor: String,
    pub(crate) created: Timestamp,
}

/// `xxxx` and the last four characters, as CircleCI shows a value: all of one that is short.
pub(crate) fn masked(value: &Secret) -> String {
    let text = value.expose();
    let start = text.chars().count().saturating_sub(4);
    format!("xxxx{}", text.chars().skip(start).collect::<String>())
}

/// Whether it can be the name of a variable.
pub(crate) fn is_variable_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl CircleCi {
    /// The project of a slug in any of its forms, with the canonical one.
    pub(crate) fn slug(&self, parts: [&str; 3]) -> Option<String> {
        let vcs = match parts[0] {
            "gh" | "github" => "gh",
            "bb" | "bitbucket" => "bb",
            "circleci" => {
                return self
                    .projects
                    .iter()
                    .find(|(_, p)| parts[1] == self.organisation_id && p.id == parts[2])
                    .map(|(slug, _)| slug.clone());
            }
            _ => return None,
        };
        let slug = format!("{vcs}/{}/{}", parts[1], parts[2]);
        self.projects.contains_key(&slug).then_some(slug)
    }

    /// What a build of the project sees under this name: a context's goes before the project's.
    pub(crate) fn value(&self, slug: &str, name: &str) -> Option<Secret> {
        let project = self.projects.get(slug)?;
        self.contexts
            .iter()
            .filter(|c| project.contexts.contains(&c.name) && c.admits(&project.id))
            .filter_map(|c| c.variables.get(name))
            .next_back()
            .or_else(|| project.variables.get(name))
            .map(|variable| variable.value.clone())
    }
}

impl Context {
    fn admits(&self, project: &str) -> bool {
        let mut projects = self.restrictions.iter().filter(|r| r.kind == "project");
        let restricted = projects.clone().next().is_some();
        !restricted || projects.any(|r| r.value == project)
    }
}

/// Writes a variable; its first writing is remembered.
pub(crate) fn write(
    variables: &mut BTreeMap<String, Variable>,
    name: &str,
    value: Secret,
    now: Timestamp,
) {
    let created = variables.get(name).map_or(now, |v| v.created);
    let variable = Variable {
        value,
        created,
        updated: now,
    };
    variables.insert(name.to_owned(), variable);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_shows_its_last_four_characters_and_a_short_one_all() {
        let shown = |text: &str| masked(&Secret::new(text));
        assert_eq!(shown("dckr_pat_fake1234"), "xxxx1234");
        assert_eq!(shown("abc"), "xxxxabc");
        assert_eq!(shown(""), "xxxx");
    }
}
