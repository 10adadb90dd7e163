//! One project until nothing is left to do; many projects side by side.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use pullpass_fleet::decide::{Standing, decide};
use pullpass_fleet::desired::Identity;
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::file::{Fleet, IdentityKind, Project, StoreKind, Wish};
use pullpass_fleet::foresee::{foresee, of_older};
use pullpass_fleet::name::ProjectName;
use pullpass_fleet::observed::{Account, Membership, Stored};
use pullpass_fleet::step::{Blocked, Step};
use pullpass_fleet::store::{Record, Store as _};
use tokio::sync::{Mutex, MutexGuard, Semaphore};

use crate::drift::{self, Moved};
use crate::estimate::Estimate;
use crate::event::{Event, Status, Summary};
use crate::outside::Outside;
use crate::perform::Case;
use crate::picture::{self, Picture};
use crate::strays::{UNNAMED_TARGET, not_in_file};
use crate::unkept::{self, Unkept};
use crate::words::{describe, left_behind, unnamed_target};

/// Projects that are worked on at the same time; each system's own limit is below that.
const AT_ONCE: usize = 16;

/// How often it is looked whether the organisation has room for another token.
const BETWEEN_LOOKS_FOR_ROOM: Duration = Duration::from_secs(10);

/// Of as many projects it is asked who changed them: where more are, one thing happened to all.
const ASKED_ABOUT: usize = 10;

/// Steps of one project without a wait: far more than any needs.
const MOST_STEPS: u32 = 100;

/// How often an answer may get lost before a run gives up on a project.
const MOST_LOST: u32 = 3;

/// A picture that is older is taken again before anything is changed. A grace is longer than this
/// and a request's time together, which is what the decision's safety rests on.
const OLDEST_PICTURE: SignedDuration = SignedDuration::from_mins(2);

/// How a run is to go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// What is asked for, beyond what the fleet file says.
    pub wish: Wish,
    /// Stay until nothing is waited for any more, at most so long.
    pub wait: Option<Duration>,
    /// Stay while a person does their part, and look this often.
    pub poll: Option<Duration>,
    /// End early.
    pub until: Option<Until>,
}

/// How far a run is to bring a renewal, where something else decides when it goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// A new token is stored as pending and proven; no target has it.
    Minted,
    /// Every target has it, and consumers of the store read the one before. Mints none.
    Delivered,
    /// It is the current one. Mints none.
    Promoted,
}

impl Until {
    /// Whether that far is reached before this step.
    fn ends_before(self, step: &Step, stored: &Stored) -> bool {
        let is_pending = |attempt| stored.pending.is_some_and(|kept| kept.attempt == attempt);
        match (self, step) {
            (Self::Minted, Step::Deliver(_, attempt) | Step::Promote(attempt)) => {
                is_pending(*attempt)
            }
            (Self::Delivered, Step::Promote(_) | Step::Mint(_)) => true,
            (Self::Promoted, Step::Mint(_)) => true,
            _ => false,
        }
    }
}

/// A fleet and everything outside of it.
pub struct Run<'a> {
    fleet: &'a Fleet,
    outside: &'a Outside,
    manner: Manner,
    watch: &'a dyn Fn(&Event),
    stop: Cell<bool>,
    ended: Cell<usize>,
    /// Places for projects that are worked on. One that waits takes none: others would wait with it.
    places: Semaphore,
    /// Whoever has it is the next to mint when the organisation has room again.
    next_in_room: Mutex<()>,
    /// Until when it stays for what is waited for.
    until: Cell<Option<Timestamp>>,
    /// Projects that found no room, and that this run does not wait with.
    without_room: RefCell<Vec<&'a Project>>,
}

/// A project, and what lies ahead for it.
#[derive(Clone, Debug)]
pub struct Ahead<'a> {
    /// Which.
    pub project: &'a Project,
    /// How it is, or why that could not be seen.
    picture: Result<Picture, FailureKind>,
    /// What would be done, in order.
    pub steps: Vec<Step>,
    /// Who made one of them necessary, where a log tells.
    who: Option<(Step, String)>,
}

impl Ahead<'_> {
    /// Whether the store has a credential of it, or one that was begun.
    pub fn has_credential(&self) -> bool {
        self.picture().is_none_or(|picture| {
            let stored = &picture.observed.stored;
            stored.current.is_some() || stored.pending.is_some()
        })
    }

    /// How it is; `None` where that could not be seen.
    pub(crate) fn picture(&self) -> Option<&Picture> {
        self.picture.as_ref().ok()
    }

    /// Where it goes its usual course, since when what is renewed is in use: a renewal that was begun by an
    /// earlier run (and that goes before all others), or one whose time has come. `None` for every other
    /// change, and for none.
    pub fn in_course(&self) -> Option<Timestamp> {
        let stored = &self.picture()?.observed.stored;
        match self.steps.iter().find(|step| step.changes())? {
            _ if stored.pending.is_some() => Some(Timestamp::MIN),
            Step::Mint(_) => Some(stored.current?.minted_at),
            _ => None,
        }
    }

    /// Whether it was renewed so lately that what is asked for is done, and it is left as it is.
    pub fn is_renewed(&self, wish: Wish, now: Timestamp) -> bool {
        let picture = self.picture();
        picture.is_some_and(|picture| {
            let stored = &picture.observed.stored;
            self.project.is_renewed(wish, stored, now)
        })
    }

    /// When the current token was minted.
    fn minted_at(&self) -> Option<Timestamp> {
        let current = self.picture()?.observed.stored.current?;
        Some(current.minted_at)
    }

    /// Whether anything would be changed.
    pub fn changes(&self) -> bool {
        self.steps.iter().any(Step::changes)
    }
}

/// How one project ended.
enum End {
    Converged,
    /// All is well, and there is something to do when time has passed.
    Waiting,
    /// There is more to do: the run was stopped, or was to come no further.
    Unfinished,
    /// The organisation has no room for its next token, and is to have some.
    WithoutRoom,
    /// The run was stopped before it.
    NotBegun,
    ForAPerson,
    Blocked,
    Failed(FailureKind),
}

/// Whether anything of a project is kept: a connection's id is no secret.
fn uses_store(project: &Project) -> bool {
    project.identity_kind() != IdentityKind::Oidc
}

impl<'a> Run<'a> {
    /// Of a fleet; `watch` is told what happens, as it happens.
    pub fn new(
        fleet: &'a Fleet,
        outside: &'a Outside,
        manner: Manner,
        watch: &'a dyn Fn(&Event),
    ) -> Self {
        Self {
            fleet,
            outside,
            manner,
            watch,
            stop: Cell::new(false),
            ended: Cell::new(0),
            places: Semaphore::new(AT_ONCE),
            next_in_room: Mutex::new(()),
            until: Cell::new(None),
            without_room: RefCell::default(),
        }
    }

    /// How many projects have ended, well or not.
    pub fn ended(&self) -> usize {
        self.ended.get()
    }

    /// Lets every project finish the step that it is at, and no other begin.
    pub fn stop(&self) {
        self.stop.set(true);
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stop.get()
    }

    fn tell(&self, project: &Project, step: &'static str, status: Status, detail: String) {
        (self.watch)(&Event {
            project: Some(project.name.clone()),
            step,
            status,
            detail,
        });
    }

    /// Looks at every project, and says what lies ahead. No secret is read, nothing is changed.
    ///
    /// # Errors
    ///
    /// When no store can be read; what is wrong with one project, or one store of several, is an event.
    pub async fn look(&self, projects: &[&'a Project]) -> Result<Vec<Ahead<'a>>, Failure> {
        let records = self.records(projects).await?;
        let records = &records;
        let mut ahead: Vec<(usize, Ahead<'a>)> = stream::iter(projects.iter().enumerate())
            .map(|(number, project)| async move { (number, self.ahead_of(project, records).await) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        ahead.sort_by_key(|(number, _)| *number);
        let mut ahead: Vec<Ahead<'a>> = ahead.into_iter().map(|(_, ahead)| ahead).collect();
        for ahead in &mut ahead {
            self.look_whether_taken(ahead).await;
        }
        self.ask_who(&mut ahead).await;
        Ok(ahead)
    }

    /// Nobody signs up for a Docker ID that is in the organisation already.
    async fn look_whether_taken(&self, ahead: &mut Ahead<'_>) {
        let Identity::ServiceId { id, team } = &ahead.project.identity else {
            return;
        };
        if ahead.steps.first() != Some(&Step::Invent) {
            return;
        }
        match picture::membership_of(self.outside, id.as_str(), team.as_str()).await {
            Ok((Membership::None | Membership::Expired, _)) => {}
            Ok(_) => ahead.steps = vec![Step::Blocked(Blocked::Taken)],
            Err(failure) => {
                let said = failure.to_string();
                self.tell(ahead.project, "look", Status::Failed, said);
                ahead.picture = Err(failure.kind);
                ahead.steps.clear();
            }
        }
    }

    /// Finds out who moved a Docker ID away from where it was put.
    async fn ask_who(&self, ahead: &mut [Ahead<'_>]) {
        let mut asked = 0;
        for ahead in ahead {
            let Ok(picture) = &ahead.picture else {
                continue;
            };
            let moved = ahead.steps.iter().find_map(|step| {
                Moved::righted_by(step, &picture.observed).map(|moved| (step, moved))
            });
            if let Some((step, moved)) = moved
                && asked < ASKED_ABOUT
            {
                asked += 1;
                let who = drift::who(self.outside, ahead.project, moved).await;
                ahead.who = who.map(|who| (step.clone(), who));
            }
        }
    }

    async fn ahead_of(&self, project: &'a Project, records: &Records) -> Ahead<'a> {
        if let (true, Some(failure)) = (uses_store(project), records.unread.get(&project.store)) {
            return self.ahead(project, Err(failure.clone()));
        }
        let record = records.known.get(&project.name).cloned();
        let known = record.unwrap_or_else(Record::nothing);
        let taken = picture::take(self.outside, &self.fleet.hub, project, Some(known)).await;
        self.ahead(project, taken)
    }

    fn ahead(&self, project: &'a Project, taken: Result<Picture, Failure>) -> Ahead<'a> {
        match taken {
            Ok(picture) => {
                let now = self.outside.now();
                let stored = &picture.observed.stored;
                let desired = project.desired_from(self.manner.wish, stored, now);
                let mut steps = foresee(&desired, &picture.observed, now);
                if steps == [Step::Converged] && !desired.thorough {
                    let due = picture.older_are_due();
                    let older = of_older(&desired, &picture.observed, due, now);
                    steps.splice(..0, older);
                }
                if let [.., Step::Converged | Step::Wait(..)] = steps.as_slice() {
                    steps.extend(picture.in_other_teams());
                }
                Ahead {
                    project,
                    steps,
                    picture: Ok(picture),
                    who: None,
                }
            }
            Err(failure) => {
                self.tell(project, "look", Status::Failed, failure.to_string());
                Ahead {
                    project,
                    picture: Err(failure.kind),
                    steps: Vec::new(),
                    who: None,
                }
            }
        }
    }

    /// The records of all projects, in as few calls as each store allows. A store that cannot be read keeps
    /// back its own projects alone.
    async fn records(&self, projects: &[&Project]) -> Result<Records, Failure> {
        let mut by_store: BTreeMap<StoreKind, (&Project, Vec<ProjectName>)> = BTreeMap::new();
        let (in_use, without): (Vec<&Project>, Vec<&Project>) =
            projects.iter().partition(|project| uses_store(project));
        // What is kept from before a project had a connection is looked for where that is one look.
        let is_asked = |project: &&Project| {
            project.store == StoreKind::File || in_use.iter().any(|p| p.store == project.store)
        };
        for project in in_use
            .iter()
            .copied()
            .chain(without.into_iter().filter(is_asked))
        {
            let entry = by_store
                .entry(project.store)
                .or_insert_with(|| (project, Vec::new()));
            entry.1.push(project.name.clone());
        }
        let mut records = Records::default();
        for (kind, (project, names)) in by_store {
            let listed = match self.outside.store(project) {
                Ok(store) => store.list(&names).await,
                Err(failure) => Err(failure),
            };
            match listed {
                Ok(mut listed) => records.known.append(&mut listed),
                // There is nobody else to go on with.
                Err(failure) if names.len() == projects.len() => return Err(failure),
                Err(failure) => drop(records.unread.insert(kind, failure)),
            }
        }
        Ok(records)
    }

    /// What there is to answer a leak of, where no credential of that project is kept.
    ///
    /// # Errors
    ///
    /// When Docker Hub cannot be asked.
    pub async fn unkept(&self, ahead: &Ahead<'_>) -> Result<Option<Unkept>, Failure> {
        unkept::look(self.outside, &self.fleet.hub, ahead).await
    }

    /// Tells what lies ahead.
    pub fn plan(&self, ahead: &[Ahead<'_>]) -> Summary {
        let mut summary = Summary::default();
        let mut estimate = Estimate::default();
        for ahead in ahead {
            summary.projects += 1;
            let picture = match &ahead.picture {
                Ok(picture) => picture,
                Err(kind) => {
                    summary.failed_with(*kind);
                    continue;
                }
            };
            let user = ahead.project.user(&self.fleet.hub);
            for target in picture.unnamed_targets(ahead.project) {
                let said = unnamed_target(&target, ahead.project);
                self.tell(ahead.project, UNNAMED_TARGET, Status::Skipped, said);
            }
            let (mut pending, mut person, mut blocked) = (false, false, false);
            for step in &ahead.steps {
                let mut detail = describe(step, ahead.project, &picture.observed, &user);
                detail += &self.written_over(step, ahead.project);
                if let Some((righted, who)) = &ahead.who
                    && righted == step
                {
                    detail = format!("{detail} ({who})");
                }
                let status = match step {
                    Step::Converged => continue,
                    Step::Blocked(_) => Status::Failed,
                    Step::Wait(..) => Status::Skipped,
                    step if step.awaits_a_person() => Status::Skipped,
                    _ => Status::Planned,
                };
                // Before that there is nothing to do: it is as it should be.
                pending |= !matches!(step, Step::Wait(..));
                person |= step.awaits_a_person();
                blocked |= matches!(step, Step::Blocked(_));
                estimate.add(step, ahead.project, &picture.observed);
                self.tell(ahead.project, step.name(), status, detail);
            }
            match (blocked, pending) {
                (true, _) => {
                    summary.failed += 1;
                    summary.blocked += 1;
                }
                (false, true) => {
                    summary.pending += 1;
                    summary.for_a_person += usize::from(person);
                }
                (false, false) => {
                    summary.converged += 1;
                    let waits = |step: &Step| matches!(step, Step::Wait(..));
                    summary.waiting += usize::from(ahead.steps.iter().any(waits));
                }
            }
        }
        if ahead.len() == self.fleet.projects.len() {
            for event in not_in_file(self.fleet, self.outside) {
                (self.watch)(&event);
            }
        }
        summary.calls = self.outside.calls();
        summary.ahead = Some(estimate);
        summary
    }

    /// What others keep where the store will show the token to its readers.
    fn written_over(&self, step: &Step, project: &Project) -> String {
        let Step::Promote(_) = step else {
            return String::new();
        };
        let store = self.outside.store(project).ok();
        let names = store.map(|store| store.written_over(&project.name));
        let names: Vec<String> = names.unwrap_or_default();
        match names.len() {
            0 => String::new(),
            _ => format!(
                ", over what stands in `{}` of the {} store, which pullpass did not put there",
                names.join("` and `"),
                project.store
            ),
        }
    }

    /// Does what lies ahead, and whatever turns up on the way. A failure in one project stops no
    /// other.
    pub async fn perform(&self, mut ahead: Vec<Ahead<'a>>) -> Summary {
        // Where there is not room for all, the oldest go first, in this run and in the next.
        ahead.sort_by_key(Ahead::minted_at);
        self.begins();
        let summary = RefCell::new(Summary::default());
        let ended = &summary;
        stream::iter(ahead)
            .for_each_concurrent(None, |ahead| async move {
                self.takes_a_place().await;
                // Made when there is a place: what all of a large fleet would take is much.
                Box::pin(self.one(ahead, ended)).await;
                self.leaves_its_place();
            })
            .await;
        self.in_room_that_was_made(&summary).await;
        self.summed(summary)
    }

    /// Looks at each project and does at once what lies ahead for it, where nothing has to be known
    /// of all of them first: what is asked of one system goes on while another makes wait, and no
    /// picture is older than it must be. Projects that are not `wanted` are left out.
    ///
    /// # Errors
    ///
    /// When a store cannot be read; what is wrong with one project is an event.
    pub async fn look_and_perform(
        &self,
        projects: &[&'a Project],
        wanted: impl Fn(&Ahead<'_>) -> bool,
    ) -> Result<Summary, Failure> {
        let records = self.records(projects).await?;
        let summary = RefCell::new(Summary::default());
        let (records, ended, wanted) = (&records, &summary, &wanted);
        let mut projects = projects.to_vec();
        projects.sort_by_key(|project| {
            let stored = records
                .known
                .get(&project.name)
                .map(|record| &record.stored);
            stored.and_then(|stored| stored.current.map(|kept| kept.minted_at))
        });
        self.begins();
        stream::iter(projects)
            .for_each_concurrent(None, |project| async move {
                self.takes_a_place().await;
                if self.is_stopped() {
                    count(&mut ended.borrow_mut(), &End::NotBegun);
                } else {
                    let ahead = Box::pin(self.ahead_of(project, records)).await;
                    if wanted(&ahead) {
                        Box::pin(self.one(ahead, ended)).await;
                    }
                }
                self.leaves_its_place();
            })
            .await;
        self.in_room_that_was_made(&summary).await;
        Ok(self.summed(summary))
    }

    fn begins(&self) {
        let wait = self.manner.wait;
        self.until
            .set(wait.map(|wait| later(self.outside.now(), wait)));
    }

    async fn takes_a_place(&self) {
        // It is never closed.
        if let Ok(place) = self.places.acquire().await {
            place.forget();
        }
    }

    fn leaves_its_place(&self) {
        self.places.add_permits(1);
    }

    /// Waits without a place.
    async fn away<T>(&self, wait: impl Future<Output = T>) -> T {
        self.leaves_its_place();
        let waited = wait.await;
        self.takes_a_place().await;
        waited
    }

    async fn one(&self, ahead: Ahead<'a>, ended: &RefCell<Summary>) {
        let end = match ahead.picture {
            Ok(_) if self.is_stopped() => End::NotBegun,
            Ok(picture) => self.project(ahead.project, picture).await,
            Err(kind) => End::Failed(kind),
        };
        match end {
            End::WithoutRoom => self.without_room.borrow_mut().push(ahead.project),
            end => self.ends(&end, ended),
        }
    }

    fn ends(&self, end: &End, ended: &RefCell<Summary>) {
        self.ended.set(self.ended.get() + 1);
        count(&mut ended.borrow_mut(), end);
    }

    /// Goes on with those that found no room, one after the other, as far as others have made some since: an answer
    /// to a leak deletes what it has replaced. Where none was made, nothing is asked.
    async fn in_room_that_was_made(&self, ended: &RefCell<Summary>) {
        for project in self.without_room.take() {
            let has_room = self.outside.slots_used() < self.fleet.hub.token_slots;
            let end = match has_room && !self.is_stopped() {
                false => End::Unfinished,
                true => match picture::take(self.outside, &self.fleet.hub, project, None).await {
                    Ok(picture) => Box::pin(self.project(project, picture)).await,
                    Err(failure) => {
                        self.tell(project, "look", Status::Failed, failure.to_string());
                        End::Failed(failure.kind)
                    }
                },
            };
            self.ends(&end, ended);
        }
    }

    fn summed(&self, summary: RefCell<Summary>) -> Summary {
        Summary {
            calls: self.outside.calls(),
            ..summary.into_inner()
        }
    }

    async fn project(&self, project: &'a Project, picture: Picture) -> End {
        let stored = &picture.observed.stored;
        let desired = project.desired_from(self.manner.wish, stored, self.outside.now());
        let (held, unnamed) = (stored.current, picture.unnamed_targets(project));
        let mut case = Case::new(self.outside, &self.fleet.hub, project, desired, picture);
        case.watched = self.manner.poll.is_some();
        let end = self.steps(&mut case).await;
        // What they hold is now the token that ends.
        if case
            .picture
            .observed
            .stored
            .current
            .map(|kept| kept.attempt)
            != held.map(|kept| kept.attempt)
        {
            for target in unnamed {
                let said = left_behind(&target, project);
                self.tell(project, UNNAMED_TARGET, Status::Skipped, said);
            }
        }
        // What was delivered is noted also when something went wrong afterwards.
        let noted = case.note().await;
        match (end, noted) {
            (Ok(end), Ok(())) => end,
            (Err((step, failure)), _) => {
                self.tell(project, step, Status::Failed, failure.to_string());
                End::Failed(failure.kind)
            }
            (Ok(_), Err(failure)) => {
                self.tell(project, "note", Status::Failed, failure.to_string());
                End::Failed(failure.kind)
            }
        }
    }

    async fn steps(&self, case: &mut Case<'_>) -> Result<End, (&'static str, Failure)> {
        let mut lost = 0;
        let mut told: Option<Step> = None;
        let mut last_look: Option<Step> = None;
        let until = self.until.get();
        let mut next_in_room = None;
        let mut was_overtaken = false;
        let mut steps = 0;
        while steps < MOST_STEPS {
            steps += 1;
            if self.is_stopped() {
                return Ok(End::Unfinished);
            }
            let now = self.outside.now();
            let mut step = decide(&case.desired, &case.picture.observed, now);
            // Told of at the end: no build waits for it.
            let is_last = match &step {
                Step::Converged => true,
                Step::Wait(moment, _) => until.is_none_or(|until| *moment > until),
                _ => false,
            };
            if is_last
                && self.manner.until.is_none()
                && let Some(blocked) = case.picture.in_other_teams()
            {
                case.older_are_due(&step);
                step = blocked;
            }
            let stored = &case.picture.observed.stored;
            if let Some(until) = self.manner.until
                && until.ends_before(&step, stored)
            {
                return Ok(End::Unfinished);
            }
            let fail = |failure| (step.name(), failure);
            let user = case.user();
            let mut detail = describe(&step, case.project, &case.picture.observed, &user);
            detail += &self.written_over(&step, case.project);
            if step.changes() && now.duration_since(case.picture.taken_at) > OLDEST_PICTURE {
                case.look_again().await.map_err(fail)?;
                last_look = None;
                continue;
            }
            // A record that was read before the tokens is behind for a while: another run's is no other store's.
            if matches!(step, Step::Blocked(Blocked::Overtaken(..))) && !was_overtaken {
                was_overtaken = true;
                case.look_again().await.map_err(fail)?;
                last_look = None;
                continue;
            }
            if matches!(step, Step::Mint(_)) && case.others_took_room() {
                continue;
            }
            if step == Step::Blocked(Blocked::NoSlot)
                && let Some(mut detail) = case.room_is_to_come(self.fleet).await.map_err(fail)?
            {
                detail += meanwhile(case.standing());
                if told.as_ref() != Some(&step) {
                    self.tell(case.project, "wait", Status::Skipped, detail);
                }
                told = Some(step.clone());
                drop(next_in_room.take());
                let Some(until) = until else {
                    return Ok(End::WithoutRoom);
                };
                next_in_room = self.away(self.room(case, until)).await.map_err(fail)?;
                if next_in_room.is_none() {
                    return Ok(End::Unfinished);
                }
                steps = 0;
                continue;
            }
            if step.ends_a_run() {
                drop(next_in_room.take());
                if matches!(step, Step::Wait(..)) {
                    detail += meanwhile(case.standing());
                }
                case.older_are_due(&step);
                let is_new = told.as_ref() != Some(&step);
                let end = match &step {
                    Step::Converged => End::Converged,
                    Step::Wait(moment, _) => {
                        if until.is_some_and(|until| *moment <= until) {
                            if is_new {
                                self.tell(case.project, step.name(), Status::Skipped, detail);
                            }
                            told = Some(step.clone());
                            self.away(self.sleep_until(*moment)).await;
                            case.look_again().await.map_err(fail)?;
                            (last_look, steps) = (None, 0);
                            continue;
                        }
                        match case.is_served() {
                            true => End::Waiting,
                            false => End::Unfinished,
                        }
                    }
                    Step::Blocked(_) => End::Blocked,
                    _ => End::ForAPerson,
                };
                let status = match &end {
                    End::Converged => Status::Done,
                    End::Blocked => Status::Failed,
                    _ => Status::Skipped,
                };
                if is_new {
                    self.tell(case.project, step.name(), status, detail);
                }
                if let (End::ForAPerson, Some(poll)) = (&end, self.manner.poll) {
                    told = Some(step.clone());
                    self.outside.clock.sleep(poll).await;
                    self.outside.forget_people().await;
                    case.look_again().await.map_err(fail)?;
                    // A person takes as long as a person takes.
                    (last_look, steps) = (None, 0);
                    case.picture.observed.account = Account::Unseen;
                    continue;
                }
                return Ok(end);
            }
            let is_look = matches!(step, Step::LookAtAccount | Step::LookAtTokens);
            if is_look && last_look.as_ref() == Some(&step) {
                return Err(fail(Failure::new(
                    FailureKind::Unavailable,
                    detail,
                    "looking did not show anything",
                    "run the command again",
                )));
            }
            match case.perform(&step).await {
                Ok(more) => {
                    if step.changes() || matches!(step, Step::Prove(_)) {
                        let detail = match more {
                            Some(more) => format!("{detail}: {more}"),
                            None => detail,
                        };
                        let status = match case.is_refuted(&step) {
                            true => Status::Skipped,
                            false => Status::Done,
                        };
                        self.tell(case.project, step.name(), status, detail);
                    }
                }
                Err(failure) if failure.kind == FailureKind::Unknown && lost < MOST_LOST => {
                    lost += 1;
                    let goes_on = Failure {
                        next:
                            "nothing is to be done: this run looks whether it happened, and goes on"
                                .to_owned(),
                        ..failure
                    };
                    self.tell(
                        case.project,
                        step.name(),
                        Status::Skipped,
                        goes_on.to_string(),
                    );
                    case.look_again().await.map_err(fail)?;
                    last_look = None;
                    continue;
                }
                Err(failure) => return Err(fail(failure)),
            }
            if matches!(step, Step::Mint(_)) {
                drop(next_in_room.take());
            }
            was_overtaken &= is_look;
            last_look = is_look.then_some(step);
        }
        Err((
            "steps",
            Failure::new(
                FailureKind::Unavailable,
                format!("finish `{}`", case.project.name),
                format!("{MOST_STEPS} steps were not enough: something undoes what is done"),
                "see that no other run works on it, then run the command again",
            ),
        ))
    }

    /// Waits until the organisation has room for another token, one project after the other. Whoever gets
    /// something is the one to mint; `None` when it was not to be waited for any longer.
    async fn room<'r>(
        &'r self,
        case: &mut Case<'_>,
        until: Timestamp,
    ) -> Result<Option<MutexGuard<'r, ()>>, Failure> {
        let next = self.next_in_room.lock();
        tokio::pin!(next);
        let next = loop {
            if self.is_stopped() || self.outside.now() >= until {
                return Ok(None);
            }
            let piece = later(self.outside.now(), BETWEEN_LOOKS_FOR_ROOM).min(until);
            tokio::select! {
                biased;
                next = &mut next => break next,
                () = self.sleep_until(piece) => {}
            }
        };
        while !self.is_stopped() && self.outside.now() < until {
            case.look_for_room().await?;
            if case.has_room() {
                return Ok(Some(next));
            }
            let piece = later(self.outside.now(), BETWEEN_LOOKS_FOR_ROOM).min(until);
            self.sleep_until(piece).await;
        }
        Ok(None)
    }

    async fn sleep_until(&self, moment: Timestamp) {
        while self.outside.now() < moment && !self.is_stopped() {
            let left = moment.duration_since(self.outside.now());
            let left = Duration::try_from(left).unwrap_or_default();
            // In pieces, so that an interrupt is noticed.
            let piece = left.clamp(Duration::from_millis(10), Duration::from_secs(1));
            self.outside.clock.sleep(piece).await;
        }
    }
}

/// What builds do while it is waited for something.
fn meanwhile(standing: Option<Standing>) -> &'static str {
    match standing {
        Some(Standing::Dead) => ". Until then its builds fail: its token does not work any more",
        Some(Standing::Leaked) => ". Until then the token works that others may have",
        Some(Standing::Due | Standing::Good) | None => "",
    }
}

/// What the stores say.
#[derive(Default)]
struct Records {
    known: BTreeMap<ProjectName, Record>,
    /// Stores that could not be read.
    unread: BTreeMap<StoreKind, Failure>,
}

fn count(summary: &mut Summary, end: &End) {
    summary.projects += 1;
    match end {
        End::Converged => summary.converged += 1,
        End::Waiting => {
            summary.converged += 1;
            summary.waiting += 1;
        }
        End::Unfinished | End::WithoutRoom => summary.pending += 1,
        End::NotBegun => {
            summary.pending += 1;
            summary.not_begun += 1;
        }
        End::ForAPerson => {
            summary.pending += 1;
            summary.for_a_person += 1;
        }
        End::Blocked => {
            summary.failed += 1;
            summary.blocked += 1;
        }
        End::Failed(kind) => summary.failed_with(*kind),
    }
}

fn later(moment: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| moment.saturating_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}
