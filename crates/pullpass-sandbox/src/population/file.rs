//! The file of `--org`, read by hand over the parsed table, so that a key that means nothing is
//! answered with its line and the key that was probably meant.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Image, Person, Plan, Population, Project};
use crate::world::organisation::Role;

/// Why the file could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PopulationError {
    /// `file:line:column: what is wrong`.
    pub happened: String,
    /// What to do.
    pub next: String,
}

impl fmt::Display for PopulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.happened, self.next)
    }
}

impl std::error::Error for PopulationError {}

type Result<T> = std::result::Result<T, PopulationError>;
type Value<'t> = Spanned<DeValue<'t>>;
type Key<'t> = Spanned<Cow<'t, str>>;

const TOP: [&str; 6] = [
    "organization",
    "person",
    "project",
    "context",
    "image",
    "generate",
];

pub(super) fn parse(text: &str, name: &str) -> Result<Population> {
    let reader = Reader { text, name };
    let root = DeTable::parse(text).map_err(|error| {
        reader.wrong(
            &error.span().unwrap_or(0..0),
            format!("not TOML: {}", error.message()),
            "see https://toml.io for how it is written".to_owned(),
        )
    })?;
    let root = root.get_ref();
    let organization = match root.get("organization") {
        Some(table) => organization_name(&reader, table)?,
        None => None,
    };
    let mut population = match &organization {
        Some(name) => Population::bare(name),
        None => Population::bare("acme"),
    };
    let mut people = Vec::new();
    for (key, value) in root {
        match key.get_ref().as_ref() {
            "organization" => reader.organization(value, &mut population)?,
            "person" => people = reader.list(key, value, Reader::person)?,
            "project" => population
                .projects
                .extend(reader.list(key, value, Reader::project)?),
            "context" => {
                population.contexts = reader
                    .list(key, value, Reader::context)?
                    .into_iter()
                    .collect();
            }
            "image" => population
                .images
                .extend(reader.list(key, value, Reader::image)?),
            "generate" => reader.generate(value, &mut population)?,
            _ => return Err(reader.unknown(key, &TOP)),
        }
    }
    if !people.is_empty() {
        if !people.iter().any(|p| p.role.as_deref() == Some("owner")) {
            return Err(PopulationError {
                happened: format!("{name}: no `[[person]]` has the role `owner`"),
                next: "give it to one: the operator signs in as the first owner".to_owned(),
            });
        }
        population.people = people;
    }
    Ok(population)
}

fn organization_name(reader: &Reader<'_>, table: &Value<'_>) -> Result<Option<String>> {
    reader
        .table(table, "organization")?
        .iter()
        .find(|(key, _)| key.get_ref() == "name")
        .map(|(key, value)| reader.string(key, value))
        .transpose()
}

struct Reader<'t> {
    text: &'t str,
    name: &'t str,
}

impl Reader<'_> {
    fn wrong(&self, at: &Range<usize>, happened: String, next: String) -> PopulationError {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        PopulationError {
            happened: format!("{}:{line}:{column}: {happened}", self.name),
            next,
        }
    }

    fn unknown(&self, key: &Key<'_>, known: &[&str]) -> PopulationError {
        let list = format!("known here: {}", known.join(", "));
        let near = known
            .iter()
            .map(|name| (strsim::jaro_winkler(key.get_ref(), name), name))
            .filter(|(near, _)| *near > 0.7)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        self.wrong(
            &key.span(),
            format!("unknown key `{}`", key.get_ref()),
            near.map_or_else(
                || list.clone(),
                |(_, name)| format!("did you mean `{name}`? {list}"),
            ),
        )
    }

    fn not(&self, value: &Value<'_>, key: &str, wanted: &str) -> PopulationError {
        self.wrong(
            &value.span(),
            format!("`{key}` is {wanted}, not {}", value.get_ref().type_str()),
            format!("write {wanted}"),
        )
    }

    fn table<'v, 't>(&self, value: &'v Value<'t>, key: &str) -> Result<&'v DeTable<'t>> {
        value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.not(value, key, "a table"))
    }

    fn string(&self, key: &Key<'_>, value: &Value<'_>) -> Result<String> {
        value
            .get_ref()
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| self.not(value, key.get_ref(), "a string"))
    }

    fn boolean(&self, key: &Key<'_>, value: &Value<'_>) -> Result<bool> {
        value
            .get_ref()
            .as_bool()
            .ok_or_else(|| self.not(value, key.get_ref(), "true or false"))
    }

    fn word<T: Copy>(&self, key: &Key<'_>, value: &Value<'_>, words: &[(&str, T)]) -> Result<T> {
        let written = self.string(key, value)?;
        words
            .iter()
            .find(|(word, _)| *word == written)
            .map(|(_, meaning)| *meaning)
            .ok_or_else(|| {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                self.wrong(
                    &value.span(),
                    format!("`{}` cannot be `{written}`", key.get_ref()),
                    format!("it is one of {}", known.join(", ")),
                )
            })
    }

    fn list<'v, 't, T>(
        &self,
        key: &Key<'_>,
        value: &'v Value<'t>,
        read: impl Fn(&Self, &'v DeTable<'t>, &Range<usize>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let name = key.get_ref();
        let items = value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.not(value, name, &format!("a list of tables, `[[{name}]]`")))?;
        items
            .iter()
            .map(|item| read(self, self.table(item, name)?, &item.span()))
            .collect()
    }

    fn strings(&self, key: &Key<'_>, value: &Value<'_>) -> Result<Vec<String>> {
        let wanted = "a list of strings";
        let items = value
            .get_ref()
            .as_array()
            .ok_or_else(|| self.not(value, key.get_ref(), wanted))?;
        items
            .iter()
            .map(|item| {
                item.get_ref()
                    .as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| self.not(item, key.get_ref(), wanted))
            })
            .collect()
    }

    fn variables(&self, key: &Key<'_>, value: &Value<'_>) -> Result<BTreeMap<String, String>> {
        self.table(value, key.get_ref())?
            .iter()
            .map(|(name, value)| Ok((name.get_ref().to_string(), self.string(name, value)?)))
            .collect()
    }

    fn named(&self, name: String, what: &str, at: &Range<usize>) -> Result<String> {
        if name.is_empty() {
            return Err(self.wrong(
                at,
                format!("this `[[{what}]]` has no name"),
                "add `name = \"…\"`".to_owned(),
            ));
        }
        Ok(name)
    }

    fn organization(&self, value: &Value<'_>, population: &mut Population) -> Result<()> {
        for (key, value) in self.table(value, "organization")? {
            match key.get_ref().as_ref() {
                "name" => {}
                "plan" => population.plan = self.word(key, value, &Plan::NAMES)?,
                "sso" => population.sso = self.boolean(key, value)?,
                "teams" => population.teams = self.strings(key, value)?,
                _ => return Err(self.unknown(key, &["name", "plan", "sso", "teams"])),
            }
        }
        Ok(())
    }

    fn person(&self, table: &DeTable<'_>, at: &Range<usize>) -> Result<Person> {
        const KNOWN: [&str; 8] = [
            "name",
            "email",
            "password",
            "role",
            "teams",
            "two_factor",
            "confirmed",
            "plan",
        ];
        let mut person = Person::new("");
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => person.name = self.string(key, value)?,
                "email" => person.email = self.string(key, value)?,
                "password" => person.password = Some(self.string(key, value)?),
                "role" => {
                    self.word(key, value, &Role::NAMES)?;
                    person.role = Some(self.string(key, value)?);
                }
                "teams" => person.teams = self.strings(key, value)?,
                "two_factor" => person.two_factor = self.boolean(key, value)?,
                "confirmed" => person.confirmed = self.boolean(key, value)?,
                "plan" => person.plan = self.word(key, value, &Plan::NAMES)?,
                _ => return Err(self.unknown(key, &KNOWN)),
            }
        }
        person.name = self.named(person.name, "person", at)?;
        Ok(person)
    }

    fn project(&self, table: &DeTable<'_>, at: &Range<usize>) -> Result<Project> {
        const KNOWN: [&str; 10] = [
            "name",
            "circleci",
            "github",
            "private",
            "images",
            "contexts",
            "environments",
            "variables",
            "user_var",
            "token_var",
        ];
        let mut project = Project::new("");
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => project.name = self.string(key, value)?,
                "circleci" => project.circleci = Some(self.string(key, value)?),
                "github" => project.github = Some(self.string(key, value)?),
                "private" => project.private = self.boolean(key, value)?,
                "images" => project.images = self.strings(key, value)?,
                "contexts" => project.contexts = self.strings(key, value)?,
                "environments" => project.environments = self.strings(key, value)?,
                "variables" => project.variables = self.variables(key, value)?,
                "user_var" => project.user_var = self.string(key, value)?,
                "token_var" => project.token_var = self.string(key, value)?,
                _ => return Err(self.unknown(key, &KNOWN)),
            }
        }
        project.name = self.named(project.name, "project", at)?;
        let in_form = |slug: &String| slug == "circleci" || slug.split('/').count() == 3;
        if !project.circleci.as_ref().is_none_or(in_form) {
            return Err(self.wrong(
                at,
                format!("the slug of project `{}` has not three parts", project.name),
                "write `circleci = \"gh/organization/repository\"`, or `circleci = \"circleci\"`"
                    .to_owned(),
            ));
        }
        if project
            .github
            .as_ref()
            .is_some_and(|r| r.split('/').count() != 2)
        {
            return Err(self.wrong(
                at,
                format!(
                    "the repository of project `{}` has not two parts",
                    project.name
                ),
                "write `github = \"owner/repository\"`".to_owned(),
            ));
        }
        Ok(project)
    }

    fn context(
        &self,
        table: &DeTable<'_>,
        at: &Range<usize>,
    ) -> Result<(String, BTreeMap<String, String>)> {
        let (mut name, mut variables) = (String::new(), BTreeMap::new());
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => name = self.string(key, value)?,
                "variables" => variables = self.variables(key, value)?,
                _ => return Err(self.unknown(key, &["name", "variables"])),
            }
        }
        Ok((self.named(name, "context", at)?, variables))
    }

    fn image(&self, table: &DeTable<'_>, at: &Range<usize>) -> Result<Image> {
        let mut image = Image::new("", &["latest"]);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => image.name = self.string(key, value)?,
                "tags" => image.tags = self.strings(key, value)?,
                "private" => image.private = self.boolean(key, value)?,
                _ => return Err(self.unknown(key, &["name", "tags", "private"])),
            }
        }
        image.name = self.named(image.name, "image", at)?;
        Ok(image)
    }

    fn generate(&self, value: &Value<'_>, population: &mut Population) -> Result<()> {
        for (key, value) in self.table(value, "generate")? {
            match key.get_ref().as_ref() {
                "projects" => {
                    let number = value
                        .get_ref()
                        .as_integer()
                        .and_then(|n| n.as_str().parse().ok())
                        .filter(|n| *n <= 100_000)
                        .ok_or_else(|| self.not(value, "projects", "a number up to 100000"))?;
                    population.generate(number);
                }
                _ => return Err(self.unknown(key, &["projects"])),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text, "org.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_file_says_who_and_what_exists() {
        let population = parse(
            r#"
[organization]
name = "globex"
plan = "business"
teams = ["pullers"]

[[person]]
name = "globexowner"
role = "owner"
two_factor = true

[[project]]
name = "shop"
circleci = "gh/globex/shop"
variables = { DOCKER_USER = "default" }

[generate]
projects = 3
"#,
            "org.toml",
        )
        .unwrap();
        assert_eq!(population.organization, "globex");
        assert_eq!(population.plan, Plan::Business);
        assert!(population.people[0].two_factor);
        let names: Vec<&str> = population
            .projects
            .iter()
            .map(|p| p.name.as_str())
            .collect();
        // Tables are read in the order of their names: what is generated is not lost.
        assert!(
            names.contains(&"shop") && names.contains(&"project00003"),
            "{names:?}"
        );
    }

    #[test]
    fn an_unknown_key_is_answered_with_its_place_and_the_nearest_one() {
        assert_eq!(
            error("[[project]]\nname = \"x\"\ncircelci = \"gh/a/b\"\n"),
            "org.toml:3:1: unknown key `circelci`; did you mean `circleci`? known here: name, circleci, github, \
             private, images, contexts, environments, variables, user_var, token_var"
        );
        assert!(error("[organisation]\n").contains("did you mean `organization`?"));
        assert!(error("[generate]\nproject = 1\n").contains("did you mean `projects`?"));
    }

    #[test]
    fn a_wrong_value_is_answered_with_the_right_ones() {
        assert_eq!(
            error("[organization]\nplan = \"huge\"\n"),
            "org.toml:2:8: `plan` cannot be `huge`; it is one of personal, pro, team, business"
        );
        assert!(error("[[person]]\nrole = \"member\"\n").contains("has no name"));
        assert!(
            error("[[person]]\nname = \"abcd\"\n").contains("no `[[person]]` has the role `owner`")
        );
        assert!(error("[organization\n").contains("org.toml:1:14: not TOML"));
    }
}
