//! Members, teams and invitations.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::name::{DockerId, Team};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Hub;
use crate::http::{Ask, Repeat};

/// What somebody is in the organisation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// May do everything.
    Owner,
    /// May make and change repositories.
    Editor,
    /// May do what their teams may.
    Member,
    /// One that is not known here.
    Other(String),
}

impl Role {
    /// Roles are sent in lower case and come back capitalised.
    fn read(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "owner" => Self::Owner,
            "editor" => Self::Editor,
            "member" => Self::Member,
            _ => Self::Other(text.to_owned()),
        }
    }
}

/// Somebody who has accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The Docker ID.
    pub id: String,
    /// The e-mail address.
    pub email: String,
    /// The role.
    pub role: Role,
    /// The teams.
    pub teams: BTreeSet<String>,
}

/// An invitation that nobody has accepted yet.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Invitation {
    /// What [`Hub::resend`] takes.
    pub id: String,
    /// A Docker ID, or an e-mail address.
    pub invitee: String,
    /// The team, if it is to one.
    #[serde(default, deserialize_with = "team")]
    pub team: Option<String>,
    /// When it was sent.
    pub created_at: Timestamp,
}

/// Docker Hub writes no team as an empty text, or as nothing.
fn team<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let team = Option::<String>::deserialize(from)?;
    Ok(team.filter(|team| !team.is_empty()))
}

/// What an invitation came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invited {
    /// It is sent; a person has to accept it.
    Invited,
    /// Nobody needs inviting.
    AlreadyMember,
    /// There is no such Docker ID.
    UnknownId,
}

#[derive(Deserialize)]
struct Invitations {
    data: Vec<Invitation>,
}

#[derive(Deserialize)]
struct Bulk {
    invitees: Vec<Invitee>,
}

#[derive(Deserialize)]
struct Invitee {
    status: String,
}

impl Hub {
    /// Everybody in the organisation with their teams, in one call.
    ///
    /// # Errors
    ///
    /// When the operator may not see them, or the table cannot be read.
    pub async fn members(&self) -> Result<Vec<Member>, Failure> {
        let org = self.organization.as_str();
        let ask = Ask::get(
            format!("list the members of `{org}`"),
            &["v2", "orgs", org, "members", "export"],
        )
        .accept("text/csv");
        let (ask, answer) = self.as_operator(ask).await?;
        read_members(answer.bytes()).ok_or_else(|| {
            self.http
                .unreadable(&ask, "a table with `Username` and `Role`")
        })
    }

    /// Invitations that are open.
    ///
    /// # Errors
    ///
    /// When the operator may not see them.
    pub async fn invitations(&self) -> Result<Vec<Invitation>, Failure> {
        let org = self.organization.as_str();
        let ask = Ask::get(
            format!("list the invitations of `{org}`"),
            &["v2", "orgs", org, "invites"],
        );
        let (ask, answer) = self.as_operator(ask).await?;
        let invitations: Invitations = self.http.read(&ask, &answer)?;
        Ok(invitations.data)
    }

    /// Invites a Docker ID to one team, as a plain member.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Unknown`] when the answer was lost.
    pub async fn invite(&self, id: &DockerId, team: &Team) -> Result<Invited, Failure> {
        let body = json!({
            "org": self.organization.as_str(),
            "team": team.as_str(),
            "role": "member",
            "invitees": [id.as_str()],
            "dry_run": false,
        });
        let doing = format!(
            "invite `{id}` to the team `{team}` of `{}`",
            self.organization
        );
        let ask = Ask::new(Method::POST, doing, &["v2", "invites", "bulk"]).json(&body);
        let (ask, answer) = self.as_operator(ask).await?;
        let bulk: Bulk = self.http.read(&ask, &answer)?;
        match bulk.invitees.first().map(|invitee| invitee.status.as_str()) {
            Some("invited") => Ok(Invited::Invited),
            Some("existing_org_member") => Ok(Invited::AlreadyMember),
            Some("invalid_email_or_docker_id") => Ok(Invited::UnknownId),
            Some(status) => Err(ask.failure(
                FailureKind::Refused,
                format!("Docker Hub says `{status}`"),
                "see the organisation's members and seats in Docker's console",
            )),
            None => Err(self.http.unreadable(&ask, "what became of the invitation")),
        }
    }

    /// Sends an invitation once more.
    ///
    /// # Errors
    ///
    /// [`FailureKind::NotFound`] when it is no longer open, [`FailureKind::Unknown`] when the
    /// answer was lost.
    pub async fn resend(&self, invitation: &str) -> Result<(), Failure> {
        let ask = Ask::new(
            Method::PATCH,
            format!("send an invitation to `{}` once more", self.organization),
            &["v2", "invites", invitation, "resend"],
        )
        .repeat(Repeat::WhenNothingHappened);
        self.as_operator(ask).await.map(|_| ())
    }

    /// Makes somebody a plain member. There is no way to any other role here.
    ///
    /// # Errors
    ///
    /// When Docker Hub does not do so, or they are no member at all.
    pub async fn make_member(&self, id: &DockerId) -> Result<(), Failure> {
        let org = self.organization.as_str();
        let ask = Ask::new(
            Method::PUT,
            format!("make `{id}` a plain member of `{org}`"),
            &["v2", "orgs", org, "members", id.as_str()],
        )
        .json(&json!({"role": "member"}));
        self.as_operator(ask).await.map(|_| ())
    }

    /// Puts a member into a team. One who is in it already stays so.
    ///
    /// # Errors
    ///
    /// When Docker Hub does not do so, or they are no member of the organisation.
    pub async fn join_team(&self, id: &DockerId, team: &Team) -> Result<(), Failure> {
        let org = self.organization.as_str();
        let ask = Ask::new(
            Method::POST,
            format!("put `{id}` into the team `{team}` of `{org}`"),
            &["v2", "orgs", org, "groups", team.as_str(), "members"],
        )
        .json(&json!({"member": id.as_str()}))
        .repeat(Repeat::Always);
        self.as_operator(ask).await.map(|_| ())
    }
}

/// Reads the table of members; its columns are known by their names. Those who are invited are left
/// out: [`Hub::invitations`] has them.
fn read_members(csv: &[u8]) -> Option<Vec<Member>> {
    let mut table = csv::ReaderBuilder::new().flexible(true).from_reader(csv);
    let names = table.headers().ok()?.clone();
    let column = |wanted: &str| {
        names.iter().position(|name| {
            name.trim_start_matches('\u{feff}')
                .trim()
                .eq_ignore_ascii_case(wanted)
        })
    };
    let (id, role) = (column("username")?, column("role")?);
    let (email, kind, teams) = (column("email"), column("type"), column("teams"));
    let mut members = Vec::new();
    for row in table.records() {
        let row = row.ok()?;
        let cell = |column: Option<usize>| column.and_then(|at| row.get(at)).unwrap_or("").trim();
        let is_invited = cell(kind).eq_ignore_ascii_case("invitee")
            || cell(Some(role)).eq_ignore_ascii_case("invitee");
        if is_invited || cell(Some(id)).is_empty() {
            continue;
        }
        members.push(Member {
            id: cell(Some(id)).to_owned(),
            email: cell(email).to_owned(),
            role: Role::read(cell(Some(role))),
            teams: cell(teams)
                .split([',', ';'])
                .map(str::trim)
                .filter(|team| !team.is_empty())
                .map(str::to_owned)
                .collect(),
        });
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_members_is_read_by_the_names_of_its_columns() {
        let csv = "\u{feff}Email,Username,\"Role\",Type,Name,Teams,Date Joined\r\n\
            a@x.example,acmeshop,Member,User,\"Shop, \"\"the\"\" bot\",\"ci-pullers, dev\",2026\r\n\
            b@x.example,acmeboss,Owner,User,\"two\r\nlines\",owners,2026\r\n\
            c@x.example,acmenew,Member,Invitee,,ci-pullers,\r\n\
            d@x.example,,Member,Invitee,,,\r\n\
            e@x.example,acmeother,Auditor,User,,,\r\n";
        let members = read_members(csv.as_bytes()).unwrap();
        let ids: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
        assert_eq!(ids, ["acmeshop", "acmeboss", "acmeother"]);
        let teams = ["ci-pullers", "dev"].map(str::to_owned);
        assert_eq!(members[0].teams, BTreeSet::from(teams));
        assert_eq!(members[0].email, "a@x.example");
        assert_eq!(members[1].role, Role::Owner);
        assert_eq!(members[2].role, Role::Other("Auditor".into()));
        assert!(members[2].teams.is_empty());
    }

    #[test]
    fn something_that_is_not_the_table_is_not_read_as_nobody() {
        assert!(read_members(b"").is_none());
        assert!(read_members(b"<html>\n<body>").is_none());
        assert!(read_members(b"Username,Email\na,b\n").is_none());
        assert_eq!(read_members(b"Username,Role\n"), Some(Vec::new()));
    }
}
