//! An organisation: members, teams, invitations, access tokens.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::account::{Plan, is_address};
use super::mail::Mail;
use super::secret::Secret;
use super::session::{By, Session};
use super::{Outcome, Refusal, World};

/// The team that owners are in.
pub(crate) const OWNERS: &str = "owners";

#[derive(Clone, Debug)]
pub(crate) struct Organisation {
    pub(crate) uuid: String,
    pub(crate) plan: Plan,
    /// Members' passwords are refused.
    pub(crate) sso: bool,
    /// Docker ID to membership.
    pub(crate) members: BTreeMap<String, Member>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) invitations: Vec<Invitation>,
    pub(crate) tokens: Vec<Oat>,
    pub(crate) restricted_images: [bool; 3],
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) joined: Timestamp,
}

/// Sent in lower case, and given back with a capital letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Owner,
    Editor,
    Member,
}

impl Role {
    pub(crate) const NAMES: [(&'static str, Self); 3] = [
        ("owner", Self::Owner),
        ("editor", Self::Editor),
        ("member", Self::Member),
    ];

    pub(crate) fn sent(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, role)| *role)
    }

    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Editor => "Editor",
            Self::Member => "Member",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: u64,
    pub(crate) uuid: String,
    pub(crate) description: String,
    pub(crate) members: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Invitation {
    pub(crate) id: String,
    pub(crate) inviter: String,
    /// A Docker ID, or an address that has none yet.
    pub(crate) invitee: String,
    pub(crate) team: Option<String>,
    pub(crate) role: Role,
    /// Stands in the message's link.
    pub(crate) code: Secret,
    pub(crate) created: Timestamp,
}

/// An organisation access token.
#[derive(Clone, Debug)]
pub(crate) struct Oat {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) description: String,
    pub(crate) creator: String,
    pub(crate) resources: Vec<Resource>,
    pub(crate) secret: Secret,
    pub(crate) active: bool,
    pub(crate) created: Timestamp,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) last_used: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Resource {
    /// `TYPE_REPO` or `TYPE_ORG`.
    pub(crate) kind: String,
    pub(crate) path: String,
    pub(crate) scopes: Vec<String>,
}

/// What a session wants of an organisation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Want {
    /// See members, teams and the log.
    Read,
    /// Change them: owners.
    Change,
    /// Manage access tokens: owners who signed in with their password.
    Tokens,
}

/// Whom to invite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewInvitation<'w> {
    pub(crate) invitee: &'w str,
    pub(crate) team: Option<&'w str>,
    pub(crate) role: Role,
}

/// What came of inviting one person.
pub(crate) enum Invited {
    Yes(Invitation),
    IsMember,
    Unknown,
}

impl Organisation {
    /// How many access tokens it may have. Those that are expired or deactivated count.
    pub(crate) fn token_slots(&self) -> usize {
        match self.plan {
            Plan::Business => 100,
            Plan::Team => 10,
            Plan::Personal | Plan::Pro => 0,
        }
    }

    /// The teams that a member is in.
    pub(crate) fn teams_of(&self, name: &str) -> Vec<&str> {
        self.groups
            .iter()
            .filter(|(_, group)| group.members.contains(name))
            .map(|(team, _)| team.as_str())
            .collect()
    }

    fn owners(&self) -> usize {
        let owners = |m: &&Member| m.role == Role::Owner;
        self.members.values().filter(owners).count()
    }

    /// Gives a role, and keeps the owners' team in step.
    pub(crate) fn set_role(&mut self, name: &str, role: Role, now: Timestamp) {
        let joined = self.members.get(name).map_or(now, |m| m.joined);
        self.members
            .insert(name.to_owned(), Member { role, joined });
        if let Some(owners) = self.groups.get_mut(OWNERS) {
            if role == Role::Owner {
                owners.members.insert(name.to_owned());
            } else {
                owners.members.remove(name);
            }
        }
    }
}

fn no_organisation() -> Refusal {
    Refusal::NotFound("organization not found".to_owned())
}

impl World {
    /// The organisation, when the session may do that with it.
    pub(crate) fn organisation(
        &mut self,
        session: &Session,
        name: &str,
        want: Want,
    ) -> Outcome<&mut Organisation> {
        let organisation = self
            .organisations
            .get_mut(name)
            .ok_or_else(no_organisation)?;
        let forbidden = |why: &str| Err(Refusal::Forbidden(why.to_owned()));
        match &session.by {
            By::Oat(_) if session.name != name => {
                return forbidden("access to the resource is denied");
            }
            By::Oat(_) if want == Want::Tokens => {
                return forbidden("token issued from organization access token is not allowed");
            }
            By::Oat(id) => {
                let verb = if want == Want::Read { "-read" } else { "-edit" };
                let may = organisation.tokens.iter().any(|t| {
                    t.id == *id
                        && t.resources.iter().any(|r| {
                            r.kind == "TYPE_ORG"
                                && r.path == name
                                && r.scopes.iter().any(|s| s.ends_with(verb))
                        })
                });
                if !may {
                    return forbidden("access to the resource is denied");
                }
            }
            By::Pat(_) if want == Want::Tokens => {
                return forbidden("token issued from personal access token is not allowed");
            }
            By::Pat(_) | By::Password => {
                match organisation.members.get(&session.name).map(|m| m.role) {
                    Some(Role::Owner) => {}
                    Some(_) if want == Want::Read => {}
                    _ => return forbidden("access to the resource is denied"),
                }
            }
        }
        Ok(organisation)
    }

    /// Gives a member another role.
    pub(crate) fn change_role(
        &mut self,
        session: &Session,
        name: &str,
        member: &str,
        role: Role,
        now: Timestamp,
    ) -> Outcome<()> {
        let organisation = self.organisation(session, name, Want::Change)?;
        let before = organisation
            .members
            .get(member)
            .ok_or_else(|| Refusal::NotFound("member not found".to_owned()))?
            .role;
        if before == Role::Owner && role != Role::Owner && organisation.owners() == 1 {
            return Err(Refusal::Invalid {
                field: "role",
                text: "the last owner of an organization stays one".to_owned(),
            });
        }
        organisation.set_role(member, role, now);
        let data = [("role", role.shown())];
        self.audit.add(
            name,
            "org.member.role.change",
            member,
            &session.name,
            &data,
            now,
        );
        Ok(())
    }

    /// Takes a member out of the organisation and of all its teams.
    pub(crate) fn remove_member(
        &mut self,
        session: &Session,
        name: &str,
        member: &str,
        now: Timestamp,
    ) -> Outcome<()> {
        let organisation = self.organisation(session, name, Want::Change)?;
        let role = organisation
            .members
            .get(member)
            .ok_or_else(|| Refusal::NotFound("member not found".to_owned()))?
            .role;
        if role == Role::Owner && organisation.owners() == 1 {
            return Err(Refusal::Invalid {
                field: "username",
                text: "the last owner of an organization cannot be removed".to_owned(),
            });
        }
        organisation.members.remove(member);
        for group in organisation.groups.values_mut() {
            group.members.remove(member);
        }
        self.audit
            .add(name, "org.member.removed", member, &session.name, &[], now);
        Ok(())
    }

    /// One team.
    pub(crate) fn group(
        &mut self,
        session: &Session,
        name: &str,
        group: &str,
        want: Want,
    ) -> Outcome<&mut Group> {
        self.organisation(session, name, want)?
            .groups
            .get_mut(group)
            .ok_or_else(|| Refusal::NotFound("group not found".to_owned()))
    }

    /// Makes a team.
    pub(crate) fn create_group(
        &mut self,
        session: &Session,
        name: &str,
        group: &str,
        description: &str,
        now: Timestamp,
    ) -> Outcome<Group> {
        let uuid = self.dice.uuid();
        let id = 1000 + self.audit.events.len() as u64;
        let organisation = self.organisation(session, name, Want::Change)?;
        if group.is_empty() {
            return Err(Refusal::Invalid {
                field: "name",
                text: "a group has a name".to_owned(),
            });
        }
        if organisation.groups.contains_key(group) {
            return Err(Refusal::Invalid {
                field: "name",
                text: "a group of this name exists".to_owned(),
            });
        }
        let made = Group {
            id,
            uuid,
            description: description.to_owned(),
            members: BTreeSet::new(),
        };
        organisation.groups.insert(group.to_owned(), made.clone());
        self.audit
            .add(name, "org.team.create", group, &session.name, &[], now);
        Ok(made)
    }

    /// Adds a member of the organisation to a team.
    pub(crate) fn add_to_group(
        &mut self,
        session: &Session,
        name: &str,
        group: &str,
        member: &str,
        now: Timestamp,
    ) -> Outcome<()> {
        self.group(session, name, group, Want::Change)?;
        let organisation = self.organisation(session, name, Want::Change)?;
        if !organisation.members.contains_key(member) {
            return Err(Refusal::NotFound("member not found".to_owned()));
        }
        if group == OWNERS {
            organisation.set_role(member, Role::Owner, now);
        } else if let Some(group) = organisation.groups.get_mut(group) {
            group.members.insert(member.to_owned());
        }
        let data = [("team", group)];
        self.audit.add(
            name,
            "org.team.member.add",
            member,
            &session.name,
            &data,
            now,
        );
        Ok(())
    }

    /// Takes a member out of a team.
    pub(crate) fn remove_from_group(
        &mut self,
        session: &Session,
        name: &str,
        group: &str,
        member: &str,
        now: Timestamp,
    ) -> Outcome<()> {
        let team = self.group(session, name, group, Want::Change)?;
        if !team.members.contains(member) {
            return Err(Refusal::NotFound("member not found".to_owned()));
        }
        if group == OWNERS {
            self.change_role(session, name, member, Role::Member, now)?;
        } else {
            team.members.remove(member);
        }
        let data = [("team", group)];
        self.audit.add(
            name,
            "org.team.member.remove",
            member,
            &session.name,
            &data,
            now,
        );
        Ok(())
    }

    /// Invites one person, or says why not. Nothing changes in a dry run.
    pub(crate) fn invite(
        &mut self,
        session: &Session,
        name: &str,
        wanted: &NewInvitation<'_>,
        dry_run: bool,
        now: Timestamp,
    ) -> Outcome<Invited> {
        let NewInvitation {
            invitee,
            team,
            role,
        } = *wanted;
        let organisation = self.organisation(session, name, Want::Change)?;
        if team.is_some_and(|team| !organisation.groups.contains_key(team)) {
            return Err(Refusal::Invalid {
                field: "team",
                text: "team not found".to_owned(),
            });
        }
        let known = organisation
            .invitations
            .iter()
            .find(|i| i.invitee == invitee);
        if let Some(invitation) = known {
            return Ok(Invited::Yes(invitation.clone()));
        }
        let account = self
            .accounts
            .iter()
            .find(|(id, a)| *id == invitee || a.email.eq_ignore_ascii_case(invitee));
        let to = match account {
            Some((id, account)) => {
                let member = self
                    .organisations
                    .get(name)
                    .is_some_and(|o| o.members.contains_key(id));
                if member {
                    return Ok(Invited::IsMember);
                }
                account.email.clone()
            }
            None if is_address(invitee) => invitee.to_owned(),
            None => return Ok(Invited::Unknown),
        };
        let invitation = Invitation {
            id: self.dice.uuid(),
            inviter: session.name.clone(),
            invitee: invitee.to_owned(),
            team: team.map(str::to_owned),
            role,
            code: Secret::new(self.dice.token("", 40)),
            created: now,
        };
        if dry_run {
            return Ok(Invited::Yes(invitation));
        }
        let mail = Mail::invitation(self.mail.len() + 1, to, name, &invitation, now);
        self.mail.push(mail);
        if let Some(organisation) = self.organisations.get_mut(name) {
            organisation.invitations.push(invitation.clone());
        }
        let data = [("team", team.unwrap_or_default())];
        self.audit.add(
            name,
            "org.team.member.invite",
            invitee,
            &session.name,
            &data,
            now,
        );
        Ok(Invited::Yes(invitation))
    }

    /// The organisation that a pending invitation is of. Its owners may see and change it.
    fn organisation_of_invitation(&mut self, session: &Session, id: &str) -> Outcome<String> {
        let name = self
            .organisations
            .iter()
            .find(|(_, o)| o.invitations.iter().any(|i| i.id == id))
            .map(|(name, _)| name.clone())
            .ok_or_else(|| Refusal::NotFound("invite not found".to_owned()))?;
        self.organisation(session, &name, Want::Change)?;
        Ok(name)
    }

    /// Writes to the invited person again.
    pub(crate) fn resend(&mut self, session: &Session, id: &str, now: Timestamp) -> Outcome<()> {
        let name = self.organisation_of_invitation(session, id)?;
        let invitation = self
            .organisations
            .get(&name)
            .and_then(|o| o.invitations.iter().find(|i| i.id == id))
            .cloned();
        if let Some(invitation) = invitation {
            let to = self
                .accounts
                .get(&invitation.invitee)
                .map_or_else(|| invitation.invitee.clone(), |a| a.email.clone());
            let mail = Mail::invitation(self.mail.len() + 1, to, &name, &invitation, now);
            self.mail.push(mail);
        }
        Ok(())
    }

    /// Takes an invitation back.
    pub(crate) fn cancel(&mut self, session: &Session, id: &str) -> Outcome<()> {
        let name = self.organisation_of_invitation(session, id)?;
        if let Some(organisation) = self.organisations.get_mut(&name) {
            organisation.invitations.retain(|i| i.id != id);
        }
        Ok(())
    }

    /// What a person sees who follows an invitation's link: the organisation and the invitation.
    pub(crate) fn invitation(&self, code: &Secret) -> Option<(&str, &Invitation)> {
        self.organisations.iter().find_map(|(name, o)| {
            o.invitations
                .iter()
                .find(|i| i.code.matches(code))
                .map(|i| (name.as_str(), i))
        })
    }

    /// The person accepts, signed in as `account`.
    pub(crate) fn accept(&mut self, code: &Secret, account: &str, now: Timestamp) -> Outcome<()> {
        let (name, invitation) = self
            .invitation(code)
            .map(|(name, invitation)| (name.to_owned(), invitation.clone()))
            .ok_or_else(|| Refusal::NotFound("this invitation is not open".to_owned()))?;
        let theirs = self.accounts.get(account).is_some_and(|a| {
            invitation.invitee == account || a.email.eq_ignore_ascii_case(&invitation.invitee)
        });
        if !theirs {
            return Err(Refusal::Forbidden(format!(
                "this invitation is for {}",
                invitation.invitee
            )));
        }
        if let Some(organisation) = self.organisations.get_mut(&name) {
            organisation.invitations.retain(|i| i.id != invitation.id);
            organisation.set_role(account, invitation.role, now);
            if let Some(team) = &invitation.team {
                if team == OWNERS {
                    organisation.set_role(account, Role::Owner, now);
                } else if let Some(group) = organisation.groups.get_mut(team) {
                    group.members.insert(account.to_owned());
                }
            }
        }
        let team = invitation.team.unwrap_or_default();
        self.audit.add(
            &name,
            "org.team.member.add",
            account,
            account,
            &[("team", &team)],
            now,
        );
        Ok(())
    }

    /// Makes an organisation access token. Its secret is in the answer and never again.
    pub(crate) fn create_oat(
        &mut self,
        session: &Session,
        name: &str,
        new: Oat,
        now: Timestamp,
    ) -> Outcome<Oat> {
        check_oat(&new, now)?;
        let organisation = self.organisation(session, name, Want::Tokens)?;
        let slots = organisation.token_slots();
        if organisation.tokens.len() >= slots {
            return Err(Refusal::Invalid {
                field: "label",
                text: format!("the organization has its {slots} access tokens: delete one first"),
            });
        }
        organisation.tokens.push(new.clone());
        self.audit.add(
            name,
            "org.access_token.create",
            &new.label,
            &session.name,
            &[],
            now,
        );
        Ok(new)
    }

    /// One access token of an organisation.
    pub(crate) fn oat(&mut self, session: &Session, name: &str, id: &str) -> Outcome<&mut Oat> {
        self.organisation(session, name, Want::Tokens)?
            .tokens
            .iter_mut()
            .find(|t| t.id == id)
            .ok_or_else(|| Refusal::NotFound("access token not found".to_owned()))
    }

    /// Deletes it, which frees its slot.
    pub(crate) fn delete_oat(
        &mut self,
        session: &Session,
        name: &str,
        id: &str,
        now: Timestamp,
    ) -> Outcome<()> {
        let label = self.oat(session, name, id)?.label.clone();
        self.organisation(session, name, Want::Tokens)?
            .tokens
            .retain(|t| t.id != id);
        self.audit.add(
            name,
            "org.access_token.delete",
            &label,
            &session.name,
            &[],
            now,
        );
        Ok(())
    }
}

/// What is wrong with an access token that is to be made or changed.
pub(crate) fn check_oat(token: &Oat, now: Timestamp) -> Outcome<()> {
    let wrong = |field, text: &str| {
        Err(Refusal::Invalid {
            field,
            text: text.to_owned(),
        })
    };
    if token.label.is_empty() {
        return wrong("label", "a token has a label");
    }
    if token.expires.is_some_and(|end| end <= now) {
        return wrong("expires_at", "expires_at is in the future");
    }
    let repositories = token.resources.iter().filter(|r| r.kind == "TYPE_REPO");
    if repositories.count() > 50 {
        return wrong("resources", "a token reaches at most 50 repositories");
    }
    for resource in &token.resources {
        if !matches!(resource.kind.as_str(), "TYPE_REPO" | "TYPE_ORG") {
            return wrong("resources", "type is TYPE_REPO or TYPE_ORG");
        }
        if resource.path.is_empty() || resource.scopes.is_empty() {
            return wrong("resources", "a resource has a path and scopes");
        }
    }
    Ok(())
}
