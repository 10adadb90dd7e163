//! One step, and what it changes in the picture.
//!
//! The picture is changed by what a step is known to have done, never by what was hoped: where an
//! answer was lost, it is taken again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use pullpass_connect::hub::{Invited, Owner, Pull, SignIn};
use pullpass_connect::registry::Proof;
use pullpass_fleet::decide::{self, Standing};
use pullpass_fleet::desired::{Desired, Identity, Target};
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::file::{self, Delivery, Fleet, HubSettings, Project};
use pullpass_fleet::foresee::NONE_LEFT;
use pullpass_fleet::label::{Attempt, Generation, Label};
use pullpass_fleet::name::{DockerId, Team};
use pullpass_fleet::observed::{
    Account, Holding, Kept, Membership, Observed, Slots, Token, TokenId,
};
use pullpass_fleet::step::Step;
use pullpass_fleet::store::{self, Receipt, Store as _, Update, Written};
use secrecy::SecretString;

use crate::outside::Outside;
use crate::picture::{self, CONNECTION, Picture};
use crate::pipeline;
use crate::secrets;

/// How often a fresh token is shown to the registry before a refusal is believed, and how long is
/// waited in between: what Docker Hub has just made is not known everywhere at once.
const SHOWINGS: u32 = 3;
const BETWEEN_SHOWINGS: std::time::Duration = std::time::Duration::from_secs(2);

/// How long after its delivery a token has to be used for that to be no use of ours: it is proven just
/// before, and the clocks of the systems differ.
const OUR_OWN_USE: SignedDuration = SignedDuration::from_mins(1);

/// One project in the course of a run.
pub(crate) struct Case<'a> {
    pub(crate) outside: &'a Outside,
    pub(crate) hub: &'a HubSettings,
    pub(crate) project: &'a Project,
    pub(crate) desired: Desired,
    pub(crate) picture: Picture,
    /// Tokens that this run minted or read, so that none is read twice.
    known: BTreeMap<Attempt, SecretString>,
    /// Delivered, and not yet noted in the store.
    unnoted: BTreeMap<Target, Receipt>,
    signed_in: bool,
    /// Somebody looks on, and is shown what the registry counts.
    pub(crate) watched: bool,
}

impl<'a> Case<'a> {
    pub(crate) fn new(
        outside: &'a Outside,
        hub: &'a HubSettings,
        project: &'a Project,
        desired: Desired,
        picture: Picture,
    ) -> Self {
        Self {
            outside,
            hub,
            project,
            desired,
            picture,
            known: BTreeMap::new(),
            unnoted: BTreeMap::new(),
            signed_in: false,
            watched: false,
        }
    }

    /// How the current token stands.
    pub(crate) fn standing(&self) -> Option<Standing> {
        let observed = &self.picture.observed;
        decide::standing(&self.desired, observed, self.outside.now())
    }

    /// Whether every target has the current version, and that one works and is not to be replaced.
    pub(crate) fn is_served(&self) -> bool {
        let observed = &self.picture.observed;
        let (Some(current), None) = (observed.stored.current, observed.stored.pending) else {
            return false;
        };
        let is_good = self.standing() == Some(Standing::Good);
        is_good && self.desired.targets.iter().all(|target| {
            let held = observed.targets.get(target);
            matches!(held, Some(Holding::Version { attempt, .. }) if *attempt == current.attempt)
        })
    }

    /// Takes the picture again. What this run has learnt stays.
    pub(crate) async fn look_again(&mut self) -> Result<(), Failure> {
        self.note().await?;
        let learnt = std::mem::take(&mut self.picture.observed.learnt);
        let account = std::mem::replace(&mut self.picture.observed.account, Account::Unseen);
        self.picture = picture::take(self.outside, self.hub, self.project, None).await?;
        self.picture.observed.learnt = learnt;
        if account == Account::Ready {
            self.picture.observed.account = account;
        }
        Ok(())
    }

    /// Notes in the store what was delivered.
    pub(crate) async fn note(&mut self) -> Result<(), Failure> {
        if self.unnoted.is_empty() {
            return Ok(());
        }
        let store = self.outside.store(self.project)?;
        store.note(&self.project.name, &self.unnoted).await?;
        self.picture
            .record
            .receipts
            .append(&mut std::mem::take(&mut self.unnoted));
        Ok(())
    }

    /// Takes note of when there is something to do about older tokens, where this run has listed them and
    /// ends with that step: `plan` lists none, and is to tell.
    pub(crate) fn older_are_due(&mut self, step: &Step) {
        let (observed, now) = (&self.picture.observed, self.outside.now());
        let (Some(current), Some(_)) = (self.picture.record.stored.current, &observed.tokens)
        else {
            return;
        };
        let due = match step {
            Step::Converged => NONE_LEFT,
            Step::Wait(moment, _) => *moment,
            _ => return,
        };
        // What goes without saying costs no call.
        let usual = decide::older_are_due(&self.desired, observed);
        let is_known = match self.picture.older_are_due() {
            Some(noted) => noted.as_second() == due.as_second(),
            None => usual.map_or(due >= NONE_LEFT, |usual| usual == due && usual > now),
        };
        if !is_known {
            let receipt = Receipt {
                attempt: current.attempt,
                written_at: due,
            };
            self.unnoted.insert(Target::OlderTokens, receipt);
        }
    }

    /// Does one step. Gives what there is to add to its description.
    pub(crate) async fn perform(&mut self, step: &Step) -> Result<Option<String>, Failure> {
        match step {
            Step::LookAtAccount => self.look_at_account().await?,
            Step::LookAtTokens => self.look_at_tokens().await?,
            Step::Claim => {
                if self.change(Update::Fence).await? {
                    self.picture.observed.tokens = Some(Vec::new());
                }
            }
            Step::Invent => self.invent().await?,
            Step::Invite => return self.invite().await,
            Step::Demote => {
                let (id, _) = self.service()?;
                self.outside.hub.make_member(&id).await?;
                if let Membership::Member { plain, .. } = &mut self.picture.observed.membership {
                    *plain = true;
                }
                self.outside.forget_people().await;
            }
            Step::JoinTeam => {
                let (id, team) = self.service()?;
                self.outside.hub.join_team(&id, &team).await?;
                if let Membership::Member { in_team, .. } = &mut self.picture.observed.membership {
                    *in_team = true;
                }
                self.outside.forget_people().await;
            }
            Step::Mint(generation) => return self.mint(*generation).await,
            Step::Prove(attempt) => return self.prove(*attempt).await,
            Step::Deliver(target, attempt) => self.deliver(target, *attempt).await?,
            Step::Promote(attempt) => {
                self.note().await?;
                let update = Update::Promote(*attempt, self.outside.now());
                self.change(update).await?;
            }
            Step::DropPending(_) => self.change(Update::DropPending).await.map(drop)?,
            Step::Fence => self.change(Update::Fence).await.map(drop)?,
            Step::Deactivate(id) => {
                let owner = self.owner()?;
                self.sign_in().await?;
                match self.outside.hub.set_active(&owner, *id, false).await {
                    Err(failure) if failure.kind == FailureKind::NotFound => self.is_gone(*id),
                    done => {
                        done?;
                        self.each_token(|token| {
                            if token.id == *id {
                                token.active = false;
                            }
                        });
                    }
                }
                return Ok(self.use_of_the_new_one(*id));
            }
            Step::Delete(id) => {
                let owner = self.owner()?;
                self.sign_in().await?;
                match self.outside.hub.delete(&owner, *id).await {
                    Err(failure) if failure.kind == FailureKind::NotFound => {}
                    done => done?,
                }
                self.is_gone(*id);
            }
            Step::WriteConnection(target) => {
                let Identity::Oidc { connection } = &self.project.identity else {
                    return Ok(None);
                };
                let (client, repository) = self.outside.github(self.project)?;
                client
                    .set_variable(
                        &repository,
                        &picture::scope_of(target),
                        CONNECTION,
                        connection,
                    )
                    .await?;
                self.holds(target, Holding::Connection);
            }
            Step::AwaitSignUp
            | Step::AwaitConfirmation
            | Step::AwaitInvitation
            | Step::Wait(..)
            | Step::Blocked(_)
            | Step::Converged => {}
        }
        Ok(None)
    }

    /// Whether Docker Hub has seen the current token since every target has it, where an older one is
    /// retired for it.
    fn use_of_the_new_one(&self, retired: TokenId) -> Option<String> {
        // There it is not waited for.
        if self.desired.leak.is_some() {
            return None;
        }
        let observed = &self.picture.observed;
        let current = observed
            .stored
            .current
            .filter(|kept| kept.token != retired)?;
        let listed = observed.tokens.iter().flatten();
        let token = listed.into_iter().find(|token| token.id == current.token)?;
        let written = observed
            .targets
            .values()
            .filter_map(|holding| match holding {
                Holding::Version { attempt, since } if *attempt == current.attempt => Some(*since),
                _ => None,
            });
        let since = written.max()?.saturating_add(OUR_OWN_USE).ok()?;
        if self.outside.now() <= since {
            return None;
        }
        Some(match token.last_used.filter(|at| *at > since) {
            Some(at) => {
                format!("the new one was last used at {at:.0}, by a build or by `pullpass verify`")
            }
            None => {
                "Docker Hub shows no use of the new one after the minute of its delivery".to_owned()
            }
        })
    }

    fn holds(&mut self, target: &Target, holding: Holding) {
        let targets = &mut self.picture.observed.targets;
        targets.insert(target.clone(), holding);
    }

    /// A token that was deleted, by this run or by somebody else since it was listed.
    fn is_gone(&mut self, id: TokenId) {
        if let Some(tokens) = &mut self.picture.observed.tokens {
            tokens.retain(|token| token.id != id);
        }
        if let Some(slots) = &mut self.picture.observed.slots {
            slots.used = slots.used.saturating_sub(1);
            self.outside.slot_is_free();
        }
        let Observed { learnt, stored, .. } = &mut self.picture.observed;
        learnt.is_deleted(id, stored);
        self.outside.forget_tokens();
    }

    fn each_token(&mut self, change: impl FnMut(&mut Token)) {
        let tokens = self.picture.observed.tokens.iter_mut().flatten();
        tokens.for_each(change);
        self.outside.forget_tokens();
    }

    fn service(&self) -> Result<(DockerId, Team), Failure> {
        let Identity::ServiceId { id, team } = &self.project.identity else {
            return Err(Failure::new(
                FailureKind::Configuration,
                format!("find the Docker ID of `{}`", self.project.name),
                "it has none",
                "set `identity = \"service-id\"` in the fleet file",
            ));
        };
        // Once an account is kept, it is the one.
        let kept = self.picture.record.stored.account.as_ref();
        Ok((kept.unwrap_or(id).clone(), team.clone()))
    }

    pub(crate) fn user(&self) -> String {
        match self.service() {
            Ok((id, _)) => id.to_string(),
            Err(_) => self.hub.organization.to_string(),
        }
    }

    fn owner(&self) -> Result<Owner, Failure> {
        match self.project.identity {
            Identity::ServiceId { .. } => Ok(Owner::Account(self.service()?.0)),
            Identity::OrganizationToken | Identity::Oidc { .. } => Ok(Owner::Organization),
        }
    }

    /// Signs in as the service ID, once a run.
    pub(crate) async fn sign_in(&mut self) -> Result<(), Failure> {
        if self.signed_in || !matches!(self.project.identity, Identity::ServiceId { .. }) {
            return Ok(());
        }
        let account = self.kept_account().await?;
        let doing = format!("sign in to Docker Hub as `{}`", account.id);
        let (happened, next) = match self
            .outside
            .hub
            .sign_in(&account.id, &account.password)
            .await?
        {
            SignIn::Ready => {
                self.signed_in = true;
                self.picture.observed.account = Account::Ready;
                return Ok(());
            }
            SignIn::Wrong => (
                "the stored password does not open it",
                format!("reset it in Docker's console to the stored one, which `pullpass onboard {} --show-password` prints", self.project.name),
            ),
            SignIn::Unconfirmed => (
                "its e-mail address has not been confirmed",
                "open the link in the e-mail that Docker sent".to_owned(),
            ),
            SignIn::Sso => (
                "the organisation enforces single sign-on, which refuses passwords, and only a password may manage tokens",
                "exempt the service IDs from single sign-on, or use `identity = \"organization-token\"`".to_owned(),
            ),
        };
        Err(Failure::new(FailureKind::Refused, doing, happened, next))
    }

    async fn kept_account(&self) -> Result<store::Account, Failure> {
        let store = self.outside.store(self.project)?;
        store.account(&self.project.name).await
    }

    async fn look_at_account(&mut self) -> Result<(), Failure> {
        let account = self.kept_account().await?;
        let hub = &self.outside.hub;
        let is_member = matches!(self.picture.observed.membership, Membership::Member { .. });
        self.picture.observed.account = match is_member || hub.exists(&account.id).await? {
            false => Account::Absent,
            true => match hub.sign_in(&account.id, &account.password).await? {
                SignIn::Ready => {
                    self.signed_in = true;
                    Account::Ready
                }
                SignIn::Unconfirmed => Account::Unconfirmed,
                SignIn::Wrong => Account::Foreign,
                // Says what to do.
                SignIn::Sso => return self.sign_in().await,
            },
        };
        Ok(())
    }

    async fn look_at_tokens(&mut self) -> Result<(), Failure> {
        let tokens = match self.owner()? {
            Owner::Organization => {
                let all = self.outside.organization_tokens().await?;
                self.picture.observed.slots = Some(Slots {
                    limit: self.hub.token_slots,
                    used: self.outside.slots_used(),
                });
                all.to_vec()
            }
            owner @ Owner::Account(_) => {
                self.sign_in().await?;
                self.outside.hub.tokens(&owner).await?
            }
        };
        self.picture.observed.tokens = Some(tokens);
        Ok(())
    }

    async fn invent(&mut self) -> Result<(), Failure> {
        let (id, _) = self.service()?;
        let doing = format!("make an account for `{}`", self.project.name);
        if self.outside.hub.exists(&id).await? {
            return Err(Failure::new(
                FailureKind::ForAPerson,
                doing,
                format!("the Docker ID `{id}` is taken"),
                format!(
                    "give the project another one with `docker_id = \"…\"`; if this one is yours, keep its password with `pullpass onboard {} --password`",
                    self.project.name
                ),
            ));
        }
        let account = store::Account {
            id,
            // Without one, the person who signs up gives one of theirs.
            email: self.project.email.clone().unwrap_or_default(),
            password: secrets::password()?,
        };
        // Kept before anything is shown or sent.
        self.change(Update::Account(account)).await?;
        Ok(())
    }

    async fn invite(&mut self) -> Result<Option<String>, Failure> {
        let (id, team) = self.service()?;
        let invited = self.outside.hub.invite(&id, &team).await?;
        self.outside.forget_people().await;
        self.picture.observed.membership = match invited {
            Invited::Invited => Membership::Invited,
            Invited::AlreadyMember => {
                let (id, team) = (id.as_str(), team.as_str());
                let (membership, others) = picture::membership_of(self.outside, id, team).await?;
                self.picture.other_teams = others;
                membership
            }
            Invited::UnknownId => {
                return Err(Failure::new(
                    FailureKind::Refused,
                    format!("invite `{id}`"),
                    "Docker Hub knows no such Docker ID",
                    "sign it up first: pullpass onboard",
                ));
            }
        };
        Ok(None)
    }

    async fn mint(&mut self, generation: Generation) -> Result<Option<String>, Failure> {
        let owner = self.owner()?;
        // What is minted and cannot be kept is a live token that nobody holds.
        self.outside.store(self.project)?.may_write().await?;
        self.sign_in().await?;
        let attempt = secrets::attempt()?;
        let label = Label {
            project: self.project.name.clone(),
            generation,
            attempt,
        };
        let pull = match (&owner, self.hub.pull) {
            (Owner::Organization, _) => Pull::Repositories(self.hub.token_resources.clone()),
            (Owner::Account(_), file::Pull::Private) => Pull::PrivateToo,
            (Owner::Account(_), file::Pull::Public) => Pull::PublicOnly,
        };
        let expires_at = self
            .project
            .expires_after
            .and_then(|life| self.outside.now().saturating_add(life).ok());
        // Decided on this record; a token is kept on no other, or a fence would not hold.
        let renews = self.picture.observed.stored.current.is_some();
        // A Docker ID's own tokens take no slot of the organisation's.
        let takes_a_slot = matches!(owner, Owner::Organization);
        if takes_a_slot {
            self.outside.mint_begins(renews);
        }
        let minted = self
            .outside
            .hub
            .mint(&owner, &label, &pull, expires_at)
            .await;
        if takes_a_slot {
            self.outside.mint_ends(renews);
        }
        let minted = match minted {
            Ok(minted) => minted,
            Err(failure) if failure.kind == FailureKind::Unknown => {
                // It may exist, and nobody knows its secret: the next look finds and deletes it.
                self.picture.observed.tokens = None;
                self.outside.forget_tokens();
                return Err(failure);
            }
            Err(failure) => return Err(self.explained(failure)),
        };
        let kept = Kept {
            generation,
            attempt,
            token: minted.token.id,
            minted_at: minted.token.created_at,
            current_since: None,
        };
        // Whatever the clocks say, what was minted just now is new.
        let desired = &mut self.desired;
        desired.renew_minted_before = desired.renew_minted_before.min(kept.minted_at);
        if let Some(leak) = &mut desired.leak {
            leak.minted_before = leak.minted_before.min(kept.minted_at);
        }
        if let Some(slots) = &mut self.picture.observed.slots {
            slots.used += 1;
        }
        self.picture
            .observed
            .tokens
            .get_or_insert_default()
            .push(minted.token);
        self.known.insert(attempt, minted.secret.clone());
        if !self.change(Update::Pending(kept, minted.secret)).await? {
            // Nobody else knows its secret, and this run will not try to keep it again.
            self.known.remove(&attempt);
            self.picture.observed.learnt.fenced.insert(kept.token);
            self.outside.forget_tokens();
            return Ok(Some(
                "not kept, since another run was first: this run goes on from what that one made, and the token is deleted later".to_owned(),
            ));
        }
        Ok(None)
    }

    /// Docker Hub has no number for "no room": a refusal of a well-formed request is all it says.
    fn explained(&self, failure: Failure) -> Failure {
        let is_bare = failure.kind == FailureKind::Refused && failure.next.is_empty();
        match (&self.project.identity, is_bare) {
            (Identity::OrganizationToken, true) => Failure {
                next: "if the organisation has no room for more: set `token_slots` in `[hub]` to what its plan allows, delete tokens in Docker Hub's console, or give projects `identity = \"service-id\"`".to_owned(),
                ..failure
            },
            _ => failure,
        }
    }

    /// Where what takes the organisation's room goes by itself: old tokens of this fleet, which end after
    /// their grace. Says so then.
    pub(crate) async fn room_is_to_come(&self, fleet: &Fleet) -> Result<Option<String>, Failure> {
        let old = self.outside.old_tokens(fleet).await?;
        let limit = self.hub.token_slots;
        Ok((old > 0).then(|| {
            format!(
                "wait for room: the organisation has {limit} slots for access tokens, and {old} of them are held by old tokens of this fleet, which go after their `grace` and `settle`"
            )
        }))
    }

    /// Lists the organisation's tokens again, where that list is old.
    pub(crate) async fn look_for_room(&mut self) -> Result<(), Failure> {
        self.look_at_tokens().await
    }

    /// Whether that step was a proof, and the registry refuses what was to be proven.
    pub(crate) fn is_refuted(&self, step: &Step) -> bool {
        let refuted = &self.picture.observed.learnt.refuted;
        matches!(step, Step::Prove(attempt) if refuted.contains(attempt))
    }

    /// Whether there is room for a renewal.
    pub(crate) fn has_room(&self) -> bool {
        let slots = self.picture.observed.slots;
        slots.is_none_or(|slots| slots.used < slots.limit)
    }

    /// Takes note of what other projects have minted meanwhile; whether that was news.
    pub(crate) fn others_took_room(&mut self) -> bool {
        let used = self.outside.slots_used();
        match &mut self.picture.observed.slots {
            Some(slots) if self.picture.observed.tokens.is_some() && used > slots.used => {
                slots.used = used;
                true
            }
            _ => false,
        }
    }

    /// Changes the record; whether that was done. Where somebody else was first, or may have been,
    /// everything is looked at again.
    async fn change(&mut self, update: Update) -> Result<bool, Failure> {
        let store = self.outside.store(self.project)?;
        let listed: BTreeSet<TokenId> = self
            .picture
            .observed
            .tokens
            .iter()
            .flatten()
            .map(|token| token.id)
            .collect();
        let outcome = store
            .change(&self.project.name, &self.picture.record, &update)
            .await;
        match outcome {
            Ok(Written::Done(record)) => {
                // Every write that was decided on before is refused from now on, so what was
                // listed before and is not named now can never be.
                let lost = listed
                    .into_iter()
                    .filter(|token| !record.stored.names(*token));
                self.picture.observed.learnt.fenced.extend(lost);
                self.picture.observed.stored = record.stored.clone();
                let receipts = std::mem::take(&mut self.picture.record.receipts);
                self.picture.record = record;
                for (target, receipt) in receipts {
                    self.picture
                        .record
                        .receipts
                        .entry(target)
                        .or_insert(receipt);
                }
                Ok(true)
            }
            Ok(Written::Conflict) => {
                self.look_again().await?;
                Ok(false)
            }
            Err(failure) if failure.kind == FailureKind::Unknown => {
                self.look_again().await?;
                let stored = &self.picture.observed.stored;
                match &update {
                    Update::Pending(kept, _) => {
                        Ok(stored.pending.map(|p| p.attempt) == Some(kept.attempt))
                    }
                    Update::Promote(attempt, _) => {
                        Ok(stored.current.map(|c| c.attempt) == Some(*attempt))
                    }
                    _ => Ok(false),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    async fn token(&mut self, attempt: Attempt) -> Result<SecretString, Failure> {
        if let Some(known) = self.known.get(&attempt) {
            return Ok(known.clone());
        }
        let store = self.outside.store(self.project)?;
        let token = store.token(&self.project.name, attempt).await?;
        self.known.insert(attempt, token.clone());
        Ok(token)
    }

    pub(crate) async fn prove(&mut self, attempt: Attempt) -> Result<Option<String>, Failure> {
        let token = self.token(attempt).await?;
        let user = self.user();
        for showing in 1.. {
            let (registry, image) = (&self.outside.registry, &self.hub.probe);
            let proof = match self.watched {
                true => registry.prove(&user, &token, image).await?,
                false => registry.prove_granted(&user, &token, image).await?,
            };
            match proof {
                Proof::Accepted {
                    account,
                    metered,
                    may_push,
                } => {
                    self.picture.observed.learnt.proven.insert(attempt);
                    let whose = account.map_or_else(
                        || format!("as `{user}`"),
                        |account| format!("as `{user}` (account {account})"),
                    );
                    let limit = match (metered, self.watched) {
                        (Some(m), _) => format!(", {} of {} pulls left", m.remaining, m.limit),
                        (None, true) => ", unmetered".to_owned(),
                        (None, false) => String::new(),
                    };
                    let push = match may_push {
                        true => ", and may push, which it should not",
                        false => "",
                    };
                    return Ok(Some(format!("{whose}{limit}{push}")));
                }
                Proof::Refused if showing < SHOWINGS => {
                    self.outside.clock.sleep(BETWEEN_SHOWINGS).await;
                }
                Proof::Refused => break,
            }
        }
        self.picture.observed.learnt.refuted.insert(attempt);
        Ok(Some("the registry refuses it".to_owned()))
    }

    async fn deliver(&mut self, target: &Target, attempt: Attempt) -> Result<(), Failure> {
        let project = self.project;
        if let Delivery::Terraform { pipeline, branch } = &project.delivery {
            return self.bring(target, attempt, pipeline, branch).await;
        }
        let token = self.token(attempt).await?;
        let user = SecretString::from(self.user());
        let held = self.picture.observed.targets.get(target);
        // Where one of our versions is, the name beside it is ours too, and stays the same.
        let is_renewal = matches!(held, Some(Holding::Version { .. }));
        let (user_var, token_var) = (&self.project.user_var, &self.project.token_var);
        // From now on it holds nobody knows what, until the answer is there.
        self.holds(target, Holding::Other);
        let written_at: Timestamp = if *target == Target::CircleCi {
            let (client, slug) = self.outside.circleci(self.project)?;
            if !is_renewal {
                client.set_variable(&slug, user_var, &user).await?;
            }
            client.set_variable(&slug, token_var, &token).await?
        } else {
            let (client, repository) = self.outside.github(self.project)?;
            let scope = picture::scope_of(target);
            if !is_renewal {
                client
                    .set_secret(&repository, &scope, user_var, &user)
                    .await?;
            }
            client
                .set_secret(&repository, &scope, token_var, &token)
                .await?
        };
        self.delivered(target, attempt, written_at);
        Ok(())
    }

    /// Has Terraform bring the store's current version to a target, and sees that it did.
    async fn bring(
        &mut self,
        target: &Target,
        attempt: Attempt,
        pipeline: &str,
        branch: &str,
    ) -> Result<(), Failure> {
        let token = self.token(attempt).await?;
        let began = self.outside.now();
        // Terraform reads what is current; a run that began before the promotion read the old one.
        let current = self.picture.record.stored.current;
        let since = current.and_then(|kept| kept.current_since);
        let since = since.unwrap_or(began);
        self.holds(target, Holding::Other);
        self.outside.run_pipeline(pipeline, branch, since).await?;
        let not_there = || {
            Failure::new(
                FailureKind::Refused,
                format!("see what Terraform's pipeline `{pipeline}` brought to {target}"),
                "it ended well, and the new token is not there",
                "see that it applies `pullpass terraform export` for this project, then run the command again",
            )
        };
        let written_at = if *target == Target::CircleCi {
            let (client, slug) = self.outside.circleci(self.project)?;
            let variables = client.variables(&slug).await?;
            let shown = variables.get(&self.project.token_var);
            match shown.is_some_and(|masked| pipeline::shows(&masked.shown, &token)) {
                true => self.outside.now(),
                false => return Err(not_there()),
            }
        } else {
            let (client, repository) = self.outside.github(self.project)?;
            let scope = picture::scope_of(target);
            let secrets = client.secrets(&repository, &scope).await?;
            let name = self.project.token_var.to_ascii_uppercase();
            *secrets
                .get(&name)
                .filter(|moment| **moment >= since)
                .ok_or_else(not_there)?
        };
        self.delivered(target, attempt, written_at);
        Ok(())
    }

    fn delivered(&mut self, target: &Target, attempt: Attempt, written_at: Timestamp) {
        let receipt = Receipt {
            attempt,
            written_at,
        };
        self.unnoted.insert(target.clone(), receipt);
        self.holds(
            target,
            Holding::Version {
                attempt,
                since: written_at,
            },
        );
    }
}
